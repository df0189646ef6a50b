import { openHost, type Host } from '../host.js'
import type { HostPolicy } from '../host-policy.js'
import { machineFacts, openRegistryApi } from '../node/index.js'
import { isFileRegistry } from '../node/registry-files.js'
import { registryUrl, type Context } from './context.js'
import { openMemory, readPinned } from './pinned.js'

export interface CliHostOptions {
  readonly policy?: HostPolicy
  /** An offline bundle that the person handed over. */
  readonly offline?: Uint8Array
}

/** Where a host of this home folder asks: as named, as pinned, or as used last. */
export async function registryOfHost(context: Context): Promise<string> {
  const { trust } = await readPinned(context)
  return context.registry ?? trust.registry ?? registryUrl(context)
}

/** A host over this home folder: its trust, its memory, and the facts of this machine. */
export async function openCliHost(context: Context, options: CliHostOptions = {}): Promise<Host> {
  const { trust } = await readPinned(context)
  const registry = await registryOfHost(context)
  return await openHost({
    // Over the network the host itself says how long it waits.
    registry: isFileRegistry(registry) ? openRegistryApi(registry) : registry,
    trust,
    memory: openMemory(context),
    facts: () => machineFacts(),
    ...options,
  })
}
