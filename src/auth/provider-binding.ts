import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify, type JWTPayload } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../storage/store.js'
import { DPOP_ALGORITHMS } from './dpop.js'
import type { ProviderModule } from './provider-import.js'
import { ROUTES } from './provider-paths.js'
import { isTokenFault } from './token.js'

const WINDOW_SECONDS = 60
const MAX_PROOF_LENGTH = 4096

/**
 * RFC 9449 5 for a grant of our own: the server checks the proofs of its built-in grants, but has no way to check one
 * for others. The thumbprint of the proof's key, or undefined without a proof.
 */
export function readTokenBinding(options: {
  readonly store: Store
  readonly issuer: string
  readonly module: ProviderModule
}) {
  const { store, issuer, module } = options
  return async ({ req }: KoaContextWithOIDC): Promise<string | undefined> => {
    const proofs = req.headersDistinct['dpop'] ?? []
    const [proof] = proofs
    if (proof === undefined) return undefined
    const refused = (reason: string) => new module.errors.InvalidDpopProof(reason)
    if (proofs.length > 1 || proof.length > MAX_PROOF_LENGTH)
      throw refused('there is one proof, and it is short')
    const { payload, protectedHeader } = await verifyProof(proof).catch((cause: unknown) => {
      if (!isTokenFault(cause)) throw cause
      throw refused('the proof is no DPoP proof, or its signature is wrong')
    })
    const jwk = protectedHeader.jwk ?? {}
    if ('d' in jwk) throw refused('jwk: the proof carries a private key')
    const fault = faultOf(payload, issuer + ROUTES.token)
    if (fault !== undefined) throw refused(fault)
    const thumbprint = await calculateJwkThumbprint(jwk)
    if (!(await isFirstUse(store, payload, thumbprint))) throw refused('jti: the proof was used before')
    return thumbprint
  }
}

function verifyProof(proof: string) {
  return jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: [...DPOP_ALGORITHMS],
    requiredClaims: ['jti', 'htm', 'htu', 'iat'],
  })
}

function faultOf({ htm, htu, iat, jti }: JWTPayload, url: string): string | undefined {
  if (htm !== 'POST') return 'htm: the proof is for another method'
  if (typeof htu !== 'string' || !URL.canParse(htu) || plain(htu) !== plain(url)) {
    return 'htu: the proof is for another URL'
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > 256)
    return 'jti: is a string of 1 to 256 characters'
  const age = Math.abs(Date.now() / 1000 - (iat ?? 0))
  return age <= WINDOW_SECONDS ? undefined : `iat: the proof is not from within ${WINDOW_SECONDS} seconds`
}

function plain(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Kept until the window has closed by any clock within it. */
function isFirstUse(store: Store, { jti = '', iat = 0 }: JWTPayload, thumbprint: string): Promise<boolean> {
  const value = createHash('sha256').update(`${thumbprint} ${jti}`).digest('base64url')
  return store.useOnce('dpop', value, Math.floor(iat) + 2 * WINDOW_SECONDS)
}
