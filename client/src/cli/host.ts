import { openHost, type Host } from '../host.js'
import type { HostPolicy } from '../host-policy.js'
import { machineFacts } from '../node/index.js'
import { registryUrl, type Context } from './context.js'
import { openMemory, readPinned } from './pinned.js'

export interface CliHostOptions {
  readonly policy?: HostPolicy
  /** An offline bundle that the person handed over. */
  readonly offline?: Uint8Array
}

/** A host over this home folder: its trust, its memory, and the facts of this machine. */
export async function openCliHost(context: Context, options: CliHostOptions = {}): Promise<Host> {
  const { trust } = await readPinned(context)
  const registry = context.registry ?? trust.registry ?? registryUrl(context)
  return await openHost({
    registry,
    trust,
    memory: openMemory(context),
    facts: () => machineFacts(),
    ...options,
  })
}
