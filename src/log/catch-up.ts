import {
  consistencyProofAsync,
  CountersignError,
  equalBytes,
  inclusionProofAsync,
  leafHash,
  openCheckpoint,
  parseEvent,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
  type LogEvent,
} from 'countersign/core'
import type { HeadReads, LogState } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import { pinnedLog, readState, readTree, succeeded, type LogHead } from './head.js'
import type { RegistryKeys } from './keys.js'
import type { Shown } from './publisher.js'
import { changeRevocations } from './revocations.js'
import { readRootNotes } from './root-notes.js'
import { storedHashes, type ReadTile } from './tiles.js'

type CatchUpReads = Pick<HeadReads, 'readTile' | 'readEntries' | 'readRevocationChanges'> & {
  readLogState(): Promise<LogState | undefined>
}

interface Tree {
  readonly size: number
  readonly root: Uint8Array
}

/**
 * The head as other processes have moved it, read in one transaction. It is believed as little as at a start, and one
 * thing more: its tree begins with the one we know. Throws LedgerFatal: `log-succeeded` when the log was ended,
 * `rollback` when the database holds another history, or an older one.
 */
export async function catchUp(reads: CatchUpReads, older: LogHead, keys: RegistryKeys): Promise<LogHead> {
  const state = await reads.readLogState()
  if (state?.note === older.note && state.size === older.size && state.base === older.base) return older
  if (state !== undefined) assertSameLog(state, older, keys)
  await readState({ readLogState: () => Promise.resolve(state) }, keys)
  if (state === undefined || state.size <= older.size) throw otherHistory(older, state?.size ?? 0)
  await assertContains((level, n) => reads.readTile(level, n), older, state)
  const changes = await reads.readRevocationChanges(older.base + older.size)
  const changed = new Map(changes.map(({ line, stands }) => [line, stands]))
  return readTree(reads, state, await changeRevocations(older.revocations, changed))
}

/** What is ours to go on with: keys and database name one log, and it begins where it began. */
function assertSameLog(state: LogState, older: LogHead, keys: RegistryKeys): void {
  const { identity, origin, base } = state
  if (identity !== keys.identity || (origin === keys.origin && base === older.base)) return
  throw succeeded(keys.origin, state)
}

/** Throws LedgerFatal `rollback` unless the newer tree begins with the older one, as its root proves. */
export async function assertContains(readTile: ReadTile, older: Tree, newer: Tree): Promise<void> {
  if (older.size > newer.size) throw otherHistory(older, newer.size)
  if (older.size === 0) return
  try {
    const proof =
      older.size === newer.size
        ? []
        : await consistencyProofAsync(older.size, newer.size, storedHashes(readTile))
    verifyConsistency(older.size, newer.size, proof, older.root, newer.root)
  } catch (cause) {
    if (cause instanceof CountersignError) throw otherHistory(older, newer.size, cause)
    throw cause
  }
}

function otherHistory({ size }: Tree, found: number, cause?: unknown): LedgerFatal {
  const message = 'the database no longer holds the log this process has signed or shown'
  return new LedgerFatal('rollback', message, { known: size, database: found }, { cause })
}

type ShownReads = Pick<HeadReads, 'readTile' | 'readEntries' | 'readRootNotes'>

/**
 * What the state says is published: signed by our key, a prefix of the committed head, and ended by the snapshot that
 * its tree holds. Undefined while nothing is. Throws LedgerFatal.
 */
export async function readShown(
  reads: ShownReads,
  keys: RegistryKeys,
  head: LogHead,
  { publishedSize: size, publishedNote: note }: Pick<LogState, 'publishedSize' | 'publishedNote'>,
  known?: Shown,
): Promise<Shown | undefined> {
  if (size === 0) return undefined
  if (known?.note === note) return known
  const readTile: ReadTile = (level, n) => reads.readTile(level, n)
  const root = rootOf(note, size, keys)
  await assertContains(readTile, { size, root }, head)
  if (known !== undefined && known.size === size) assertSameRoot(known, root, keys)
  const snapshot = await readLastSnapshot(reads, size)
  const proof = await proveSnapshot(snapshot.leaf, { size, root }, readTile)
  const rootNotes = await readRootNotes(reads, { snapshot }, known?.rootNotes)
  const { revocations } = snapshot.event
  const tree = { size, note, revocations, snapshot: { event: snapshot.leaf, proof } }
  return { base: head.base, size, note, rootNotes, tree }
}

function rootOf(note: string, size: number, keys: RegistryKeys): Uint8Array {
  try {
    const { checkpoint } = openCheckpoint(note, pinnedLog(keys))
    if (checkpoint.size === size) return checkpoint.root
  } catch (cause) {
    throw damaged(cause)
  }
  throw damaged()
}

function assertSameRoot(known: Shown, root: Uint8Array, keys: RegistryKeys): void {
  if (!equalBytes(rootOf(known.note, known.size, keys), root))
    throw otherHistory({ size: known.size, root }, known.size)
}

async function readLastSnapshot(reads: ShownReads, size: number): Promise<NonNullable<LogHead['snapshot']>> {
  const [leaf = ''] = await reads.readEntries(size - 1, size)
  const event = eventOf(leaf)
  if (event.t !== 'snapshot') throw damaged()
  return { leaf, event }
}

function eventOf(leaf: string): LogEvent {
  try {
    return parseEvent(leaf)
  } catch (cause) {
    throw damaged(cause)
  }
}

async function proveSnapshot(leaf: string, { size, root }: Tree, readTile: ReadTile): Promise<Uint8Array[]> {
  try {
    const proof = await inclusionProofAsync(size - 1, size, storedHashes(readTile))
    verifyInclusion(size - 1, size, leafHash(utf8Bytes(leaf)), proof, root)
    return proof
  } catch (cause) {
    if (cause instanceof CountersignError) throw damaged(cause)
    throw cause
  }
}

function damaged(cause?: unknown): LedgerFatal {
  const message = 'the published checkpoint in this database is not one of this log'
  return new LedgerFatal('state-invalid', message, {}, { cause })
}
