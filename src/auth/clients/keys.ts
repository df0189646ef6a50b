import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { assertEnrolledKey } from 'countersign/core'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { AuthError } from '../errors.js'

const MAX_KEYS = 8
const RSA_BITS = { min: 2048, max: 8192 } as const
/** With the exponent 1, whatever one likes is a signature; small ones have a history. */
const RSA_EXPONENT = 65_537n
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

interface KeyKind {
  readonly members: readonly string[]
  readonly algorithms: readonly string[]
}

/** The keys that a client's assertion may be signed with, and what of a JWK belongs to each. */
const KINDS: Readonly<Record<string, KeyKind>> = {
  'OKP Ed25519': { members: ['crv', 'x'], algorithms: ['EdDSA', 'Ed25519'] },
  'EC P-256': { members: ['crv', 'x', 'y'], algorithms: ['ES256'] },
  RSA: { members: ['n', 'e'], algorithms: ['RS256'] },
}

/**
 * The JWK set of a `private_key_jwt` client, as JSON with nothing but public members. One JWK stands for a set of one.
 * @throws AuthError `client-invalid`
 */
export async function parseClientKeys(given: unknown): Promise<string> {
  const keys = isObject(given) && !('kty' in given) ? given['keys'] : [given]
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    throw invalid(`a public JWK, or a set of 1 to ${MAX_KEYS} of them`)
  }
  const parsed = await Promise.all(keys.map(parseKey))
  if (new Set(parsed.map(({ kid }) => kid)).size !== parsed.length)
    throw invalid('each key has a kid of its own')
  return JSON.stringify({ keys: parsed })
}

async function parseKey(given: unknown): Promise<JWK> {
  if (!isObject(given)) throw invalid('each key is a JWK')
  // A private key that was sent is a private key that leaked: it is refused, never quietly cut.
  if (PRIVATE_MEMBERS.some((member) => member in given)) {
    throw invalid('a private key never leaves its machine: send its public half, and replace this key')
  }
  const kind = kindOf(given)
  const jwk = publicMembers(given, kind)
  assertStrong(jwk, importKey(jwk))
  const { alg, use, kid } = given
  if (alg !== undefined && !kind.algorithms.some((known) => known === alg))
    throw invalid('alg does not fit the key')
  if (use !== undefined && use !== 'sig') throw invalid('a signing key has the use "sig"')
  if (kid !== undefined && (typeof kid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(kid))) {
    throw invalid('a kid has 1 to 128 visible ASCII characters')
  }
  return {
    ...jwk,
    ...{ kid: kid ?? (await calculateJwkThumbprint(jwk)), use: 'sig' },
    ...(typeof alg === 'string' && { alg }),
  }
}

function kindOf({ kty, crv }: Readonly<Record<string, unknown>>): KeyKind {
  const name = kty === 'RSA' ? 'RSA' : `${String(kty)} ${String(crv)}`
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind === undefined) throw invalid('Ed25519, P-256 (ES256) or RSA (RS256)')
  return kind
}

function publicMembers(given: Readonly<Record<string, unknown>>, kind: KeyKind): JWK {
  const members = ['kty', ...kind.members].map((member) => {
    const value = given[member]
    if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,2048}$/.test(value)) {
      throw invalid(`the member ${member} is missing or wrong`)
    }
    return [member, value]
  })
  return Object.fromEntries(members) as JWK
}

function importKey(jwk: JWK): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch (cause) {
    throw invalid('a key that cannot be used', cause)
  }
}

function assertStrong({ crv, x = '' }: JWK, key: KeyObject): void {
  const { modulusLength: bits, publicExponent: exponent } = key.asymmetricKeyDetails ?? {}
  if (bits !== undefined && (bits < RSA_BITS.min || bits > RSA_BITS.max)) {
    throw invalid(`an RSA key has ${RSA_BITS.min} to ${RSA_BITS.max} bits`)
  }
  if (exponent !== undefined && exponent < RSA_EXPONENT) {
    throw invalid(`an RSA key has an exponent of ${RSA_EXPONENT} or more`)
  }
  if (crv === 'Ed25519') assertSound(x)
}

/** OpenSSL takes points of low order, under which anybody can sign. */
function assertSound(x: string): void {
  try {
    assertEnrolledKey(Buffer.from(x, 'base64url'))
  } catch (cause) {
    throw invalid('a point that is no Ed25519 key', cause)
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(rule: string, cause?: unknown): AuthError {
  return new AuthError('client-invalid', `jwks: ${rule}`, cause === undefined ? {} : { cause })
}
