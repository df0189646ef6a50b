import type { Judge } from '../judge/judge.js'
import type { Ledger } from '../log/ledger.js'
import type { Outside } from '../net/outside.js'
import type { Store } from '../storage/store.js'
import type { NamespaceIssuer } from './proofs/issuers.js'

/** What the rooms between the door and the log work with. */
export interface Context {
  readonly store: Store
  readonly ledger: Ledger
  readonly outside: Outside
  /** Where manifests are verified, parsed and compared; here and at once when absent. */
  readonly judge?: Judge
  /** Milliseconds; informational, never a reason to allow. */
  readonly now: () => number
  /** How long a key that authorities gave waits before it counts; a week when absent. */
  readonly recoverySeconds?: number
  /** Whose claims prove which namespaces; GitHub and GitLab when absent. */
  readonly namespaceIssuers?: readonly NamespaceIssuer[]
}
