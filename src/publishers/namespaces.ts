import { parseNamespace, refuse } from 'countersign/core'
import { AuthError } from '../auth/errors.js'
import type { Context } from './context.js'
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
  // One spelling of each namespace: two that differ in case would be two owners of one server name.
  if (namespace !== namespace.toLowerCase()) refuse('name-invalid', 'a namespace is enrolled in lower case')
  const account = await store.readAccount(request.account)
  if (account === undefined) throw new AuthError('account-unknown', 'there is no such account')
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

export async function readNamespace({ store }: Context, text: string): Promise<NamespaceView> {
  const namespace = parseNamespace(text)
  return viewNamespace(namespace, await store.readNamespace(namespace), await store.readKeys(namespace))
}
