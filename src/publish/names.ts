import type { GateFacts } from 'countersign/gates'
import type { Store } from '../storage/store.js'

type Known = GateFacts['knownServers']

/** Server names that are logged, for the look-alike rule. */
export interface Names {
  /** Whether `server` is logged, and all names that are. */
  around(server: string): Promise<Around>
}

export interface Around {
  readonly isKnown: boolean
  readonly names: Known
  /** Index of the newest publication among them; the log asks for what came after it. */
  readonly seen: number
}

/**
 * Names only ever grow, so those read before stay true, and only publications since then are read. That is done every
 * time: what is measured here need not be measured again while the log waits.
 */
export function openNames(store: Store): Names {
  const names: Known[number][] = []
  const servers = new Set<string>()
  let read = -1
  return {
    async around(server) {
      for (const { server: name, namespace, index } of await store.readServerNames(read)) {
        read = Math.max(read, index)
        if (servers.has(name)) continue
        servers.add(name)
        names.push({ server: name, namespace })
      }
      return { isKnown: servers.has(server), names, seen: read }
    },
  }
}
