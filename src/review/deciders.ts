import { LedgerRefusal } from '../log/errors.js'
import { actsFor } from '../publishers/keys.js'
import type { BatchTx, ManifestRow } from '../storage/store.js'

/** The account still is a reviewer as this batch sees it, whatever its token said a moment ago. */
export async function assertReviewer(tx: BatchTx, account: string): Promise<void> {
  const row = await tx.readAccount(account)
  if (row === undefined || row.disabled || !row.roles.includes('reviewer')) {
    throw new LedgerRefusal('decider-not-allowed', 'the account is no reviewer', { account })
  }
}

/**
 * Four eyes: nobody approves what they or their namespace published. While exactly one account exists this
 * cannot hold; then it is off, and the approve event says so (`sole`).
 */
export async function assertFourEyes(
  tx: BatchTx,
  row: ManifestRow,
  account: string,
): Promise<{ sole: boolean }> {
  if ((await tx.countAccounts()) === 1) return { sole: true }
  const own = actsFor(account, await tx.readNamespace(row.namespace), await tx.readGrant(row.namespace))
  if (own || row.account === account) {
    throw new LedgerRefusal('own-work', 'somebody else must approve what you or your namespace published', {
      account,
    })
  }
  return { sole: false }
}

/**
 * PROTOCOL 6: a decision names the latest event about its target that the decider knew; anything newer voids
 * it.
 */
export async function assertLatest(tx: BatchTx, target: string, after: number | undefined): Promise<void> {
  const last = await tx.latestAbout(target)
  if (last === after) return
  throw new LedgerRefusal('after-outdated', 'something newer was decided about this', {
    last: last ?? null,
    after: after ?? null,
  })
}

export async function readTarget(tx: BatchTx, digest: ManifestRow['manifest']): Promise<ManifestRow> {
  const row = await tx.readManifest(digest)
  if (row === undefined)
    throw new LedgerRefusal('manifest-unknown', 'there is no such manifest', { manifest: digest })
  return row
}

export function assertStatus(row: ManifestRow, allowed: readonly ManifestRow['status'][]): void {
  if (allowed.includes(row.status)) return
  throw new LedgerRefusal('manifest-status', `the manifest is ${row.status}`, { status: row.status, allowed })
}
