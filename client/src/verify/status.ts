import {
  activeLog,
  countIndependent,
  decodeBase64,
  leafHash,
  openCheckpoint,
  parseEvent,
  parseRevocations,
  parseStatus,
  quorumTime,
  refuse,
  toHex,
  utf8Bytes,
  verifyInclusion,
  type Checkpoint,
  type Denials,
  type OpenedCheckpoint,
  type RevocationList,
  type SnapshotEvent,
  type TrustRoot,
} from '../core/index.js'
import { atStep } from '../verdict.js'

const PROVED = Symbol('proved by verifyStatus')

/** A tree and the snapshot that is its last entry. */
export interface ProvedSnapshot {
  readonly checkpoint: Checkpoint
  /** The checkpoint's note with all its signatures: evidence when it turns out to be one of two. */
  readonly note: string
  readonly snapshot: SnapshotEvent
  /** Its index: size - 1. */
  readonly snapshotIndex: number
  /** The root the revocation list must have, hex: its name in `GET /v1/revocations/{root}`. */
  readonly revocationsHex: string
}

/** A status document that holds: only {@link verifyStatus} makes one. Memory is not consulted: see PROTOCOL 10.3. */
export class VerifiedStatus implements ProvedSnapshot {
  declare readonly checkpoint: Checkpoint
  declare readonly note: string
  declare readonly snapshot: SnapshotEvent
  declare readonly snapshotIndex: number
  declare readonly revocationsHex: string
  declare readonly registry: string
  /** T, POSIX seconds: when the quorum, or without witnesses the timestamper, stood behind it. */
  declare readonly attestedAt: number
  /** With 0, this registry could show different hosts different histories. */
  declare readonly independentWitnesses: number
  /** A larger tree that waits for its quorum: what it revokes counts already (PROTOCOL 7). It allows nothing. */
  declare readonly denials?: ProvedSnapshot
  /** The document as it came. */
  declare readonly text: string
  readonly #proved = true

  // The members are declared, not written one by one: every byte is loaded by browsers.
  /** @internal */
  constructor(token: typeof PROVED, facts: Omit<VerifiedStatus, 'isProved'>) {
    if (token !== PROVED) throw new TypeError('only verifyStatus makes a VerifiedStatus')
    Object.freeze(Object.assign(this, facts))
  }

  /** False for look-alikes that were not made here. */
  isProved(): boolean {
    return this.#proved
  }
}

/**
 * PROTOCOL 10.2 and the document's own half of 10.3: the pinned log signed, the timestamper and the quorum cosigned, and
 * the snapshot is the tree's last entry.
 *
 * @throws CountersignError `registry-mismatch`, `checkpoint-invalid`, `quorum-not-met`, `proof-invalid`, `rollback` for
 *   an older snapshot under a newer checkpoint, `root-outdated` when the snapshot knows a newer root
 */
export function verifyStatus(bytes: Uint8Array, root: TrustRoot): VerifiedStatus {
  const status = atStep(2, 'checkpoint-invalid', () => parseStatus(bytes))
  if (status.registry !== root.identity) {
    refuse('registry-mismatch', 'the status is of another registry', { step: 2, expected: root.identity })
  }
  const opened = atStep(2, 'checkpoint-invalid', () => openStatusCheckpoint(status.checkpoint, root))
  const attestedAt = attestedTime(opened, root)
  const proved = proveSnapshot(status, opened.checkpoint)
  const { rootVersion } = proved.snapshot
  if (rootVersion > root.version) {
    refuse('root-outdated', 'the registry has a newer trust root', {
      step: 1,
      ours: root.version,
      theirs: rootVersion,
    })
  }
  return new VerifiedStatus(PROVED, {
    ...proved,
    ...(status.denials && { denials: verifyDenials(status.denials, root, opened.checkpoint) }),
    registry: status.registry,
    attestedAt,
    independentWitnesses: countIndependent(root.quorum, opened.cosignatures),
    text: new TextDecoder().decode(bytes),
  })
}

function openStatusCheckpoint(note: string, root: TrustRoot): OpenedCheckpoint {
  const cosigners = [root.timestamperKey, ...root.quorum.witnesses.map((witness) => witness.key)]
  return openCheckpoint(note, activeLog(root), cosigners)
}

/** PROTOCOL 10.2: the timestamper always, the witnesses' quorum as the root asks; T is the witnesses' where there are any. */
function attestedTime({ cosignatures }: OpenedCheckpoint, root: TrustRoot): number {
  const stamped = cosignatures.find(({ key }) => key === root.timestamperKey)
  if (stamped === undefined) refuse('quorum-not-met', 'the timestamper did not cosign', { step: 2 })
  if (root.quorum.isNone) return stamped.timestamp
  const witnesses = cosignatures.filter(({ key }) => key !== root.timestamperKey)
  return (
    quorumTime(root.quorum, witnesses) ??
    refuse('quorum-not-met', 'too few witnesses cosigned', { step: 2, witnesses: witnesses.length })
  )
}

/** PROTOCOL 10.3: the snapshot is the last entry, so an old one cannot be shown under the newest checkpoint. */
function proveSnapshot({ checkpoint: note, snapshot }: Denials, checkpoint: Checkpoint): ProvedSnapshot {
  const { size, root } = checkpoint
  return atStep(3, 'proof-invalid', () => {
    const event = parseEvent(snapshot.event)
    if (event.t !== 'snapshot') refuse('proof-invalid', 'the last entry is no snapshot')
    if (event.asOf !== size - 1) {
      refuse('rollback', 'the snapshot is not that of the checkpoint', { asOf: event.asOf, size })
    }
    verifyInclusion(size - 1, size, leafHash(utf8Bytes(snapshot.event)), snapshot.proof, root)
    return {
      checkpoint,
      note,
      snapshot: event,
      snapshotIndex: event.asOf,
      revocationsHex: toHex(decodeBase64(event.revocations)),
    }
  })
}

/** PROTOCOL 7: denials need the log's signature, and no quorum. What is wrong with them refuses the status they came with. */
function verifyDenials(denials: Denials, root: TrustRoot, { size }: Checkpoint): ProvedSnapshot {
  const { checkpoint } = atStep(3, 'checkpoint-invalid', () => openStatusCheckpoint(denials.checkpoint, root))
  if (checkpoint.size <= size) {
    refuse('checkpoint-invalid', 'denials are of a larger tree', { step: 3, size: checkpoint.size })
  }
  return proveSnapshot(denials, checkpoint)
}

/**
 * PROTOCOL 10.3: the revocation list is the one that the snapshot names: a status's own, or that of its denials.
 * @throws CountersignError `proof-invalid`
 */
export function verifyRevocations(
  bytes: Uint8Array,
  { snapshot }: Pick<ProvedSnapshot, 'snapshot'>,
): RevocationList {
  const expected = { root: decodeBase64(snapshot.revocations), count: snapshot.count }
  return atStep(3, 'proof-invalid', () => parseRevocations(bytes, expected))
}
