import { utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import { signDetached, verifyDetached } from './envelope.js'
import type { Signer } from './key.js'

/** What the first own key of a namespace signs to answer a registry's challenge. */
export interface NamespaceClaim {
  readonly namespace: string
  /** The account that claims it. */
  readonly account: string
  /** The identity of the registry: an answer for one registry is worth nothing at another. */
  readonly audience: string
  /** What the registry said, once, for this namespace and this account. */
  readonly challenge: string
}

const TYPE = 'countersign-namespace-proof+json'

/**
 * Answers a challenge: a detached JWS over JCS of exactly these four members.
 *
 * @example
 * const signature = signNamespaceProof({ namespace: 'com.example', account, audience, challenge }, own)
 */
export function signNamespaceProof(claim: NamespaceClaim, own: Signer): string {
  return signDetached(TYPE, claimPayload(claim), own)
}

/**
 * Returns when `publicKey` answered exactly this challenge.
 * @throws CountersignError `envelope-malformed` or `signature-invalid`
 */
export function verifyNamespaceProof(claim: NamespaceClaim, signature: string, publicKey: Uint8Array): void {
  verifyDetached(signature, TYPE, claimPayload(claim), publicKey)
}

function claimPayload({ account, audience, challenge, namespace }: NamespaceClaim): Uint8Array {
  return utf8Bytes(canonicalize({ account, audience, challenge, namespace }))
}
