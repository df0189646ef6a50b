import {
  CountersignError,
  equalBytes,
  formatNote,
  openCheckpoint,
  treeRootAsync,
  type Checkpoint,
  type PinnedLog,
} from 'countersign/core'
import type { Store } from '../storage/store.js'
import { LedgerFatal, LedgerRefusal } from './errors.js'
import type { Halt } from './halt.js'
import { readOwnState } from './head.js'
import type { RollbackMemory } from './rollback.js'
import { storedHashes } from './tiles.js'

/** A reported note, in bytes. */
export const MAX_SEEN_BYTES = 64 * 1024

export interface SeenOptions {
  readonly store: Pick<Store, 'readLogState' | 'readTile'>
  /** The active log: what another key signed says nothing about ours. */
  readonly log: PinnedLog
  readonly memory: RollbackMemory
  readonly halt: Halt
}

/**
 * Takes a checkpoint that somebody was shown. Ours, or a prefix of ours: nothing happens. One that our key signed and
 * our database does not hold is the end: somebody signs with our key, or this is an old copy of the database. It is
 * kept where the next start looks, the log stops, and the report is answered LedgerRefusal `log-forked`. Everything else
 * is `note-invalid`, at the cost of one signature check. Throws LedgerFatal `log-succeeded` once this log was ended.
 */
export async function takeReport(note: Uint8Array, options: SeenOptions): Promise<void> {
  const { checkpoint, signed } = openReported(note, options.log)
  const state = await readOwnState(options.store, options.log)
  const { size } = checkpoint
  if (size <= state.size && (await isPrefix(checkpoint, options.store))) return
  await stopFor(signed, { reported: size, database: state.size }, options)
  const message = 'this log is not the one whose checkpoint was reported: it signs nothing any more'
  throw new LedgerRefusal('log-forked', message, { reported: size, database: state.size })
}

/** The checkpoint, and its note with the log's signature alone: what else stands in it is nobody's business here. */
function openReported(note: Uint8Array, log: PinnedLog): { checkpoint: Checkpoint; signed: string } {
  try {
    if (note.length > MAX_SEEN_BYTES) throw invalid('the note is too large')
    const { checkpoint, note: opened } = openCheckpoint(note, log)
    return { checkpoint, signed: formatNote(opened.text, [opened.verified[0]?.line ?? '']) }
  } catch (cause) {
    if (cause instanceof CountersignError) throw invalid(`no checkpoint of this log: ${cause.code}`)
    throw cause
  }
}

function invalid(message: string): LedgerRefusal {
  return new LedgerRefusal('note-invalid', message)
}

async function isPrefix({ size, root }: Checkpoint, store: SeenOptions['store']): Promise<boolean> {
  const read = storedHashes((level, n) => store.readTile(level, n))
  return equalBytes(await treeRootAsync(size, read), root)
}

async function stopFor(
  note: string,
  sizes: { readonly reported: number; readonly database: number },
  { memory, halt }: SeenOptions,
): Promise<void> {
  const message = 'somebody was shown another history under the signature of this log'
  halt.stop(new LedgerFatal('rollback', message, { ...sizes, note }))
  await memory.seal(note)
}
