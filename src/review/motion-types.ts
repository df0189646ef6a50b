import type { ApproveEvent, DecisionEvent } from 'countersign/core'
import type { BatchTx, VoteRow } from '../storage/store.js'
import type { ReviewReads } from './deciders.js'

export type Decision = ApproveEvent | DecisionEvent

/** Something that several persons agree on before it is logged: an approval or a reinstatement. */
export interface Motion {
  /** What votes and signatures are kept under. */
  readonly subject: string
  /** The event it becomes, and what the audit calls it. */
  readonly action: 'approve' | 'reinstate'
  /** What the audit is about. */
  readonly target: string
  /**
   * Everything about the target that must hold, whoever votes; reads only. `after` is the latest event that the caller
   * knew; without it, whatever is the latest. Throws LedgerRefusal.
   */
  open(reads: ReviewReads, after: number | undefined): Promise<OpenMotion>
}

/** A motion as of one moment of the log. */
export interface OpenMotion {
  readonly after: number
  /** Distinct persons. */
  readonly needed: number
  /** Throws LedgerRefusal when this account may not vote, or not like this. */
  assertVote(vote: VoteRow): Promise<void>
  /** The event without signatures; the same for the same votes. */
  draft(votes: readonly VoteRow[]): Decision
  /** What the audit keeps besides. */
  readonly notes: Readonly<Record<string, unknown>>
  /** Derived tables, once it is logged at `index`. */
  apply(tx: BatchTx, index: number): Promise<void>
}

/** What one request brings. */
export interface Contribution {
  readonly account: string
  readonly after?: number | undefined
  readonly vote?: Pick<VoteRow, 'override' | 'comment' | 'reason'>
  /** An approver's detached JWS over the draft. */
  readonly signature?: string
}
