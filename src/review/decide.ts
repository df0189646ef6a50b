import { formatRevocationLine, type Digest } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { BatchTx } from '../storage/store.js'
import { assertLatest, assertReviewer, assertStatus, readTarget } from './deciders.js'

/** What a revocation is about: one manifest, a whole server, or a tool definition wherever it stands. */
export type Target =
  | { readonly target: 'manifest' | 'tool'; readonly digest: Digest }
  | { readonly target: 'server'; readonly name: string }

/** Rejects a waiting manifest. */
export async function reject(
  { ledger, now }: Context,
  account: string,
  digest: Digest,
  request: { after: number; reason: string },
): Promise<{ index: number }> {
  const { after, reason } = request
  const { index } = await ledger.submit({
    event: () => ({ v: 1, t: 'reject', target: 'manifest', digest, reason, deciders: [account], after }),
    async authorise(tx) {
      await assertReviewer(tx, account)
      assertStatus(await readTarget(tx, digest), ['pending'])
      await assertLatest(tx, `manifest:${digest}`, after)
    },
    async apply(tx, at) {
      await tx.updateManifest(digest, { status: 'rejected' })
      await tx.noteAbout(`manifest:${digest}`, at)
      const detail = JSON.stringify({ reason })
      await tx.addAudit({ at: now(), account, action: 'reject', target: digest, detail, index: at })
    },
  })
  return { index }
}

/**
 * Revokes a target. Denials need less than grants: one reviewer, and `after` only when the reviewer gives it;
 * the event always carries the latest one.
 */
export async function revoke(
  { ledger, now }: Context,
  account: string,
  target: Target,
  request: { after?: number | undefined; reason: string },
): Promise<{ index: number }> {
  const key = `${target.target}:${target.target === 'server' ? target.name : target.digest}`
  const line = revocationLine(target)
  const decided: { after?: number } = {}
  const { reason } = request
  const { index } = await ledger.submit({
    event: () => ({ v: 1, t: 'revoke', ...target, reason, deciders: [account], ...decided }),
    async authorise(tx) {
      await assertReviewer(tx, account)
      await assertRevocable(tx, target, line)
      if (request.after !== undefined) await assertLatest(tx, key, request.after)
      const after = await tx.latestAbout(key)
      if (after !== undefined) decided.after = after
    },
    async apply(tx, at) {
      await markRevoked(tx, target)
      await tx.putRevocation(line, at)
      await tx.noteAbout(key, at)
      const detail = JSON.stringify({ reason })
      await tx.addAudit({ at: now(), account, action: 'revoke', target: key, detail, index: at })
    },
  })
  return { index }
}

function revocationLine(target: Target): string {
  return target.target === 'server'
    ? formatRevocationLine({ kind: 'server', name: target.name })
    : formatRevocationLine({ kind: target.target, digest: target.digest })
}

async function assertRevocable(tx: BatchTx, target: Target, line: string): Promise<void> {
  if (target.target === 'manifest') await readTarget(tx, target.digest)
  if (target.target === 'server' && (await tx.readServer(target.name)).length === 0) {
    throw new LedgerRefusal('target-unknown', 'there is no such server', { server: target.name })
  }
  if ((await tx.readRevocations()).includes(line)) {
    throw new LedgerRefusal('manifest-status', 'it is revoked already', { status: 'revoked' })
  }
}

/**
 * Rows follow the lines where a row is what readers see; a tool stands in many manifests, and its line says
 * enough.
 */
async function markRevoked(tx: BatchTx, target: Target): Promise<void> {
  if (target.target === 'manifest') await tx.updateManifest(target.digest, { status: 'revoked' })
  if (target.target !== 'server') return
  for (const row of await tx.readServer(target.name)) {
    if (row.approveIndex !== undefined) await tx.updateManifest(row.manifest, { status: 'revoked' })
  }
}
