import type { Ledger } from '../log/ledger.js'
import type { Store } from '../storage/store.js'

/** Most entries that the database hands out at once. */
export const RANGE_LIMIT = 1024

export interface RangeReads {
  readonly ledger: Pick<Ledger, 'base'>
  readonly store: Pick<Store, 'readEntries' | 'readFrozenLogs' | 'readFrozenEntries'>
}

/**
 * Entries from a position over all logs of the identity up to `to`, or to the end of the log it stands in, at most 1024;
 * at least one where there is one.
 */
export async function readRange({ ledger, store }: RangeReads, from: number, to: number): Promise<string[]> {
  const end = Math.min(to, from + RANGE_LIMIT)
  if (from >= ledger.base) return store.readEntries(from - ledger.base, end - ledger.base)
  const log = (await store.readFrozenLogs()).findLast(({ base }) => base <= from)
  if (log === undefined) return []
  return store.readFrozenEntries(log.number, from - log.base, Math.min(end - log.base, log.size))
}
