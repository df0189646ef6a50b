import type { LogEvent } from 'countersign/core'
import type { BatchTx } from '../storage/store.js'

/** Something that wants to be logged. All three steps run inside the batch's transaction, in log order. */
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

/** Where a candidate stands, and the size of a published checkpoint that covers it. */
export interface Logged {
  readonly index: number
  readonly size: number
}
