import type { DecisionEvent, Digest } from 'countersign/core'
import type { Context } from '../publishers/context.js'
import type { BatchTx, ManifestRow, ManifestStatus } from '../storage/store.js'
import {
  assertLatest,
  assertOwner,
  assertReviewer,
  assertReviewerOrOwner,
  assertStatus,
  readTarget,
  type Decider,
} from './deciders.js'

/** Rejects a waiting manifest. */
export async function reject(
  context: Context,
  account: string,
  digest: Digest,
  request: { after: number; reason: string },
): Promise<{ index: number }> {
  return decide(context, account, digest, request, {
    t: 'reject',
    from: ['pending'],
    to: 'rejected',
    assertMay: (tx) => assertReviewer(tx, account),
  })
}

/** Its owner takes back what still waits. That is final: this version never comes again. */
export async function withdraw(
  context: Context,
  decider: Decider,
  digest: Digest,
  request: { after?: number | undefined; reason: string },
): Promise<{ index: number }> {
  return decide(context, decider.account, digest, request, {
    t: 'withdraw',
    from: ['pending'],
    to: 'withdrawn',
    assertMay: (tx, row) => assertOwner(tx, decider, row.namespace),
  })
}

/** Its owner or a reviewer advises against what was approved; hosts still verify it. */
export async function deprecate(
  context: Context,
  decider: Decider,
  digest: Digest,
  request: { after?: number | undefined; reason: string },
): Promise<{ index: number }> {
  return decide(context, decider.account, digest, request, {
    t: 'deprecate',
    from: ['approved'],
    to: 'deprecated',
    assertMay: (tx, row) => assertReviewerOrOwner(tx, decider, row.namespace),
  })
}

interface Rule {
  readonly t: DecisionEvent['t']
  readonly from: readonly ManifestStatus[]
  readonly to: ManifestStatus
  readonly assertMay: (tx: BatchTx, row: ManifestRow) => Promise<void>
}

/**
 * One person's decision about one manifest, in log order: who may, in which status, and knowing the latest event. The
 * event carries the latest one also where `after` need not be given.
 */
async function decide(
  { ledger, now }: Context,
  account: string,
  digest: Digest,
  request: { after?: number | undefined; reason: string },
  { t, from, to, assertMay }: Rule,
): Promise<{ index: number }> {
  const { reason } = request
  const target = `manifest:${digest}`
  let after = 0
  const { index } = await ledger.submit({
    event: () => ({ v: 1, t, target: 'manifest', digest, reason, deciders: [account], after }),
    async authorise(tx) {
      const row = await readTarget(tx, digest)
      await assertMay(tx, row)
      assertStatus(row, from)
      after = request.after ?? (await tx.latestAbout(target)) ?? row.publishIndex
      await assertLatest(tx, target, after)
    },
    async apply(tx, at) {
      await tx.updateManifest(digest, { status: to })
      const detail = JSON.stringify({ reason })
      await tx.addAudit({ at: now(), account, action: t, target: digest, detail, index: at })
    },
  })
  return { index }
}
