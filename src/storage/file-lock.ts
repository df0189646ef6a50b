import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { StoreError } from './errors.js'

/** A lock between processes of one machine, which no dead process can hold. */
export interface FileLock {
  /**
   * Runs `work` while nobody else has the lock. It is held for one synchronous step only: a process that is stopped
   * would hold it as long. Throws StoreError `busy` when it is not free in time.
   */
  hold<T>(work: () => T): Promise<T>
  close(): void
}

const LONGEST_WAIT_MS = 15_000
const LONGEST_PAUSE_MS = 20

/**
 * An exclusive transaction on an empty database of its own: the operating system frees it when a process dies, whatever
 * the way. The file is made where there is none, and stays.
 */
export function openFileLock(file: string, longestWaitMs = LONGEST_WAIT_MS): FileLock {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
  const lock = new Database(file, { timeout: 0 })
  const hold = async <T>(work: () => T): Promise<T> => {
    const end = performance.now() + longestWaitMs
    for (let pause = 1; !tryBegin(lock); pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
      if (performance.now() >= end) throw new StoreError('busy', `another process holds ${file}`)
      await wait(pause * (1 + Math.random()))
    }
    try {
      return work()
    } finally {
      lock.exec('ROLLBACK')
    }
  }
  return { hold, close: () => void lock.close() }
}

function tryBegin(lock: Database.Database): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (cause) {
    if (cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')) return false
    throw cause
  }
}
