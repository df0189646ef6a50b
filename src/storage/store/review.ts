import type { Digest } from 'countersign/core'

/**
 * One person's vote: an audit record's worth, no log event. `subject` is `approve:DIGEST`, `approve:DIGEST:BASE` or
 * `reinstate:manifest:DIGEST`, `reinstate:server:NAME`, `reinstate:tool:DIGEST`.
 */
export interface VoteRow {
  readonly subject: string
  readonly account: string
  /** The latest event about the target that the voter knew; a vote for an older one counts for nothing. */
  readonly after: number
  readonly at: number
  readonly override?: string
  readonly comment?: string
  readonly reason?: string
}

/** An approver key's detached signature over a decision's draft. */
export interface SignatureRow {
  readonly subject: string
  readonly after: number
  readonly kid: string
  readonly sig: string
}

/** One version of the admission policy; `text` is canonical JSON and `digest` its SHA-256. */
export interface PolicyVersion {
  readonly version: number
  readonly digest: Digest
  readonly text: string
  readonly by: string
  readonly at: number
}

export interface ReviewStore {
  /** One vote for each subject and account: a second one replaces the first and keeps its place. */
  castVote(row: VoteRow): Promise<void>
  readVotes(subject: string, after: number): Promise<VoteRow[]>
  /** One for each key; a second one replaces the first. */
  putSignature(row: SignatureRow): Promise<void>
  /** By `kid`. */
  readSignatures(subject: string, after: number): Promise<SignatureRow[]>
  /** The policy in force; undefined before the first one. */
  readCurrentPolicy(): Promise<PolicyVersion | undefined>
  /** Newest first. */
  readPolicyVersions(limit: number): Promise<PolicyVersion[]>
  /**
   * Puts it in force, and its text where `readPolicy` finds it, when `version` is one more than the one in force (1 for
   * the first); otherwise false, and nothing of it is kept.
   */
  setPolicy(row: PolicyVersion): Promise<boolean>
}
