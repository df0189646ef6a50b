import pg from 'pg'
import { StoreError } from '../errors.js'
import { pendingMigrations, readMigrations, type AppliedMigration } from '../migrate.js'
import { connectionOptions } from '../postgres/connection.js'
import { translateError } from '../postgres/errors.js'
import { shown } from '../postgres/manifests.js'
import { DumpError } from './errors.js'
import { POSTGRES_MIGRATIONS } from './migrations.js'
import type { DumpSource, DumpState, DumpTarget } from './port.js'
import { TABLES, type Column, type Row, type Table, type Value } from './tables.js'

/** Rows at a time; few of those that may be several mebibytes each. */
const FETCH_ROWS = 200
const FETCH_LARGE = 8
const LARGE = ['envelopes', 'bundles']
const CONNECT_MS = 10_000
/** A registry that starts meanwhile waits here; one that runs is not waited for. */
const LOCK_MS = 5000
const LOCK_NOT_AVAILABLE = '55P03'

/** One transaction that reads one state, whoever writes meanwhile; fine behind a transaction pooler. */
export async function openPostgresSource(url: string): Promise<DumpSource> {
  const client = await connect(url)
  try {
    await begin(client, 'ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const step = await assertCurrent(client)
    return {
      engine: 'postgres',
      step,
      state: () => readState(client),
      rows: (table) => readRows(client, table),
      close: () => client.end(),
    }
  } catch (cause) {
    await client.end()
    throw cause
  }
}

/** Whether anything of a registry is in this database; nothing is made. */
export async function hasPostgresTables(url: string): Promise<boolean> {
  const client = await connect(url)
  try {
    const sql = "SELECT to_regclass('log_state') IS NOT NULL AS is_there"
    const { rows } = await query<{ is_there: boolean }>(client, sql)
    return rows[0]?.is_there === true
  } finally {
    await client.end()
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(connectionOptions({ url, connectMs: CONNECT_MS }))
  // A connection that ends says so to the statement that is under way or to the next one.
  client.on('error', () => undefined)
  await client.connect().catch((cause: unknown) => {
    throw translateError(cause)
  })
  return client
}

/** A long silence between rows, while a disk is slow, is no reason to end it. */
async function begin(client: pg.Client, how: string): Promise<void> {
  await query(client, `BEGIN ${how}`)
  await query(client, 'SET LOCAL statement_timeout = 0')
  await query(client, 'SET LOCAL idle_in_transaction_session_timeout = 0')
  await query(client, `SET LOCAL lock_timeout = ${LOCK_MS}`)
}

async function query<R extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<pg.QueryResult<R>> {
  return client.query<R>(sql, [...values]).catch((cause: unknown) => {
    throw translate(cause)
  })
}

function translate(cause: unknown): StoreError {
  if (!(cause instanceof pg.DatabaseError) || cause.code !== LOCK_NOT_AVAILABLE) return translateError(cause)
  return new StoreError('busy', 'a registry works with this database: stop it first', { cause })
}

/** The last step, when there is none to come: a database of another version has other columns. */
async function assertCurrent(client: pg.Client): Promise<number> {
  const known = readMigrations(POSTGRES_MIGRATIONS)
  const { rows } = await query<{ is_there: boolean }>(
    client,
    "SELECT to_regclass('migrations') IS NOT NULL AS is_there",
  )
  const sql = 'SELECT step::int AS step, name, checksum FROM migrations ORDER BY step'
  const applied = rows[0]?.is_there === true ? (await query<AppliedMigration>(client, sql)).rows : []
  if (pendingMigrations(known, applied).length === 0) return known.length
  throw new DumpError('export-version', 'the database is of an older version: run `migrate` first')
}

async function readState(client: pg.Client): Promise<DumpState | undefined> {
  const sql = 'SELECT identity, origin, base, size, published_size AS "publishedSize" FROM log_state'
  return (await query<DumpState>(client, sql)).rows[0]
}

async function* readRows(client: pg.Client, { name, key, columns }: Table): AsyncGenerator<Row> {
  const names = columns.map((column) => column.name)
  const select = `SELECT ${names.join(', ')} FROM ${name} ORDER BY ${key.join(', ')}`
  await query(client, `DECLARE dump NO SCROLL CURSOR FOR ${select}`)
  const most = LARGE.includes(name) ? FETCH_LARGE : FETCH_ROWS
  for (;;) {
    const { rows } = await query<Record<string, Value>>(client, `FETCH ${most} FROM dump`)
    for (const row of rows) yield names.map((column) => row[column] ?? null)
    if (rows.length < most) break
  }
  await query(client, 'CLOSE dump')
}

/** A database that has its tables; nobody else writes the log while it is open. Throws StoreError `busy`. */
export async function openPostgresTarget(url: string): Promise<DumpTarget> {
  const client = await connect(url)
  try {
    await begin(client, 'ISOLATION LEVEL READ COMMITTED')
    const step = await assertCurrent(client)
    await query(client, 'LOCK TABLE log_state, facts IN SHARE ROW EXCLUSIVE MODE')
    return targetOver(client, step)
  } catch (cause) {
    await client.end()
    throw cause
  }
}

function targetOver(client: pg.Client, step: number): DumpTarget {
  const run = async (sql: string, values?: readonly unknown[]): Promise<void> => {
    await query(client, sql, values)
  }
  return {
    step,
    isEmpty: () => isEmpty(client),
    fact: async (name) => {
      const sql = 'SELECT value FROM facts WHERE name = $1'
      return (await query<{ value: string }>(client, sql, [name])).rows[0]?.value
    },
    setFact: (name, value) => run(SET_FACT, [name, value]),
    forgetFacts: (names) => run('DELETE FROM facts WHERE name = ANY($1::text[])', [names]),
    wipe: async () => {
      for (const { name } of TABLES.toReversed()) await run(`DELETE FROM ${name}`)
    },
    insert: async (table, rows) => {
      const held = rows.flatMap((row) => heldOf(table, row))
      const columns = table.columns.map((_, at) => held.map((row) => row[at]))
      if (held.length > 0) await run(insertOf(table), columns)
    },
    settle: async () => {
      await run(`ANALYZE ${TABLES.map(({ name }) => name).join(', ')}`)
      for (const table of COUNTED) await run(CONTINUE_COUNT.replaceAll('TABLE', table))
    },
    commit: () => run('COMMIT'),
    // What was begun and not committed ends with its connection.
    close: () => client.end(),
  }
}

/**
 * A row as the store would have written it, or none where it leaves that out. SQLite's texts may hold NUL, and these
 * are of a publisher's choice: nobody is kept from moving by them.
 */
function heldOf({ name, columns }: Table, row: Row): readonly Row[] {
  if (name === 'manifest_lookups') return row.some(hasNul) ? [] : [row]
  if (name !== 'manifests') return [row]
  return [row.map((value, at) => (isShown(columns[at]) && typeof value === 'string' ? shown(value) : value))]
}

function hasNul(value: Value): boolean {
  return typeof value === 'string' && value.includes('\0')
}

function isShown(column: Column | undefined): boolean {
  return column?.name === 'title' || column?.name === 'description'
}

async function isEmpty(client: pg.Client): Promise<boolean> {
  const filled = TABLES.map(({ name }) => `EXISTS (SELECT 1 FROM ${name})`).join(' OR ')
  const { rows } = await query<{ filled: boolean }>(client, `SELECT ${filled} AS filled`)
  return rows[0]?.filled === false
}

const SET_FACT =
  'INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value'

/** Tables whose rows are numbered by the database. */
const COUNTED = ['audit', 'votes']
const CONTINUE_COUNT = `SELECT setval(pg_get_serial_sequence('TABLE', 'id'), greatest(max(id), 1), max(id) IS NOT NULL) FROM TABLE`

const ARRAYS: Readonly<Record<Column['kind'], string>> = { int: 'bigint[]', text: 'text[]', bytes: 'bytea[]' }

/** One statement for many rows: a list a column. */
function insertOf({ name, columns }: Table): string {
  const names = columns.map((column) => column.name).join(', ')
  const lists = columns.map(({ kind }, at) => `$${at + 1}::${ARRAYS[kind]}`).join(', ')
  return `INSERT INTO ${name} (${names}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest(${lists})`
}
