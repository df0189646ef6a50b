import { plainBytes, type Connection } from './connection.js'
import { StoreError } from '../errors.js'
import type { FrozenLog, LogState, NewBatch, RootNoteRow } from '../store.js'

/** Most entries of one read. */
export const MAX_ENTRIES = 1024

interface StateRecord {
  origin: string
  identity: string
  base: number
  size: number
  root: Uint8Array
  note: string
  published_size: number
  published_note: string
}

/** Reads of the log, on whichever connection: the batch's own or the readers'. */
export function logReads(db: Connection) {
  const state = db.prepare<[], StateRecord>('SELECT * FROM log_state')
  const tile = db.prepare<[number, number], { data: Uint8Array }>(
    'SELECT data FROM tiles WHERE level = ? AND n = ?',
  )
  const entries = db.prepare<[number, number], { data: string }>(
    'SELECT data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx',
  )
  const checkpoint = db.prepare<[number], { note: string }>('SELECT note FROM checkpoints WHERE size = ?')
  const logged = db.prepare<[Uint8Array, Uint8Array], { position: number }>(
    `SELECT idx + base AS position FROM entries, log_state WHERE leaf_hash = ?
     UNION ALL
     SELECT e.idx + f.base FROM frozen_entries e JOIN frozen_logs f ON f.number = e.log WHERE e.leaf_hash = ?`,
  )
  const leaf = db.prepare<[number, number], { data: string }>(
    `SELECT data FROM entries JOIN log_state WHERE entries.idx = ? - base
     UNION ALL
     SELECT e.data FROM frozen_logs f JOIN frozen_entries e ON e.log = f.number AND e.idx = ? - f.base`,
  )
  const about = db.prepare<[string], { idx: number }>('SELECT idx FROM latest_about WHERE target = ?')
  const rootNotes = db.prepare<[], RootNoteRow>('SELECT version, note FROM root_notes ORDER BY version')
  return {
    state: (): LogState | undefined => {
      const record = state.get()
      return record === undefined ? undefined : stateOf(record)
    },
    tile: (level: number, n: number): Uint8Array | undefined => {
      const record = tile.get(level, n)
      return record === undefined ? undefined : plainBytes(record.data)
    },
    entries: (from: number, to: number): string[] => {
      if (to - from > MAX_ENTRIES) throw new StoreError('limit', `at most ${MAX_ENTRIES} entries in one read`)
      return entries.all(from, to).map((record) => record.data)
    },
    leaf: (position: number): string | undefined => leaf.get(position, position)?.data,
    checkpoint: (size: number): string | undefined => checkpoint.get(size)?.note,
    isLogged: (leafHash: Uint8Array): number | undefined => logged.get(leafHash, leafHash)?.position,
    latestAbout: (target: string): number | undefined => about.get(target)?.idx,
    rootNotes: (): RootNoteRow[] => rootNotes.all(),
  }
}

function stateOf(record: StateRecord): LogState {
  const { origin, identity, base, size, note } = record
  return {
    ...{ origin, identity, base, size, note, root: plainBytes(record.root) },
    ...{ publishedSize: record.published_size, publishedNote: record.published_note },
  }
}

/** Reads of the logs that were frozen. */
export function frozenReads(db: Connection) {
  const logs = db.prepare<[], FrozenLog>('SELECT * FROM frozen_logs ORDER BY number')
  const tile = db.prepare<[number, number, number], { data: Uint8Array }>(
    'SELECT data FROM frozen_tiles WHERE log = ? AND level = ? AND n = ?',
  )
  const entries = db.prepare<[number, number, number], { data: string }>(
    'SELECT data FROM frozen_entries WHERE log = ? AND idx >= ? AND idx < ? ORDER BY idx',
  )
  return {
    frozenLogs: (): FrozenLog[] => logs.all().map((log) => ({ ...log, root: plainBytes(log.root) })),
    frozenTile: (log: number, level: number, n: number): Uint8Array | undefined => {
      const record = tile.get(log, level, n)
      return record === undefined ? undefined : plainBytes(record.data)
    },
    frozenEntries: (log: number, from: number, to: number): string[] => {
      if (to - from > MAX_ENTRIES) throw new StoreError('limit', `at most ${MAX_ENTRIES} entries in one read`)
      return entries.all(log, from, to).map((record) => record.data)
    },
  }
}

