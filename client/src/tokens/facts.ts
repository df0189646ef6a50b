import { decodeJwt } from 'jose'
import type { TokenFacts } from '../guard/index.js'
import { introspect, type Introspection } from './introspection.js'

export type { Introspection } from './introspection.js'

export interface TokenFactsOptions {
  /** Asked about tokens that are no JWT. */
  readonly introspection?: Introspection
  /** The clock, POSIX milliseconds. */
  readonly now?: () => number
}

/** What one token is known to allow, and until when that is believed, POSIX milliseconds. */
interface Facts {
  readonly scopes: ReadonlySet<string> | undefined
  readonly until: number
}

/** A token without an end, and a word of an issuer, are believed this long. */
const BELIEVED_MS = 300_000

/**
 * The scopes of the newest token of `source`. A JWT is read, not verified: it is the resource server that trusts it, and
 * the guard only says early what that server would refuse. What cannot be read, or asked for, is unknown.
 *
 * @example
 * const token = tokenFacts(readToken)
 * guardTransport(transport, { host, url, token })
 */
export function tokenFacts(
  source: () => Promise<string | undefined>,
  { introspection, now = Date.now }: TokenFactsOptions = {},
): TokenFacts {
  let known: { readonly token: string; readonly facts: Promise<Facts> } | undefined
  return {
    async scopes() {
      const token = await source()
      if (token === undefined) return undefined
      if (known?.token !== token || (await known.facts).until <= now()) {
        known = { token, facts: readToken(token, introspection, now()) }
      }
      return (await known.facts).scopes
    },
  }
}

async function readToken(
  token: string,
  introspection: Introspection | undefined,
  now: number,
): Promise<Facts> {
  const claims = readClaims(token) ?? (introspection && (await introspect(introspection, token)))
  const end = claims?.['exp']
  const until = Math.min(
    now + BELIEVED_MS,
    typeof end === 'number' && end * 1000 > now ? end * 1000 : Infinity,
  )
  return { scopes: claims && readScopes(claims), until }
}

function readClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return decodeJwt(token)
  } catch {
    return undefined // an opaque token is nothing wrong
  }
}

/** RFC 9068 and RFC 8693 `scope`, one string; `scp`, a list or a string, of issuers before them. */
function readScopes(claims: Readonly<Record<string, unknown>>): ReadonlySet<string> | undefined {
  const { scope, scp } = claims
  const named = scope ?? scp
  if (typeof named === 'string') return new Set(named.split(' ').filter((one) => one !== ''))
  if (Array.isArray(named)) return new Set(named.filter((one) => typeof one === 'string'))
  return undefined
}
