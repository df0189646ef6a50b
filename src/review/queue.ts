import type { Digest, Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { ManifestListing, ManifestRow, ManifestStatus, VoteRow } from '../storage/store.js'
import { approval } from './approve.js'
import { readNeeds, readProposal, type Proposal } from './assess.js'
import { findingsOf, type ReviewChange } from './change.js'
import { readComments, type Comment } from './comments.js'
import { countMotion, type Tally } from './count.js'
import type { Motion } from './motion-types.js'
import type { Needs } from './needs.js'
import { readPolicyInForce } from './policy.js'
import { reinstatement } from './reinstate.js'

export { documentOf } from './change.js'

export interface ReviewItem {
  readonly manifest: Digest
  readonly server: string
  readonly version: string
  readonly role: ManifestRow['role']
  readonly status: ManifestStatus
  readonly account: string
  readonly submittedAt: string
  readonly index: number
  readonly findings: readonly Finding[]
  /** Class of its change when it was submitted. */
  readonly class?: string
}

export interface ReviewDetail extends ReviewItem {
  readonly document: Manifest
  readonly envelope: string
  /** What a decision says as `after`. */
  readonly last: number
  /** Against what the server has approved now. */
  readonly change: ReviewChange
  readonly needs: Needs & { readonly signatures?: Tally['signatures'] }
  /** Of the motion that is open: an approval while it waits, a reinstatement while it is revoked. */
  readonly votes: readonly VoteView[]
  /** What approvers sign, as canonical JSON. */
  readonly draft?: string
  readonly comments: readonly Comment[]
}

export interface VoteView {
  readonly account: string
  readonly at: string
  readonly override?: string
  readonly comment?: string
  readonly reason?: string
}

/** What waits (or has another status), in the order it was submitted. */
export async function listReview(
  { store }: Context,
  query: { status: ManifestStatus; limit: number; after?: string | undefined },
): Promise<{ items: ReviewItem[]; next?: string }> {
  const rows = await store.readByStatus(query.status, query.limit + 1, query.after)
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  const items = page.map(reviewItem)
  return rows.length > page.length && last !== undefined ? { items, next: last.manifest } : { items }
}

/** Everything a reviewer decides from: the document, what it changes, what the policy asks for, and what was said. */
export async function readReview(context: Context, digest: Digest): Promise<ReviewDetail> {
  const { store } = context
  const proposal = await readProposal(context, digest)
  const { row, manifest: document, change } = proposal
  const last = (await store.latestAbout(`manifest:${digest}`)) ?? row.publishIndex
  const motion = openMotionOf(proposal)
  const tally = motion === undefined ? undefined : await readTally(context, motion, last)
  const needs = await readNeeds(store, row, proposal, await readPolicyInForce(store))
  return {
    ...reviewItem(row),
    document,
    envelope: row.envelope,
    last,
    change,
    needs: { ...needs, ...(tally?.signatures && { signatures: tally.signatures }) },
    votes: motion === undefined ? [] : (await store.readVotes(motion.subject, last)).map(viewVote),
    ...(tally?.draft !== undefined && { draft: tally.draft }),
    comments: await readComments(store, digest),
  }
}

function openMotionOf(proposal: Proposal): Motion | undefined {
  const { status, manifest } = proposal.row
  if (status === 'pending' || status === 'rejected') return approval(proposal)
  return status === 'revoked' ? reinstatement({ target: 'manifest', digest: manifest }) : undefined
}

/** Nothing where the motion cannot be made now: what stands in its way is seen elsewhere on the page. */
async function readTally({ store, ledger }: Context, motion: Motion, after: number) {
  try {
    return (await countMotion(store, motion, ledger.identity, { account: '', after })).tally
  } catch (cause) {
    if (cause instanceof LedgerRefusal) return undefined
    throw cause
  }
}

function viewVote({ account, at, override, comment, reason }: VoteRow): VoteView {
  return {
    account,
    at: new Date(at).toISOString(),
    ...(override !== undefined && { override }),
    ...(comment !== undefined && { comment }),
    ...(reason !== undefined && { reason }),
  }
}

function reviewItem(row: ManifestListing): ReviewItem {
  return {
    manifest: row.manifest,
    server: row.server,
    version: row.version,
    role: row.role,
    status: row.status,
    account: row.account,
    submittedAt: new Date(row.submittedAt).toISOString(),
    index: row.publishIndex,
    findings: findingsOf(row),
    ...(row.changeClass !== undefined && { class: row.changeClass }),
  }
}
