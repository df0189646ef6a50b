import { LedgerRefusal } from '../log/errors.js'
import { assertActsFor, assertNotSuspended, assertUsable, countsAt, findActive } from '../publishers/keys.js'
import type { BatchTx, ManifestRow } from '../storage/store.js'
import type { Draft } from './draft.js'

/** What stands under the same server and version; `same`: the very envelope, which is an answer and no event. */
export interface Verdict {
  readonly taken?: ManifestRow
  readonly same: boolean
}

/**
 * In log order: the account acts for the namespace, whose proof has not lapsed; the key is active and waits no more;
 * the name is the namespace's; and the version is free or says the same.
 */
export async function authorisePublication(
  tx: BatchTx,
  draft: Draft,
  { index, knownServer, now }: { index: number; knownServer: boolean; now: number },
): Promise<Verdict> {
  await assertActsFor(tx, draft.namespace, draft.account)
  await assertNotSuspended(tx, draft.namespace)
  await assertKey(tx, draft, index, now)
  const taken = await tx.readVersion(draft.server, draft.version)
  if (taken === undefined) {
    if (!knownServer) await assertNameFree(tx, draft)
    return { same: false }
  }
  // PROTOCOL 6: one manifest digest per (server, version) for ever.
  if (taken.manifest !== draft.manifest) {
    const { server, version } = draft
    throw new LedgerRefusal('version-taken', 'this version stands already, with another content', {
      server,
      version,
    })
  }
  if (taken.envelopeDigest === draft.envelopeDigest) return { taken, same: true }
  await assertUncounted(tx, taken)
  return { taken, same: false }
}

async function assertKey(tx: BatchTx, draft: Draft, index: number, now: number): Promise<void> {
  const key = findActive(await tx.readKeys(draft.namespace), draft.kid, 'sign')
  if (key === undefined || !countsAt(key, index)) {
    throw new LedgerRefusal('key-inactive', 'the signing key is not active', { kid: draft.kid })
  }
  assertUsable(key, now)
}

/** Server names are unique by their case-folded form; a name that was logged once needs no second look. */
async function assertNameFree(tx: BatchTx, draft: Draft): Promise<void> {
  const server = await tx.readServerNamed(draft.folded)
  if (server !== undefined && server !== draft.server) {
    throw new LedgerRefusal('server-taken', 'the name differs from another only in case', { server })
  }
}

/** The same content under another key, only when the key it was published with no longer counts for that. */
async function assertUncounted(tx: BatchTx, taken: ManifestRow): Promise<void> {
  if (taken.status === 'revoked' || taken.status === 'withdrawn') {
    throw new LedgerRefusal('manifest-status', `this content is ${taken.status}`, { status: taken.status })
  }
  const keys = await tx.readKeys(taken.namespace)
  const counts = keys.some(
    (key) => key.kid === taken.kid && key.role === 'sign' && countsAt(key, taken.publishIndex),
  )
  if (counts) {
    const { server, version } = taken
    throw new LedgerRefusal('version-taken', 'this content is published already, by a key that counts', {
      server,
      version,
    })
  }
}
