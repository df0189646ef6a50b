import { canonicalize, digestOf, utf8Bytes, type Digest } from 'countersign/core'
import type { Store } from '../storage/store.js'

/** What an approval here means. Every approve event names the digest of the policy it was made under. */
export const ADMISSION_POLICY = {
  format: 'countersign/admission-policy/v1',
  approvals: 1,
  autoApprove: [],
  fourEyes: 'unless exactly one account exists',
  heldFindings: 'override with a reason',
  refusedFindings: 'never',
} as const

export const POLICY_TEXT = canonicalize(ADMISSION_POLICY)
export const POLICY_DIGEST: Digest = digestOf(utf8Bytes(POLICY_TEXT))

/** Keeps the policy, so that everyone can read what an old approval meant. */
export async function keepPolicy(store: Store): Promise<void> {
  await store.putPolicy(POLICY_DIGEST, POLICY_TEXT)
}
