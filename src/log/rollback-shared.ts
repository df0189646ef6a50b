import { readFileSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CountersignError, equalBytes, openCheckpoint, type PinnedLog } from 'countersign/core'
import { openFileLock, type FileLock } from '../storage/file-lock.js'
import type { Store } from '../storage/store.js'
import { syncFolder } from '../storage/sync-folder.js'
import { LedgerFatal } from './errors.js'
import { draftRollback, readRollback, type Remembered } from './rollback-file.js'

/** What a file that others write as well is held against. */
export interface Siblings {
  readonly log: PinnedLog
  /** The note that the database holds of a size: every committed one is there. */
  readonly readCheckpoint: Store['readCheckpoint']
  /** Throws LedgerFatal `log-succeeded` when the database goes on with another log: it holds none of this one's. */
  readonly assertGoesOn: () => Promise<unknown>
  /** Tells the processes of other machines of a checkpoint that this database cannot hold. */
  readonly tell: (note: string) => Promise<void>
}

export interface SharedRollback {
  readonly write: (tree: { readonly size: number; readonly note: string }) => Promise<void>
  readonly overwrite: (note: string) => Promise<void>
  readonly close: () => void
}

/**
 * One rollback file for several processes of one machine. It is read before it is written: what is in it is the log
 * of the database, or this process stops; and it never goes back to a smaller tree, whoever wrote the larger one.
 */
export function openSharedRollback(file: string, siblings: Siblings): SharedRollback {
  let lock: FileLock | undefined
  const hold = async <T>(work: () => T): Promise<T> => (lock ??= openFileLock(`${file}.lock`)).hold(work)

  /** A draft that gets no name is removed. */
  const place = async (draft: string, work: () => boolean): Promise<boolean> => {
    let isPlaced = false
    try {
      isPlaced = await hold(work)
    } finally {
      if (!isPlaced) await rm(draft, { force: true })
    }
    return isPlaced
  }

  /** True when the draft took the place of exactly what was read and held against the database. */
  const replace = async (note: string, seen: Remembered | undefined): Promise<boolean> => {
    const { draft, target } = await draftRollback(file, note)
    const isReplaced = await place(draft, () => readNow(target) === seen?.text && rename(draft, target))
    if (isReplaced) await syncFolder(dirname(target))
    return isReplaced
  }

  const write: SharedRollback['write'] = async ({ size, note }) => {
    for (;;) {
      const seen = await readRollback(file, siblings.log)
      if (seen !== undefined) await assertCommitted(file, seen, siblings)
      if (seen !== undefined && seen.checkpoint.size >= size) {
        // Its writer may have died before the name was on the disk.
        await syncFolder(dirname(seen.path))
        return
      }
      if (await replace(note, seen)) return
    }
  }

  const overwrite: SharedRollback['overwrite'] = async (note) => {
    for (let isPlaced = false; !isPlaced;) {
      const { draft, target } = await draftRollback(file, note)
      isPlaced = await place(draft, () => rename(draft, target))
      if (isPlaced) await syncFolder(dirname(target))
    }
  }
  return { write, overwrite, close: () => lock?.close() }
}

/** False when the draft is gone: this process slept so long that another one took it for abandoned. */
function rename(draft: string, target: string): boolean {
  try {
    renameSync(draft, target)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw cause
  }
}

function readNow(target: string): string | undefined {
  try {
    return readFileSync(target, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}

/** Whoever wrote it had committed it before: a checkpoint that the database does not hold is another history. */
async function assertCommitted(
  file: string,
  { checkpoint: { size, root } }: Remembered,
  { log, readCheckpoint, assertGoesOn }: Siblings,
): Promise<void> {
  const note = await readCheckpoint(size)
  if (note !== undefined && isOfTree(note, root, log)) return
  await assertGoesOn()
  const message = `${file} remembers a checkpoint of ${size} that the database does not hold: it is an older copy, or another log`
  throw new LedgerFatal('rollback', message, { file, remembered: size })
}

/** False for what is no checkpoint of this log. */
function isOfTree(note: string, root: Uint8Array, log: PinnedLog): boolean {
  try {
    return equalBytes(openCheckpoint(note, log).checkpoint.root, root)
  } catch (cause) {
    if (cause instanceof CountersignError) return false
    throw cause
  }
}
