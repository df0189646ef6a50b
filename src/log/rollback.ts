import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { equalBytes, treeRootAsync, type Checkpoint, type PinnedLog } from 'countersign/core'
import { StoreError } from '../storage/errors.js'
import { LedgerFatal } from './errors.js'
import { readRollback, removeDrafts, writeRollback } from './rollback-file.js'
import { openSharedRollback, type Siblings } from './rollback-shared.js'
import { storedHashes, type ReadTile } from './tiles.js'

// A restored backup is the likeliest way to fork a log: it would sign other entries at indexes that were given before.
// So the newest checkpoint is also kept where a backup of the data folder does not reach.

export { writeRollback } from './rollback-file.js'

/** The file of this registry in the per-user state folder: never under the data folder. */
export function defaultRollbackFile(
  identity: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const state = env['XDG_STATE_HOME']
  const folder = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state')
  return join(folder, 'countersign', `${identity}.rollback`)
}

/** A committed tree as the file keeps it. */
export interface RememberedTree {
  readonly size: number
  readonly note: string
}

/** The file while the log is open: one write at a time, and it never goes back to a smaller tree. */
export interface RollbackMemory {
  /**
   * On disk when it resolves. Throws LedgerFatal `rollback-file-unusable`, or `rollback` once it is sealed or holds what
   * the database does not; StoreError when siblings or the database are late.
   */
  remember(tree: RememberedTree): Promise<void>
  /** Keeps a checkpoint that this database cannot hold, in place of all that follow: no start goes past it. */
  seal(note: string): Promise<void>
  /** When nothing is being written any more; the last call. */
  settled(): Promise<void>
}

/** The checkpoint, signed by the key of this log, that proves another history to whoever reads it. */
export function provedNote({ code, detail: { note } }: LedgerFatal): string | undefined {
  return code === 'rollback' && typeof note === 'string' ? note : undefined
}

/** Opens the memory of this file. `siblings`: other processes over the same database, which may write it too. */
export function openRollbackMemory(file: string, siblings?: Siblings): RollbackMemory {
  let kept = -1
  let isSealed = false
  let lane: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = lane.then(work)
    lane = mine.catch(() => undefined)
    return mine
  }
  const shared = siblings && openSharedRollback(file, siblings)
  const write = shared?.write ?? (({ note }: RememberedTree) => writeRollback(file, note))
  const overwrite = shared?.overwrite ?? ((note: string) => writeRollback(file, note))
  return {
    remember: (tree) =>
      inTurn(async () => {
        if (isSealed) throw new LedgerFatal('rollback', 'another history of this log is known', { file })
        if (tree.size <= kept) return
        await write(tree).catch(unwritable(file))
        kept = tree.size
      }),
    seal: (note) => {
      // Before its turn comes: what waits for one now must not follow it.
      isSealed = true
      return inTurn(async () => {
        // Each is tried, whatever becomes of the other.
        const told = await Promise.allSettled([overwrite(note).catch(unwritable(file)), siblings?.tell(note)])
        for (const one of told) if (one.status === 'rejected') throw one.reason
      })
    },
    settled: async () => {
      await lane
      shared?.close()
    },
  }
}

/** What a database or a sibling that is late says of itself passes; a file that cannot be written does not. */
function unwritable(file: string): (cause: unknown) => never {
  return (cause) => {
    if (cause instanceof LedgerFatal || cause instanceof StoreError) throw cause
    throw new LedgerFatal('rollback-file-unusable', `${file} cannot be written`, { file }, { cause })
  }
}

/** The database as it stands: a tree of `size` entries with `root`. */
export interface KnownTree {
  readonly size: number
  readonly root: Uint8Array
  readonly readTile: ReadTile
}

/**
 * Throws LedgerFatal `rollback` when the file knows a newer log than the database, or another one. The file is read
 * before the database: whoever else writes moves the database first.
 */
export async function assertNoRollback(
  file: string,
  log: PinnedLog,
  readTree: () => Promise<KnownTree>,
): Promise<'known' | 'unknown'> {
  await removeDrafts(file)
  const seen = (await readRollback(file, log))?.checkpoint
  const tree = await readTree()
  if (seen === undefined) return 'unknown'
  if (seen.size > tree.size) refuseToFork(file, seen, tree, 'is older than what this registry has signed')
  const root =
    seen.size === tree.size ? tree.root : await treeRootAsync(seen.size, storedHashes(tree.readTile))
  if (!equalBytes(root, seen.root))
    refuseToFork(file, seen, tree, 'holds another log than this registry has signed')
  return 'known'
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
