import type { Ledger } from '../log/ledger.js'
import type { Store } from '../storage/store.js'

/** What the rooms between the door and the log work with. */
export interface Context {
  readonly store: Store
  readonly ledger: Ledger
  /** Milliseconds; informational, never a reason to allow. */
  readonly now: () => number
}
