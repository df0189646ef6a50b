import { createLocalJWKSet, errors, jwtVerify, type JWK, type JWTPayload } from 'jose'
import type { Store } from '../storage/store.js'
import { AuthError } from './errors.js'
import type { Principal } from './scopes.js'

/** The request's `Authorization` header to the principal it speaks for. */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>

/**
 * RFC 9068 access tokens of our own authorization server: type, algorithm, issuer, audience and time are
 * checked, then whether client and account still stand. A JWT cannot be revoked, so the last check is what a
 * disabled account meets.
 */
export function openAuthenticate(options: { store: Store; issuer: string; tokenKey: JWK }): Authenticate {
  const { store, issuer, tokenKey } = options
  const keys = createLocalJWKSet({ keys: [publicJwk(tokenKey)] })
  const verifyToken = async (token: string): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(token, keys, {
      typ: 'at+jwt',
      algorithms: ['EdDSA'],
      issuer,
      audience: issuer,
      requiredClaims: ['exp', 'iat', 'jti', 'sub', 'client_id'],
      maxTokenAge: 600,
    })
    return payload
  }
  return async (authorization) => {
    const payload = await verifyToken(parseBearer(authorization)).catch(refuseToken)
    return readPrincipal(store, payload)
  }
}

function publicJwk(key: JWK): JWK {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    alg: 'EdDSA',
    use: 'sig',
    ...(key.x === undefined ? {} : { x: key.x }),
    ...(key.kid === undefined ? {} : { kid: key.kid }),
  }
}

function parseBearer(authorization: string | undefined): string {
  if (authorization === undefined) throw new AuthError('token-missing', 'this route needs an access token')
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(authorization)
  if (match?.[1] === undefined)
    throw new AuthError('token-invalid', 'the Authorization header is not a bearer token')
  return match[1]
}

function refuseToken(cause: unknown): never {
  if (!(cause instanceof errors.JOSEError)) throw cause
  throw new AuthError('token-invalid', 'the access token is not valid here, or no longer', { cause })
}

async function readPrincipal(store: Store, payload: JWTPayload): Promise<Principal> {
  const clientId = payload['client_id']
  const client = typeof clientId === 'string' ? await store.readClient(clientId) : undefined
  const account = client === undefined ? undefined : await store.readAccount(client.account)
  if (client === undefined || account === undefined || client.disabled || account.disabled) {
    throw new AuthError('account-disabled', 'the client or its account is disabled')
  }
  const scope = payload['scope']
  return {
    account: account.account,
    clientId: client.clientId,
    roles: account.roles,
    scopes: typeof scope === 'string' ? scope.split(' ').filter((name) => client.scopes.includes(name)) : [],
  }
}
