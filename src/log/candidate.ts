import type { LogEvent } from 'countersign/core'
import type { BatchTx } from '../storage/store.js'

/**
 * Something that wants to be logged. All three steps run inside the batch's transaction, in log order. `index` is the
 * position over all logs of the identity: the same as the index in the log until a successor was started.
 */
export interface Candidate {
  /**
   * Decides again, as of this index: key active, version free, decider allowed, `after` is the latest. Reads only.
   * Throws LedgerRefusal; returns `existing` when the very same thing is logged already.
   */
  // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- most candidates end without saying anything
  readonly authorise: (tx: BatchTx, index: number) => Promise<void | { existing: number }>
  /** Builds the event now that its index is known; after `authorise`. */
  readonly event: (index: number) => LogEvent
  /** Derived tables. What is written here stands or falls with the batch. */
  readonly apply: (tx: BatchTx, index: number) => Promise<void>
}

/** Where a candidate stands, as a position over all logs. */
export interface Logged {
  readonly index: number
  /** Size of the active log at the end of its batch: a committed tree that covers it. */
  readonly size: number
  /** False when the quorum is late: committed for good, and published as soon as it is there. */
  readonly published: boolean
}
