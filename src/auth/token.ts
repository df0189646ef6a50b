import type { JWK } from 'jose'
import type { Store } from '../storage/store.js'
import { AuthError } from './errors.js'
import type { Principal } from './scopes.js'
import { assertBinding } from './token/binding.js'
import { openOwnTokens } from './token/own.js'
import { claimedIssuer, isTokenFault, type ExternalVerifier, type TokenScheme } from './token/verifier.js'

/** What a request carries to say who it is from. */
export interface AuthRequest {
  readonly method: string
  /** Path and query as they were sent. */
  readonly path: string
  readonly authorization: string | undefined
  /** Every `DPoP` header of the request: RFC 9449 allows one. */
  readonly dpop: readonly string[] | undefined
}

/** A request to the principal it speaks for. */
export type Authenticate = (request: AuthRequest) => Promise<Principal>

/**
 * Who is calling, by RFC 9068 access tokens of our own authorization server and, where one is configured, of an external
 * issuer: the header, the token, the key it is bound to (RFC 9449), then whether its account still stands. A JWT cannot
 * be revoked, so the last step is what a disabled account meets. Times are checked by the clock that tokens are made
 * by, the system's.
 */
export function openAuthenticate(options: {
  readonly store: Store
  /** Our public URL: the issuer of our own tokens, the audience, and the base of every DPoP proof's `htu`. */
  readonly issuer: string
  readonly tokenKey: JWK
  readonly external?: ExternalVerifier | undefined
  /** Tokens that carry `registry:admin` must be bound to a key. */
  readonly dpopAdmin: boolean
}): Authenticate {
  const { store, issuer, external, dpopAdmin } = options
  const own = openOwnTokens(options)
  return async (request) => {
    const { scheme, token } = parseAuthorization(request.authorization)
    const verifier = external !== undefined && claimedIssuer(token) === external.issuer ? external : own
    const payload = await verifier.verify(token).catch(refuseToken)
    const isBound = await assertBinding(store, issuer, { ...request, scheme, token, payload })
    const principal = await verifier.readPrincipal(payload)
    if (dpopAdmin && !isBound && principal.scopes.includes('registry:admin')) {
      throw new AuthError('dpop-required', 'a token with registry:admin must be bound to a key (RFC 9449)')
    }
    return { ...principal, isBound }
  }
}

function parseAuthorization(authorization: string | undefined): { scheme: TokenScheme; token: string } {
  if (authorization === undefined) throw new AuthError('token-missing', 'this route needs an access token')
  const match = /^(Bearer|DPoP) ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(authorization)
  const [, scheme = '', token = ''] = match ?? []
  if (match === null) {
    throw new AuthError('token-invalid', 'the Authorization header is no bearer and no DPoP token')
  }
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', token }
}

function refuseToken(cause: unknown): never {
  if (cause instanceof AuthError) throw cause
  if (!isTokenFault(cause)) throw cause
  throw new AuthError('token-invalid', 'the access token is not valid here, or no longer', { cause })
}
