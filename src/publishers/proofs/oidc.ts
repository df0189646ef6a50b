import { errors, jwtVerify, type JWTPayload } from 'jose'
import { AuthError } from '../../auth/errors.js'
import { openIssuers, type Issuers } from '../../auth/issuers.js'
import type { Outside } from '../../net/outside.js'
import type { NamespaceIssuer } from './issuers.js'
import { absent, type Look } from './look.js'

const ALGORITHMS = ['RS256', 'ES256', 'PS256', 'EdDSA', 'Ed25519']
const MAX_AGE = '10m'
const SKEW_SECONDS = 30

/** The keys of issuers, remembered with the world they were fetched from. */
const known = new WeakMap<Outside, Issuers>()

function issuersOf(outside: Outside, now: () => number): Issuers {
  const issuers = known.get(outside) ?? openIssuers({ outside, now })
  known.set(outside, issuers)
  return issuers
}

/** The audience a token must be asked for: it is good for this challenge of this registry, and for nothing else. */
export function challengeAudience(registry: string, challenge: string): string {
  return `countersign:${registry}:${challenge}`
}

/**
 * Reads the owner out of a token: issued by this issuer, for exactly this challenge, a moment ago, for the account
 * that the namespace is named after. The subject is the owner's number; the name alone may have been somebody else's.
 */
export async function lookAtToken(
  { outside, now }: { readonly outside: Outside; readonly now: () => number },
  issuer: NamespaceIssuer,
  asked: { readonly namespace: string; readonly audience: string; readonly token: string },
): Promise<Look> {
  try {
    const { payload } = await jwtVerify(asked.token, issuersOf(outside, now).keysOf(issuer.issuer), {
      issuer: issuer.issuer,
      audience: asked.audience,
      algorithms: ALGORITHMS,
      maxTokenAge: MAX_AGE,
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(now()),
      requiredClaims: ['iss', 'aud', 'exp', 'iat'],
    })
    return readOwner(payload, issuer, asked)
  } catch (error) {
    if (error instanceof AuthError && error.code === 'issuer-unreachable') {
      return { is: 'unreachable', why: `the keys of ${issuer.issuer} cannot be had` }
    }
    if (error instanceof errors.JOSEError) return absent(`the token is not accepted: ${error.code}`)
    throw error
  }
}

function readOwner(
  payload: JWTPayload,
  issuer: NamespaceIssuer,
  { namespace, audience }: { readonly namespace: string; readonly audience: string },
): Look {
  const { aud } = payload
  // A token for two audiences is in somebody else's hands as well.
  if (aud !== audience && !(Array.isArray(aud) && aud.length === 1)) {
    return absent('the token is for another audience too')
  }
  if (isForStranger(payload)) return absent('the token is of a job that a stranger’s proposal started')
  const name = payload[issuer.owner]
  if (typeof name !== 'string' || !isOwner(name, namespace, issuer)) {
    return absent(`${issuer.owner} is not the owner of ${namespace}`)
  }
  const id = readId(payload[issuer.ownerId])
  if (id === undefined) return absent(`${issuer.ownerId} is no number`)
  return { is: 'present', subject: `${issuer.issuer}#${id}` }
}

/** Jobs that run for a proposal, which may be of somebody who only reads: they do not speak for the owner. */
const FOR_STRANGERS: Readonly<Record<string, readonly string[]>> = {
  event_name: ['pull_request', 'pull_request_target'],
  pipeline_source: ['merge_request_event', 'external_pull_request_event'],
}

function isForStranger(payload: JWTPayload): boolean {
  return Object.entries(FOR_STRANGERS).some(([claim, values]) => {
    const said = payload[claim]
    return typeof said === 'string' && values.includes(said)
  })
}

/**
 * Level by level: a dot in a name is not a level, so that `a.b` never passes for `b` below `a`. Names of these
 * providers are the same in any case, and ASCII: other letters become those of somebody else in lower case.
 */
function isOwner(name: string, namespace: string, { prefix, levels }: NamespaceIssuer): boolean {
  if (!/^[\x21-\x7e]+$/.test(name)) return false
  const wanted = namespace.slice(prefix.length + 1).split('.')
  const named = name.toLowerCase().split('/')
  return (
    named.length === wanted.length && named.length <= levels && named.every((one, i) => one === wanted[i])
  )
}

function readId(value: unknown): string | undefined {
  const text = Number.isSafeInteger(value) ? String(value) : value
  return typeof text === 'string' && /^[1-9][0-9]{0,18}$/.test(text) ? text : undefined
}
