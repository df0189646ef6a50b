import type { Client, KoaContextWithOIDC, ResourceServer } from 'oidc-provider'
import type { AccountRow, ClientRow, Store } from '../../storage/store.js'
import { readClientRow } from './adapter-clients.js'
import type { ProviderModule } from './import.js'
import type { CountToken } from './limits.js'
import { isScopeOfRoles, READ_SCOPE, SCOPES } from '../scopes.js'

/** Access tokens cannot be taken back one by one, so they live ten minutes. */
export const TOKEN_SECONDS = 600

/**
 * What one account may get through this client, any of which may read. Before anybody has logged in, what anybody
 * could.
 */
export function allowedScopes(client: ClientRow | undefined, account: AccountRow | undefined): string[] {
  if (client === undefined) return []
  const ofClient = SCOPES.filter((scope) => scope === READ_SCOPE || client.scopes.includes(scope))
  return ofClient.filter((scope) => account === undefined || isScopeOfRoles(scope, account.roles))
}

/** The one resource there is: this registry, by its public URL, with or without the slash at its end. */
export function isThisResource(issuer: string, resource: string): boolean {
  return resource === issuer || resource === `${issuer}/`
}

/** What a token for this registry is like: a JWT, short, with scopes that client and account may both have. */
export function resourceServers(options: {
  readonly store: Store
  readonly issuer: string
  readonly module: ProviderModule
  readonly countToken: CountToken
}) {
  const { store, issuer, countToken } = options
  const { errors } = options.module
  return async (ctx: KoaContextWithOIDC, resource: string, client: Client): Promise<ResourceServer> => {
    if (!isThisResource(issuer, resource)) throw new errors.InvalidTarget()
    const row = await readClientRow(store, client.clientId)
    const subject = ctx.oidc.entities.Account?.accountId ?? ctx.oidc.session?.accountId ?? row?.account
    // A person's is counted where the server looks up who that is.
    if (isService(ctx) && subject !== undefined) await countToken(ctx, subject)
    const account = subject === undefined ? undefined : await store.readAccount(subject)
    const scopes = allowedScopes(row, account)
    if (isInVain(ctx, scopes)) {
      const asked = [...ctx.oidc.requestParamScopes].join(' ')
      throw new errors.InvalidScope('none of the requested scopes is allowed', asked)
    }
    return tokensFor(issuer, scopes)
  }
}

/**
 * Programs ask for every scope that the metadata lists, so what is too much is cut. A service of which nothing is left
 * is told: there is no page that would tell its person.
 */
function isInVain(ctx: KoaContextWithOIDC, allowed: readonly string[]): boolean {
  const requested = [...ctx.oidc.requestParamScopes]
  return isService(ctx) && requested.length > 0 && !requested.some((scope) => allowed.includes(scope))
}

function isService({ oidc }: KoaContextWithOIDC): boolean {
  return oidc.params?.['grant_type'] === 'client_credentials'
}

export function tokensFor(issuer: string, scopes: readonly string[]): ResourceServer {
  return {
    scope: scopes.join(' '),
    audience: issuer,
    accessTokenFormat: 'jwt',
    accessTokenTTL: TOKEN_SECONDS,
    jwt: { sign: { alg: 'EdDSA' } },
  }
}
