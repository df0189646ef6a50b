import { dirname } from 'node:path'
import type { Database } from 'node-sqlite3-wasm'
import { makeFolder } from '../node/files.js'
import { takeOwnership, type Ownership } from './owner.js'
import { guarded, knownOf, openData, type StoreOptions } from './sqlite-data.js'
import type { KnownCheckpoint, WitnessStore } from './store.js'

/**
 * The data of one witness key in SQLite, kept by one process at a time.
 * @throws CountersignError `memory-locked` when another process has them, `memory-corrupt` when they are damaged or
 *   another key's, `io` when they are missing
 */
export async function openSqliteStore(options: StoreOptions): Promise<WitnessStore> {
  const { file } = options
  await makeFolder(dirname(file))
  const ownership = takeOwnership(`${file}.owner`)
  try {
    const db = openData(options)
    return storeOf(db, file, ownership)
  } catch (error) {
    ownership.release()
    throw error
  }
}

const READ = 'SELECT size, root, note FROM checkpoints WHERE origin = ?'
const INSERT =
  'INSERT INTO checkpoints (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO NOTHING'
// The condition is the safety: locks only save work.
const UPDATE =
  'UPDATE checkpoints SET size = ?, root = ?, note = ? WHERE origin = ? AND size = ? AND root = ?'

function storeOf(db: Database, file: string, ownership: Ownership): WitnessStore {
  const write = (origin: string, previous: KnownCheckpoint | undefined, next: KnownCheckpoint): boolean => {
    const { size, root, note } = next
    const { changes } =
      previous === undefined
        ? db.run(INSERT, [origin, size, root, note])
        : db.run(UPDATE, [size, root, note, origin, previous.size, previous.root])
    return changes === 1
  }
  return {
    // What is on disk is the only memory there is.
    read: (origin) =>
      promised(() => {
        const row = guarded(file, () => db.get(READ, [origin]))
        return row === null ? undefined : knownOf(row)
      }),
    advance: (origin, previous, next) =>
      promised(() => {
        ownership.assertHeld()
        return guarded(file, () => write(origin, previous, next))
      }),
    close: () =>
      promised(() => {
        if (db.isOpen) db.close()
        ownership.release()
      }),
  }
}

/** The database answers at once; what it throws becomes a rejection. */
function promised<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()))
}
