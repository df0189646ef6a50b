import { setTimeout } from 'node:timers/promises'
import {
  CountersignError,
  activeLog,
  decodeBase64,
  equalBytes,
  leafHash,
  openCheckpoint,
  parseCheckpointBody,
  parseEvent,
  parseNote,
  parseStatus,
  quorumTime,
  refuse,
  utf8Bytes,
  verifyInclusion,
  type Denials,
  type PinnedLog,
  type ProvenSnapshot,
  type SnapshotEvent,
  type TrustRoot,
} from '../../core/index.js'
import { atStep } from '../../verdict.js'
import { attempt, type Findings } from './findings.js'
import { lieAt, type Lie } from './lie.js'
import { comparePinnedVersion, fetchNewerRoots, openRoots, type Pinned, type Roots } from './roots.js'
import { isAboutServed, type LogSource } from './source.js'

/** A tree that the log's key signed. */
export interface SignedTree {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
}

/** What a registry shows of its log at one time, every note signed by its active log. */
export interface Shown {
  readonly roots: Roots
  readonly checkpoint: SignedTree
  readonly status?: ShownStatus
  readonly committed?: SignedTree
  /** The larger one of checkpoint and status: the tree to be replayed. */
  readonly target: SignedTree
  /** What was shown a moment before, and read again because its parts did not fit together. */
  readonly earlier: readonly ShownTree[]
}

export interface ShownTree extends SignedTree {
  /** Signed, and not published when it was shown: it may be larger than what is. */
  readonly isAhead?: true
}

export interface ShownStatus {
  readonly tree: SignedTree
  /** The tree's last entry, proved. */
  readonly snapshot: SnapshotEvent
  readonly denials?: { readonly tree: SignedTree; readonly snapshot: SnapshotEvent }
}

/** How often what is shown is read again, when the parts of it do not fit together. */
const MAX_TRIES = 4

export interface Patience {
  /** Between two readings: a cache in between may be as old as all of them together. */
  readonly waitMs: number
  /** What was seen of its logs before. */
  readonly seen: readonly Omit<SignedTree, 'root'>[]
  readonly signal: AbortSignal
}

/**
 * Reads roots, checkpoint, status and the committed note, in this order, so that each is at least as new as the one
 * before it where nobody lies. What seems older may have come from a cache: it is read again before it is called a lie,
 * until it is as new as what was read first. What was shown on the way is not forgotten.
 * @throws CountersignError `checkpoint-invalid` for a checkpoint that is not signed by the active log
 */
export async function fetchShown(
  source: LogSource,
  pinned: Pinned,
  findings: Pick<Findings, 'lie'>,
  patience: Patience,
): Promise<Shown> {
  const roots = openRoots(pinned)
  // Whatever ends it: what the roots prove is said.
  const tellRoots = (): void => roots.lies.splice(0).forEach((lie) => findings.lie(lie))
  try {
    await fetchNewerRoots(source, pinned, roots)
    comparePinnedVersion(pinned, roots)
    const { shown, lies } = await fetchFitting(source, pinned, roots, patience)
    tellRoots()
    for (const lie of [...lies, ...behind(shown, patience)]) findings.lie(lie)
    return shown
  } finally {
    tellRoots()
  }
}

/** Parts of a reading that hold, and that the others must be as new as. */
interface Kept {
  readonly note?: string
  readonly status?: Uint8Array
}

interface Reading {
  readonly shown: Shown
  readonly lies: readonly Lie[]
}

async function fetchFitting(
  source: LogSource,
  pinned: Pinned,
  roots: Roots,
  patience: Patience,
): Promise<Reading> {
  const earlier: ShownTree[] = []
  let kept: Kept = {}
  for (let tries = 1; ; tries++) {
    const note = kept.note ?? (await source.checkpoint())
    const status = kept.status ?? (await source.status().catch(laterLie))
    const committed = await source.committed()
    const mayTry = tries < MAX_TRIES
    // With another root another log may be the active one.
    const isMoving = await fetchNewerRoots(source, pinned, roots)
    if (isMoving) kept = {}
    if (isMoving && mayTry) continue
    const reading = await openReading(roots, { note, status, committed }, mayTry)
    if (reading !== undefined) {
      const shown = { ...reading.shown, earlier: [...earlier] }
      if (!mayTry || !seemsOld(reading, patience)) return { ...reading, shown }
      earlier.push(...treesOf(shown))
    }
    kept = keep(reading?.shown, { note, status }, patience)
    await setTimeout(patience.waitMs, undefined, { signal: patience.signal })
  }
}

