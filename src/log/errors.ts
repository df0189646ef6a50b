/**
 * Why the log did not take a candidate, decided inside the transaction in log order. A closed list; the HTTP room
 * maps each to a status.
 */
export type RefusalCode =
  | 'version-taken'
  | 'server-taken'
  | 'key-unknown'
  | 'key-inactive'
  | 'key-taken'
  | 'namespace-unknown'
  | 'namespace-taken'
  | 'namespace-not-granted'
  | 'signature-invalid'
  | 'after-outdated'
  | 'manifest-unknown'
  | 'manifest-status'
  | 'target-unknown'
  | 'finding-held'
  | 'own-work'
  | 'decider-not-allowed'
  | 'event-too-large'
  | 'out-of-range'
  /** Its proof lapsed: publishing waits until the proof is back. */
  | 'namespace-suspended'
  /** A namespace of this kind cannot be claimed in this way. */
  | 'proof-kind'
  /** What was looked at says something else, or nothing. */
  | 'proof-failed'
  /** It could not be looked at. */
  | 'proof-unreachable'
  | 'challenge-invalid'
  /** A key that authorities gave, within its waiting time. */
  | 'key-waiting'
  | 'policy-invalid'
  | 'policy-outdated'
  /** A check that the admission policy requires does not hold. */
  | 'check-failed'
  /** Another version was approved meanwhile: what changed is something else now. */
  | 'base-outdated'
  | 'signature-unwanted'
  /** No next version of the trust root, or not signed by enough of both. */
  | 'root-invalid'
  /** Another version was published meanwhile. */
  | 'root-conflict'
  /** The witnesses that a new trust root names do not cosign the current tree. */
  | 'quorum-not-met'
  /** What was reported as seen is no checkpoint that this log's key signed. */
  | 'note-invalid'
  /** What was reported as seen is this log's, and this database does not hold it: nothing is signed any more. */
  | 'log-forked'
  | 'webhook-unknown'
  | 'webhook-invalid'
  /** The token's trusted publisher may not publish this server. */
  | 'not-trusted-here'

export type RefusalDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** The candidate was read and refused; nothing of it was logged. */
export class LedgerRefusal extends Error {
  override readonly name = 'LedgerRefusal'
  readonly code: RefusalCode
  readonly detail: RefusalDetail

  constructor(code: RefusalCode, message: string, detail: RefusalDetail = {}) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** The queue is full; the caller may come again. */
export class LedgerBusy extends Error {
  override readonly name = 'LedgerBusy'
  readonly code = 'ledger-busy'
}

export class LedgerClosed extends Error {
  override readonly name = 'LedgerClosed'
  readonly code = 'ledger-closed'
}

export type FatalCode =
  /**
   * The database could not say whether a batch was committed, or says something that this process did not write. Where
   * several processes write, the log goes on from what the database says when it can: the caller may submit again.
   */
  | 'outcome-unknown'
  /** The batch failed and was rolled back: the caller may submit again. */
  | 'not-committed'
  /** Logged, but not yet under a published checkpoint: submitting again gives the same index once it is. */
  | 'not-published'
  | 'state-invalid'
  /** Another process ended this log with a successor: this process has to start again, as one of that log. */
  | 'log-succeeded'
  /** Somebody knows a newer or another log than this database: signing would fork it. */
  | 'rollback'
  | 'rollback-file-unusable'
  /** Nobody who could know a newer log than this database answers: signing might fork it. */
  | 'witness-unavailable'
  | 'identity-mismatch'
  | 'key-mismatch'
  | 'key-file-unusable'

/**
 * The registry's own fault, not the candidate's. Except for `not-committed` and `not-published` the log does not go on:
 * continuing could give one index twice or show two histories.
 */
export class LedgerFatal extends Error {
  override readonly name = 'LedgerFatal'
  readonly code: FatalCode
  readonly detail: RefusalDetail

  constructor(code: FatalCode, message: string, detail: RefusalDetail = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.detail = detail
  }
}
