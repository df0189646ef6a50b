import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeJwt,
  decodeProtectedHeader,
  exportSPKI,
  importJWK,
  SignJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AuthError } from '../../src/auth/errors.js'
import { openIssuers, type Issuers } from '../../src/auth/issuers.js'
import { exchangeSubjectToken } from '../../src/auth/trusted-publishing/exchange.js'
import {
  openTrustedPublishers,
  type TrustedPublishers,
} from '../../src/auth/trusted-publishing/trusted-publishers.js'
import { matchesClaims, matchesPattern } from '../../src/auth/trusted-publishing/match.js'
import { openOutside } from '../../src/net/open-outside.js'
import type { Outside } from '../../src/net/outside.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import {
  githubClaims,
  gitlabClaims,
  GITHUB_TRUST,
  GITLAB_TRUST,
  makeKey,
  startCiIssuer,
  type CiIssuer,
} from '../support/issuer.js'
import { PATIENT_MS } from '../support/ledger.js'

const REGISTRY = 'https://registry.example.com'
const IDENTITY = 'registry-abc'
const NAMESPACE = 'com.example'

let dir: string
let store: Store
let github: CiIssuer
let gitlab: CiIssuer
let issuers: Issuers
let trusted: TrustedPublishers

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-exchange-'))
  store = await openSqliteStore(join(dir, 'registry.sqlite'))
  ;[github, gitlab] = await Promise.all([startCiIssuer('RS256'), startCiIssuer('ES256')])
  issuers = openIssuers({ outside: patient(openOutside()), now: Date.now })
  trusted = openTrustedPublishers({ store, issuer: REGISTRY, now: Date.now })
  for (const account of ['robot', 'other']) await addAccount(account)
  await store.grantNamespace(NAMESPACE, 'robot', 'admin')
  await store.grantNamespace('com.other', 'other', 'admin')
})
afterAll(async () => {
  await Promise.all([github.stop(), gitlab.stop()])
  await store.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  for (const { id } of (await trusted.list({ limit: 100 })).rows) await store.deleteTrustedPublisher(id)
})

/** With as much time for each request as a busy machine may need. */
function patient(real: Outside): Outside {
  return { ...real, request: (url, asked) => real.request(url, { ...asked, timeoutMs: PATIENT_MS }) }
}

function addAccount(account: string): Promise<void> {
  return store.createAccount({
    account,
    kind: 'service',
    roles: ['publisher'],
    disabled: false,
    createdAt: 0,
  })
}

function exchange(token: string) {
  return exchangeSubjectToken({ store, issuers, audience: [REGISTRY, IDENTITY] }, token)
}

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => new Error('it was accepted'),
    (cause: unknown) => cause,
  )
  if (error instanceof AuthError) return error.code
  throw error
}

const trustGithub = (change: object = {}) =>
  trusted.add('admin', {
    namespace: NAMESPACE,
    provider: 'github',
    issuer: github.url,
    claims: GITHUB_TRUST,
    ...change,
  })

/** A job's token as the CI signs it for us, then something about the job is different. */
const job = (change: JWTPayload = {}) => github.token(githubClaims(REGISTRY, change))

