import type { Account, Grant, KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../storage/store.js'
import type { ProviderModule } from './provider-import.js'

/** A person who may log in; a disabled account is none, at every step and for every token that it still holds. */
export async function findPerson(store: Store, account: string): Promise<Account | undefined> {
  const row = await store.readAccount(account)
  if (row === undefined || row.disabled) return undefined
  return { accountId: row.account, claims: () => ({ sub: row.account }) }
}

/**
 * The server's own rules of when to ask, but for two: a browser that is logged in as an account that is no more logs in
 * again, and our scopes are the resource's alone, where the server would ask for each of them a second time as its own.
 */
export function loginPolicy({ interactionPolicy }: ProviderModule) {
  const { base, Check } = interactionPolicy
  const policy = base()
  const [login, consent] = [policy.get('login'), policy.get('consent')]
  if (login === undefined || consent === undefined) throw new Error('the server has no such prompts')
  login.checks.add(
    new Check(
      'account_gone',
      'the account is disabled or gone',
      ({ oidc }) => oidc.session?.accountId !== undefined && oidc.account === undefined,
    ),
  )
  consent.checks.remove('op_scopes_missing')
  consent.checks.add(new Check('openid_missing', 'openid was not agreed to', isOpenidMissing))
  return policy
}

function isOpenidMissing({ oidc }: KoaContextWithOIDC): boolean {
  const agreed = oidc.entities.Grant?.getOIDCScopeEncountered().split(' ') ?? []
  return oidc.requestParamOIDCScopes.has('openid') && !agreed.includes('openid')
}

/**
 * What this person agreed to for this client: just now, or earlier in this browser. What was agreed to by another
 * person of the same browser counts for nothing.
 */
export async function rememberedGrant({ oidc }: KoaContextWithOIDC): Promise<Grant | undefined> {
  const clientId = oidc.client?.clientId
  if (clientId === undefined) return undefined
  const id = oidc.result?.consent?.grantId ?? oidc.session?.grantIdFor(clientId)
  const grant = id === undefined ? undefined : await oidc.provider.Grant.find(id)
  const isTheirs = grant?.accountId === oidc.account?.accountId && grant?.clientId === clientId
  return isTheirs ? grant : undefined
}