/** Writes of the log; the caller holds the transaction. */
export function logWrites(db: Connection) {
  const init = db.prepare(
    `INSERT INTO log_state (id, origin, identity, base, size, root, note, published_size, published_note)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  const advance = db.prepare(
    'UPDATE log_state SET size = ?, root = ?, note = ? WHERE id = 1 AND size = ? AND note = ?',
  )
  const publish = db.prepare(
    `UPDATE log_state SET published_size = ?, published_note = ?
     WHERE id = 1 AND published_size <= ? AND size >= ?
       AND substr(?, 1, length(origin) + 1) = origin || char(10)
       AND (published_size < ? OR published_note = coalesce(?, published_note))`,
  )
  const entry = db.prepare('INSERT INTO entries (idx, data, leaf_hash) VALUES (?, ?, ?)')
  const tile = db.prepare(
    `INSERT INTO tiles (level, n, data) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(tiles.data)`,
  )
  const checkpoint = db.prepare('INSERT INTO checkpoints (size, root, note) VALUES (?, ?, ?)')
  const rootNote = db.prepare('INSERT INTO root_notes (version, note) VALUES (?, ?)')
  return {
    init: (state: LogState): void => {
      const { origin, identity, base, size, root, note, publishedSize, publishedNote } = state
      const { changes } = init.run(origin, identity, base, size, root, note, publishedSize, publishedNote)
      if (changes !== 1) throw new StoreError('already-initialised', 'this database has a log already')
    },
    append: (batch: NewBatch): void => {
      const { expected, size, root, note } = batch
      // The compare-and-swap: whatever else was assumed, only one batch can follow a given note.
      const { changes } = advance.run(size, root, note, expected.size, expected.note)
      if (changes !== 1) throw new StoreError('lost-race', `the log is no longer at size ${expected.size}`)
      assertContiguous(batch)
      for (const { index, data, leafHash } of batch.entries) entry.run(index, data, leafHash)
      for (const { level, n, data } of batch.tiles) tile.run(level, n, data)
      checkpoint.run(size, root, note)
    },
    publish: (size: number, note: string, over?: string): boolean =>
      publish.run(size, note, size, size, note, size, over ?? null).changes === 1,
    rootNote: (row: RootNoteRow): void => void rootNote.run(row.version, row.note),
  }
}

function assertContiguous({ expected, entries, size }: NewBatch): void {
  const contiguous = entries.every((entry, position) => entry.index === expected.size + position)
  if (!contiguous || entries.length === 0 || size !== expected.size + entries.length) {
    throw new StoreError('misuse', 'the entries of a batch continue the log without a gap')
  }
}

/** Moves the active log out of the way of its successor; the caller holds the transaction. */
export function succession(db: Connection): (successor: LogState) => void {
  const state = logReads(db).state
  const { init } = logWrites(db)
  const number = db.prepare<[], { next: number }>('SELECT count(*) + 1 AS next FROM frozen_logs')
  const freeze = db.prepare(
    'INSERT INTO frozen_logs SELECT ?, origin, base, size, root, note FROM log_state WHERE id = 1',
  )
  const moves = [
    'INSERT INTO frozen_entries SELECT ?, idx, data, leaf_hash FROM entries',
    'INSERT INTO frozen_tiles SELECT ?, level, n, data FROM tiles',
    'INSERT INTO frozen_checkpoints SELECT ?, size, root, note FROM checkpoints',
  ].map((move) => db.prepare(move))
  const empty = ['entries', 'tiles', 'checkpoints', 'log_state'].map((table) =>
    db.prepare(`DELETE FROM ${table}`),
  )
  return (successor) => {
    const active = state()
    const { base, size, publishedSize } = successor
    if (active === undefined || base !== active.base + active.size || size !== 0 || publishedSize !== 0) {
      throw new StoreError('misuse', 'a successor is empty and begins where the active log ends')
    }
    const { next } = number.get() ?? { next: 1 }
    freeze.run(next)
    for (const move of moves) move.run(next)
    for (const table of empty) table.run()
    init(successor)
  }
}
