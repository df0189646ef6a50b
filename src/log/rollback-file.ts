import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readFile, realpath, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openCheckpoint, type Checkpoint, type PinnedLog } from 'countersign/core'
import { removeLeftovers } from '../storage/leftovers.js'
import { syncFolder } from '../storage/sync-folder.js'
import { LedgerFatal } from './errors.js'

const MAX_FILE_BYTES = 256 * 1024

/** What the rollback file remembers. */
export interface Remembered {
  /** Where the file really is. */
  readonly path: string
  readonly text: string
  readonly checkpoint: Checkpoint
}

/** Undefined where there is no file. Throws LedgerFatal `rollback-file-unusable`. */
export async function readRollback(file: string, log: PinnedLog): Promise<Remembered | undefined> {
  try {
    const path = await findFile(file)
    if (path === undefined) return undefined
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_FILE_BYTES) throw new RangeError('the file is too large')
    return { path, text, checkpoint: openCheckpoint(text, log).checkpoint }
  } catch (cause) {
    // Unreadable is not the same as absent: going on would switch the protection off.
    const message = `the rollback file ${file} cannot be read as a checkpoint of ${log.origin}`
    throw new LedgerFatal('rollback-file-unusable', message, { file }, { cause })
  }
}

/** Keeps a committed checkpoint's note: on disk, and under its name, before anything is answered. */
export async function writeRollback(file: string, note: string): Promise<void> {
  const { draft, target } = await draftRollback(file, note, 'tmp')
  await rename(draft, target)
  await syncFolder(dirname(target))
}

/** The note on disk, beside the file whose place it is to take. */
export async function draftRollback(
  file: string,
  note: string,
  name: string = `${randomBytes(6).toString('hex')}.tmp`,
): Promise<{ readonly draft: string; readonly target: string }> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const target = (await findFile(file)) ?? file
  const draft = `${target}.${name}`
  await writeSynced(draft, note)
  return { draft, target }
}

/** Drafts of processes that were killed before they gave them their name. */
export async function removeDrafts(file: string): Promise<void> {
  const target = await findFile(file).catch(() => undefined)
  await removeLeftovers(target ?? file, /^\.[0-9a-f]{12}\.tmp$/)
}

/** Where the file really is: a link to another disk stays one. Undefined when there is neither file nor link. */
async function findFile(file: string): Promise<string | undefined> {
  try {
    return await realpath(file)
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    const kind = await kindOf(file)
    // A link that leads nowhere is a disk that is not there now, and not a file that never was.
    if (kind === 'link') throw cause
    // Another process has made it meanwhile.
    return kind === 'file' ? realpath(file) : undefined
  }
}

async function kindOf(path: string): Promise<'file' | 'link' | undefined> {
  return lstat(path).then(
    (stats) => (stats.isSymbolicLink() ? 'link' : 'file'),
    (cause: unknown) => {
      if (isMissing(cause)) return undefined
      throw cause
    },
  )
}

function isMissing(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'ENOENT'
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
