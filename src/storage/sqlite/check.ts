import { plainBytes, type Connection } from './connection.js'
import type { Desk } from './desk.js'
import { MAX_ENTRIES } from './log.js'
import { StoreError } from '../errors.js'
import type { CheckpointRow, CheckReads, DerivedOf, DerivedRow, DerivedTable } from '../store.js'

/** What a check of the whole log reads. */
export function checkReads({ reader, read }: Pick<Desk, 'reader' | 'read'>): CheckReads {
  const tree = treeReads(reader)
  const derived = derivedReads(reader)
  return {
    readLeafHashes: (from, to, log) => read(() => tree.leafHashes(from, to, log)),
    readCheckpoints: (after, limit, log) => read(() => tree.checkpoints(after, limit, log)),
    readDerived: (table, limit, after) => read(() => derived(table, limit, after)),
  }
}

function treeReads(db: Connection) {
  type Hash = { leaf_hash: Uint8Array }
  const hashes = db.prepare<[number, number], Hash>(
    'SELECT leaf_hash FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx',
  )
  const frozenHashes = db.prepare<[number, number, number], Hash>(
    'SELECT leaf_hash FROM frozen_entries WHERE log = ? AND idx >= ? AND idx < ? ORDER BY idx',
  )
  const checkpoints = db.prepare<[number, number], CheckpointRow>(
    'SELECT size, root, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?',
  )
  const frozenCheckpoints = db.prepare<[number, number, number], CheckpointRow>(
    'SELECT size, root, note FROM frozen_checkpoints WHERE log = ? AND size > ? ORDER BY size LIMIT ?',
  )
  return {
    leafHashes: (from: number, to: number, log?: number): Uint8Array[] => {
      if (to - from > MAX_ENTRIES) throw new StoreError('limit', `at most ${MAX_ENTRIES} hashes in one read`)
      const rows = log === undefined ? hashes.all(from, to) : frozenHashes.all(log, from, to)
      return rows.map((row) => plainBytes(row.leaf_hash))
    },
    checkpoints: (after: number, limit: number, log?: number): CheckpointRow[] => {
      const rows =
        log === undefined ? checkpoints.all(after, limit) : frozenCheckpoints.all(log, after, limit)
      return rows.map((row) => ({ ...row, root: plainBytes(row.root) }))
    },
  }
}

type Value = string | number | Buffer

/** One page of a table by its primary key: the statement, and what the key of a row is. */
interface Pages<T extends DerivedTable> {
  readonly sql: string
  readonly keyOf: (row: DerivedOf<T>) => readonly Value[]
  /** Before the first row. */
  readonly start: readonly Value[]
}

const KEY_PLACE = {
  keyOf: ({ namespace, kid, role }: DerivedOf<'key-added' | 'key-ended'>) => [namespace, kid, role],
  start: ['', '', ''],
}

const PAGES: { readonly [T in DerivedTable]: Pages<T> } = {
  namespace: {
    sql: 'SELECT namespace, idx AS position FROM namespaces WHERE namespace > ? ORDER BY namespace LIMIT ?',
    keyOf: ({ namespace }) => [namespace],
    start: [''],
  },
  'key-added': { sql: keyPages('added'), ...KEY_PLACE },
  'key-ended': { sql: keyPages('revoked'), ...KEY_PLACE },
  publication: {
    sql: `SELECT manifest, server, version, kid, envelope_digest AS envelope, publish_index AS position
      FROM manifests WHERE manifest > ? ORDER BY manifest LIMIT ?`,
    keyOf: ({ manifest }) => [manifest],
    start: [''],
  },
  approval: {
    sql: `SELECT manifest, approve_index AS position FROM manifests
      WHERE manifest > ? AND approve_index IS NOT NULL ORDER BY manifest LIMIT ?`,
    keyOf: ({ manifest }) => [manifest],
    start: [''],
  },
  target: {
    sql: 'SELECT target, idx AS position FROM latest_about WHERE target > ? ORDER BY target LIMIT ?',
    keyOf: ({ target }) => [target],
    start: [''],
  },
  revocation: {
    sql: `SELECT CAST(line AS TEXT) AS line, added AS position FROM revocations
      WHERE (line, added) > (?, ?) ORDER BY line, added LIMIT ?`,
    keyOf: ({ line, position }) => [Buffer.from(line, 'utf8'), position],
    start: [Buffer.alloc(0), -1],
  },
  list: {
    sql: 'SELECT root, as_of AS position FROM revocation_lists WHERE root > ? ORDER BY root LIMIT ?',
    keyOf: ({ root }) => [root],
    start: [''],
  },
}

function keyPages(column: 'added' | 'revoked'): string {
  return `SELECT namespace, kid, role, ${column} AS position FROM keys
    WHERE (namespace, kid, role) > (?, ?, ?) AND ${column} IS NOT NULL
    ORDER BY namespace, kid, role LIMIT ?`
}

function derivedReads(db: Connection) {
  return <T extends DerivedTable>(table: T, limit: number, after?: DerivedOf<T>): DerivedOf<T>[] => {
    const { sql, keyOf, start } = PAGES[table]
    const key = after === undefined ? start : keyOf(after)
    const rows = db.prepare<Value[], DerivedRow>(sql).all(...key, limit)
    return rows.map((row) => ({ ...row, table }) as DerivedOf<T>)
  }
}
