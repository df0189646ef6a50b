import { formatRevocationLine, type Digest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import { countsAt } from '../publishers/keys.js'
import type { BatchTx, ManifestRow } from '../storage/store.js'
import { assertFourEyes, assertLatest, assertReviewer, assertStatus, readTarget } from './deciders.js'
import { POLICY_DIGEST } from './policy.js'

export interface Approval {
  /** Index of the latest event about this manifest that the reviewer saw. */
  readonly after: number
  /** Why it is approved although findings hold it. */
  readonly override?: string | undefined
  readonly comment?: string | undefined
}

interface Decision {
  readonly row: ManifestRow
  readonly sole: boolean
}

/**
 * Approves one manifest, decided in log order: a reviewer, who did not publish it · it waits, and nothing
 * newer was decided · held findings are overridden with a reason · its key still counts for it, and nothing
 * of it is revoked.
 */
export async function approve(
  { ledger, now }: Context,
  account: string,
  digest: Digest,
  approval: Approval,
): Promise<{ index: number }> {
  const decided: { decision?: Decision } = {}
  const { index } = await ledger.submit({
    event: () => approveEvent(known(decided.decision), account, approval.after),
    async authorise(tx) {
      decided.decision = await authorise(tx, account, digest, approval)
    },
    async apply(tx, at) {
      await tx.updateManifest(digest, { status: 'approved', approveIndex: at })
      await tx.noteAbout(`manifest:${digest}`, at)
      const { override, comment } = approval
      const detail = JSON.stringify({ sole: known(decided.decision).sole, override, comment })
      await tx.addAudit({ at: now(), account, action: 'approve', target: digest, detail, index: at })
    },
  })
  return { index }
}

/** The log calls `authorise` first; an order that was not kept must not become an event. */
function known(decision: Decision | undefined): Decision {
  if (decision === undefined) throw new Error('an approval was asked for its event before it was authorised')
  return decision
}

function approveEvent({ row, sole }: Decision, account: string, after: number) {
  return {
    v: 1,
    t: 'approve',
    server: row.server,
    version: row.version,
    manifest: row.manifest,
    policy: POLICY_DIGEST,
    deciders: [account],
    ...(sole ? ({ sole: true } as const) : {}),
    after,
  } as const
}

async function authorise(
  tx: BatchTx,
  account: string,
  digest: Digest,
  approval: Approval,
): Promise<Decision> {
  await assertReviewer(tx, account)
  const row = await readTarget(tx, digest)
  assertStatus(row, ['pending', 'rejected'])
  const { sole } = await assertFourEyes(tx, row, account)
  await assertLatest(tx, `manifest:${digest}`, approval.after)
  assertOverridden(row, approval.override)
  await assertKeyCounts(tx, row)
  await assertNotRevoked(tx, row)
  return { row, sole }
}

function assertOverridden(row: ManifestRow, override: string | undefined): void {
  const held = (JSON.parse(row.findings) as Finding[]).filter((finding) => finding.held)
  if (held.length === 0 || override !== undefined) return
  throw new LedgerRefusal(
    'finding-held',
    'findings hold this manifest: say why it is approved all the same',
    {
      rules: [...new Set(held.map((finding) => finding.rule))],
    },
  )
}

async function assertKeyCounts(tx: BatchTx, row: ManifestRow): Promise<void> {
  const keys = await tx.readKeys(row.namespace)
  const counts = keys.some(
    (key) => key.kid === row.kid && key.role === 'sign' && countsAt(key, row.publishIndex),
  )
  if (!counts)
    throw new LedgerRefusal('key-inactive', 'its signing key no longer counts for it', { kid: row.kid })
}

/** A line stays until a proved reinstatement, whatever became of the rows. */
async function assertNotRevoked(tx: BatchTx, row: ManifestRow): Promise<void> {
  const lines = new Set(await tx.readRevocations())
  const about = [
    formatRevocationLine({ kind: 'manifest', digest: row.manifest }),
    formatRevocationLine({ kind: 'server', name: row.server }),
    ...row.toolDigests.map(({ digest }) => formatRevocationLine({ kind: 'tool', digest })),
  ]
  if (about.some((line) => lines.has(line))) {
    throw new LedgerRefusal('manifest-status', 'the manifest, its server or a tool of it is revoked', {
      status: 'revoked',
    })
  }
}