describe('a workflow that somebody trusts', () => {
  it('publishes for the account of its trusted publisher, every server of the namespace', async () => {
    const { id } = await trustGithub()
    const token = await job()
    expect(await exchange(token)).toEqual({
      account: 'robot',
      publishes: { trustedPublishers: [id], servers: [`${NAMESPACE}/*`] },
      expiresAt: decodeJwt(token).exp,
    })
  })

  it('or one server, or those of several', async () => {
    const one = await trustGithub({ server: `${NAMESPACE}/weather` })
    const two = await trustGithub({ server: `${NAMESPACE}/tides` })
    const { publishes } = await exchange(await job())
    expect([...publishes.servers].sort()).toEqual([`${NAMESPACE}/tides`, `${NAMESPACE}/weather`])
    expect([...publishes.trustedPublishers].sort()).toEqual([one.id, two.id].sort())
  })

  it('names us by our URL or by our identity, as one word or as a list of one', async () => {
    await trustGithub()
    for (const aud of [IDENTITY, [REGISTRY]])
      expect((await exchange(await job({ aud }))).account).toBe('robot')
  })

  it('of GitLab, with ES256 and ids that are words or numbers', async () => {
    const claims = GITLAB_TRUST
    await trusted.add('admin', { namespace: NAMESPACE, provider: 'gitlab', issuer: gitlab.url, claims })
    expect((await exchange(await gitlab.token(gitlabClaims(REGISTRY)))).account).toBe('robot')
    const numbers = gitlabClaims(REGISTRY, { project_id: 20, namespace_id: 72 })
    expect((await exchange(await gitlab.token(numbers))).account).toBe('robot')
  })

  it('of any issuer, by its subject', async () => {
    const claims = { sub: 'pipeline:7' }
    await trusted.add('admin', { namespace: NAMESPACE, provider: 'oidc', issuer: gitlab.url, claims })
    expect((await exchange(await gitlab.token({ aud: REGISTRY, sub: 'pipeline:7' }))).account).toBe('robot')
  })

  it('on a pull request, where that is what it was trusted for', async () => {
    const workflow_ref = 'octo-org/weather/.github/workflows/release.yml@refs/heads/main'
    await trustGithub({ claims: { ...GITHUB_TRUST, workflow_ref, event_name: 'pull_request_target' } })
    expect((await exchange(await job({ workflow_ref, event_name: 'pull_request_target' }))).account).toBe(
      'robot',
    )
  })
})

