import * as oauth from 'oauth4webapi'
import { CountersignError } from '../../../core/index.js'
import { Secret } from '../secret.js'
import type { LoginDoor } from './discovery.js'

/** Every server that knows proofs of possession knows this one. */
const ALGORITHM = 'ES256'
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const

/** Whether both the issuer and the registry take proofs that this program makes (RFC 9449). */
export function offersProofs(server: oauth.AuthorizationServer, door: LoginDoor): boolean {
  const { dpop_signing_alg_values_supported: offered } = server
  return offered?.includes(ALGORITHM) === true && door.proofAlgorithms?.includes(ALGORITHM) !== false
}

/** A new key pair, as the private JWK that is kept beside the token it binds. */
export async function makeProofKey(): Promise<Secret> {
  const pair = await oauth.generateKeyPair(ALGORITHM, { extractable: true })
  return new Secret(JSON.stringify(await crypto.subtle.exportKey('jwk', pair.privateKey)))
}

/** A handle remembers the nonces that servers ask for; so there is one for each key in this process. */
const handles = new Map<string, Promise<oauth.DPoPHandle>>()

/** Signs proofs with a kept key. @throws CountersignError `io` when what was kept is damaged */
export function openProofKey(kept: Secret): Promise<oauth.DPoPHandle> {
  const text = kept.reveal()
  const known = handles.get(text)
  if (known !== undefined) return known
  const handle = openHandle(text)
  handles.set(text, handle)
  return handle
}

async function openHandle(text: string): Promise<oauth.DPoPHandle> {
  try {
    const { kty, crv, x, y, d } = JSON.parse(text) as Record<string, string>
    const open = { kty: String(kty), crv: String(crv), x: String(x), y: String(y) }
    const privateKey = await crypto.subtle.importKey('jwk', { ...open, d: String(d) }, CURVE, false, ['sign'])
    const publicKey = await crypto.subtle.importKey('jwk', open, CURVE, true, ['verify'])
    return oauth.DPoP({}, { privateKey, publicKey })
  } catch {
    // What the importer says may quote the key.
    throw new CountersignError('io', 'the kept login is damaged: run `countersign login` again')
  }
}

/** Runs a request once more when the server asks for a nonce; the handle has it from the first answer. */
export async function withNonce<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return await request()
  }
}
