import { isAllowed, type Principal } from '../auth/scopes.js'
import { LedgerRefusal } from '../log/errors.js'
import { actsFor } from '../publishers/keys.js'
import type { AccountRow, BatchTx, ManifestRow } from '../storage/store.js'

/** What decisions are made from. Inside a batch it is as of its log order; outside, as of what is committed. */
export type ReviewReads = Pick<
  BatchTx,
  | 'countAccounts'
  | 'isAnyRevoked'
  | 'isServerApproved'
  | 'latestAbout'
  | 'readAccount'
  | 'readCurrentPolicy'
  | 'readLeaf'
  | 'readGrant'
  | 'readKeys'
  | 'readManifest'
  | 'readNamespace'
  | 'readNewestApproved'
  | 'readProof'
  | 'readRootNotes'
  | 'readServer'
  | 'readSignatures'
  | 'readToolDigests'
  | 'readToolOwners'
  | 'readVotes'
>

/** Who decides; the token says what they may decide as. */
export type Decider = Principal

/** The account still is a reviewer as this batch sees it, whatever its token said a moment ago. */
export async function assertReviewer(reads: ReviewReads, account: string): Promise<void> {
  if (isActive(await reads.readAccount(account), 'reviewer')) return
  throw new LedgerRefusal('decider-not-allowed', 'the account is no reviewer', { account })
}

/** A reviewer, or who acts for the namespace: each by the scope the token has for that. */
export async function assertReviewerOrOwner(
  reads: ReviewReads,
  decider: Decider,
  namespace: string | undefined,
): Promise<void> {
  const row = await reads.readAccount(decider.account)
  if (isAllowed(decider, 'registry:review') && isActive(row, 'reviewer')) return
  if (namespace !== undefined && (await isOwner(reads, decider, namespace))) return
  throw new LedgerRefusal('decider-not-allowed', 'the account is no reviewer and does not own it', {
    account: decider.account,
  })
}

/** Who acts for the namespace, with a token that publishes. */
export async function assertOwner(reads: ReviewReads, decider: Decider, namespace: string): Promise<void> {
  if (await isOwner(reads, decider, namespace)) return
  throw new LedgerRefusal('namespace-not-granted', 'the account does not act for this namespace', {
    namespace,
  })
}

async function isOwner(reads: ReviewReads, decider: Decider, namespace: string): Promise<boolean> {
  if (!isAllowed(decider, 'registry:publish')) return false
  const account = await reads.readAccount(decider.account)
  if (!isActive(account, 'publisher')) return false
  const [row, grant] = [await reads.readNamespace(namespace), await reads.readGrant(namespace)]
  if (actsFor(decider.account, row, grant)) return true
  // As for publishing: the owner's own service account, with an admin's grant, is the owner.
  const isService = account?.kind === 'service' && account.owner === row?.account
  return isService && grant?.account === decider.account
}

function isActive(row: AccountRow | undefined, role: AccountRow['roles'][number]): boolean {
  return row !== undefined && !row.disabled && row.roles.includes(role)
}

/**
 * The person behind an account: a service account and who answers for it are one, however many stand between them.
 * A ring of owners is whoever comes first by name, the same for all in it.
 */
export async function personOf(reads: ReviewReads, account: string): Promise<string> {
  const line = [account]
  for (let person = account; ;) {
    const owner = (await reads.readAccount(person))?.owner
    if (owner === undefined) return person
    const ring = line.indexOf(owner)
    if (ring >= 0) return line.slice(ring).sort()[0] ?? owner
    line.push(owner)
    person = owner
  }
}

/** The persons who published this, or may publish in its namespace. */
export async function ownersOf(
  reads: ReviewReads,
  namespace: string,
  accounts: readonly string[],
): Promise<ReadonlySet<string>> {
  const own = (await reads.readNamespace(namespace))?.account
  const granted = (await reads.readGrant(namespace))?.account
  const names = [...accounts, own, granted].filter((name) => name !== undefined)
  return new Set(await Promise.all(names.map((name) => personOf(reads, name))))
}

/**
 * Four eyes: nobody decides in favour of what they, their service accounts or their namespace published. `owners` are
 * persons.
 */
export async function assertFourEyes(
  reads: ReviewReads,
  account: string,
  owners: ReadonlySet<string>,
): Promise<void> {
  if (!owners.has(await personOf(reads, account))) return
  throw new LedgerRefusal('own-work', 'somebody else must decide on what you or your namespace published', {
    account,
  })
}

/** While exactly one account exists four eyes cannot hold; then it is off, and the approve event says so. */
export async function isSole(reads: ReviewReads): Promise<boolean> {
  return (await reads.countAccounts()) === 1
}

/**
 * PROTOCOL 6: a decision names the latest event about its target that the decider knew; anything newer voids it.
 */
export async function assertLatest(
  reads: ReviewReads,
  target: string,
  after: number | undefined,
): Promise<void> {
  const last = await reads.latestAbout(target)
  if (last === after) return
  throw new LedgerRefusal('after-outdated', 'something newer was decided about this', {
    last: last ?? null,
    after: after ?? null,
  })
}

export async function readTarget(
  reads: Pick<ReviewReads, 'readManifest'>,
  digest: ManifestRow['manifest'],
): Promise<ManifestRow> {
  const row = await reads.readManifest(digest)
  if (row === undefined)
    throw new LedgerRefusal('manifest-unknown', 'there is no such manifest', { manifest: digest })
  return row
}

export function assertStatus(row: ManifestRow, allowed: readonly ManifestRow['status'][]): void {
  if (allowed.includes(row.status)) return
  throw new LedgerRefusal('manifest-status', `the manifest is ${row.status}`, { status: row.status, allowed })
}
