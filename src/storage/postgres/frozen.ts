import { assertReadable, type Queries } from './desk.js'
import type { FrozenLog, LogStore } from '../store.js'

/** Reads of the logs that were frozen. */
export function frozenReads(
  db: Queries,
): Pick<LogStore, 'readFrozenLogs' | 'readFrozenTile' | 'readFrozenEntries'> {
  return {
    readFrozenLogs: () =>
      db.all<FrozenLog>('SELECT number, origin, base, size, root, note FROM frozen_logs ORDER BY number'),
    readFrozenTile: async (log, level, n) => {
      const sql = 'SELECT data FROM frozen_tiles WHERE log = $1 AND level = $2 AND n = $3'
      return (await db.get<{ data: Uint8Array }>(sql, [log, level, n]))?.data
    },
    readFrozenEntries: async (log, from, to) => {
      assertReadable(from, to)
      const sql = 'SELECT data FROM frozen_entries WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx'
      return (await db.all<{ data: string }>(sql, [log, from, to])).map(({ data }) => data)
    },
  }
}
