import {
  cascadeRevocation,
  eventSignatureKid,
  formatRevocationLine,
  parseEvent,
  type KeyAddEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from 'countersign/core'
import type { BatchTx, KeyRow } from '../storage/store.js'

// What key events leave in the directory. The caller has authorised them at this index.

export async function putFirstKey(tx: BatchTx, event: NamespaceEvent, index: number): Promise<void> {
  const { namespace, account, proof, kid, x } = event
  await tx.putNamespace({ namespace, account, proof, index })
  await tx.putKey({ namespace, kid, x, role: 'own', added: index, endorser: kid })
}

export async function putAddedKey(
  tx: BatchTx,
  event: KeyAddEvent,
  index: number,
  by: { readonly endorser: string } | { readonly usableAt: number },
): Promise<void> {
  const { namespace, kid, x, role } = event
  await tx.putKey({ namespace, kid, x, role, added: index, ...by })
}

/**
 * Ends the key and every key that its end voids, each with a line of its own (PROTOCOL 6); a line that said a later
 * end goes. The kids besides the event's own.
 */
export async function putRevocation(tx: BatchTx, event: KeyRevokeEvent, index: number): Promise<string[]> {
  const { namespace, kid, reason, invalidFrom = index } = event
  const keys = await readEndorsed(tx, namespace)
  const ends = cascadeRevocation(keys, { kid, invalidFrom })
  const before = new Map(keys.map((row) => [row.kid, row.invalidFrom]))
  for (const row of keys) {
    const end = ends.get(row.kid)
    if (end === undefined) continue
    // Compromised once is compromised: whoever stole a key may end it earlier, and say something milder.
    const why = row.reason === 'compromise' ? row.reason : reason
    await tx.putKey({ ...row, revoked: index, invalidFrom: end, reason: why })
  }
  for (const [ended, end] of ends) {
    const line = { kind: 'key', namespace, kid: ended } as const
    const was = before.get(ended)
    if (was !== undefined) await tx.deleteRevocation(formatRevocationLine({ ...line, invalidFrom: was }))
    await tx.putRevocation(formatRevocationLine({ ...line, invalidFrom: end }), index)
  }
  return [...ends.keys()].filter((ended) => ended !== kid)
}

/** Every key row of the namespace, and by whom it was endorsed. */
export async function readEndorsed(tx: BatchTx, namespace: string): Promise<KeyRow[]> {
  const keys = await tx.readKeys(namespace)
  return Promise.all(keys.map(async (row) => (row.endorser === undefined ? withEndorser(tx, row) : row)))
}

/** Rows of an older registry do not say who endorsed them; the log always does. */
async function withEndorser(tx: BatchTx, row: KeyRow): Promise<KeyRow> {
  const leaf = await tx.readLeaf(row.added)
  const event = leaf === undefined ? undefined : parseEvent(leaf)
  if (event?.t === 'namespace') return { ...row, endorser: event.kid }
  if (event?.t !== 'key.add' || event.sig === undefined) return row
  return { ...row, endorser: eventSignatureKid(event, event.sig) }
}
