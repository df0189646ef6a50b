import { StoreError } from '../errors.js'
import type { Queries } from './desk.js'
import { logReads } from './log.js'
import type { LogState } from '../store.js'

/** Rows moved by one statement: a log of millions is moved within any limit of a statement. */
const ROWS_AT_ONCE = 20_000

/** A table of the active log, the one it is moved to, and what it is cut into portions by. */
const MOVES = [
  { from: 'entries', to: 'frozen_entries', columns: 'idx, data, leaf_hash', key: 'idx' },
  { from: 'checkpoints', to: 'frozen_checkpoints', columns: 'size, root, note', key: 'size' },
  { from: 'tiles', to: 'frozen_tiles', columns: 'level, n, data', key: 'n' },
] as const

/** Moves the active log out of the way of its successor; the caller holds the transaction. */
export async function succeed(db: Queries, successor: LogState): Promise<void> {
  const active = await logReads(db).readLogState()
  const { base, size, publishedSize } = successor
  if (active === undefined || base !== active.base + active.size || size !== 0 || publishedSize !== 0) {
    throw new StoreError('misuse', 'a successor is empty and begins where the active log ends')
  }
  const number = await freeze(db)
  for (const move of MOVES) await moveAll(db, move, number)
  await replaceState(db, successor)
}

/** The same row: who waits for it must find it. */
async function replaceState(db: Queries, state: LogState): Promise<void> {
  const { origin, identity, base, size, root, note, publishedSize, publishedNote } = state
  await db.run(
    `UPDATE log_state SET origin = $1, identity = $2, base = $3, size = $4, root = $5, note = $6,
       published_size = $7, published_note = $8 WHERE id = 1`,
    [origin, identity, base, size, root, note, publishedSize, publishedNote],
  )
}

async function freeze(db: Queries): Promise<number> {
  const row = await db.get<{ number: number }>(
    `INSERT INTO frozen_logs (number, origin, base, size, root, note)
     SELECT (SELECT count(*) + 1 FROM frozen_logs), origin, base, size, root, note FROM log_state WHERE id = 1
     RETURNING number`,
  )
  if (row === undefined) throw new StoreError('io', 'the active log was not there to be frozen')
  return row.number
}

/** In portions by the key: none of its values are negative. */
async function moveAll(db: Queries, move: (typeof MOVES)[number], number: number): Promise<void> {
  const { from, to, columns, key } = move
  const last = await db.get<{ last: number | null }>(`SELECT max(${key}) AS last FROM ${from}`)
  for (let first = 0; first <= (last?.last ?? -1); first += ROWS_AT_ONCE) {
    const portion = [first, first + ROWS_AT_ONCE]
    await db.run(
      `INSERT INTO ${to} (log, ${columns}) SELECT $3::bigint, ${columns} FROM ${from}
       WHERE ${key} >= $1 AND ${key} < $2`,
      [...portion, number],
    )
    await db.run(`DELETE FROM ${from} WHERE ${key} >= $1 AND ${key} < $2`, portion)
  }
}
