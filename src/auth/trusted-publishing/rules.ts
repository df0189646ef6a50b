import { AuthError } from '../errors.js'
import { isPattern } from './match.js'

/** Whose tokens, by which rules their claims are asked for. */
export const PROVIDERS = ['github', 'gitlab', 'oidc'] as const
export type Provider = (typeof PROVIDERS)[number]

export type Claims = Readonly<Record<string, string>>

const ISSUERS: Readonly<Record<Provider, string | undefined>> = {
  github: 'https://token.actions.githubusercontent.com',
  gitlab: 'https://gitlab.com',
  oidc: undefined,
}

/** Claims that are checked by rules of their own, or say nothing about who runs. */
const RESERVED = ['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']
/** Which event started a run is an exact word: a pattern would let strangers' events in by accident. */
const EXACT = ['event_name', 'pipeline_source']
const MAX_CLAIMS = 16
const MAX_LENGTH = 512

/**
 * The issuer of a provider, or the given one.
 * @throws AuthError `trusted-publisher-invalid`
 */
export function issuerOf(provider: Provider, given: string | undefined, own: string): string {
  const issuer = given ?? ISSUERS[provider]
  if (issuer === undefined) throw invalid('issuer', 'is needed for this provider')
  const known = PROVIDERS.find((name) => ISSUERS[name] === issuer)
  // Its own rules know what strangers can make its tokens say.
  if (known !== undefined && known !== provider) throw invalid('provider', `is ${known} for this issuer`)
  const url = URL.canParse(issuer) && issuer.length <= MAX_LENGTH ? new URL(issuer) : undefined
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url === undefined || !safe) throw invalid('issuer', 'is an https: URL (http: only for loopback)')
  if (url.search || url.hash || url.username || url.password) {
    throw invalid('issuer', 'has no query, fragment or user')
  }
  if (url.origin === own) throw invalid('issuer', 'is this registry itself')
  return issuer
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host)
}

/**
 * Whether the claims say which workflow it is in a way that nobody else can come to say, such as whoever takes a name
 * that became free.
 * @throws AuthError `trusted-publisher-invalid` with the claim and the rule
 */
export function assertClaims(provider: Provider, claims: Claims): void {
  const entries = Object.entries(claims)
  if (entries.length === 0 || entries.length > MAX_CLAIMS) {
    throw invalid('claims', `are 1 to ${MAX_CLAIMS} claims`)
  }
  for (const [name, value] of entries) assertClaim(name, value)
  RULES[provider](claims)
}

function assertClaim(name: string, value: string): void {
  const field = `claims/${name}`
  if (!/^[A-Za-z0-9_.:/-]{1,128}$/.test(name)) throw invalid('claims', 'has a name that no claim has')
  if (RESERVED.includes(name)) throw invalid(field, 'is checked for every token already')
  if (!/^[^\p{Cc}]{1,512}$/u.test(value)) {
    throw invalid(field, `is a text of 1 to ${MAX_LENGTH} characters`)
  }
  if (EXACT.includes(name) && isPattern(value)) throw invalid(field, 'is an exact word, no pattern')
}

const RULES: Readonly<Record<Provider, (claims: Claims) => void>> = {
  github(claims) {
    assertId(claims, 'repository_id')
    assertId(claims, 'repository_owner_id')
    assertWorkflow(claims, ['workflow_ref', 'job_workflow_ref'])
    assertCaller(claims)
  },
  gitlab(claims) {
    assertId(claims, 'project_id')
    assertId(claims, 'namespace_id')
    if (hasOwn(claims, 'ci_config_ref_uri')) assertWorkflow(claims, ['ci_config_ref_uri'])
    else if (hasOwn(claims, 'ref_path')) assertRef(claims, 'claims/ref_path', claims['ref_path'] ?? '')
    else throw invalid('claims/ci_config_ref_uri or claims/ref_path', 'is needed')
  },
  oidc(claims) {
    const exact = Object.entries(claims).some(([name, value]) => isIdClaim(name) && !isPattern(value))
    if (!exact)
      throw invalid('claims/sub', 'or a claim whose name ends in _id is needed, exact and no pattern')
  },
}

function hasOwn(claims: Claims, name: string): boolean {
  return Object.hasOwn(claims, name)
}

function isIdClaim(name: string): boolean {
  return name === 'sub' || name.endsWith('_id')
}

/** Numbers are never given to somebody else; names are, when they become free. */
function assertId(claims: Claims, name: string): void {
  const value = hasOwn(claims, name) ? claims[name] : undefined
  if (value === undefined || !/^[1-9]\d{0,18}$/.test(value)) {
    throw invalid(`claims/${name}`, 'is needed: the numeric id')
  }
}

/** `PATH@REF`: the file is exact, since anyone who may push a branch may add another; the ref may be a pattern. */
function assertWorkflow(claims: Claims, names: readonly string[]): void {
  const given = names.filter((name) => hasOwn(claims, name))
  if (given.length === 0) throw invalid(`claims/${names.join(' or claims/')}`, 'is needed: PATH@REF')
  for (const name of given) {
    const [, path = '', ref = ''] = /^([^@]+)@(.+)$/.exec(claims[name] ?? '') ?? []
    if (path === '' || isPattern(path)) {
      throw invalid(`claims/${name}`, 'is PATH@REF, and the path is exact, no pattern')
    }
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref)) assertRef(claims, `claims/${name}`, ref)
  }
}

/**
 * A reusable workflow runs for whoever calls it: alone, it would let anyone who may push a branch publish from there.
 */
function assertCaller(claims: Claims): void {
  if (hasOwn(claims, 'workflow_ref')) return
  if (hasOwn(claims, 'ref')) assertRef(claims, 'claims/ref', claims['ref'] ?? '')
  else if (!hasOwn(claims, 'environment') || isPattern(claims['environment'] ?? '')) {
    throw invalid(
      'claims/workflow_ref, claims/ref or claims/environment',
      'is needed with job_workflow_ref, the environment exact',
    )
  }
}

/**
 * A ref of the project itself: `refs/pull/…` and `refs/merge-requests/…` are strangers' proposals, and are meant only
 * where their event is named.
 */
function assertRef(claims: Claims, field: string, ref: string): void {
  const proposals = EXACT.some((name) => hasOwn(claims, name)) ? '|pull|merge-requests' : ''
  if (new RegExp(`^refs/(heads|tags${proposals})/.`).test(ref)) return
  throw invalid(field, 'has a ref that begins as refs/heads/ or refs/tags/')
}

function invalid(field: string, rule: string): AuthError {
  return new AuthError('trusted-publisher-invalid', `${field} ${rule}`)
}
