import { assertReadable, type Queries, type Value } from './desk.js'
import type { CheckpointRow, CheckReads, DerivedOf, DerivedRow, DerivedTable } from '../store.js'

/** What a check of the whole log reads. */
export function checkReads(db: Queries): CheckReads {
  return {
    readLeafHashes: async (from, to, log) => {
      assertReadable(from, to)
      const sql = `SELECT leaf_hash AS hash FROM ${tableOf('entries', log)} AND idx >= $1 AND idx < $2 ORDER BY idx`
      const rows = await db.all<{ hash: Uint8Array }>(sql, withLog([from, to], log))
      return rows.map(({ hash }) => hash)
    },
    readCheckpoints: (after, limit, log) => {
      const sql = `SELECT size, root, note FROM ${tableOf('checkpoints', log)} AND size > $1 ORDER BY size LIMIT $2`
      return db.all<CheckpointRow>(sql, withLog([after, limit], log))
    },
    readDerived: (table, limit, after) => readDerived(db, table, limit, after),
  }
}

function tableOf(table: 'entries' | 'checkpoints', log: number | undefined): string {
  return log === undefined ? `${table} WHERE true` : `frozen_${table} WHERE log = $3`
}

function withLog(values: readonly number[], log: number | undefined): readonly number[] {
  return log === undefined ? values : [...values, log]
}

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
    sql: 'SELECT namespace, idx AS position FROM namespaces WHERE namespace > $1 ORDER BY namespace LIMIT $2',
    keyOf: ({ namespace }) => [namespace],
    start: [''],
  },
  'key-added': { sql: keyPages('added'), ...KEY_PLACE },
  'key-ended': { sql: keyPages('revoked'), ...KEY_PLACE },
  publication: {
    sql: `SELECT manifest, server, version, kid, envelope_digest AS envelope, publish_index AS position
      FROM manifests WHERE manifest > $1 ORDER BY manifest LIMIT $2`,
    keyOf: ({ manifest }) => [manifest],
    start: [''],
  },
  approval: {
    sql: `SELECT manifest, approve_index AS position FROM manifests
      WHERE manifest > $1 AND approve_index IS NOT NULL ORDER BY manifest LIMIT $2`,
    keyOf: ({ manifest }) => [manifest],
    start: [''],
  },
  target: {
    sql: 'SELECT target, idx AS position FROM latest_about WHERE target > $1 ORDER BY target LIMIT $2',
    keyOf: ({ target }) => [target],
    start: [''],
  },
  revocation: {
    sql: `SELECT line, added AS position FROM revocations
      WHERE (line, added) > ($1::bytea, $2::bigint) ORDER BY line, added LIMIT $3`,
    keyOf: ({ line, position }) => [Buffer.from(line, 'utf8'), position],
    start: [Buffer.alloc(0), -1],
  },
  list: {
    sql: 'SELECT root, as_of AS position FROM revocation_lists WHERE root > $1 ORDER BY root LIMIT $2',
    keyOf: ({ root }) => [root],
    start: [''],
  },
}

function keyPages(column: 'added' | 'revoked'): string {
  return `SELECT namespace, kid, role, ${column} AS position FROM keys
    WHERE (namespace, kid, role) > ($1, $2, $3) AND ${column} IS NOT NULL
    ORDER BY namespace, kid, role LIMIT $4`
}

async function readDerived<T extends DerivedTable>(
  db: Queries,
  table: T,
  limit: number,
  after?: DerivedOf<T>,
): Promise<DerivedOf<T>[]> {
  const { sql, keyOf, start } = PAGES[table]
  const key = after === undefined ? start : keyOf(after)
  const rows = await db.all<DerivedRow | { readonly line: Uint8Array }>(sql, [...key, limit])
  return rows.map((row) => ({ ...row, ...lineOf(row), table }) as DerivedOf<T>)
}

/** Lines of revocations are kept as bytes. */
function lineOf(row: object): { line: string } | undefined {
  const isBytes = 'line' in row && row.line instanceof Uint8Array
  return isBytes ? { line: new TextDecoder().decode(row.line as Uint8Array) } : undefined
}
