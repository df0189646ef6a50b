import type { Cosignature, QuorumPolicy } from 'countersign/core'

/** A committed checkpoint: the dangerous signature was given, and it may leave the process. */
export interface CommittedTree {
  readonly size: number
  readonly root: Uint8Array
  /** The note with the log's signature alone. */
  readonly note: string
}

/** What the witnesses of a policy said of one checkpoint. */
export interface Witnessed {
  /** Verified signature lines, without LF, at most one a witness. */
  readonly lines: readonly string[]
  readonly cosignatures: readonly Cosignature[]
  /** True for `quorum none` as well. */
  readonly isQuorum: boolean
  readonly failures: readonly { readonly witness: string; readonly code: WitnessFailure }[]
}

export type WitnessFailure =
  | 'unreachable'
  /** It does not know this log or its key. */
  | 'unknown-log'
  /** It knows another size than we thought, again and again. */
  | 'conflict'
  /** It claims to know a larger tree and shows no checkpoint of ours that proves it. */
  | 'claims-larger'
  | 'refused'
  /** What it returned is no cosignature of its own over this checkpoint. */
  | 'invalid-cosignature'

/** The witnesses of the trust root in force, asked all at once. */
export interface Witnesses {
  /**
   * Asks every witness of the policy. Resolves when the quorum is met and those that answer at once have answered, or
   * when the time is up; a witness's failure is a value. Rejects with LedgerFatal `rollback` alone: a witness showed a
   * checkpoint signed by this log that excludes the tree asked for, so that nothing may be signed any more.
   */
  cosign(tree: CommittedTree, policy: QuorumPolicy): Promise<Witnessed>
}