describe('a workflow is refused', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const workflow = (name: string, ref: string) => ({
    workflow_ref: `octo-org/weather/.github/workflows/${name}@${ref}`,
    job_workflow_ref: `octo-org/weather/.github/workflows/${name}@${ref}`,
    ref,
  })

  it.each<[string, JWTPayload]>([
    ['of a fork', { repository: 'attacker/weather', repository_id: '9000', repository_owner_id: '8000' }],
    ['of a fork that is called the same', { repository_id: '9000' }],
    ['of whoever took the name of the owner', { repository_owner_id: '9000' }],
    ['that is another file', workflow('test.yml', 'refs/tags/v1.0.0')],
    ['of a branch', workflow('release.yml', 'refs/heads/main')],
    ['of a tag of another form', workflow('release.yml', 'refs/tags/nightly')],
    ['of a tag that goes on after a slash', workflow('release.yml', 'refs/tags/v1/../../heads/main')],
    ['of a tag that begins earlier', workflow('release.yml', 'refs/tags/x/refs/tags/v1')],
    ['in another environment', { environment: 'staging' }],
    ['in no environment', { environment: undefined }],
    ['of a pull request', { event_name: 'pull_request' }],
    ['of a pull request that runs on the base', { event_name: 'pull_request_target' }],
    ['with an id that only looks the same', { repository_id: '074' }],
    ['with an id that is a list', { repository_id: ['74'] }],
    ['with an id that is no integer', { repository_id: 74.5 }],
    ['for somebody else', { aud: 'https://elsewhere.example' }],
    ['for nobody', { aud: null as unknown as string }],
    ['for somebody else as well', { aud: [REGISTRY, 'https://elsewhere.example'] }],
    ['for us twice', { aud: [REGISTRY, IDENTITY] }],
    ['for a name that begins like ours', { aud: `${REGISTRY}.evil.example` }],
    ['with a token that has expired', { iat: now() - 300, exp: now() - 60 }],
    ['with a token that never expires', { exp: null as unknown as number }],
    ['with a token that is not from a moment ago', { iat: now() - 700, exp: now() + 300 }],
    ['with a token without a time', { iat: null as unknown as number }],
    ['with a token from the future', { iat: now() + 300, exp: now() + 600 }],
    ['with a token that is not yet valid', { nbf: now() + 300 }],
  ])('%s', async (_, change) => {
    await trustGithub()
    expect(await refusal(exchange(await job(change)))).toBe('token-invalid')
    // Its twin, so that the refusal was for the change alone.
    expect((await exchange(await job())).account).toBe('robot')
  })

  it('the second time', async () => {
    await trustGithub()
    const token = await job()
    await exchange(token)
    expect(await refusal(exchange(token))).toBe('token-invalid')
  })

  it('at the same instant, all but one', async () => {
    await trustGithub()
    const token = await job()
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => exchange(token)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('the second time under another spelling of its signature', async () => {
    const claims = { sub: 'pipeline:7' }
    await trusted.add('admin', { namespace: NAMESPACE, provider: 'oidc', issuer: gitlab.url, claims })
    const token = await gitlab.token({ aud: REGISTRY, sub: 'pipeline:7' })
    const twin = otherSignature(token)
    expect(twin).not.toBe(token)
    await exchange(twin)
    expect(await refusal(exchange(token))).toBe('token-invalid')
  })

  it('and keeps its token when it was refused for something that is mended', async () => {
    const token = await job()
    await trustGithub({ claims: { ...GITHUB_TRUST, environment: 'production' } })
    expect(await refusal(exchange(token))).toBe('token-invalid')
    await trustGithub()
    expect((await exchange(token)).account).toBe('robot')
  })

  it.each<[string, () => Promise<string>]>([
    ['alg none', unsigned],
    ['its public key as a shared secret', signedWithPublicKey],
    ['a key that it brings', () => signed({ alg: 'RS256' }, 'RS256', true)],
    ["the issuer's key id and another key", () => signed({ alg: 'RS256', kid: github.key.kid! }, 'RS256')],
    ['an algorithm of another family', () => signed({ alg: 'ES256', kid: github.key.kid! }, 'ES256')],
    ['the signature of another token', spliced],
    ['the type of an access token', () => signedBy({ typ: 'at+jwt' })],
    ['the type of a proof', () => signedBy({ typ: 'dpop+jwt' })],
    ['more text than any token', () => job({ pad: 'x'.repeat(20_000) })],
    ['what is no token', () => Promise.resolve('abc')],
    ['what is no token, in three parts', () => Promise.resolve('a.b.c')],
    ['nothing', () => Promise.resolve('')],
  ])('with %s', async (_, make) => {
    await trustGithub()
    expect(await refusal(exchange(await make()))).toBe('token-invalid')
  })

  it('of an issuer that nobody trusts, and nothing is fetched from it', async () => {
    await trustGithub()
    const stranger = await startCiIssuer('ES256')
    try {
      expect(await refusal(exchange(await stranger.token(githubClaims(REGISTRY))))).toBe('token-invalid')
      expect(await stranger.asked()).toEqual([])
    } finally {
      await stranger.stop()
    }
  })

  it('when its issuer is that of another trusted publisher', async () => {
    await trustGithub()
    await trusted.add('admin', {
      namespace: 'com.other',
      provider: 'gitlab',
      issuer: gitlab.url,
      claims: GITLAB_TRUST,
    })
    // The claims of the one, signed by the other: each issuer speaks for its own trusted publishers.
    expect(await refusal(exchange(await gitlab.token(githubClaims(REGISTRY))))).toBe('token-invalid')
    const forged = await gitlab.token(githubClaims(REGISTRY, { iss: github.url }))
    expect(await refusal(exchange(forged))).toBe('token-invalid')
  })

  it('when its issuer is out of reach, for the time being', async () => {
    const gone = await startCiIssuer('ES256')
    const claims = { sub: 'pipeline:7' }
    await trusted.add('admin', { namespace: NAMESPACE, provider: 'oidc', issuer: gone.url, claims })
    const token = await gone.token({ aud: REGISTRY, sub: 'pipeline:7' })
    await gone.stop()
    expect(await refusal(exchange(token))).toBe('issuer-unreachable')
  })

  it('when trusted publishers of two accounts ask for what it says', async () => {
    await trustGithub()
    await trustGithub({ namespace: 'com.other' })
    expect(await refusal(exchange(await job()))).toBe('token-invalid')
  })

  it('when its account is disabled, is no publisher any more, or lost the namespace', async () => {
    await addAccount('tired')
    await store.grantNamespace('com.tired', 'tired', 'admin')
    await trustGithub({ namespace: 'com.tired' })
    const token = await job()
    await store.updateAccount('tired', { disabled: true })
    expect(await refusal(exchange(token))).toBe('account-disabled')
    await store.updateAccount('tired', { disabled: false, roles: ['auditor'] })
    expect(await refusal(exchange(token))).toBe('account-disabled')
    await store.updateAccount('tired', { roles: ['publisher'] })
    await store.grantNamespace('com.tired', 'other', 'admin')
    expect(await refusal(exchange(token))).toBe('account-disabled')
    await store.grantNamespace('com.tired', 'tired', 'admin')
    expect((await exchange(token)).account).toBe('tired')
  })

  it('when its trusted publisher was removed', async () => {
    const { id } = await trustGithub()
    await trusted.remove('admin', id)
    expect(await refusal(exchange(await job()))).toBe('token-invalid')
  })

  async function unsigned(): Promise<string> {
    const [, payload] = (await job()).split('.')
    return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload!}.`
  }

  async function signedWithPublicKey(): Promise<string> {
    const { kty, n, e } = github.key
    const key = await importJWK({ kty: kty!, n: n!, e: e! }, 'RS256', { extractable: true })
    const pem = new TextEncoder().encode(await exportSPKI(key as CryptoKey))
    return new SignJWT(decodeJwt(await job()))
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: github.key.kid! })
      .sign(pem)
  }

  async function signed(header: { alg: string; kid?: string }, alg: string, brings = false): Promise<string> {
    const { d, p, q, dp, dq, qi, ...jwk } = await makeKey(alg)
    const key = await importJWK({ d, p, q, dp, dq, qi, ...jwk } as Parameters<typeof importJWK>[0], alg)
    return new SignJWT(decodeJwt(await job()))
      .setProtectedHeader({ typ: 'JWT', ...header, ...(brings ? { jwk } : {}) })
      .sign(key)
  }

  async function signedBy(header: { typ: string }): Promise<string> {
    const token = await job()
    return new SignJWT(decodeJwt(token))
      .setProtectedHeader({ ...decodeProtectedHeader(token), alg: 'RS256', ...header })
      .sign(await importJWK(github.key, 'RS256'))
  }

  async function spliced(): Promise<string> {
    const [header, payload] = (await job()).split('.')
    const [, , signature] = (await job({ environment: 'staging' })).split('.')
    return `${header!}.${payload!}.${signature!}`
  }
})

/** ECDSA: of (r, s) and (r, n - s) both verify, and anyone can tell one from the other. */
function otherSignature(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const end = token.lastIndexOf('.') + 1
  const signature = Buffer.from(token.slice(end), 'base64url')
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`)
  const other = (order - s).toString(16).padStart(64, '0')
  const twin = Buffer.concat([signature.subarray(0, 32), Buffer.from(other, 'hex')])
  return token.slice(0, end) + twin.toString('base64url')
}

describe('a trusted publisher', () => {
  it('is listed and removed, and both are in the audit', async () => {
    const { id } = await trustGithub({ server: `${NAMESPACE}/weather` })
    await trustGithub({ namespace: 'com.other' })
    const { rows } = await trusted.list({ namespace: NAMESPACE, limit: 10 })
    expect(rows).toMatchObject([{ id, account: 'robot', server: `${NAMESPACE}/weather`, by: 'admin' }])
    await trusted.remove('admin', id)
    expect((await trusted.list({ namespace: NAMESPACE, limit: 10 })).rows).toEqual([])
    const actions = (await store.readAudit(10, undefined, { target: id })).map(({ action }) => action)
    expect(actions).toEqual(['trust.remove', 'trust.add'])
  })

  it('is paged', async () => {
    for (let i = 0; i < 3; i++) await trustGithub()
    const first = await trusted.list({ limit: 2 })
    const second = await trusted.list({ limit: 2, after: first.next })
    expect([first.rows.length, second.rows.length, second.next]).toEqual([2, 1, undefined])
  })

  it('that is not there cannot be removed', async () => {
    expect(await refusal(trusted.remove('admin', 'tp-none'))).toBe('trusted-publisher-unknown')
  })

  it.each<[string, object, string]>([
    ['without the id of the repository', { claims: without('repository_id') }, 'trusted-publisher-invalid'],
    ['without the id of the owner', { claims: without('repository_owner_id') }, 'trusted-publisher-invalid'],
    ['without a workflow', { claims: without('workflow_ref') }, 'trusted-publisher-invalid'],
    [
      'with a name where an id belongs',
      { claims: withClaim('repository_id', 'weather') },
      'trusted-publisher-invalid',
    ],
    [
      'with a pattern where an id belongs',
      { claims: withClaim('repository_id', '7*') },
      'trusted-publisher-invalid',
    ],
    [
      'with a pattern of workflows',
      { claims: withClaim('workflow_ref', 'octo-org/weather/.github/workflows/*@refs/tags/v1') },
      'trusted-publisher-invalid',
    ],
    ['with any workflow', { claims: withClaim('workflow_ref', '**') }, 'trusted-publisher-invalid'],
    [
      'with any ref',
      { claims: withClaim('workflow_ref', 'o/w/release.yml@**') },
      'trusted-publisher-invalid',
    ],
    [
      'with the ref of a proposal',
      { claims: withClaim('workflow_ref', 'o/w/release.yml@refs/pull/1/merge') },
      'trusted-publisher-invalid',
    ],
    ['with a pattern of events', { claims: withClaim('event_name', 'pull*') }, 'trusted-publisher-invalid'],
    [
      'with a claim that is checked already',
      { claims: withClaim('aud', REGISTRY) },
      'trusted-publisher-invalid',
    ],
    [
      'with a claim in several lines',
      { claims: withClaim('environment', 'a\nb') },
      'trusted-publisher-invalid',
    ],
    ['with a name that no claim has', { claims: withClaim('a b', 'c') }, 'trusted-publisher-invalid'],
    ['with too many claims', { claims: many() }, 'trusted-publisher-invalid'],
    ['without claims', { claims: {} }, 'trusted-publisher-invalid'],
    [
      'of GitLab by names',
      { provider: 'gitlab', claims: { project_path: 'group/weather' } },
      'trusted-publisher-invalid',
    ],
    [
      'of GitLab without a ref',
      { provider: 'gitlab', claims: { project_id: '20', namespace_id: '72' } },
      'trusted-publisher-invalid',
    ],
    ['of anyone by a pattern', { provider: 'oidc', claims: { sub: 'repo:*' } }, 'trusted-publisher-invalid'],
    ['of anyone by no id', { provider: 'oidc', claims: { ref: 'main' } }, 'trusted-publisher-invalid'],
    ['of an issuer over plain HTTP', { issuer: 'http://ci.example' }, 'trusted-publisher-invalid'],
    ['of an issuer with a query', { issuer: 'https://ci.example/?a=b' }, 'trusted-publisher-invalid'],
    ['of an issuer that is no URL', { issuer: 'ci.example' }, 'trusted-publisher-invalid'],
    ['of this registry', { issuer: REGISTRY }, 'trusted-publisher-invalid'],
    [
      'of any issuer, without one',
      { provider: 'oidc', issuer: undefined, claims: { sub: 'a' } },
      'trusted-publisher-invalid',
    ],
    ['of a shared workflow that anything may call', { claims: calledFrom({}) }, 'trusted-publisher-invalid'],
    [
      'of a shared workflow that any ref may call',
      { claims: calledFrom({ ref: '**' }) },
      'trusted-publisher-invalid',
    ],
    [
      'of GitHub by rules that are weaker',
      {
        provider: 'oidc',
        issuer: 'https://token.actions.githubusercontent.com',
        claims: { actor_id: '12' },
      },
      'trusted-publisher-invalid',
    ],
    [
      'of GitLab by rules that are weaker',
      { provider: 'oidc', issuer: 'https://gitlab.com', claims: { user_id: '12' } },
      'trusted-publisher-invalid',
    ],
    ['for a server of another namespace', { server: 'com.other/weather' }, 'trusted-publisher-invalid'],
    ['for a namespace that nobody has', { namespace: 'com.nobody' }, 'trusted-publisher-invalid'],
    ['as an account that does not act there', { account: 'other' }, 'trusted-publisher-invalid'],
    ['as an account that is not there', { account: 'nobody' }, 'account-unknown'],
  ])('%s is not taken', async (_, change, code) => {
    expect(await refusal(trustGithub(change))).toBe(code)
    expect((await trusted.list({ limit: 10 })).rows).toEqual([])
  })

  it.each<[string, object]>([
    ['by the issuers it knows', { issuer: undefined }],
    ['with a pattern of branches', { claims: withClaim('workflow_ref', 'o/w/a.yml@refs/heads/release/**') }],
    [
      'with a shared workflow at a commit',
      { claims: { ...without('workflow_ref'), job_workflow_ref: `o/s/a.yml@${'a'.repeat(40)}` } },
    ],
    ['with a shared workflow, called from a release', { claims: calledFrom({ ref: 'refs/tags/v*' }) }],
    [
      'of GitLab by a ref',
      { provider: 'gitlab', claims: { project_id: '20', namespace_id: '72', ref_path: 'refs/tags/v*' } },
    ],
    ['of anyone by an id', { provider: 'oidc', claims: { organization_id: 'b6', ref: 'v*' } }],
  ])('%s is taken', async (_, change) => {
    expect((await trustGithub(change)).account).toBe('robot')
  })

  /** A workflow of another repository, which the trusted one's workflows call. */
  function calledFrom(caller: Record<string, string>): Record<string, string> {
    const ids = { repository_id: '74', repository_owner_id: '65' }
    return { ...ids, job_workflow_ref: 'o/s/a.yml@refs/heads/main', ...caller }
  }

  function without(name: keyof typeof GITHUB_TRUST): Record<string, string> {
    return Object.fromEntries(Object.entries(GITHUB_TRUST).filter(([key]) => key !== name))
  }

  function withClaim(name: string, value: string): Record<string, string> {
    return { ...GITHUB_TRUST, [name]: value }
  }

  function many(): Record<string, string> {
    const more = Array.from({ length: 17 }, (_, i) => [`claim_${i}`, 'x'] as const)
    return { ...GITHUB_TRUST, ...Object.fromEntries(more) }
  }
})

describe('a pattern', () => {
  it.each([
    ['refs/tags/v*', 'refs/tags/v1.0.0', true],
    ['refs/tags/v*', 'refs/tags/v', true],
    ['refs/tags/v*', 'refs/tags/v1/x', false],
    ['refs/tags/v*', 'refs/tags/v1@x', false],
    ['refs/tags/v*', 'xrefs/tags/v1', false],
    ['refs/heads/**', 'refs/heads/a/b@c:d', true],
    ['refs/heads/**/x', 'refs/heads/a/b/x', true],
    ['refs/heads/**/x', 'refs/heads/a/b/y', false],
    ['repo:o/*:environment:*', 'repo:o/w:environment:release', true],
    ['repo:o/*:environment:*', 'repo:o/w:ref:x:environment:release', false],
    ['a.c', 'abc', false],
    ['a+', 'aa', false],
    ['', '', true],
    ['*', '', true],
    ['***', 'a/b', true],
    ['\u{1F600}*', '\u{1F600}x', true],
  ])('%j on %j: %s', (pattern, value, expected) => {
    expect(matchesPattern(pattern, value)).toBe(expected)
  })

  it('goes forward only: stars that a search would try in every way', () => {
    const pattern = `${'a*'.repeat(150)}b`
    expect(matchesPattern(pattern, 'a'.repeat(1000))).toBe(false)
    expect(matchesPattern(pattern, `${'a'.repeat(999)}b`)).toBe(true)
  })

  it('asks for own claims: what every object has is none', () => {
    expect(matchesClaims({ constructor: '**' }, {})).toBe(false)
    expect(matchesClaims({ toString: '**' }, { sub: 'x' })).toBe(false)
    expect(matchesClaims({ a: '**' }, { a: 'x'.repeat(2000) })).toBe(false)
    expect(matchesClaims({ a: 'true' }, { a: true })).toBe(true)
  })
})