/** Undefined for a checkpoint that the active log did not sign, where it may be one of the log before it, from a cache. */
async function openReading(roots: Roots, texts: Texts, mayTry: boolean): Promise<Reading | undefined> {
  const lies: Lie[] = []
  try {
    return { shown: await openShown(roots, texts, { lie: (lie) => lies.push(lie) }), lies }
  } catch (error) {
    if (!mayTry || !isAboutServed(error)) throw error
    return undefined
  }
}

function seemsOld({ shown, lies }: Reading, patience: Patience): boolean {
  const isBehind = newerThan(shown, patience) !== undefined
  // Two trees of one size are no matter of age.
  return isBehind || !hasItsRoots(shown) || lies.some(({ code }) => code !== 'equivocation')
}

/** Whether the status names the newest root that is served, and no later one. */
function hasItsRoots({ roots, status }: Shown): boolean {
  return status === undefined || roots.digests.size === status.snapshot.rootVersion
}

function keep(
  shown: Shown | undefined,
  { note, status }: Omit<Texts, 'committed'>,
  patience: Patience,
): Kept {
  if (shown === undefined || newerThan(shown, patience) !== undefined) return {}
  const isNew =
    status instanceof Uint8Array &&
    shown.status !== undefined &&
    shown.status.tree.size >= shown.checkpoint.size &&
    hasItsRoots(shown)
  return { note, ...(isNew && { status }) }
}

/** A log that was seen larger, in an earlier run or in this one. */
function behind(shown: Shown, patience: Patience): Lie[] {
  const newer = newerThan(shown, patience)
  if (newer === undefined) return []
  const { size, note } = shown.checkpoint
  return [
    lieAt(size, 'rollback', `the log was seen at size ${newer.size} before`, { notes: [newer.note, note] }),
  ]
}

function newerThan({ checkpoint, earlier }: Shown, { seen }: Patience): Omit<SignedTree, 'root'> | undefined {
  const published = earlier.filter(({ isAhead }) => isAhead !== true)
  return [...seen, ...published].find(
    ({ origin, size }) => origin === checkpoint.origin && size > checkpoint.size,
  )
}

/** Every tree of one view. */
export function treesOf({ checkpoint, status, committed }: Shown): ShownTree[] {
  const denials = status?.denials?.tree
  return [
    checkpoint,
    ...(status === undefined ? [] : [status.tree]),
    ...(denials === undefined ? [] : [{ ...denials, isAhead: true } as const]),
    ...(committed === undefined ? [] : [{ ...committed, isAhead: true } as const]),
  ]
}

