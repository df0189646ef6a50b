import type { Queries } from './desk.js'

const EVERY_MS = 30_000
/** Clocks of several machines differ: what has expired by one of them may still count for another. */
const MARGIN_SECONDS = 300
/** Of one sweep: what a long pause left behind goes in several. */
const AT_ONCE = 5000

export interface Swept {
  readonly table: string
  readonly key: string
  readonly expires: string
  /** What the column counts in a second. */
  readonly perSecond: 1 | 1000
}

/**
 * Takes expired rows away, now and then: no answer depends on it. Rows that somebody else has in hand are passed over,
 * so that two sweeps never wait for each other.
 */
export function openSweep(
  db: Queries,
  now: () => number,
  { table, key, expires, perSecond }: Swept,
): () => Promise<void> {
  let next = -Infinity
  const sql = `DELETE FROM ${table} WHERE (${key}) IN
    (SELECT ${key} FROM ${table} WHERE ${expires} <= $1 LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)`
  return async () => {
    const at = now()
    if (at < next) return
    next = at + EVERY_MS
    await db.run(sql, [(Math.floor(at / 1000) - MARGIN_SECONDS) * perSecond])
  }
}
