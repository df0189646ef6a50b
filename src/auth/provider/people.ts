import type { Account, Grant, KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../../storage/store.js'
import type { ProviderModule } from './import.js'

/** A person who may log in; a disabled account is none, at every step and for every token that it still holds. */
export async function findPerson(store: Store, name: string): Promise<Account | undefined> {
  const row = await store.readAccount(name)
  if (row === undefined || row.disabled) return undefined
  const { account, tokensBefore } = row
  return { accountId: account, tokensBefore, claims: () => ({ sub: account }) }
}

/**
 * The server's own rules of when to ask, but for three: a browser that is logged in as an account that is no more logs
 * in again, so does one that was signed out since, and our scopes are the resource's alone, where the server would ask
 * for each of them a second time as its own.
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
  login.checks.add(new Check('signed_out', 'the account was signed out since', wasSignedOut))
  consent.checks.remove('op_scopes_missing')
  consent.checks.add(new Check('openid_missing', 'openid was not agreed to', isOpenidMissing))
  return policy
}

/** Signing out drops the session's row, which a request that had read it before writes again as it ends. */
function wasSignedOut({ oidc }: KoaContextWithOIDC): boolean {
  const tokensBefore: unknown = oidc.account?.['tokensBefore']
  return typeof tokensBefore === 'number' && (oidc.session?.loginTs ?? 0) < tokensBefore
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
