import { StoreError } from '../errors.js'
import { assertReadable, type Desk, type Queries } from './desk.js'
import { frozenReads } from './frozen.js'
import type { LogReads, LogState, LogStore, NewBatch, RootNoteRow, TileRow } from '../store.js'

export interface StateRecord {
  origin: string
  identity: string
  base: number
  size: number
  root: Uint8Array
  note: string
  published_size: number
  published_note: string
}

/** Who listens looks at the log again. */
export const CHANNEL = 'countersign_log'
const TELL = `SELECT pg_notify('${CHANNEL}', '')`

export const STATE = `SELECT origin, identity, base, size, root, note, published_size, published_note
  FROM log_state WHERE id = 1`

/** Reads of the log, in a batch or beside it. */
export function logReads(db: Queries) {
  return {
    readLogState: async () => stateOf(await db.get<StateRecord>(STATE)),
    readTile: async (level, n) => {
      const sql = 'SELECT data FROM tiles WHERE level = $1 AND n = $2'
      return (await db.get<{ data: Uint8Array }>(sql, [level, n]))?.data
    },
    readEntries: async (from, to) => {
      assertReadable(from, to)
      const sql = 'SELECT data FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx'
      return (await db.all<{ data: string }>(sql, [from, to])).map(({ data }) => data)
    },
    readCheckpoint: async (size) =>
      (await db.get<{ note: string }>('SELECT note FROM checkpoints WHERE size = $1', [size]))?.note,
    readRootNotes: () => db.all<RootNoteRow>('SELECT version, note FROM root_notes ORDER BY version'),
    readLeaf: async (position: number) => (await db.get<{ data: string }>(LEAF, [position]))?.data,
    latestAbout: async (target: string) =>
      (await db.get<{ idx: number }>('SELECT idx FROM latest_about WHERE target = $1', [target]))?.idx,
  } satisfies LogReads & Record<string, unknown>
}

const LEAF = `SELECT data FROM entries WHERE idx = $1 - (SELECT base FROM log_state WHERE id = 1)
  UNION ALL
  SELECT e.data FROM frozen_logs f JOIN frozen_entries e ON e.log = f.number AND e.idx = $1 - f.base`

const LOGGED = `SELECT idx + (SELECT base FROM log_state WHERE id = 1) AS position
  FROM entries WHERE leaf_hash = $1
  UNION ALL
  SELECT e.idx + f.base FROM frozen_entries e JOIN frozen_logs f ON f.number = e.log WHERE e.leaf_hash = $1`

export async function isLogged(db: Queries, leafHash: Uint8Array): Promise<number | undefined> {
  return (await db.get<{ position: number }>(LOGGED, [leafHash]))?.position
}

export function stateOf(record: StateRecord | undefined): LogState | undefined {
  if (record === undefined) return undefined
  const { origin, identity, base, size, root, note } = record
  return {
    ...{ origin, identity, base, size, root, note },
    ...{ publishedSize: record.published_size, publishedNote: record.published_note },
  }
}

/** The log beside its batches. */
export function logStore(desk: Desk): Omit<LogStore, 'commitBatch'> {
  return {
    ...logReads(desk.db),
    ...frozenReads(desk.db),
    initLog: (state) => initLog(desk.db, state),
    publishCheckpoint: (size, note, over) => desk.transaction((db) => publish(db, size, note, over)),
  }
}

export async function initLog(db: Queries, state: LogState): Promise<void> {
  const { origin, identity, base, size, root, note, publishedSize, publishedNote } = state
  const made = await db.run(
    `INSERT INTO log_state (id, origin, identity, base, size, root, note, published_size, published_note)
     VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
    [origin, identity, base, size, root, note, publishedSize, publishedNote],
  )
  if (made !== 1) throw new StoreError('already-initialised', 'this database has a log already')
}

async function publish(db: Queries, size: number, note: string, over?: string): Promise<boolean> {
  const moved = await db.run(
    `UPDATE log_state SET published_size = $1, published_note = $2
     WHERE id = 1 AND published_size <= $1 AND size >= $1 AND starts_with($2, origin || chr(10))
       AND (published_size < $1 OR published_note = coalesce($3, published_note))`,
    [size, note, over ?? null],
  )
  if (moved === 1) await db.get(TELL)
  return moved === 1
}

export async function append(db: Queries, batch: NewBatch): Promise<void> {
  const { expected, size, root, note } = batch
  // The compare-and-swap: whatever else was assumed, only one batch can follow a given note.
  const moved = await db.run(
    'UPDATE log_state SET size = $1, root = $2, note = $3 WHERE id = 1 AND size = $4 AND note = $5',
    [size, root, note, expected.size, expected.note],
  )
  if (moved !== 1) throw new StoreError('lost-race', `the log is no longer at size ${expected.size}`)
  assertContiguous(batch)
  await Promise.all([
    putEntries(db, batch.entries),
    putTiles(db, batch.tiles),
    db.run('INSERT INTO checkpoints (size, root, note) VALUES ($1, $2, $3)', [size, root, note]),
    // Heard by others when this is committed, and not before.
    db.get(TELL),
  ])
}

function assertContiguous({ expected, entries, size }: NewBatch): void {
  const contiguous = entries.every((entry, position) => entry.index === expected.size + position)
  if (!contiguous || entries.length === 0 || size !== expected.size + entries.length) {
    throw new StoreError('misuse', 'the entries of a batch continue the log without a gap')
  }
}

function putEntries(db: Queries, entries: NewBatch['entries']): Promise<number> {
  return db.run(
    `INSERT INTO entries (idx, data, leaf_hash)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])`,
    [entries.map(({ index }) => index), entries.map(({ data }) => data), entries.map((row) => row.leafHash)],
  )
}

function putTiles(db: Queries, tiles: readonly TileRow[]): Promise<number> {
  return db.run(
    `INSERT INTO tiles (level, n, data) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
     ON CONFLICT (level, n) DO UPDATE SET data = excluded.data WHERE length(excluded.data) > length(tiles.data)`,
    [tiles.map(({ level }) => level), tiles.map(({ n }) => n), tiles.map(({ data }) => data)],
  )
}

export async function putRootNote(db: Queries, { version, note }: RootNoteRow): Promise<void> {
  await db.run('INSERT INTO root_notes (version, note) VALUES ($1, $2)', [version, note])
}