/** A status that is not served is judged beside the rest of what is shown. */
function laterLie(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

interface Texts {
  readonly note: string
  readonly status: Uint8Array | Error
  readonly committed: string | undefined
}

async function openShown(roots: Roots, texts: Texts, findings: Pick<Findings, 'lie'>): Promise<Shown> {
  const { newest } = roots
  const log = activeLog(newest)
  const checkpoint = openSigned(texts.note, log)
  const at = checkpoint.size
  const status = await attempt(
    findings,
    at,
    () => openStatus(texts.status, newest),
    () => documentsOf(texts),
  )
  const committed = await attempt(
    findings,
    at,
    () => (texts.committed === undefined ? undefined : openSigned(texts.committed, log)),
    () => ({ notes: [texts.committed ?? ''] }),
  )
  compareShown(checkpoint, status?.tree, 'the status', findings)
  const published = status !== undefined && status.tree.size > at ? status.tree : checkpoint
  compareShown(published, committed, 'the committed checkpoint', findings)
  compareShown(published, status?.denials?.tree, 'the tree of the denials', findings)
  return {
    roots,
    checkpoint,
    ...(status && { status }),
    ...(committed && { committed }),
    target: published,
    earlier: [],
  }
}

function documentsOf({ note, status }: Texts) {
  return {
    checkpoint: note,
    ...(status instanceof Uint8Array && { status: Buffer.from(status).toString('utf8') }),
  }
}

/** What was asked for after something else is at least as new as that; of one size there is one tree. */
function compareShown(
  first: SignedTree,
  then: SignedTree | undefined,
  name: string,
  findings: Pick<Findings, 'lie'>,
): void {
  if (then === undefined) return
  const documents = { notes: [first.note, then.note] }
  if (then.size < first.size) {
    findings.lie(lieAt(then.size, 'rollback', `${name} is older than the published checkpoint`, documents))
  } else if (then.size === first.size && !equalBytes(then.root, first.root)) {
    findings.lie(lieAt(then.size, 'equivocation', `${name} has another tree of this size`, documents))
  }
}

/** Opens a note by the key of its log. @throws CountersignError `checkpoint-invalid` with the note in its detail */
export function openSigned(note: string, log: PinnedLog): SignedTree {
  const { checkpoint } = atStep(2, 'checkpoint-invalid', () => {
    try {
      return openCheckpoint(note, log)
    } catch (error) {
      throw withNote(error, note)
    }
  })
  return { ...checkpoint, note }
}

/** The note is the evidence, whatever is wrong with it. */
function withNote(cause: unknown, note: string): unknown {
  if (!(cause instanceof CountersignError)) return cause
  return new CountersignError(
    cause.code,
    cause.message,
    { ...cause.detail, note: note.slice(0, 4096) },
    { cause },
  )
}

/** A tree that this program verified before and kept itself. */
export function readKept(note: string): SignedTree {
  return { ...parseCheckpointBody(parseNote(note).text), note }
}

function openStatus(bytes: Uint8Array | Error, root: TrustRoot): ShownStatus {
  if (bytes instanceof Error) throw bytes
  const status = atStep(2, 'checkpoint-invalid', () => parseStatus(bytes))
  if (status.registry !== root.identity) refuse('registry-mismatch', 'the status is of another registry')
  const tree = openSigned(status.checkpoint, activeLog(root))
  const snapshot = openSnapshot(status.snapshot, tree)
  return { tree, snapshot, ...(status.denials && { denials: openDenials(status.denials, root) }) }
}

function openDenials(denials: Denials, root: TrustRoot) {
  const tree = openSigned(denials.checkpoint, activeLog(root))
  return { tree, snapshot: openSnapshot(denials.snapshot, tree) }
}

/** PROTOCOL 10.3: the snapshot is the last entry of the tree it is shown with. */
function openSnapshot({ event: leaf, proof }: ProvenSnapshot, { size, root }: SignedTree): SnapshotEvent {
  return atStep(3, 'proof-invalid', () => {
    const event = parseEvent(leaf)
    if (event.t !== 'snapshot') refuse('proof-invalid', 'the status shows no snapshot')
    if (event.asOf !== size - 1) refuse('rollback', 'the snapshot is not that of the checkpoint')
    verifyInclusion(size - 1, size, leafHash(utf8Bytes(leaf)), proof, root)
    return event
  })
}

/** When a published note was attested, and by how many independent witnesses. */
export interface Attested {
  readonly at: number
  readonly witnesses: number
}

/**
 * PROTOCOL 7: the timestamper, and the quorum of the trust root that was in force at the end of this tree.
 * @throws CountersignError `quorum-not-met`
 */
export function verifyQuorum(note: string, root: TrustRoot): Attested {
  const { quorum, timestamperKey } = root
  const keys = [timestamperKey, ...quorum.witnesses.map(({ key }) => key)]
  const { cosignatures } = atStep(2, 'checkpoint-invalid', () => openCheckpoint(note, activeLog(root), keys))
  const stamped = cosignatures.find(({ key }) => key === timestamperKey)
  if (stamped === undefined) return refuse('quorum-not-met', 'the timestamper did not cosign')
  const others = cosignatures.filter(({ key }) => key !== timestamperKey)
  const witnesses = new Set(others.map(({ key }) => key.name)).size
  if (quorum.isNone) return { at: stamped.timestamp, witnesses }
  const at = quorumTime(quorum, others)
  return at === undefined
    ? refuse('quorum-not-met', 'too few witnesses cosigned', { witnesses })
    : { at, witnesses }
}

/** The 32 bytes of a snapshot's revocation root. */
export function revocationsOf({ revocations }: SnapshotEvent): Uint8Array {
  return decodeBase64(revocations)
}
