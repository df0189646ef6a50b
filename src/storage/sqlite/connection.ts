import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { StoreError } from '../errors.js'
import { pendingMigrations, readMigrations, type AppliedMigration, type Migration } from '../migrate.js'

export type Connection = Database.Database

/** Beside `src/` and beside `dist/` alike. */
const MIGRATIONS = fileURLToPath(new URL('../../../migrations/sqlite/', import.meta.url))

const MAX_JOURNAL_BYTES = 64 * 1024 * 1024

/** What stays open as long as the store: one writer, one reader that sees only what is committed, the process lock. */
export interface Connections {
  readonly writer: Connection
  readonly reader: Connection
  close(): void
}

/** Opens a database file: lock, pragmas, migrations, reader. Leaves nothing open when a step fails. */
export function openConnections(file: string): Connections {
  createPrivately(file)
  const lock = lockProcess(file)
  const opened: Connection[] = [lock]
  const close = (): void => {
    for (const connection of opened.toReversed()) connection.close()
  }
  try {
    const writer = openWriter(file)
    opened.push(writer)
    migrate(writer, readMigrations(MIGRATIONS))
    const reader = new Database(file, { readonly: true, timeout: 5000 })
    opened.push(reader)
    return { writer, reader, close }
  } catch (cause) {
    close()
    throw cause
  }
}

/** The database holds hashes of secrets and unpublished manifests: its owner's eyes only. */
function createPrivately(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
}

/**
 * An exclusive transaction on a database of its own, held as long as the process lives. The operating system frees
 * it when the process dies, whatever the way, so there is no stale lock to clean up.
 */
function lockProcess(file: string): Connection {
  const lock = new Database(`${file}.lock`, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock.close()
    if (!hasSqliteCode(cause, 'SQLITE_BUSY')) throw cause
    throw new StoreError('locked', `another process has ${file} open; a SQLite registry is one process`, {
      cause,
    })
  }
}

function openWriter(file: string): Connection {
  const writer = new Database(file, { timeout: 5000 })
  writer.pragma('journal_mode = WAL')
  // An answer is durable: each COMMIT waits for the disk.
  writer.pragma('synchronous = FULL')
  writer.pragma('fullfsync = ON')
  // A transaction as large as a succession would leave a journal of its size behind for good.
  writer.pragma(`journal_size_limit = ${MAX_JOURNAL_BYTES}`)
  writer.pragma('foreign_keys = ON')
  writer.pragma('trusted_schema = OFF')
  return writer
}

function migrate(writer: Connection, known: readonly Migration[]): void {
  writer.exec(`CREATE TABLE IF NOT EXISTS migrations (
    step INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT`)
  const applied = writer
    .prepare<[], AppliedMigration>('SELECT step, name, checksum FROM migrations ORDER BY step')
    .all()
  const record = writer.prepare('INSERT INTO migrations (step, name, checksum) VALUES (?, ?, ?)')
  const run = writer.transaction((step: Migration) => {
    writer.exec(step.sql)
    record.run(step.step, step.name, step.checksum)
  })
  for (const step of pendingMigrations(known, applied)) run.immediate(step)
}

export function hasSqliteCode(error: unknown, prefix: string): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith(prefix)
}

/** The store's word for what SQLite said. */
export function translateError(cause: unknown): Error {
  if (!(cause instanceof Database.SqliteError)) {
    return cause instanceof Error ? cause : new StoreError('io', 'a step of the store failed', { cause })
  }
  if (/^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE|ROWID)$/.test(cause.code)) {
    return new StoreError('duplicate', cause.message, { cause })
  }
  if (cause.code.startsWith('SQLITE_CONSTRAINT'))
    return new StoreError('constraint', cause.message, { cause })
  return new StoreError('io', `${cause.code}: ${cause.message}`, { cause })
}

/** Runs one synchronous piece of work on a connection. */
export type Step = <T>(run: () => T) => Promise<T>

/** A synchronous step as a promise: what it throws is a rejection, in the store's words. */
export function answer<T>(run: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    try {
      resolve(run())
    } catch (cause) {
      reject(translateError(cause))
    }
  })
}

/** The driver gives Buffers; callers get plain bytes. */
export function plainBytes(blob: Uint8Array): Uint8Array {
  return new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength)
}
