import { createHash } from 'node:crypto'
import {
  calculateJwkThumbprint,
  EmbeddedJWK,
  jwtVerify,
  type JWK,
  type JWTPayload,
  type JWTVerifyResult,
} from 'jose'
import type { Store } from '../storage/store.js'
import { AuthError } from './errors.js'
import type { TokenScheme } from './token.js'

/** What a proof may be signed with; the authorization server's metadata and RFC 9728's name the same. */
export const DPOP_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** How far a proof's clock may be from ours, either way. */
const WINDOW_SECONDS = 60
const MAX_PROOF_LENGTH = 4096
const MAX_JTI_LENGTH = 256

export interface BoundRequest {
  readonly method: string
  /** Path and query as they were sent. */
  readonly path: string
  readonly dpop: readonly string[] | undefined
  readonly scheme: TokenScheme
  readonly token: string
  readonly payload: JWTPayload
}

/**
 * Whether the token is bound to a key that this request proves to hold (RFC 9449). A bound token without its proof is
 * refused, and so is a proof for a token that is not bound: whoever sends one believes that it protects something.
 * @throws AuthError `dpop-invalid`
 */
export async function assertBinding(
  store: Store,
  publicUrl: string,
  request: BoundRequest,
): Promise<boolean> {
  const jkt = readThumbprint(request.payload)
  if (jkt === undefined) {
    if (request.scheme === 'dpop') throw refused('the token is not bound to a key: send it as Bearer')
    return false
  }
  if (request.scheme !== 'dpop') throw refused('the token is bound to a key: send it with the scheme DPoP')
  const proof = await verifyProof(singleProof(request.dpop))
  await assertKey(proof, jkt)
  assertAbout(proof.payload, publicUrl, request)
  // The last step: a proof that is refused for another reason uses nothing up.
  await assertFirstUse(store, proof.payload, jkt)
  return true
}

/** RFC 7800 `cnf`: of all ways to bind a token only this one can be checked here. */
function readThumbprint({ cnf }: JWTPayload): string | undefined {
  if (cnf === undefined) return undefined
  const { jkt, ...others } = Object(cnf) as Readonly<Record<string, unknown>>
  if (typeof jkt === 'string' && Object.keys(others).length === 0) return jkt
  throw new AuthError('token-invalid', 'cnf: the token is bound in a way that this registry cannot check')
}

function singleProof(headers: readonly string[] | undefined): string {
  const [proof] = headers ?? []
  if (proof === undefined) throw refused('the DPoP header is missing')
  if (headers?.length !== 1) throw refused('there is more than one DPoP header')
  if (proof.length > MAX_PROOF_LENGTH)
    throw refused(`the proof is longer than ${MAX_PROOF_LENGTH} characters`)
  return proof
}

async function verifyProof(proof: string): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...DPOP_ALGORITHMS],
      requiredClaims: ['jti', 'htm', 'htu', 'iat', 'ath'],
    })
  } catch (cause) {
    // The proof brings its own key and nothing is asked elsewhere: whatever failed, failed on what was sent.
    throw refused('the proof is no DPoP proof, or its signature is wrong', cause)
  }
}

async function assertKey({ protectedHeader }: JWTVerifyResult, jkt: string): Promise<void> {
  const jwk: JWK = protectedHeader.jwk ?? {}
  // A private key in a header has been shown to everyone on the way.
  if ('d' in jwk || 'k' in jwk) throw refused('jwk: the proof carries a private or a secret key')
  if ((await calculateJwkThumbprint(jwk)) !== jkt) throw refused('jwk: the token is bound to another key')
}

function assertAbout(proof: JWTPayload, publicUrl: string, request: BoundRequest): void {
  const { method, path, token } = request
  if (proof['htm'] !== method) throw refused('htm: the proof is for another method')
  if (plainUrl(proof['htu']) !== plainUrl(publicUrl + path))
    throw refused('htu: the proof is for another URL')
  if (proof['ath'] !== sha256(token)) throw refused('ath: the proof is for another token')
  const age = Math.abs(Math.floor(Date.now() / 1000) - Number(proof.iat))
  if (!(age <= WINDOW_SECONDS)) throw refused(`iat: the proof is not from within ${WINDOW_SECONDS} seconds`)
}

/** RFC 9449 4.3: compared after normalisation, without query and fragment. */
function plainUrl(text: unknown): string | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined
  const { origin, pathname, username, password } = new URL(text)
  return username === '' && password === '' ? origin + pathname : undefined
}

async function assertFirstUse(store: Store, { jti, iat }: JWTPayload, jkt: string): Promise<void> {
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    throw refused(`jti: is a string of 1 to ${MAX_JTI_LENGTH} characters`)
  }
  // Kept until the window has closed for it by any clock within the window.
  const isFirst = await store.useOnce(
    'dpop',
    sha256(`${jkt} ${jti}`),
    Math.floor(Number(iat)) + 2 * WINDOW_SECONDS,
  )
  if (!isFirst) throw refused('jti: the proof was used before')
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url')
}

function refused(message: string, cause?: unknown): AuthError {
  return new AuthError('dpop-invalid', message, cause === undefined ? {} : { cause })
}
