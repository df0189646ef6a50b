import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import sqlite, { type Database } from 'node-sqlite3-wasm'
import { CountersignError, formatCheckpointBody, openNote, refuse, type VerifierKey } from '../core/index.js'
import { isCode } from '../node/files.js'
import type { KnownCheckpoint } from './store.js'

/** "CSWt", so that another program's database is not taken for a witness's. */
const APPLICATION = 0x43535774
const SCHEMA_VERSION = 1

const SCHEMA = `
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${SCHEMA_VERSION};
  CREATE TABLE witness (id INTEGER PRIMARY KEY CHECK (id = 1), vkey TEXT NOT NULL, starts INTEGER NOT NULL) STRICT;
  CREATE TABLE checkpoints (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`

export interface StoreOptions {
  readonly file: string
  readonly key: VerifierKey
  readonly vkey: string
  /**
   * Make the data when there are none. A key that signed before and finds no data must not go on: it would sign a
   * second history of every log.
   */
  readonly mayCreate: boolean
}

/** Opens the data, or makes them; whoever calls owns them. */
export function openData({ file, key, vkey, mayCreate }: StoreOptions): Database {
  // SQLite's own lock is a folder that outlives a kill; whoever owns the data knows that nobody holds it.
  removeStaleLock(file)
  if (!existsSync(file)) {
    if (!mayCreate)
      refuse('io', `${file} is not there, and the key has signed before`, { file, code: 'ENOENT' })
    createData(file, vkey)
  }
  const db = connect(file)
  try {
    guarded(file, () => assertSound(db, file, key, vkey))
    syncFolder(dirname(file))
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Whole or not at all: a file that is there has a schema. */
function createData(file: string, vkey: string): void {
  const draft = `${file}.new`
  for (const path of [draft, `${draft}-wal`, `${draft}-journal`]) rmSync(path, { force: true })
  removeStaleLock(draft)
  const db = connect(draft)
  try {
    guarded(file, () => {
      db.exec(`BEGIN; ${SCHEMA} COMMIT`)
      db.run('INSERT INTO witness (id, vkey, starts) VALUES (1, ?, 0)', [vkey])
    })
  } finally {
    db.close() // puts all into the one file, on disk
  }
  renameSync(draft, file)
}

/**
 * Write-ahead log held by one process, and on disk before a commit returns. Not the rollback journal: this build never
 * finds a journal hot (its own lock looks to it like another's), so that a killed process would leave half a change for
 * good. Each commit goes on into the main file: what is kept never hangs on the write-ahead log for long.
 */
function connect(file: string): Database {
  return guarded(file, () => {
    const db = new sqlite.Database(file)
    try {
      db.get('PRAGMA locking_mode = EXCLUSIVE')
      db.get('PRAGMA journal_mode = WAL')
      db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1')
      return db
    } catch (error) {
      db.close()
      throw error
    }
  })
}

function assertSound(db: Database, file: string, key: VerifierKey, vkey: string): void {
  const read = (sql: string): unknown => Object.values(db.get(sql) ?? {})[0]
  const isOurs =
    read('PRAGMA application_id') === APPLICATION && read('PRAGMA user_version') === SCHEMA_VERSION
  if (!isOurs || read('PRAGMA integrity_check') !== 'ok') corrupt(file, 'not the data of a witness')
  if (read('SELECT vkey FROM witness') !== vkey) adopt(db, file, vkey)
  for (const row of db.all('SELECT origin, size, root, note FROM checkpoints')) assertRow(row, file, key)
  // A write of its own: when this returns, the write-ahead log is a file of the folder.
  db.run('UPDATE witness SET starts = starts + 1 WHERE id = 1')
}

/** A key that was never used may be replaced: the process was killed before it wrote its key file. */
function adopt(db: Database, file: string, vkey: string): void {
  if (db.get('SELECT 1 FROM checkpoints LIMIT 1') !== null) corrupt(file, 'the data are those of another key')
  db.run('UPDATE witness SET vkey = ? WHERE id = 1', [vkey])
}

/** What this witness keeps it has signed: a bit that fell over is found before it is built upon. */
function assertRow(row: Row, file: string, key: VerifierKey): void {
  try {
    const { origin } = row
    const known = knownOf(row)
    const { size, root } = known
    const { text } = openNote(known.note, [key])
    if (text !== formatCheckpointBody({ origin: String(origin), size, root })) throw new Error('another text')
  } catch (cause) {
    throw new CountersignError('memory-corrupt', `${file} is damaged`, { file }, { cause })
  }
}

/** A row of the database. */
export type Row = Readonly<Record<string, unknown>>

/** A row as the port has it. Throws for other types than the schema's. */
export function knownOf({ size, root, note }: Row): KnownCheckpoint {
  if (typeof size !== 'number' || !(root instanceof Uint8Array) || typeof note !== 'string')
    throw new Error('a row of other types')
  // Not a view into the memory of the database.
  return { size, root: Uint8Array.from(root), note }
}

function corrupt(file: string, why: string): never {
  refuse('memory-corrupt', `${file}: ${why}`, { file })
}

/** Errors of the database as one family: damage is told from a disk that does not answer. */
export function guarded<T>(file: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof CountersignError) throw error
    const message = error instanceof Error ? error.message : 'unknown'
    const isDamage = /malformed|not a database|no such table|no such column|other types/.test(message)
    throw new CountersignError(
      isDamage ? 'memory-corrupt' : 'io',
      `${file}: ${message}`,
      { file },
      { cause: error },
    )
  }
}

function removeStaleLock(file: string): void {
  try {
    rmdirSync(`${file}.lock`)
  } catch (error) {
    if (!isCode(error, 'ENOENT'))
      throw new CountersignError('io', `cannot remove ${file}.lock`, { file }, { cause: error })
  }
}

/** A new file is there after a power cut once its folder is on disk; some platforms cannot open one. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
