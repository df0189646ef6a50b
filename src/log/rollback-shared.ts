import { readFileSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { equalBytes, openCheckpoint, type PinnedLog } from 'countersign/core'
import { openFileLock, type FileLock } from '../storage/file-lock.js'
import type { Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import { draftRollback, readRollback, syncFolder, type Remembered } from './rollback-file.js'

/** What a file that others write as well is held against. */
export interface Siblings {
  readonly log: PinnedLog
  /** The note that the database holds of a size: every committed one is there. */
  readonly readCheckpoint: Store['readCheckpoint']
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
  const hold = <T>(work: () => T): Promise<T> => (lock ??= openFileLock(`${file}.lock`)).hold(work)

  /** True when the draft took the place of exactly what was read and held against the database. */
  const replace = async (note: string, seen: Remembered | undefined): Promise<boolean> => {
    const { draft, target } = await draftRollback(file, note)
    const isReplaced = await hold(() => {
      if (readNow(target) !== seen?.text) return false
      renameSync(draft, target)
      return true
    }).catch(async (cause: unknown) => {
      await rm(draft, { force: true })
      throw cause
    })
    if (isReplaced) await syncFolder(dirname(target))
    else await rm(draft, { force: true })
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
    const { draft, target } = await draftRollback(file, note)
    await hold(() => renameSync(draft, target))
    await syncFolder(dirname(target))
  }
  return { write, overwrite, close: () => lock?.close() }
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
  { log, readCheckpoint }: Siblings,
): Promise<void> {
  const note = await readCheckpoint(size)
  if (note !== undefined && equalBytes(openCheckpoint(note, log).checkpoint.root, root)) return
  const message = `${file} remembers a checkpoint of ${size} that the database does not hold: it is an older copy, or another log`
  throw new LedgerFatal('rollback', message, { file, remembered: size })
}
