import { CountersignError } from '../core/index.js'
import { openHost, REQUEST_MS, type Host, type HostOptions } from '../host.js'
import type { HostPolicy } from '../host-policy.js'
import { machineFacts } from '../node/index.js'
import { registryUrl, type Context } from './context.js'
import { openMemory, readPinned } from './pinned.js'
import { openReadApi, openReading } from './reading.js'

export interface CliHostOptions {
  readonly policy?: HostPolicy
  /** The policy is what the registry's authorities signed for its hosts. */
  readonly policySource?: 'registry'
  /** An offline bundle that the person handed over. */
  readonly offline?: Uint8Array
  /** For reads of a private registry, in place of this person's login. */
  readonly token?: () => Promise<string>
  readonly onEvent?: HostOptions['onEvent'] & object
}

/** Where a host of this home folder asks: as named, as pinned, or as used last. */
export async function registryOfHost(context: Context): Promise<string> {
  const { trust } = await readPinned(context)
  return context.registry ?? trust.registry ?? registryUrl(context)
}

/** A host over this home folder: its trust, its memory, and the facts of this machine. */
export async function openCliHost(
  context: Context,
  { token, ...options }: CliHostOptions = {},
): Promise<Host> {
  const { trust } = await readPinned(context)
  const registry = await registryOfHost(context)
  return await openHost({
    registry: openReadApi(context, registry, {
      timeoutMs: REQUEST_MS,
      ...(token === undefined ? { fetch: patientWithLogins(openReading(context, registry)) } : { token }),
    }),
    trust,
    memory: openMemory(context),
    facts: () => machineFacts(),
    ...options,
  })
}

/** A login that is over is for a person to renew: until then the registry is as good as gone, and its last word counts. */
function patientWithLogins(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    try {
      return await send(input, init)
    } catch (cause) {
      if (!(cause instanceof CountersignError)) throw cause
      const { code, detail, message } = cause
      throw new CountersignError('registry-unreachable', message, { ...detail, reason: code }, { cause })
    }
  }
}
