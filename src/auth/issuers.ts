import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose'
import { OutsideError, type Outside } from '../net/outside.js'
import { AuthError } from './errors.js'

/** The public keys of issuers that an admin named, found by discovery and kept for a while. */
export interface Issuers {
  /**
   * The key that a token's header names. Asking throws AuthError `issuer-unreachable` when the issuer's keys cannot be
   * had, and JOSEError when the issuer has no such key.
   */
  keysOf(issuer: string): JWTVerifyGetKey
}

/** After this long a key that the issuer took back is not used any more, unless the issuer cannot be reached. */
const FRESH_MS = 600_000
/** An issuer that cannot be reached may still answer for an hour with what it said last. */
const USABLE_MS = 3_600_000
/** A flood of unknown key ids, or of tokens while the issuer is down, costs one request in this time. */
const COOLDOWN_MS = 30_000
/** Requests wait for the keys: an issuer that says nothing must not hold them for long. */
const TIMEOUT_MS = 5000
const MAX_METADATA_BYTES = 65_536
const MAX_JWKS_BYTES = 262_144
const MAX_KEYS = 64
const MAX_ISSUERS = 256

type LocalKeys = ReturnType<typeof createLocalJWKSet>

interface Known {
  keys?: LocalKeys
  fetchedAt: number
  triedAt: number
  /** Why the last attempt failed; undefined after one that did not. */
  failure?: AuthError | undefined
  fetching?: Promise<void> | undefined
}

export function openIssuers(options: { readonly outside: Outside; readonly now: () => number }): Issuers {
  const { outside, now } = options
  const issuers = new Map<string, Known>()

  const knownOf = (issuer: string): Known => {
    const known = issuers.get(issuer) ?? { fetchedAt: -Infinity, triedAt: -Infinity }
    // The longest known one goes first; it is fetched again when it is asked for.
    const oldest = issuers.keys().next()
    if (!issuers.has(issuer) && issuers.size >= MAX_ISSUERS && !oldest.done) issuers.delete(oldest.value)
    issuers.set(issuer, known)
    return known
  }

  const refresh = async (issuer: string, known: Known): Promise<void> => {
    known.triedAt = now()
    try {
      known.keys = await fetchKeys(outside, issuer)
      known.fetchedAt = now()
      known.failure = undefined
    } catch (cause) {
      known.failure = unreachable(cause)
    }
  }

  /** One fetch at a time for each issuer, and none within the cooldown. */
  const refreshOnce = async (issuer: string, known: Known): Promise<void> => {
    if (known.fetching === undefined && now() - known.triedAt < COOLDOWN_MS) return
    known.fetching ??= refresh(issuer, known).finally(() => {
      known.fetching = undefined
    })
    await known.fetching
  }

  const usableKeys = (known: Known): LocalKeys => {
    if (known.keys !== undefined && now() - known.fetchedAt < USABLE_MS) return known.keys
    throw known.failure ?? unreachable(new Error('nothing was fetched'))
  }

  return {
    keysOf: (issuer) => async (header, token) => {
      const known = knownOf(issuer)
      if (now() - known.fetchedAt >= FRESH_MS) await refreshOnce(issuer, known)
      try {
        return await usableKeys(known)(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        // A key that nobody knows may be new: the issuer is asked, unless it was a moment ago.
        await refreshOnce(issuer, known)
        if (known.failure !== undefined) throw known.failure
        return usableKeys(known)(header, token)
      }
    },
  }
}

function unreachable(cause: unknown): AuthError {
  if (cause instanceof AuthError) return cause
  return new AuthError('issuer-unreachable', 'the keys of the issuer cannot be had', { cause })
}

async function fetchKeys(outside: Outside, issuer: string): Promise<LocalKeys> {
  const jwksUri = await fetchJwksUri(outside, issuer)
  const answer = await fetchJson(outside, issuer, jwksUri, MAX_JWKS_BYTES)
  if (answer === undefined) throw crooked('jwks_uri', 'there is no key set')
  return createLocalJWKSet({ keys: readKeys(answer['keys']) })
}

/** RFC 8414, then OpenID Connect Discovery: the first document there is, and it must name the issuer itself. */
async function fetchJwksUri(outside: Outside, issuer: string): Promise<string> {
  for (const url of discoveryUrls(issuer)) {
    const metadata = await fetchJson(outside, issuer, url, MAX_METADATA_BYTES)
    if (metadata === undefined) continue
    if (metadata['issuer'] !== issuer) throw crooked('issuer', 'discovery names another issuer')
    const jwksUri = metadata['jwks_uri']
    if (typeof jwksUri !== 'string' || !isFetchable(jwksUri, issuer)) {
      throw crooked('jwks_uri', 'is no https: URL')
    }
    return jwksUri
  }
  throw crooked('issuer', 'there is no discovery document')
}

function discoveryUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
}

/** Plain HTTP is for an issuer that is on plain HTTP itself, which only one on loopback may be. */
function isFetchable(text: string, issuer: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol } = new URL(text)
  return protocol === 'https:' || protocol === new URL(issuer).protocol
}

type Json = Readonly<Record<string, unknown>>

/** Undefined for a document that is not there. Hosts that the issuer names, and no admin, must be public ones. */
async function fetchJson(
  outside: Outside,
  issuer: string,
  url: string,
  maxBytes: number,
): Promise<Json | undefined> {
  const trusted = new URL(url).host === new URL(issuer).host
  const headers = { accept: 'application/json' }
  const { status, body } = await outside.request(url, { headers, maxBytes, trusted, timeoutMs: TIMEOUT_MS })
  if (status === 404 || status === 410) return undefined
  if (status !== 200) throw new OutsideError('unreachable', `the issuer answered ${status}`)
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  if (typeof value !== 'object' || value === null) throw crooked('discovery', 'is no JSON object')
  return value as Json
}

/** Public keys that can verify a signature; a symmetric one would let everyone who verifies sign. */
function readKeys(value: unknown): JWK[] {
  if (!Array.isArray(value) || value.length > MAX_KEYS) {
    throw crooked('keys', `is a list of at most ${MAX_KEYS} keys`)
  }
  return value.filter((key: unknown): key is JWK => {
    const { kty, use } = Object(key) as JWK
    return ['RSA', 'EC', 'OKP'].includes(String(kty)) && (use === undefined || use === 'sig')
  })
}

function crooked(member: string, rule: string): AuthError {
  return new AuthError('issuer-unreachable', `the issuer cannot be used: ${member}: ${rule}`)
}
