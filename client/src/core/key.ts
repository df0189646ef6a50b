import { getPublicKey, hashes, sign as portableSign } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, fromHex, sha256, utf8Bytes } from './bytes.js'
import { assertEnrolledKey } from './ed25519.js'
import { CountersignError, refuse } from './errors.js'
import { decodeBase64url, encodeBase64url } from './lexical.js'
import { type NodeCrypto, nodeCrypto } from './runtime.js'

/** Someone who can sign with one Ed25519 key: a key file, an agent, a hardware module. */
export interface Signer {
  /** {@link keyThumbprint} of `publicKey`. */
  readonly kid: string
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 64-byte Ed25519 signature (RFC 8032, no prehash, no context) over exactly `message`. */
  sign(message: Uint8Array): Uint8Array
}

/**
 * The `kid` of a key: RFC 7638 thumbprint of its JWK, SHA-256 in base64url, 43 characters.
 * Throws `key-invalid` unless the key has 32 bytes.
 */
export function keyThumbprint(publicKey: Uint8Array): string {
  return encodeBase64url(sha256(utf8Bytes(`{"crv":"Ed25519","kty":"OKP","x":"${encodeKeyX(publicKey)}"}`)))
}

/** A public key as the `x` of a JWK (RFC 8037): 43 characters. Throws `key-invalid` unless it has 32 bytes. */
export function encodeKeyX(publicKey: Uint8Array): string {
  if (publicKey.length !== 32) refuse('key-invalid', 'an Ed25519 public key has 32 bytes')
  return encodeBase64url(publicKey)
}

/**
 * Inverse of {@link encodeKeyX}. Throws `key-invalid` for any other spelling. Says nothing about the point: see
 * {@link assertEnrolledKey}.
 */
export function decodeKeyX(x: string): Uint8Array {
  if (x.length !== 43) refuse('key-invalid', 'the x of an Ed25519 key has 43 characters')
  try {
    return decodeBase64url(x)
  } catch (cause) {
    throw new CountersignError('key-invalid', 'the x of the key is not base64url', {}, { cause })
  }
}

/**
 * A signer that holds the RFC 8032 seed (32 bytes, copied) in memory. Throws `key-invalid` for another length.
 *
 * @example
 * const signer = signerFromSeed(randomBytes(32))
 * verifyStrict(signer.publicKey, message, signer.sign(message)) // true
 */
export function signerFromSeed(seed: Uint8Array): Signer {
  if (seed.length !== 32) refuse('key-invalid', 'an Ed25519 seed has 32 bytes')
  const { publicKey, sign } = nodeCrypto ? nodePair(nodeCrypto, seed) : portablePair(seed)
  assertEnrolledKey(publicKey)
  return { kid: keyThumbprint(publicKey), publicKey, sign }
}

type KeyPair = Pick<Signer, 'publicKey' | 'sign'>

/** PKCS #8 around an Ed25519 seed (RFC 8410 section 7). */
const PKCS8_PREFIX = /* @__PURE__ */ fromHex('302e020100300506032b657004220420')

function nodePair(crypto: NodeCrypto, seed: Uint8Array): KeyPair {
  const der = concatBytes(PKCS8_PREFIX, seed)
  const key = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0) // this copy of the seed does not outlive the import
  const publicKey = decodeKeyX(crypto.createPublicKey(key).export({ format: 'jwk' }).x ?? '')
  return { publicKey, sign: (message) => new Uint8Array(crypto.sign(null, message, key)) }
}

function portablePair(seed: Uint8Array): KeyPair {
  hashes.sha512 = sha512 // the library's synchronous functions have no hash of their own
  const secret = new Uint8Array(seed)
  return { publicKey: getPublicKey(secret), sign: (message) => portableSign(message, secret) }
}
