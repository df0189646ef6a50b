import { createHash } from 'node:crypto'
import {
  calculateJwkThumbprint,
  EmbeddedJWK,
  jwtVerify,
  type JWK,
  type JWTPayload,
  type JWTVerifyResult,
} from 'jose'
import type { Store } from '../../storage/store.js'
import { AuthError } from '../errors.js'

/** What a proof may be signed with; the authorization server's metadata and RFC 9728's name the same. */
export const DPOP_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** How far a proof's clock may be from ours, either way. */
const WINDOW_SECONDS = 60
const MAX_PROOF_LENGTH = 4096
const MAX_JTI_LENGTH = 256

/** What a proof has to be about. */
export interface ProvedRequest {
  /** Every `DPoP` header of the request. */
  readonly proofs: readonly string[]
  readonly method: string
  /** By the name that clients know, whatever came in between. */
  readonly url: string
  /** The access token that comes with it, and the thumbprint of the key that it is bound to. */
  readonly token?: { readonly value: string; readonly jkt: string }
}

/**
 * The thumbprint of the key that a request proves to hold (RFC 9449 4.3): one proof, its signature by the key in it, for
 * this request and this token, from a moment ago, seen for the first time.
 * @throws AuthError `dpop-invalid`
 */
export async function verifyPossession(store: Store, request: ProvedRequest): Promise<string> {
  const proof = await verifyProof(singleProof(request.proofs))
  const thumbprint = await thumbprintOf(proof)
  assertAbout(proof.payload, request)
  if (request.token !== undefined) assertBound(proof.payload, thumbprint, request.token)
  // The last step: a proof that is refused for another reason uses nothing up.
  await assertFirstUse(store, proof.payload, thumbprint)
  return thumbprint
}

function singleProof(headers: readonly string[]): string {
  const [proof] = headers
  if (proof === undefined) throw refusedProof('the DPoP header is missing')
  if (headers.length !== 1) throw refusedProof('there is more than one DPoP header')
  if (proof.length > MAX_PROOF_LENGTH)
    throw refusedProof(`the proof is longer than ${MAX_PROOF_LENGTH} characters`)
  return proof
}

async function verifyProof(proof: string): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...DPOP_ALGORITHMS],
      requiredClaims: ['jti', 'htm', 'htu', 'iat'],
    })
  } catch (cause) {
    // The proof brings its own key and nothing is asked elsewhere: whatever failed, failed on what was sent.
    throw refusedProof('the proof is no DPoP proof, or its signature is wrong', cause)
  }
}

function thumbprintOf({ protectedHeader }: JWTVerifyResult): Promise<string> {
  const jwk: JWK = protectedHeader.jwk ?? {}
  // A private key in a header has been shown to everyone on the way.
  if ('d' in jwk || 'k' in jwk) throw refusedProof('jwk: the proof carries a private or a secret key')
  return calculateJwkThumbprint(jwk)
}

function assertAbout(proof: JWTPayload, { method, url }: ProvedRequest): void {
  if (proof['htm'] !== method) throw refusedProof('htm: the proof is for another method')
  const expected = plainUrl(url)
  // Two addresses that are none are not the same one.
  if (expected === undefined || plainUrl(proof['htu']) !== expected) {
    throw refusedProof('htu: the proof is for another URL')
  }
  const age = Math.abs(Math.floor(Date.now() / 1000) - Number(proof.iat))
  if (!(age <= WINDOW_SECONDS))
    throw refusedProof(`iat: the proof is not from within ${WINDOW_SECONDS} seconds`)
}

/** RFC 9449 4.3: compared after normalisation, without query and fragment. */
function plainUrl(text: unknown): string | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined
  const { origin, pathname, username, password } = new URL(text)
  return username === '' && password === '' ? origin + pathname : undefined
}

function assertBound(
  proof: JWTPayload,
  thumbprint: string,
  { value, jkt }: NonNullable<ProvedRequest['token']>,
): void {
  if (thumbprint !== jkt) throw refusedProof('jwk: the token is bound to another key')
  if (proof['ath'] !== sha256(value)) throw refusedProof('ath: the proof is for another token')
}

async function assertFirstUse(store: Store, { jti, iat }: JWTPayload, thumbprint: string): Promise<void> {
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    throw refusedProof(`jti: is a string of 1 to ${MAX_JTI_LENGTH} characters`)
  }
  // Kept until the window has closed for it by any clock within the window.
  const until = Math.floor(Number(iat)) + 2 * WINDOW_SECONDS
  if (await store.useOnce('dpop', sha256(`${thumbprint} ${jti}`), until)) return
  throw refusedProof('jti: the proof was used before')
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url')
}

export function refusedProof(message: string, cause?: unknown): AuthError {
  return new AuthError('dpop-invalid', message, cause === undefined ? {} : { cause })
}
