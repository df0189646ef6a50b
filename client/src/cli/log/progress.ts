import type { Digest } from '../../core/index.js'
import type { TreeDocument } from './own-tree.js'
import type { ReplayDocument } from './replay-text.js'

/** A tree of one log that was signed and shown. */
export interface SeenTree {
  readonly origin: string
  readonly size: number
  /** base64 */
  readonly root: string
  readonly note?: string
}

/** How far a log was replayed and verified: everything that is needed to go on from there. Plain JSON. */
export interface Progress {
  readonly identity: string
  /** The log the tree is of: the active one, or a frozen one that was not read to its end. */
  readonly origin: string
  /** The newest note that was verified; its tree may be larger than what was read of it so far. */
  readonly note: string
  readonly tree: TreeDocument
  readonly replay: ReplayDocument
  /** Earlier trees, oldest first: what a log that was cut, or a proof, is compared with. */
  readonly seen: readonly SeenTree[]
  /** Committed trees that were signed and not published yet. */
  readonly pending: readonly SeenTree[]
  /** What was approved, and is still to be compared with what is served. */
  readonly approvals: readonly Approval[]
}

/** An approval whose envelope somebody wants to see. */
export interface Approval {
  readonly manifest: Digest
  readonly index: number
}

export const MAX_SEEN = 64
export const MAX_PENDING = 64
