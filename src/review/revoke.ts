import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { BatchTx } from '../storage/store.js'
import { assertLatest, assertReviewerOrOwner, readTarget, type Decider } from './deciders.js'
import { auditTarget, namespaceOf, revocationLine, targetKey, type Target } from './lines.js'

/**
 * Revokes a target at once. Denials need less than grants: one reviewer, or who owns the manifest or the server; `after`
 * only when it is given, and the event always carries the latest one.
 */
export async function revoke(
  { ledger, now }: Context,
  decider: Decider,
  target: Target,
  request: { after?: number | undefined; reason: string },
): Promise<{ index: number }> {
  const { account } = decider
  const { reason } = request
  const decided: { after?: number } = {}
  const { index } = await ledger.submit({
    event: () => ({ v: 1, t: 'revoke', ...target, reason, deciders: [account], ...decided }),
    async authorise(tx) {
      await assertReviewerOrOwner(tx, decider, await ownNamespace(tx, target))
      await assertRevocable(tx, target)
      if (request.after !== undefined) await assertLatest(tx, targetKey(target), request.after)
      delete decided.after
      const after = await tx.latestAbout(targetKey(target))
      if (after !== undefined) decided.after = after
    },
    async apply(tx, at) {
      await markRevoked(tx, target)
      await tx.putRevocation(revocationLine(target), at)
      const detail = JSON.stringify({ reason })
      await tx.addAudit({
        at: now(),
        account,
        action: 'revoke',
        target: auditTarget(target),
        detail,
        index: at,
      })
    },
  })
  return { index }
}

/** Whose own it is. A tool definition is nobody's: it stands wherever it stands. */
async function ownNamespace(tx: BatchTx, target: Target): Promise<string | undefined> {
  if (target.target === 'server') return namespaceOf(target.name)
  return target.target === 'manifest' ? (await readTarget(tx, target.digest)).namespace : undefined
}

async function assertRevocable(tx: BatchTx, target: Target): Promise<void> {
  if (target.target === 'server' && (await tx.readServer(target.name)).length === 0) {
    throw new LedgerRefusal('target-unknown', 'there is no such server', { server: target.name })
  }
  if (await tx.isAnyRevoked([revocationLine(target)])) {
    throw new LedgerRefusal('manifest-status', 'it is revoked already', { status: 'revoked' })
  }
}

/**
 * Rows follow the lines where a row is what readers see; a tool stands in many manifests, and its line says enough.
 */
async function markRevoked(tx: BatchTx, target: Target): Promise<void> {
  if (target.target === 'manifest') await tx.updateManifest(target.digest, { status: 'revoked' })
  if (target.target !== 'server') return
  for (const row of await tx.readServer(target.name)) {
    if (row.approveIndex !== undefined) await tx.updateManifest(row.manifest, { status: 'revoked' })
  }
}
