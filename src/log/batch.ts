import { setImmediate } from 'node:timers/promises'
import {
  eventTarget,
  formatEvent,
  encodeBase64,
  leafHash,
  rangeRoot,
  toHex,
  utf8Bytes,
  type LogEvent,
  type SnapshotEvent,
} from 'countersign/core'
import { StoreError } from '../storage/errors.js'
import type { BatchTx, NewBatch } from '../storage/store.js'
import type { Candidate } from './candidate.js'
import { LedgerRefusal } from './errors.js'
import type { LogHead } from './head.js'
import { changeRevocations, revocationTreeRoot } from './revocations.js'
import { extendEdge } from './tiles.js'

/** What became of one candidate. */
export type Outcome = { readonly index: number } | { readonly refusal: LedgerRefusal }

/** A batch as it was built; `next` is absent when nothing new was to be logged. */
export interface Draft {
  readonly outcomes: readonly Outcome[]
  /** What it was built on. */
  readonly head: LogHead
  readonly next?: LogHead
}

/** One candidate failed in a way that may have left half of it in the transaction: the batch is built again without it. */
export class FailedCandidate extends Error {
  override readonly name = 'FailedCandidate'
  readonly position: number

  constructor(position: number, cause: unknown) {
    super('a candidate failed inside its batch', { cause })
    this.position = position
  }
}

interface Leaf {
  readonly index: number
  readonly data: string
  readonly leafHash: Uint8Array
}

export type SignCheckpoint = (size: number, root: Uint8Array) => string

/** How many candidates are decided before the process may turn to something else. */
const CANDIDATES_A_TURN = 32

/**
 * One batch, inside its transaction (ARCHITECTURE, promise 2): the state is still ours, each candidate is authorised
 * again in log order and applied, the snapshot goes last, the checkpoint is signed, the state row is swapped.
 */
export async function draftBatch(
  tx: BatchTx,
  head: LogHead,
  candidates: readonly Candidate[],
  sign: SignCheckpoint,
): Promise<Draft> {
  await assertUnchanged(tx, head)
  const watched = watchRevocations(tx)
  const leaves: Leaf[] = []
  const outcomes: Outcome[] = []
  let rootVersion = head.snapshot?.event.rootVersion ?? 1
  for (const [place, candidate] of candidates.entries()) {
    const index = head.size + leaves.length
    const { outcome, logged } = await decide(watched.tx, candidate, {
      index,
      base: head.base,
      before: leaves,
      place,
    })
    outcomes.push(outcome)
    if (logged !== undefined) leaves.push(logged.leaf)
    if (logged?.event.t === 'root') rootVersion = logged.event.version
    if (place % CANDIDATES_A_TURN === CANDIDATES_A_TURN - 1) await setImmediate()
  }
  if (leaves.length === 0) return { outcomes, head }
  const revocations = await changeRevocations(head.revocations, watched.changes)
  const event = await takeSnapshot(tx, { ...head, revocations }, head.size + leaves.length, rootVersion)
  const snapshot = { leaf: formatEvent(event), event }
  leaves.push(leafOf(event.asOf, snapshot.leaf))
  return { outcomes, head, next: { ...(await append(tx, head, leaves, sign)), revocations, snapshot } }
}

async function assertUnchanged(tx: BatchTx, head: LogHead): Promise<void> {
  const state = await tx.readLogState()
  if (state.size !== head.size || state.note !== head.note) {
    throw new StoreError('lost-race', 'the log has moved since this process read it')
  }
}

interface Decision {
  readonly outcome: Outcome
  readonly logged?: { readonly leaf: Leaf; readonly event: LogEvent }
}

/** Where a candidate would stand: in its tree, and `base` more in position; `place` is its own within the batch. */
interface Standing {
  readonly index: number
  readonly base: number
  readonly before: readonly Leaf[]
  readonly place: number
}

async function decide(
  tx: BatchTx,
  candidate: Candidate,
  { index, base, before, place }: Standing,
): Promise<Decision> {
  const position = base + index
  try {
    const verdict = await authorise(tx, candidate, position)
    if (verdict !== undefined) return { outcome: verdict }
    const event = candidate.event(position)
    const leaf = leafOf(index, formatEvent(event))
    const existing = (await tx.isLogged(leaf.leafHash)) ?? positionIn(before, leaf, base)
    if (existing !== undefined) return { outcome: { index: existing } }
    await candidate.apply(tx, position)
    const target = eventTarget(event)
    if (target !== undefined) await tx.noteAbout(target, position)
    return { outcome: { index: position }, logged: { leaf, event } }
  } catch (cause) {
    if (endsBatch(cause)) throw cause
    throw new FailedCandidate(place, cause)
  }
}

/** The disk and the way to the database are nobody's candidate. */
function endsBatch(cause: unknown): boolean {
  return cause instanceof StoreError && ['io', 'unavailable', 'busy', 'closed'].includes(cause.code)
}

function positionIn(before: readonly Leaf[], { data }: Leaf, base: number): number | undefined {
  const same = before.find((one) => one.data === data)
  return same === undefined ? undefined : base + same.index
}

async function authorise(tx: BatchTx, candidate: Candidate, index: number): Promise<Outcome | undefined> {
  try {
    const verdict = await candidate.authorise(tx, index)
    return verdict === undefined ? undefined : { index: verdict.existing }
  } catch (cause) {
    if (cause instanceof LedgerRefusal) return { refusal: cause }
    throw cause
  }
}

function leafOf(index: number, data: string): Leaf {
  return { index, data, leafHash: leafHash(utf8Bytes(data)) }
}

/** Knows which lines a batch put and took away, so that the list is never read and hashed again as a whole. */
function watchRevocations(tx: BatchTx): { tx: BatchTx; changes: ReadonlyMap<string, boolean> } {
  const changes = new Map<string, boolean>()
  const watched: BatchTx = {
    ...tx,
    putRevocation: (line, index) => {
      changes.set(line, true)
      return tx.putRevocation(line, index)
    },
    deleteRevocation: (line) => {
      changes.set(line, false)
      return tx.deleteRevocation(line)
    },
  }
  return { tx: watched, changes }
}

async function takeSnapshot(
  tx: BatchTx,
  { base, snapshot, revocations: tree }: LogHead,
  asOf: number,
  rootVersion: number,
): Promise<SnapshotEvent> {
  const root = revocationTreeRoot(tree)
  const revocations = encodeBase64(root)
  if (snapshot?.event.revocations !== revocations) await tx.nameRevocationList(toHex(root), base + asOf)
  return { v: 1, t: 'snapshot', asOf, revocations, count: tree.lines.length, rootVersion }
}

async function append(
  tx: BatchTx,
  head: LogHead,
  entries: readonly Leaf[],
  sign: SignCheckpoint,
): Promise<Omit<LogHead, 'revocations' | 'snapshot'>> {
  const hashes = entries.map((leaf) => leaf.leafHash)
  const { edge, tiles } = extendEdge(head.edge, hashes)
  const root = rangeRoot(edge.range)
  const size = head.size + entries.length
  const note = sign(size, root)
  const batch: NewBatch = { expected: { size: head.size, note: head.note }, entries, tiles, size, root, note }
  await tx.append(batch)
  return { base: head.base, size, root, note, edge }
}
