import type { GuardListener } from '../../guard/index.js'
import { openGuarded, type Guarded, type ProxyOptions } from '../open-server.js'
import type { Log } from '../target.js'

/** Requests of one connection that may wait for an answer at once. */
export const MAX_OPEN = 256

/** Opens one more server behind its guard, under a name of its own. */
export type OpenUpstream = (name: string) => Promise<Guarded>

export function upstreams(
  options: ProxyOptions,
  log: Log,
  listenerOf: (session: string) => GuardListener,
): OpenUpstream {
  return async (name) => {
    const opened = await openGuarded(options, log, listenerOf(name))
    opened.guarded.onerror = (error) => log(`from the server: ${error.message}`)
    await opened.guarded.start()
    return opened
  }
}

export function progressTokenOf(params: unknown): string | number | undefined {
  const meta = (params as { _meta?: { progressToken?: unknown } } | undefined)?._meta
  const token = meta?.progressToken
  return typeof token === 'string' || typeof token === 'number' ? token : undefined
}
