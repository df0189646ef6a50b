import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes, toHex } from './bytes.js'
import { refuse } from './errors.js'
import { encodeBase64url } from './lexical.js'
import { type NodeCrypto, nodeCrypto, type NodeKey } from './runtime.js'

/** Whether `signature` is by the holder of `publicKey` over `message`. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** The order of the base point. */
const GROUP_ORDER = Point.CURVE().n

/** y of the points of low order, in the encoding without sign bit: orders 4, 1, 8, 8, 2. */
const LOW_ORDER_Y: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/**
 * PROTOCOL 5: one verdict on every runtime and version. False unless key and signature have 32 and 64 bytes, A and R
 * are canonical and not of low order, S is below the group order, and [S]B = R + [k]A holds without cofactor.
 * Never throws for hostile input.
 */
export const verifyStrict: VerifySignature = (publicKey, message, signature) =>
  (verifyStrictNode ?? verifyStrictNoble)(publicKey, message, signature)

/** {@link verifyStrict} by Node's crypto; undefined where there is none. */
export const verifyStrictNode: VerifySignature | undefined = nodeCrypto && verifierOf(nodeCrypto)

function verifierOf(crypto: NodeCrypto): VerifySignature {
  // Node's own verdict on low order changed between releases; after these checks all releases agree.
  return (publicKey, message, signature) =>
    isAcceptable(publicKey, signature) &&
    crypto.verify(null, message, importedKey(crypto, publicKey), signature)
}

/** {@link verifyStrict} in portable JavaScript. */
export const verifyStrictNoble: VerifySignature = (publicKey, message, signature) => {
  if (!isAcceptable(publicKey, signature)) return false
  const s = littleEndian(signature.subarray(32))
  const a = decodePoint(publicKey)
  if (a === undefined || s >= GROUP_ORDER) return false
  const r = signature.subarray(0, 32)
  const k = littleEndian(sha512(concatBytes(r, publicKey, message))) % GROUP_ORDER
  // The library's own verify multiplies by the cofactor and so accepts R + T8, which Node refuses. Comparing
  // the encoding of [S]B - [k]A with R is what Node does, for every A.
  return equalBytes(Point.BASE.multiply(s, false).subtract(a.multiply(k, false)).toBytes(), r)
}

function isAcceptable(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  return isSoundEncoding(publicKey) && isSoundEncoding(signature.subarray(0, 32))
}

/** Canonical y (below p = 2^255 - 19, sign bit aside), and not a point of low order. */
function isSoundEncoding(encoded: Uint8Array): boolean {
  const y = new Uint8Array(encoded) // not slice(): a Buffer's is a view, and the next line would change the key
  y[31] = (y[31] ?? 0) & 0x7f
  if (isAtLeastPrime(y)) return false
  return !LOW_ORDER_Y.has(toHex(y))
}

function isAtLeastPrime(y: Uint8Array): boolean {
  return y[31] === 0x7f && (y[0] ?? 0) >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff)
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt('0x' + toHex(new Uint8Array(bytes).reverse()))
}

function decodePoint(encoded: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(encoded, false)
  } catch {
    return undefined // not on the curve: Node's verdict is false too
  }
}

/** Entries a cache keeps; keys come from foreign input. */
const CACHE_LIMIT = 512

function keepBounded<V>(cache: Map<string, V>, key: string, value: V): V {
  const [oldest] = cache.size >= CACHE_LIMIT ? cache.keys() : []
  if (oldest !== undefined) cache.delete(oldest)
  cache.set(key, value)
  return value
}

const imported = new Map<string, NodeKey>()

/** Importing a key costs as much as a verification. */
function importedKey(crypto: NodeCrypto, publicKey: Uint8Array): NodeKey {
  // As JWK, where x is exactly these 32 bytes: a DER import takes trailing bytes.
  const x = encodeBase64url(publicKey)
  const known = imported.get(x)
  if (known) return known
  const key = crypto.createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
  return keepBounded(imported, x, key)
}

const enrolled = new Map<string, true>()

/**
 * The rule for keys at enrolment and in every chain (PROTOCOL 5): 32 bytes, canonical, on the curve, not of low order,
 * torsion-free. Throws `key-invalid`. About a millisecond the first time, cached after.
 */
export function assertEnrolledKey(publicKey: Uint8Array): void {
  if (publicKey.length !== 32) refuse('key-invalid', 'an Ed25519 public key has 32 bytes')
  const x = encodeBase64url(publicKey)
  if (enrolled.has(x)) return
  const point = isSoundEncoding(publicKey) ? decodePoint(publicKey) : undefined
  if (point?.isTorsionFree() !== true) {
    refuse('key-invalid', 'not an Ed25519 public key that can be enrolled', { x })
  }
  keepBounded(enrolled, x, true)
}
