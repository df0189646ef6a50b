import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { VoteRow } from '../storage/store.js'
import type { Digest } from 'countersign/core'
import { assertChecks, assessProposal, readProposal, type Assessment, type Proposal } from './assess.js'
import { assertFourEyes, assertReviewer, isSole, ownersOf, type ReviewReads } from './deciders.js'
import type { Motion, OpenMotion } from './motion-types.js'
import { contribute, type Outcome } from './motion.js'
import type { Needs } from './needs.js'

export interface Approval {
  /** Index of the latest event about this manifest that the reviewer saw. */
  readonly after: number
  /** Why it is approved although findings hold it. */
  readonly override?: string | undefined
  readonly comment?: string | undefined
}

/**
 * One person's vote to approve a manifest, decided in log order: a reviewer, who did not publish it · it waits, and
 * nothing newer was decided · held findings are overridden with a reason · the policy's checks hold. It is logged
 * with the vote that makes it enough.
 */
export async function approve(
  context: Context,
  account: string,
  digest: Digest,
  { after, override, comment }: Approval,
): Promise<Outcome> {
  const motion = approval(await readProposal(context, digest))
  const vote = { ...(override !== undefined && { override }), ...(comment !== undefined && { comment }) }
  return contribute(context, motion, { account, after, vote })
}

/** An approver's signature under the approval that the votes so far make. */
export async function signApproval(
  context: Context,
  account: string,
  digest: Digest,
  signature: string,
): Promise<Outcome> {
  const motion = approval(await readProposal(context, digest))
  return contribute(context, motion, { account, signature })
}

/** The motion to approve one manifest. */
export function approval(proposal: Proposal): Motion {
  const { manifest } = proposal.row
  const { base } = proposal.change
  return {
    // A vote is for the comparison that the voter saw: beside another version the same manifest changes other things.
    subject: base === undefined ? `approve:${manifest}` : `approve:${manifest}:${base}`,
    action: 'approve',
    target: manifest,
    async open(reads, after) {
      const assessed = await assessProposal(reads, proposal, after)
      assertChecks(assessed.needs)
      return openApproval(reads, assessed)
    },
  }
}

async function openApproval(reads: ReviewReads, assessed: Assessment): Promise<OpenMotion> {
  const { row, after, needs, inForce } = assessed
  const sole = await isSole(reads)
  const owners = await ownersOf(reads, row.namespace, [row.account])
  return {
    after,
    needed: needs.approvals,
    async assertVote(vote) {
      await assertReviewer(reads, vote.account)
      if (!sole) await assertFourEyes(reads, vote.account, owners)
      assertOverridden(needs, vote)
    },
    draft: (votes) => approveEvent(assessed, votes, sole),
    notes: { sole, class: needs.class, policy: inForce.version },
    async apply(tx, index) {
      await tx.updateManifest(row.manifest, { status: 'approved', approveIndex: index })
    },
  }
}

function approveEvent({ row, after, inForce }: Assessment, votes: readonly VoteRow[], sole: boolean) {
  return {
    v: 1,
    t: 'approve',
    server: row.server,
    version: row.version,
    manifest: row.manifest,
    policy: inForce.digest,
    deciders: votes.map(({ account }) => account).sort(),
    ...(sole ? ({ sole: true } as const) : {}),
    after,
  } as const
}

/** Everyone who agrees says why, or nobody can. */
function assertOverridden({ held, heldFindings }: Needs, { override }: VoteRow): void {
  if (held.length === 0) return
  if (heldFindings === 'never') {
    throw new LedgerRefusal('finding-held', 'findings hold it, and the policy lets nobody override them', {
      rules: held,
    })
  }
  if (override !== undefined) return
  throw new LedgerRefusal(
    'finding-held',
    'findings hold this manifest: say why it is approved all the same',
    { rules: held },
  )
}
