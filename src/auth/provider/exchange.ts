import type { Provider, TokenEndpointGrantContext } from 'oidc-provider'
import { AuthError } from '../errors.js'
import type { ProviderModule } from './import.js'
import type { CountToken } from './limits.js'
import { isThisResource, TOKEN_SECONDS, tokensFor } from './scopes.js'
import {
  exchangeSubjectToken,
  type ExchangeContext,
  type ExchangedToken,
} from '../trusted-publishing/exchange.js'

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const SUBJECT_TYPES = [`${TOKEN_TYPE}id_token`, `${TOKEN_TYPE}jwt`]
const ISSUED_TYPES = [undefined, `${TOKEN_TYPE}access_token`, `${TOKEN_TYPE}jwt`]
const SCOPE = 'registry:publish'
const SUBJECT_MAX = 16_384

export const EXCHANGE_PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'actor_token',
  'audience',
  'resource',
  'scope',
] as const

type Parameters = Partial<Record<(typeof EXCHANGE_PARAMETERS)[number], string | readonly string[]>>
type Context = TokenEndpointGrantContext<Parameters>

export interface ExchangeOptions {
  readonly issuer: string
  readonly module: ProviderModule
  readonly exchange: ExchangeContext
  /** The thumbprint of the key that the request proves to hold, once; undefined without a proof (RFC 9449). */
  readonly readBinding: (ctx: Context) => Promise<string | undefined>
  readonly countToken: CountToken
  /** Claims of a token that is about to be made. */
  readonly claims: WeakMap<object, Record<string, unknown>>
  /** POSIX seconds. */
  readonly now: () => number
}

/**
 * RFC 8693 for trusted publishing: the request, the key it is bound to, the workflow's identity, then a token that
 * publishes for that workflow's account and does nothing else.
 */
export function exchangeGrant(provider: Provider, options: ExchangeOptions) {
  return async (ctx: Context): Promise<void> => {
    const subjectToken = parseRequest(ctx.oidc.params, options)
    const thumbprint = await options.readBinding(ctx)
    const exchanged = await exchangeSubjectToken(options.exchange, subjectToken).catch(
      refuseSubject(options.module),
    )
    await options.countToken(ctx, exchanged.account)
    const token = mintToken(provider, ctx, exchanged, options)
    if (thumbprint !== undefined) token.setThumbprint('jkt', thumbprint)
    ctx.oidc.entity('ClientCredentials', token)
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: `${TOKEN_TYPE}access_token`,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope,
    }
  }
}

/** The subject token of a request that asks for what there is: one resource, one scope, no actor. */
function parseRequest(params: Parameters, { issuer, module, exchange }: ExchangeOptions): string {
  const { InvalidRequest, InvalidScope, InvalidTarget } = module.errors
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted } = params
  if (typeof token !== 'string' || token.length > SUBJECT_MAX) {
    throw new InvalidRequest(`subject_token must be one JWT of at most ${SUBJECT_MAX} characters`)
  }
  if (!SUBJECT_TYPES.some((known) => known === type)) {
    throw new InvalidRequest(`subject_token_type must be one of ${SUBJECT_TYPES.join(', ')}`)
  }
  if (!ISSUED_TYPES.some((known) => known === wanted)) {
    throw new InvalidRequest('requested_token_type must be an access token')
  }
  if (params.actor_token !== undefined) throw new InvalidRequest('actor_token is not supported')
  if (!listOf(params.resource).every((one) => isThisResource(issuer, one))) throw new InvalidTarget()
  if (!listOf(params.audience).every((one) => exchange.audience.includes(one))) throw new InvalidTarget()
  const scopes = listOf(params.scope).flatMap((text) => text.split(' '))
  if (scopes.length > 0 && !scopes.includes(SCOPE)) {
    throw new InvalidScope(`a workflow publishes: scope must include ${SCOPE}`, scopes.join(' '))
  }
  return token
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

/** RFC 8693 2.2.2: an unacceptable subject token is an invalid request. */
function refuseSubject({ errors }: ProviderModule) {
  return (cause: unknown): never => {
    if (!(cause instanceof AuthError)) throw cause
    if (cause.code === 'issuer-unreachable' || cause.code === 'busy') {
      throw new errors.TemporarilyUnavailable(cause.message)
    }
    throw new errors.InvalidRequest(cause.message, undefined, { cause })
  }
}

function mintToken(
  provider: Provider,
  ctx: Context,
  exchanged: ExchangedToken,
  { issuer, claims, now }: ExchangeOptions,
) {
  const { account, publishes, expiresAt } = exchanged
  const token = new provider.ClientCredentials({
    client: ctx.oidc.client,
    scope: SCOPE,
    // It does not outlive the identity it stands for.
    expiresIn: Math.max(1, Math.min(TOKEN_SECONDS, expiresAt - now())),
  })
  token.resourceServer = new provider.ResourceServer(issuer, tokensFor(issuer, [SCOPE]))
  claims.set(token, {
    account,
    trusted_publishers: [...publishes.trustedPublishers],
    servers: [...publishes.servers],
  })
  return token
}
