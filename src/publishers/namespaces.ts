import { parseNamespace } from 'countersign/core'
import { AuthError } from '../auth/errors.js'
import { LedgerRefusal } from '../log/errors.js'
import type { AccountRow, NamespaceRow } from '../storage/store.js'
import type { Context } from './context.js'
import { assertLowerCase } from './proofs/domain.js'
import { viewNamespace, type NamespaceView } from './keys.js'

/**
 * An admin's word that an account may act for a namespace: enrol its first key, and submit for it. Signing
 * for it still takes the namespace's own keys, which no grant gives.
 */
export async function grantNamespace(
  { store, now }: Context,
  by: string,
  request: { namespace: string; account: string },
): Promise<{ namespace: string; account: string }> {
  const namespace = parseNamespace(request.namespace)
  assertLowerCase(namespace)
  const account = await store.readAccount(request.account)
  if (account === undefined) throw new AuthError('account-unknown', 'there is no such account')
  assertNotShadowed(await store.readNamespace(namespace), account)
  await store.grantNamespace(namespace, request.account, by)
  await store.addAuditRecord({
    at: now(),
    account: by,
    action: 'namespace.grant',
    target: namespace,
    detail: JSON.stringify({ account: request.account }),
  })
  return { namespace, account: request.account }
}

/** Whoever proved a namespace has it; a grant adds the owner's own service accounts, and nobody else. */
function assertNotShadowed(row: NamespaceRow | undefined, { account, kind, owner }: AccountRow): void {
  if (row === undefined || row.proof === 'admin' || row.account === account) return
  if (kind === 'service' && owner === row.account) return
  throw new LedgerRefusal('namespace-taken', 'the namespace was proved by another account', {
    namespace: row.namespace,
    proof: row.proof,
  })
}

export async function readNamespace({ store }: Context, text: string): Promise<NamespaceView> {
  const namespace = parseNamespace(text)
  const [row, keys, proof] = [
    await store.readNamespace(namespace),
    await store.readKeys(namespace),
    await store.readProof(namespace),
  ]
  return viewNamespace(namespace, row, keys, proof)
}
