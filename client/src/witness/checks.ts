import {
  CountersignError,
  EMPTY_ROOT,
  equalBytes,
  openNote,
  verifyConsistency,
  type Checkpoint,
  type VerifierKey,
} from '../core/index.js'
import { decline } from './refusal.js'
import type { Submission } from './request.js'
import type { KnownCheckpoint } from './store.js'

/** Steps 5 and 6: sizes that cannot be, whatever is known. */
export function assertSizes({ old }: Submission, { size, root }: Checkpoint): void {
  if (old > size) decline('size-backwards', 'the old size is larger than that of the checkpoint')
  if (size === 0 && !equalBytes(root, EMPTY_ROOT)) decline('empty-root', 'the empty tree has another root')
}

/** Step 7: the request goes on from where the witness is. */
export function assertKnown({ old }: Submission, known: KnownCheckpoint | undefined): void {
  const size = known?.size ?? 0
  if (old !== size) conflict(size)
}

/** The answer to whoever is late, or never asked: where to go on from. */
export function conflict(known: number): never {
  decline('size-conflict', 'the witness knows another size', { known })
}

/** Step 8: everything cosigned before is a prefix of this tree. */
export function assertExtends(
  { old, proof }: Submission,
  known: KnownCheckpoint | undefined,
  { size, root }: Checkpoint,
): void {
  const before = known?.root ?? EMPTY_ROOT
  if (old === size && proof.length === 0 && !equalBytes(root, before))
    decline('root-conflict', 'the log signed another tree of the same size')
  try {
    verifyConsistency(old, size, proof, before, root)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    // Both trees are signed and one proof leads to both: that is a fork, not a mistake.
    if (cause.detail['otherPast'] === true)
      decline('root-conflict', 'invalid consistency proof: it proves another past', { cause })
    decline('proof-invalid', 'invalid consistency proof', { cause })
  }
}

/** A clock that was set back by less than this is waited for with the time that was signed last. */
const MAX_BEHIND_SECONDS = 600

/**
 * The time to sign. tlog-cosignature: as of it, no larger tree was seen; so the times of one log never go back. Nor are
 * they far ahead of the clock, where the clock was wrong once and is right again.
 */
export function timeToSign(known: KnownCheckpoint | undefined, key: VerifierKey, now: number): number {
  const last = known === undefined ? 0 : lastTime(known, key)
  if (last - now > MAX_BEHIND_SECONDS)
    decline('clock-behind', 'the clock of the witness is behind what it signed last')
  return Math.max(now, last)
}

/** What is kept was verified when it was read from the disk, or made here. */
function lastTime({ note }: KnownCheckpoint, key: VerifierKey): number {
  return openNote(note, [key]).verified[0]?.timestamp ?? 0
}
