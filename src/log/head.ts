import {
  EMPTY_ROOT,
  encodeBase64,
  equalBytes,
  formatCheckpointBody,
  formatNote,
  leafHash,
  openCheckpoint,
  parseEvent,
  rangeRoot,
  treeRootAsync,
  utf8Bytes,
  type Checkpoint,
  type PinnedLog,
  type SnapshotEvent,
} from 'countersign/core'
import { StoreError } from '../storage/errors.js'
import type { LogState, Store } from '../storage/store.js'
import { LedgerFatal } from './errors.js'
import type { RegistryKeys } from './keys.js'
import { openRevocations, revocationTreeRoot, type RevocationTree } from './revocations.js'
import { EMPTY_EDGE, readEdge, storedHashes, type TreeEdge } from './tiles.js'

/** What the sequencer knows of the committed log: enough to build the next batch on. */
export interface LogHead {
  /** Position of the log's entry 0 over all logs of the identity. */
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
  /** The checkpoint's note with the log's signature alone. */
  readonly note: string
  readonly edge: TreeEdge
  /** What stands revoked, as the snapshot says. */
  readonly revocations: RevocationTree
  /** The last entry; absent while the log is empty. */
  readonly snapshot?: { readonly leaf: string; readonly event: SnapshotEvent }
}

type HeadReads = Pick<Store, 'readLogState' | 'readTile' | 'readEntries' | 'readRevocations'>

/** Signs a checkpoint of this log. The dangerous act: the result stays inside until it is committed. */
export function signCheckpoint(keys: RegistryKeys, size: number, root: Uint8Array): string {
  const body = formatCheckpointBody({ origin: keys.origin, size, root })
  return formatNote(body, [keys.log.sign(body)])
}

/** The state row of a log without entries; `base` is where its predecessors end. */
export function emptyState(keys: RegistryKeys, base = 0): LogState {
  const note = signCheckpoint(keys, 0, EMPTY_ROOT)
  const { identity, origin } = keys
  return { identity, origin, base, size: 0, root: EMPTY_ROOT, note, publishedSize: 0, publishedNote: note }
}

/**
 * Reads the head and believes nothing: the note is ours, the tiles fold to its root, the last entry is the snapshot
 * the tiles say it is, the standing revocations are those it names. Throws LedgerFatal.
 */
export async function readHead(store: HeadReads, keys: RegistryKeys): Promise<LogHead> {
  const state = await readState(store, keys)
  const revocations = await openRevocations(await store.readRevocations())
  if (state.size > 0) return readTree(store, state, revocations)
  const { base, size, root, note } = state
  return { base, size, root, note, edge: EMPTY_EDGE, revocations }
}

/** The state row: of our log, and what its note says under our signature. Throws LedgerFatal. */
export async function readState(
  store: Pick<HeadReads, 'readLogState'>,
  keys: RegistryKeys,
): Promise<LogState> {
  const state = await store.readLogState()
  if (state === undefined) throw new LedgerFatal('state-invalid', 'the log has no state')
  assertOurs(state, keys)
  assertSame(openNoteOf(state.note, keys), state)
  return state
}

/**
 * The state row, as long as it is of this log: what another one holds says nothing about ours. Throws LedgerFatal
 * `log-succeeded` once a successor goes on in its place.
 */
export async function readOwnState(
  store: Pick<HeadReads, 'readLogState'>,
  { origin }: Pick<RegistryKeys, 'origin'>,
): Promise<LogState> {
  const state = await store.readLogState()
  if (state === undefined) throw new LedgerFatal('state-invalid', 'the log has no state')
  if (state.origin !== origin) throw succeeded(origin, state)
  return state
}

export function succeeded(ended: string, { origin, base }: LogState): LedgerFatal {
  const message = `${ended} was ended while this process ran: ${origin} goes on. Start it again with the keys of that log`
  return new LedgerFatal('log-succeeded', message, { origin, base })
}

/** The head of a tree with entries: its tiles and its last snapshot are what its note says, and so are these revocations. */
export async function readTree(
  store: Pick<HeadReads, 'readTile' | 'readEntries'>,
  { base, size, root, note }: LogState,
  revocations: RevocationTree,
): Promise<LogHead> {
  const edge = await readEdge(size, (level, n) => store.readTile(level, n)).catch(
    invalid('its tiles are incomplete'),
  )
  if (!equalBytes(rangeRoot(edge.range), root)) throw invalidState('its tiles do not fold to its root')
  const snapshot = await readSnapshot(store, size)
  assertNamed(revocations, snapshot.event)
  return { base, size, root, note, edge, revocations, snapshot }
}

/** Throws unless the tree of the newer head begins with the older one's: else somebody rewrote the log under us. */
export async function assertExtends(store: HeadReads, older: LogHead, newer: LogHead): Promise<void> {
  const read = storedHashes((level, n) => store.readTile(level, n))
  const same = newer.size >= older.size && equalBytes(await treeRootAsync(older.size, read), older.root)
  if (!same) throw new LedgerFatal('rollback', 'the database no longer holds the log this process has signed')
}

export function pinnedLog(keys: RegistryKeys): PinnedLog {
  return { origin: keys.origin, key: keys.log.key }
}

function assertOurs(state: LogState, keys: RegistryKeys): void {
  if (state.identity === keys.identity && state.origin === keys.origin) return
  const detail = { database: state.identity, keys: keys.identity }
  throw new LedgerFatal('identity-mismatch', `this is the database of ${state.identity}`, detail)
}

function openNoteOf(note: string, keys: RegistryKeys): Checkpoint {
  try {
    return openCheckpoint(note, pinnedLog(keys)).checkpoint
  } catch (cause) {
    throw new LedgerFatal('key-mismatch', 'the newest checkpoint is not signed by our log key', {}, { cause })
  }
}

function assertSame(checkpoint: Checkpoint, state: LogState): void {
  if (checkpoint.size !== state.size || !equalBytes(checkpoint.root, state.root)) {
    throw invalidState('its size or root is not that of its note')
  }
}

async function readSnapshot(store: Pick<HeadReads, 'readTile' | 'readEntries'>, size: number) {
  const [leaf = ''] = await store.readEntries(size - 1, size)
  const read = storedHashes((level, n) => store.readTile(level, n))
  const [stored] = await read([{ level: 0, index: size - 1 }])
  const event = parseEvent(leaf)
  const held = stored !== undefined && equalBytes(leafHash(utf8Bytes(leaf)), stored)
  if (!held || event.t !== 'snapshot' || event.asOf !== size - 1) {
    throw invalidState('its last entry is not the snapshot the tree holds')
  }
  return { leaf, event }
}

function assertNamed(revocations: RevocationTree, { count, revocations: root }: SnapshotEvent): void {
  const same = revocations.lines.length === count && encodeBase64(revocationTreeRoot(revocations)) === root
  if (!same) throw invalidState('its revocations are not those of its last snapshot')
}

export function invalidState(what: string, cause?: unknown): LedgerFatal {
  return new LedgerFatal('state-invalid', `the log in this database is damaged: ${what}`, {}, { cause })
}

function invalid(what: string): (cause: unknown) => never {
  return (cause) => {
    // A database that went away says nothing about what is in it.
    if (cause instanceof StoreError) throw cause
    throw invalidState(what, cause)
  }
}
