import { createHash } from 'node:crypto'
import { jwtVerify, type JWTPayload } from 'jose'
import type { Store, TrustedPublisherRow } from '../../storage/store.js'
import { AuthError } from '../errors.js'
import type { Issuers } from '../issuers.js'
import type { PublishingLimits } from '../scopes.js'
import { claimedIssuer, isTokenFault } from '../token/verifier.js'
import { matchesClaims } from './match.js'

/** What a workflow's identity token was good for, and what the access token made of it carries. */
export interface ExchangedToken {
  /** Whom the access token speaks for: its claim `account`. */
  readonly account: string
  /** Its claims `trusted_publishers` and `servers`. */
  readonly publishes: PublishingLimits
  /** POSIX seconds: when the subject token ends. */
  readonly expiresAt: number
}

export interface ExchangeContext {
  readonly store: Store
  readonly issuers: Issuers
  /** What the subject token's `aud` may be, exactly and alone: our public URL, our identity. */
  readonly audience: readonly string[]
}

/** A workflow asks for its token when it publishes; an old one was found somewhere. */
const MAX_AGE_SECONDS = 600
const CLOCK_SECONDS = 30
const MAX_TOKEN_LENGTH = 16_384
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
/** Rows of one issuer that a token is compared with. */
const PAGE = 100
const MAX_ROWS = 10_000

/**
 * RFC 8693 for trusted publishing: an issuer that somebody trusts, its signature, for us alone, fresh, claims that a
 * trusted publisher asks for, an account that still stands, and then once.
 * @throws AuthError `token-invalid` with the claim and the rule, `account-disabled`, `issuer-unreachable`
 */
export async function exchangeSubjectToken(
  context: ExchangeContext,
  subjectToken: string,
): Promise<ExchangedToken> {
  const issuer = await readTrustedIssuer(context.store, subjectToken)
  const payload = await verifySubjectToken(context, issuer, subjectToken)
  const matching = await readMatching(context.store, issuer, payload)
  const standing = await keepStanding(context.store, matching)
  const account = singleAccount(standing)
  await assertFirstUse(context.store, subjectToken, payload)
  return { account, publishes: limitsOf(standing), expiresAt: Math.floor(payload.exp ?? 0) }
}

/** Nothing is fetched from an issuer that no trusted publisher names: strangers would choose whom we ask. */
async function readTrustedIssuer(store: Store, token: string): Promise<string> {
  if (token.length > MAX_TOKEN_LENGTH) throw invalid(`it is longer than ${MAX_TOKEN_LENGTH} characters`)
  const issuer = claimedIssuer(token)
  if (typeof issuer !== 'string') throw invalid('iss: it is no JWT that names its issuer')
  const [row] = await store.listTrustedPublishers({ issuer }, 1)
  if (row === undefined) throw invalid('iss: no trusted publisher is of this issuer')
  return issuer
}

async function verifySubjectToken(
  { issuers, audience }: ExchangeContext,
  issuer: string,
  token: string,
): Promise<JWTPayload> {
  const { payload, protectedHeader } = await jwtVerify(token, issuers.keysOf(issuer), {
    algorithms: ALGORITHMS,
    issuer,
    audience: [...audience],
    requiredClaims: ['exp', 'iat'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_SECONDS,
  }).catch(refuseSubjectToken)
  // An access token says what its bearer may do elsewhere, not who runs.
  const { typ = 'JWT' } = protectedHeader
  if (typ.toUpperCase() !== 'JWT') throw invalid('typ: it is not of the type JWT')
  if (Array.isArray(payload.aud) && payload.aud.length !== 1) {
    throw invalid('aud: it is for others as well, who could use it here')
  }
  return payload
}

function refuseSubjectToken(cause: unknown): never {
  if (!isTokenFault(cause)) throw cause
  const { message, claim } = cause as Error & { claim?: unknown }
  throw invalid(typeof claim === 'string' ? `${claim}: ${message}` : message, cause)
}

async function readMatching(
  store: Store,
  issuer: string,
  payload: JWTPayload,
): Promise<TrustedPublisherRow[]> {
  const matching: TrustedPublisherRow[] = []
  let after: string | undefined
  for (let seen = 0; seen < MAX_ROWS; seen += PAGE) {
    const rows = await store.listTrustedPublishers({ issuer }, PAGE, after)
    matching.push(...rows.filter((row) => matchesClaims(row.claims, payload)))
    if (rows.length < PAGE) break
    after = rows.at(-1)?.id
  }
  if (matching.length === 0) throw invalid('claims: no trusted publisher of its issuer asks for what it says')
  return matching
}

/** Rows whose account is enabled, a publisher, and acts for the namespace still. */
async function keepStanding(
  store: Store,
  rows: readonly TrustedPublisherRow[],
): Promise<TrustedPublisherRow[]> {
  const standing: TrustedPublisherRow[] = []
  for (const row of rows) if (await isStanding(store, row)) standing.push(row)
  if (standing.length > 0) return standing
  throw new AuthError(
    'account-disabled',
    'the account of the trusted publisher cannot publish there any more',
  )
}

async function isStanding(store: Store, { account, namespace }: TrustedPublisherRow): Promise<boolean> {
  const row = await store.readAccount(account)
  if (row === undefined || row.disabled || !row.roles.includes('publisher')) return false
  return (await store.readAccountNamespaces(account)).includes(namespace)
}

/** A token speaks for one account; which of two, nobody could say afterwards. */
function singleAccount(rows: readonly TrustedPublisherRow[]): string {
  const accounts = new Set(rows.map((row) => row.account))
  const [account] = accounts
  if (account !== undefined && accounts.size === 1) return account
  throw invalid('claims: trusted publishers of several accounts ask for what it says')
}

/**
 * What counts as the same token is what was signed: some signatures can be written in more than one way by anyone.
 */
async function assertFirstUse(store: Store, token: string, { exp = 0, iat = 0 }: JWTPayload): Promise<void> {
  const signed = token.slice(0, token.lastIndexOf('.'))
  const hash = createHash('sha256').update(signed, 'utf8').digest('hex')
  // Afterwards it is too old, whatever life its issuer gave it.
  const until = Math.ceil(Math.min(exp, iat + MAX_AGE_SECONDS)) + 2 * CLOCK_SECONDS
  if (await store.useOnce('subject-token', hash, until)) return
  throw invalid('it was used before')
}

function limitsOf(rows: readonly TrustedPublisherRow[]): PublishingLimits {
  return {
    trustedPublishers: rows.map((row) => row.id),
    servers: [...new Set(rows.map(serversOf))],
  }
}

function serversOf({ namespace, server }: TrustedPublisherRow): string {
  return server ?? `${namespace}/*`
}

/**
 * What a token from here may still publish: of its trusted publishers, those that were not removed since.
 * @throws AuthError `token-invalid` when none is left
 */
export async function readPublishingLimits(
  store: Store,
  account: string,
  payload: JWTPayload,
): Promise<PublishingLimits> {
  const claimed = texts(payload['servers'])
  const rows: TrustedPublisherRow[] = []
  for (const id of texts(payload['trusted_publishers'])) {
    const row = await store.readTrustedPublisher(id)
    if (row !== undefined && row.account === account && claimed.includes(serversOf(row))) rows.push(row)
  }
  if (rows.length === 0) throw new AuthError('token-invalid', 'its trusted publishers were removed')
  return limitsOf(rows)
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function invalid(rule: string, cause?: unknown): AuthError {
  return new AuthError('token-invalid', `the subject token: ${rule}`, cause === undefined ? {} : { cause })
}
