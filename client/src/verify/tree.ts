import {
  activeLog,
  CountersignError,
  findLog,
  openCheckpoint,
  parseBundle,
  parseCheckpointBody,
  parseNote,
  refuse,
  verifyConsistency,
  type Bundle,
  type Checkpoint,
  type TrustRoot,
} from '../core/index.js'
import { atStep } from '../verdict.js'
import type { VerifiedStatus } from './status.js'

/** A bundle whose shape was parsed and nothing of it proved; its tree is good for asking for the consistency proof. */
export interface OpenedBundle {
  readonly bundle: Bundle
  readonly size: number
  /** The log that the tree is of. */
  readonly origin: string
  readonly tree: Checkpoint
}

/** A tree that leaves are proved in, and the position of its first one (PROTOCOL 6). */
export interface PlacedTree {
  readonly base: number
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Parses a bundle. Proves nothing.
 * @throws CountersignError `proof-invalid` or `checkpoint-invalid`
 */
export function openBundle(bytes: Uint8Array): OpenedBundle {
  const bundle = atStep(5, 'proof-invalid', () => parseBundle(bytes))
  const tree = readTree(bundle)
  return { bundle, tree, size: tree.size, origin: tree.origin }
}

function readTree(bundle: Bundle): Checkpoint {
  return atStep(5, 'checkpoint-invalid', () => parseCheckpointBody(parseNote(bundle.checkpoint).text))
}

/**
 * PROTOCOL 10.5: C0 is a prefix of the status's tree, or of the tree a frozen log ended with. Its own signatures then add
 * nothing and are not asked for: whoever has a frozen log's key signs for nobody.
 */
export function verifyBundleTree(
  { bundle, tree }: OpenedBundle,
  root: TrustRoot,
  status: VerifiedStatus,
  consistency: readonly Uint8Array[],
): PlacedTree {
  const { origin, size } = tree
  const place = findLog(root, origin)
  if (place === undefined) {
    refuse('checkpoint-invalid', 'the bundle is proved in another log', { step: 5, origin })
  }
  const { base, final } = place
  const known = final ?? status.checkpoint
  if (size > known.size) {
    const code = final ? 'proof-invalid' : 'checkpoint-invalid'
    refuse(code, 'the bundle is newer than what is known of the log', { step: 5, size, known: known.size })
  }
  try {
    atStep(5, 'proof-invalid', () => verifyConsistency(size, known.size, consistency, tree.root, known.root))
  } catch (error) {
    const isFork = error instanceof CountersignError && error.detail['otherPast'] === true
    if (isFork && final === undefined) refuseFork(bundle, root, status)
    throw error
  }
  return { base, size, root: tree.root }
}

/** Another past than the status's. Signed by the log it is proof of two histories; unsigned it is any mirror's nonsense. */
export function refuseFork(bundle: Bundle, root: TrustRoot, status: VerifiedStatus): never {
  atStep(5, 'checkpoint-invalid', () => openCheckpoint(bundle.checkpoint, activeLog(root)))
  return refuse('equivocation', 'the log signed two histories', {
    step: 5,
    notes: [status.note, bundle.checkpoint],
  })
}

/** The tree a frozen log ended with: leaves behind its end do not exist, whoever signed them. */
export function frozenTree(root: TrustRoot, origin: string): PlacedTree {
  const place = findLog(root, origin)
  if (place?.final) return { base: place.base, ...place.final }
  return refuse('proof-invalid', 'no frozen log has this origin', { step: 6, origin })
}
