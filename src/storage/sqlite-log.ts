import { plainBytes, type Connection } from './connection.js'
import { StoreError } from './errors.js'
import type { LogState, NewBatch, RootNoteRow } from './store.js'

const MAX_ENTRIES = 1024

interface StateRecord {
  origin: string
  identity: string
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
  const logged = db.prepare<[Uint8Array], { idx: number }>('SELECT idx FROM entries WHERE leaf_hash = ?')
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
    checkpoint: (size: number): string | undefined => checkpoint.get(size)?.note,
    isLogged: (leafHash: Uint8Array): number | undefined => logged.get(leafHash)?.idx,
    latestAbout: (target: string): number | undefined => about.get(target)?.idx,
    rootNotes: (): RootNoteRow[] => rootNotes.all(),
  }
}

function stateOf(record: StateRecord): LogState {
  const { origin, identity, size, note } = record
  return {
    ...{ origin, identity, size, note, root: plainBytes(record.root) },
    ...{ publishedSize: record.published_size, publishedNote: record.published_note },
  }
}

/** Writes of the log; the caller holds the transaction. */
export function logWrites(db: Connection) {
  const init = db.prepare('INSERT INTO log_state VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const advance = db.prepare(
    'UPDATE log_state SET size = ?, root = ?, note = ? WHERE id = 1 AND size = ? AND note = ?',
  )
  const publish = db.prepare(
    `UPDATE log_state SET published_size = ?, published_note = ?
     WHERE id = 1 AND published_size <= ? AND size >= ?`,
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
      const { origin, identity, size, root, note, publishedSize, publishedNote } = state
      const { changes } = init.run(origin, identity, size, root, note, publishedSize, publishedNote)
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
    publish: (size: number, note: string): boolean => publish.run(size, note, size, size).changes === 1,
    rootNote: (row: RootNoteRow): void => void rootNote.run(row.version, row.note),
  }
}

function assertContiguous({ expected, entries, size }: NewBatch): void {
  const contiguous = entries.every((entry, position) => entry.index === expected.size + position)
  if (!contiguous || entries.length === 0 || size !== expected.size + entries.length) {
    throw new StoreError('misuse', 'the entries of a batch continue the log without a gap')
  }
}
