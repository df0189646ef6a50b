import type * as oauth from 'oauth4webapi'
import { CountersignError, refuse } from '../../core/index.js'
import { assertSecure, registryScopes, type Context } from '../context.js'
import type { Keeper } from './credentials.js'
import type { AccessToken, Credentials } from './credentials-shape.js'
import { discoverIssuer } from './oauth/discovery.js'
import { openProofKey } from './oauth/dpop.js'
import { exchangeToken, grantToMachine, refreshGrant, type Granted, type Party } from './oauth/grants.js'
import { idTokenSource } from './oauth/workflow.js'
import type { Secret } from './secret.js'

/** A token this close to its end may end on the way. */
const MARGIN_MS = 30_000

/** A token, and the key it is bound to. */
export interface Access {
  readonly token: AccessToken
  readonly proof?: oauth.DPoPHandle
}

/** Gives tokens for one registry. */
export interface Tokens {
  /** The kept one while it lasts, else a new one. */
  current(): Promise<Access>
  /** Another one than this, which the registry refused. */
  another(refused: AccessToken): Promise<Access>
}

/**
 * Tokens of what is kept.
 * @throws CountersignError (from both) `not-logged-in`, `registry-refused` when the login is over,
 *   `registry-unreachable`, `memory-locked`
 */
export function openTokens(context: Context, registry: string, keeper: Keeper): Tokens {
  const fresh = async (refused?: AccessToken): Promise<Access> => {
    const kept = keeper.read() ?? notLoggedIn(registry)
    if (isGood(kept.token, refused)) return await accessOf(kept, kept.token)
    return await renew(context, registry, keeper, refused)
  }
  return { current: () => fresh(), another: (refused) => fresh(refused) }
}

function notLoggedIn(registry: string): never {
  refuse('not-logged-in', `not logged in to ${registry}`, { registry })
}

function isGood(token: AccessToken | undefined, refused?: AccessToken): token is AccessToken {
  if (token === undefined || token.expiresAt - MARGIN_MS <= Date.now()) return false
  return token.value.reveal() !== refused?.value.reveal()
}

async function accessOf({ proofKey }: Credentials, token: AccessToken): Promise<Access> {
  if (token.type === 'Bearer') return { token }
  if (proofKey === undefined) refuse('io', 'the kept login is damaged: run `countersign login` again')
  return { token, proof: await openProofKey(proofKey) }
}

/** Asks for a token and keeps it. Whoever waited for the lock finds what the other one got. */
async function renew(
  context: Context,
  registry: string,
  keeper: Keeper,
  refused?: AccessToken,
): Promise<Access> {
  const issuer = keeper.read()?.issuer ?? registry
  // Before the lock is taken: it is held for as short as can be.
  const server = await discoverIssuer(issuer, context.signal)
  let access: Access | undefined
  await keeper.change(async (kept = notLoggedIn(registry)) => {
    const next = isGood(kept.token, refused) ? kept : await renewed(context, { registry, server, kept })
    access = await accessOf(next, next.token ?? notLoggedIn(registry))
    return next
  })
  return access ?? notLoggedIn(registry)
}

interface Renewal {
  readonly registry: string
  readonly server: oauth.AuthorizationServer
  readonly kept: Credentials
}

/** What is kept, with a new token in it. */
export async function renewed(context: Context, { registry, server, kept }: Renewal): Promise<Credentials> {
  assertSecure(new URL(registry))
  const party: Party = {
    server,
    resource: kept.resource ?? registry,
    scopes: kept.scope?.split(' ') ?? registryScopes([]),
    signal: context.signal,
  }
  return withGranted(kept, await grant(context, party, kept, registry))
}

/** A rotated refresh token takes the place of the one that was spent for it. */
export function withGranted(kept: Credentials, { token, refreshToken }: Granted): Credentials {
  if (kept.kind === 'refresh' && refreshToken !== undefined) return { ...kept, token, refreshToken }
  return { ...kept, token }
}

async function grant(context: Context, party: Party, kept: Credentials, registry: string): Promise<Granted> {
  switch (kept.kind) {
    case 'secret':
    case 'key':
      return await grantToMachine(party, kept)
    case 'refresh':
      return await grantToPerson(party, kept, registry)
    case 'workflow': {
      const source = idTokenSource(context.env) ?? notLoggedIn(registry)
      return await grantToWorkflow(party, kept, await source(party.resource, context.signal))
    }
  }
}

async function grantToPerson(
  party: Party,
  kept: Credentials & { readonly kind: 'refresh' },
  registry: string,
): Promise<Granted> {
  try {
    return await refreshGrant(party, kept)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.detail['code'] !== 'invalid_grant') throw error
    // The login was ended elsewhere, or was unused for too long.
    throw new CountersignError(
      'not-logged-in',
      `the login at ${registry} is over`,
      { registry },
      { cause: error },
    )
  }
}

async function grantToWorkflow(party: Party, kept: Credentials, idToken: Secret): Promise<Granted> {
  try {
    return await exchangeToken(party, kept, idToken)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.detail['code'] !== 'invalid_request') throw error
    const detail = { ...error.detail, code: 'workflow-refused' }
    const message = 'the registry does not take this workflow for a trusted publisher'
    throw new CountersignError('registry-refused', message, detail, { cause: error })
  }
}
