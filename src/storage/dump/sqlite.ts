import Database from 'better-sqlite3'
import { StoreError } from '../errors.js'
import { pendingMigrations, readMigrations, type AppliedMigration } from '../migrate.js'
import { answer, openConnections, translateError, type Connection } from '../sqlite/connection.js'
import { SQLITE_MIGRATIONS } from './migrations.js'
import { DumpError } from './errors.js'
import type { DumpSource, DumpState, DumpTarget } from './port.js'
import { TABLES, type Row, type Table, type Value } from './tables.js'

/** A second connection that only reads: the registry may run meanwhile, and what it writes then is not seen. */
export function openSqliteSource(file: string): DumpSource {
  const db = openReader(file)
  try {
    const step = assertCurrent(db)
    // From the first read on, one state.
    db.exec('BEGIN')
    return {
      engine: 'sqlite',
      step,
      state: () => Promise.resolve(readState(db)),
      rows: (table) => readRows(db, table),
      close: () => {
        db.close()
        return Promise.resolve()
      },
    }
  } catch (cause) {
    db.close()
    throw translateError(cause)
  }
}

function openReader(file: string): Connection {
  try {
    return new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 })
  } catch (cause) {
    throw new StoreError('io', `${file} cannot be opened`, { cause })
  }
}

/** The last step, when there is none to come: a database of another version has other columns. */
function assertCurrent(db: Connection): number {
  const known = readMigrations(SQLITE_MIGRATIONS)
  const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").get() !== undefined
  const sql = 'SELECT step, name, checksum FROM migrations ORDER BY step'
  const applied = isThere ? db.prepare<[], AppliedMigration>(sql).all() : []
  if (pendingMigrations(known, applied).length === 0) return known.length
  throw new DumpError('export-version', 'the database is of an older version: run `migrate` first')
}

function readState(db: Connection): DumpState | undefined {
  return db
    .prepare<[], DumpState>(
      'SELECT identity, origin, base, size, published_size AS publishedSize FROM log_state',
    )
    .get()
}

// eslint-disable-next-line @typescript-eslint/require-await -- the other engine's rows come one wait after another
async function* readRows(db: Connection, { name, key, columns }: Table): AsyncGenerator<Row> {
  const names = columns.map((column) => column.name).join(', ')
  const select = db.prepare<[], Value[]>(`SELECT ${names} FROM ${name} ORDER BY ${key.join(', ')}`).raw()
  yield* select.iterate()
}

/** Takes the database for itself, and brings it up to date. Throws StoreError `locked` while a registry has it. */
export function openSqliteTarget(file: string): DumpTarget {
  const connections = openConnections(file)
  const { writer: db } = connections
  try {
    db.exec('BEGIN IMMEDIATE')
  } catch (cause) {
    connections.close()
    throw translateError(cause)
  }
  const step = readMigrations(SQLITE_MIGRATIONS).length
  return {
    step,
    isEmpty: () =>
      answer(() =>
        TABLES.every(({ name }) => db.prepare(`SELECT 1 FROM ${name} LIMIT 1`).get() === undefined),
      ),
    fact: (name) =>
      answer(
        () =>
          db.prepare<[string], { value: string }>('SELECT value FROM facts WHERE name = ?').get(name)?.value,
      ),
    setFact: (name, value) => answer(() => void db.prepare(SET_FACT).run(name, value)),
    forgetFacts: (names) =>
      answer(() => {
        for (const name of names) db.prepare('DELETE FROM facts WHERE name = ?').run(name)
      }),
    wipe: () =>
      answer(() => {
        for (const { name } of TABLES.toReversed()) db.exec(`DELETE FROM ${name}`)
      }),
    insert: (table, rows) =>
      answer(() => {
        insertRows(db, table, rows)
      }),
    settle: () => Promise.resolve(),
    commit: () => answer(() => void db.exec('COMMIT')),
    close: () =>
      answer(() => {
        if (db.inTransaction) db.exec('ROLLBACK')
        connections.close()
      }),
  }
}

const SET_FACT =
  'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'

function insertRows(db: Connection, { name, columns }: Table, rows: readonly Row[]): void {
  const names = columns.map((column) => column.name).join(', ')
  const insert = db.prepare<Value[]>(
    `INSERT INTO ${name} (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  for (const row of rows) insert.run(...row)
}
