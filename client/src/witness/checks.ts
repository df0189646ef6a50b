import {
  CountersignError,
  EMPTY_ROOT,
  equalBytes,
  verifyConsistency,
  type Checkpoint,
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
