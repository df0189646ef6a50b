import { canonicalize, digestOf, utf8Bytes, type Digest } from 'countersign/core'
import type { ChangeClass } from 'countersign/change'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { PolicyVersion, Store } from '../storage/store.js'
import type { CheckName } from './checks.js'

export const POLICY_FORMAT = 'countersign/admission-policy/v1'

/** How a version differs from what was approved last; `first` when nothing of its server is approved. */
export type ReviewClass = 'first' | ChangeClass

/** Nobody but a person approves more than this. */
export type AutoClass = 'none' | 'cosmetic'

/** What an approval here means. Every approve event names the digest of the policy it was made under. */
export interface AdmissionPolicy {
  readonly format: typeof POLICY_FORMAT
  /** Persons who must agree, by class of change. 0 stands for a class that approves itself. */
  readonly approvals: Readonly<Record<ReviewClass, number>>
  /** What asks for more persons, whatever the change. */
  readonly sensitive: {
    /** Server names, or `NAMESPACE/*`. */
    readonly servers: readonly string[]
    /** Servers with a tool that does not say that it destroys nothing. */
    readonly destructive: boolean
    /** Servers with a tool that asks for one of these OAuth scopes. */
    readonly scopes: readonly string[]
    readonly approvals: number
  }
  readonly autoApprove: readonly AutoClass[]
  readonly requiredChecks: readonly CheckName[]
  /** Whether a person may approve what findings hold, with a reason, or nobody. */
  readonly heldFindings: 'override' | 'never'
}

export const ADMISSION_POLICY: AdmissionPolicy = {
  format: POLICY_FORMAT,
  approvals: { first: 1, none: 1, cosmetic: 1, narrowed: 1, text: 1, widened: 1, dangerous: 1 },
  sensitive: { servers: [], destructive: false, scopes: [], approvals: 1 },
  autoApprove: [],
  requiredChecks: [],
  heldFindings: 'override',
}

/** The policy of a registry where nobody has set another. */
export const POLICY_TEXT = canonicalize(ADMISSION_POLICY)
export const POLICY_DIGEST: Digest = digestOf(utf8Bytes(POLICY_TEXT))

/** A policy as it was put in force. */
export interface PolicyInForce {
  readonly version: number
  readonly digest: Digest
  readonly policy: AdmissionPolicy
}

export interface PolicyView extends PolicyInForce {
  /** Newest first. Texts are at `/v1/policies/{digest}`, for ever. */
  readonly history: readonly { version: number; digest: Digest; by: string; at: string }[]
}

/** Puts the default in force where no policy is yet, so that everyone can read what an old approval meant. */
export async function keepPolicy(store: Store): Promise<void> {
  if ((await store.readCurrentPolicy()) !== undefined) return
  await store.putPolicy(POLICY_DIGEST, POLICY_TEXT)
  await store.setPolicy({
    version: 1,
    digest: POLICY_DIGEST,
    text: POLICY_TEXT,
    by: 'registry',
    at: Date.now(),
  })
}

/** What decides now; inside a batch, what decides in log order. */
export async function readPolicyInForce(reads: Pick<Store, 'readCurrentPolicy'>): Promise<PolicyInForce> {
  const current = await reads.readCurrentPolicy()
  // A registry opens with a policy. Without one nothing says what an approval means, so nothing is approved.
  if (current === undefined) throw new LedgerRefusal('policy-invalid', 'no admission policy is in force')
  return inForce(current)
}

function inForce({ version, digest, text }: PolicyVersion): PolicyInForce {
  return { version, digest, policy: JSON.parse(text) as AdmissionPolicy }
}

const HISTORY = 50

export async function showPolicy({ store }: Context): Promise<PolicyView> {
  const current = await readPolicyInForce(store)
  const versions = await store.readPolicyVersions(HISTORY)
  return {
    ...current,
    history: versions.map(({ version, digest, by, at }) => ({
      version,
      digest,
      by,
      at: new Date(at).toISOString(),
    })),
  }
}

/** Puts another policy in force, unless somebody did since the caller read version `after`. */
export async function setPolicy(
  { store, now }: Context,
  by: string,
  request: { after: number; policy: AdmissionPolicy },
): Promise<PolicyInForce> {
  const { after, policy } = request
  assertPolicy(policy)
  const text = canonicalize(policy)
  const digest = digestOf(utf8Bytes(text))
  const at = now()
  const version = after + 1
  // Its text is kept in the same transaction: an approve event never names a policy that nobody can read.
  if (!(await store.setPolicy({ version, digest, text, by, at }))) {
    const current = await readPolicyInForce(store)
    throw new LedgerRefusal('policy-outdated', 'another policy was put in force since version `after`', {
      after,
      version: current.version,
    })
  }
  const detail = JSON.stringify({ version, digest })
  await store.addAuditRecord({ at, account: by, action: 'policy.set', target: digest, detail })
  return { version, digest, policy }
}

/** What its members say together; their shapes were checked where it came in. */
function assertPolicy({ approvals, autoApprove }: AdmissionPolicy): void {
  for (const [name, count] of Object.entries(approvals)) {
    if (count > 0 || (autoApprove as readonly string[]).includes(name)) continue
    throw new LedgerRefusal('policy-invalid', 'nobody has to agree only where autoApprove says so', {
      field: `/policy/approvals/${name}`,
    })
  }
}
