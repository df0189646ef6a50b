import type { GateFacts } from 'countersign/gates'
import type { Store } from '../storage/store.js'

type Known = GateFacts['knownServers']

/** Server names that are logged, for the look-alike rule. */
export interface Names {
  /** All names; read again whenever `server` is none of those read before. */
  around(server: string): Promise<Known>
}

/**
 * Names only ever grow, so those read before stay true. The next version of a known server is measured
 * against them; a name that is new is measured against everything that is committed.
 */
export function openNames(store: Store): Names {
  let known: Known = []
  let servers = new Set<string>()
  return {
    async around(server) {
      if (!servers.has(server)) {
        known = await store.readServerNames()
        servers = new Set(known.map((one) => one.server))
      }
      return known
    },
  }
}
