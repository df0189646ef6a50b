import { lstat, mkdir, open, readFile, realpath, rename } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { equalBytes, openCheckpoint, treeRootAsync, type Checkpoint, type PinnedLog } from 'countersign/core'
import { LedgerFatal } from './errors.js'
import { storedHashes, type ReadTile } from './tiles.js'

// A restored backup is the likeliest way to fork a log: it would sign other entries at indexes that were given before.
// So the newest checkpoint is also kept where a backup of the data folder does not reach.

const MAX_FILE_BYTES = 256 * 1024

/** The file of this registry in the per-user state folder: never under the data folder. */
export function defaultRollbackFile(
  identity: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const state = env['XDG_STATE_HOME']
  const folder = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state')
  return join(folder, 'countersign', `${identity}.rollback`)
}

/** Keeps a committed checkpoint's note: on disk, and under its name, before anything is answered. */
export async function writeRollback(file: string, note: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const target = (await findFile(file)) ?? file
  const folder = dirname(target)
  const draft = `${target}.tmp`
  await writeSynced(draft, note)
  await rename(draft, target)
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The file while the log is open: one write at a time, and it never goes back to a smaller tree. */
export interface RollbackMemory {
  /** On disk when it resolves. Throws LedgerFatal `rollback-file-unusable`, or `rollback` once it is sealed. */
  remember(tree: { readonly size: number; readonly note: string }): Promise<void>
  /** Keeps a checkpoint that this database cannot hold, in place of all that follow: no start goes past it. */
  seal(note: string): Promise<void>
  /** When nothing is being written any more. */
  settled(): Promise<void>
}

/** The checkpoint, signed by the key of this log, that proves another history to whoever reads it. */
export function provedNote({ code, detail: { note } }: LedgerFatal): string | undefined {
  return code === 'rollback' && typeof note === 'string' ? note : undefined
}

/** Opens the memory of this file. */
export function openRollbackMemory(file: string): RollbackMemory {
  let kept = -1
  let isSealed = false
  let lane: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = lane.then(work)
    lane = mine.catch(() => undefined)
    return mine
  }
  const write = (note: string): Promise<void> =>
    writeRollback(file, note).catch((cause: unknown) => {
      throw new LedgerFatal('rollback-file-unusable', `${file} cannot be written`, { file }, { cause })
    })
  return {
    remember: ({ size, note }) =>
      inTurn(async () => {
        if (isSealed) throw new LedgerFatal('rollback', 'another history of this log is known', { file })
        if (size <= kept) return
        await write(note)
        kept = size
      }),
    seal: (note) => {
      // Before its turn comes: what waits for one now must not follow it.
      isSealed = true
      return inTurn(() => write(note))
    },
    settled: async () => {
      await lane
    },
  }
}

/** Where the file really is: a link to another disk stays one. Undefined when there is neither file nor link. */
async function findFile(file: string): Promise<string | undefined> {
  try {
    return await realpath(file)
  } catch (cause) {
    // A link that leads nowhere is a disk that is not there now, and not a file that never was.
    if (!isMissing(cause) || (await isThere(file))) throw cause
    return undefined
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (cause: unknown) => {
      if (isMissing(cause)) return false
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

/** The database as it stands: a tree of `size` entries with `root`. */
export interface KnownTree {
  readonly size: number
  readonly root: Uint8Array
  readonly readTile: ReadTile
}

/** Throws LedgerFatal `rollback` when the file knows a newer log than the database, or another one. */
export async function assertNoRollback(
  file: string,
  log: PinnedLog,
  tree: KnownTree,
): Promise<'known' | 'unknown'> {
  const seen = await readRollback(file, log)
  if (seen === undefined) return 'unknown'
  if (seen.size > tree.size) refuseToFork(file, seen, tree, 'is older than what this registry has signed')
  const root =
    seen.size === tree.size ? tree.root : await treeRootAsync(seen.size, storedHashes(tree.readTile))
  if (!equalBytes(root, seen.root))
    refuseToFork(file, seen, tree, 'holds another log than this registry has signed')
  return 'known'
}

async function readRollback(file: string, log: PinnedLog): Promise<Checkpoint | undefined> {
  try {
    const path = await findFile(file)
    if (path === undefined) return undefined
    const text = await readFile(path, 'utf8')
    if (text.length > MAX_FILE_BYTES) throw new RangeError('the file is too large')
    return openCheckpoint(text, log).checkpoint
  } catch (cause) {
    // Unreadable is not the same as absent: going on would switch the protection off.
    const message = `the rollback file ${file} cannot be read as a checkpoint of ${log.origin}`
    throw new LedgerFatal('rollback-file-unusable', message, { file }, { cause })
  }
}

function refuseToFork(file: string, seen: Checkpoint, tree: KnownTree, what: string): never {
  const message = [
    `The database ${what}: it has ${tree.size} entries, and ${file} remembers a checkpoint of ${seen.size}.`,
    'Signing now would fork the log, and hosts would refuse this registry as dishonest.',
    'Stop here and restore the newest database. If its last entries are lost for good, retire this log with a',
    'successor under a new trust root. Remove the file only if this registry has never been seen by anyone.',
  ].join('\n')
  throw new LedgerFatal('rollback', message, { file, remembered: seen.size, database: tree.size })
}
