import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createLocalJWKSet,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
} from 'jose'
import * as oauth from 'oauth4webapi'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAuth, type Auth, type AuthOptions } from '../../src/auth/auth.js'
import { AuthError } from '../../src/auth/errors.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'

// The authorization server by itself, where a whole registry would only be in the way.

const CI = 'https://ci.example'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

interface Alone {
  readonly url: string
  readonly store: Store
  readonly auth: Auth
  close(): Promise<void>
}

/** `issuer` may be https, as behind a proxy that ends TLS: what is asked is then plain, what is said is not. */
async function startAlone(change: Partial<AuthOptions> = {}): Promise<Alone> {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-oauth-'))
  const store = await openSqliteStore(join(dir, 'registry.sqlite'))
  const server: Server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const auth = await openAuth({
    ...{ store, issuer: url, identity: 'alone.example', keysDir: join(dir, 'oauth') },
    ...{ log: pino({ level: 'silent' }), issuers: { keysOf: () => createLocalJWKSet({ keys: [ciKey] }) } },
    ...change,
  })
  server.on('request', (req, res) => {
    if (auth.owns(new URL(req.url!, url).pathname)) void auth.provider(req, res)
    else if (req.url!.startsWith('/login/')) void auth.interactions.login(req, res, 'admin')
    else res.writeHead(404).end()
  })
  return {
    ...{ url, store, auth },
    async close() {
      await new Promise((done) => server.close(done))
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
}

let ciKey: JWK
let ciPrivate: CryptoKey
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  ciKey = { ...(await exportJWK(publicKey)), kid: 'ci', alg: 'ES256' }
  ciPrivate = privateKey
})

let jobs = 0
function workflow(aud: string, change: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ sub: 'repo:1', job: ++jobs, ...change })
    .setProtectedHeader({ alg: 'ES256', kid: 'ci' })
    .setIssuer(CI)
    .setAudience(aud)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(ciPrivate)
}

async function post(url: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const body = new URLSearchParams(form)
  const response = await fetch(`${url}/oauth/token`, { method: 'POST', body, headers })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

describe('token exchange', () => {
  let at: Alone
  beforeAll(async () => {
    at = await startAlone()
    await at.store.createAccount({
      ...{ account: 'ci-bot', kind: 'service', roles: ['publisher'], disabled: false, createdAt: 0 },
    })
    await at.store.grantNamespace('com.example', 'ci-bot', 'admin')
    await at.store.createTrustedPublisher({
      ...{ id: 'tp-1', namespace: 'com.example', server: 'com.example/weather', issuer: CI },
      ...{ claims: { sub: 'repo:1' }, account: 'ci-bot', by: 'admin', createdAt: 0 },
    })
  })
  afterAll(() => at.close())

  const exchange = async (
    change: Record<string, string | undefined> = {},
    headers: Record<string, string> = {},
  ) => {
    const form: Record<string, string | undefined> = {
      ...{ grant_type: EXCHANGE, client_id: 'countersign-cli', subject_token_type: ID_TOKEN },
      subject_token: await workflow(at.url),
      ...change,
    }
    const given = Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined)
    return post(at.url, Object.fromEntries(given), headers)
  }

  it('gives a token that publishes for that workflow and does nothing else', async () => {
    const { status, body } = await exchange({ scope: 'registry:publish registry:admin', resource: at.url })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      scope: 'registry:publish',
    })
    expect(body).not.toHaveProperty('refresh_token')
    expect(Number(body['expires_in'])).toBeLessThanOrEqual(300)
    expect(decodeJwt(body['access_token']!)).toMatchObject({
      ...{ aud: at.url, account: 'ci-bot', trusted_publishers: ['tp-1'], servers: ['com.example/weather'] },
      scope: 'registry:publish',
    })
    const principal = await at.auth.authenticate({
      ...{ method: 'POST', path: '/v1/manifests', dpop: undefined },
      authorization: `Bearer ${body['access_token']!}`,
    })
    expect(principal).toMatchObject({ account: 'ci-bot', publishes: { servers: ['com.example/weather'] } })
  })

  it('takes the registry’s identity as audience, and a JWT by its other name', async () => {
    const token = await workflow('alone.example')
    const jwt = 'urn:ietf:params:oauth:token-type:jwt'
    expect((await exchange({ subject_token: token, subject_token_type: jwt })).status).toBe(200)
  })

  it.each<[string, Record<string, string | undefined>, string]>([
    ['no subject token', { subject_token: undefined }, 'invalid_request'],
    ['a subject token that is no JWT', { subject_token: 'abc' }, 'invalid_request'],
    ['one that is too long', { subject_token: 'a'.repeat(16_385) }, 'invalid_request'],
    ['no type', { subject_token_type: undefined }, 'invalid_request'],
    [
      'an access token',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
      'invalid_request',
    ],
    [
      'a wish for a refresh token',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    ['an actor', { actor_token: 'x' }, 'invalid_request'],
    ['another resource', { resource: 'https://elsewhere.example' }, 'invalid_target'],
    ['another audience', { audience: 'https://elsewhere.example' }, 'invalid_target'],
    ['another scope alone', { scope: 'registry:admin' }, 'invalid_scope'],
  ])('%s is refused', async (_, change, error) => {
    const { status, body } = await exchange(change)
    expect([status, body['error']]).toEqual([400, error])
  })

  it('takes a workflow’s token once, for this registry, from a workflow that is trusted', async () => {
    const token = await workflow(at.url)
    expect((await exchange({ subject_token: token })).status).toBe(200)
    for (const subject_token of [
      token,
      await workflow('https://elsewhere.example'),
      await workflow(at.url, { sub: 'repo:2' }),
    ]) {
      const { status, body } = await exchange({ subject_token })
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
    }
  })

  it('says that an issuer cannot be reached rather than that the token is wrong', async () => {
    const keysOf = () => () => Promise.reject(new AuthError('issuer-unreachable', 'it does not answer'))
    const down = await startAlone({ issuers: { keysOf } })
    await down.store.createTrustedPublisher({
      ...{ id: 'tp-1', namespace: 'com.example', issuer: CI, claims: { sub: 'repo:1' } },
      ...{ account: 'admin', by: 'admin', createdAt: 0 },
    })
    const form = { grant_type: EXCHANGE, client_id: 'countersign-cli', subject_token_type: ID_TOKEN }
    const { status, body } = await post(down.url, { ...form, subject_token: await workflow(down.url) })
    expect([status, body['error']]).toEqual([400, 'temporarily_unavailable'])
    await down.close()
  })

  it('is the command line’s grant, and nobody else’s', async () => {
    await at.store.createClient({
      ...{ clientId: 'curious', name: 'curious', authMethod: 'none', redirectUris: [] },
      ...{ grantTypes: [EXCHANGE], scopes: ['registry:publish'], disabled: false, createdAt: 0 },
    })
    const { status, body } = await exchange({ client_id: 'curious' })
    expect([status, body['error']]).toEqual([400, 'invalid_request'])
  })

  describe('with DPoP', () => {
    const make = async (change: Record<string, unknown> = {}, header: Record<string, unknown> = {}) => {
      const { privateKey, publicKey } = await oauth.generateKeyPair('ES256')
      const jwk = await exportJWK(publicKey)
      const iat = Math.floor(Date.now() / 1000)
      return new SignJWT({ htm: 'POST', htu: `${at.url}/oauth/token`, iat, jti: `j${++jobs}`, ...change })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey)
    }

    it('the token is bound to the key of the proof', async () => {
      const { body } = await exchange({}, { dpop: await make() })
      expect(body['token_type']).toBe('DPoP')
      expect(decodeJwt(body['access_token']!)).toMatchObject({ cnf: { jkt: expect.any(String) as string } })
    })

    it('a proof is good once', async () => {
      const dpop = await make()
      expect((await exchange({}, { dpop })).status).toBe(200)
      expect((await exchange({}, { dpop })).body['error']).toBe('invalid_dpop_proof')
    })

    it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
      ['for another endpoint', { htu: 'https://elsewhere.example/oauth/token' }, {}],
      ['for another method', { htm: 'GET' }, {}],
      ['from long ago', { iat: 1_700_000_000 }, {}],
      ['without an id', { jti: '' }, {}],
      ['of another type', {}, { typ: 'JWT' }],
    ])('a proof %s is refused', async (_, claims, header) => {
      const { status, body } = await exchange({}, { dpop: await make(claims, header) })
      expect([status, body['error']]).toEqual([400, 'invalid_dpop_proof'])
    })

    it('a proof that is no JWT is refused, and the workflow’s token is not used up by it', async () => {
      const subject_token = await workflow(at.url)
      expect((await exchange({ subject_token }, { dpop: 'abc' })).body['error']).toBe('invalid_dpop_proof')
      expect((await exchange({ subject_token }, { dpop: await make() })).status).toBe(200)
    })
  })
})

describe('with an external issuer', () => {
  let at: Alone
  beforeAll(async () => {
    at = await startAlone({
      external: { url: 'https://login.example', audience: 'https://registry.example', algorithms: ['ES256'] },
    })
  })
  afterAll(() => at.close())

  it('the metadata names what machines can do, and nothing of logins', async () => {
    const response = await fetch(`${at.url}/.well-known/oauth-authorization-server`)
    const metadata = (await response.json()) as Record<string, unknown>
    expect(metadata['grant_types_supported']).toEqual(['client_credentials', EXCHANGE])
    expect(metadata['response_types_supported']).toEqual([])
    expect(metadata['token_endpoint']).toBe(`${at.url}/oauth/token`)
    const logins = [
      'authorization_endpoint',
      'device_authorization_endpoint',
      'revocation_endpoint',
      'code_challenge_methods_supported',
    ]
    expect(logins.filter((name) => name in metadata)).toEqual([])
  })

  it.each([
    ['/oauth/authorize'],
    ['/oauth/device'],
    ['/device'],
    ['/oauth/revoke'],
    ['/oauth/authorize/abc'],
    ['/device/abc'],
  ])('there is no %s', async (path) => {
    expect((await fetch(at.url + path)).status).toBe(404)
  })

  it.each([['authorization_code'], ['refresh_token'], ['urn:ietf:params:oauth:grant-type:device_code']])(
    'no grant %s',
    async (grant_type) => {
      const { status, body } = await post(at.url, { grant_type, client_id: 'countersign-cli', code: 'x' })
      expect([status, body['error']]).toEqual([400, 'unsupported_grant_type'])
    },
  )

  it('services get their tokens here', async () => {
    const { clientId, clientSecret } = await at.auth.bootstrap({
      account: 'admin',
      password: at.auth.oneTimePassword!,
    })
    const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
    const form = { grant_type: 'client_credentials', scope: 'registry:audit' }
    expect((await post(at.url, form, { authorization })).status).toBe(200)
  })
})

describe('behind TLS', () => {
  let at: Alone
  beforeAll(async () => {
    at = await startAlone({ issuer: 'https://registry.example' })
    await at.store.createClient({
      ...{ clientId: 'web', name: 'web', authMethod: 'none', redirectUris: ['https://program.example/cb'] },
      ...{ grantTypes: ['authorization_code'], scopes: ['registry:audit'], disabled: false, createdAt: 0 },
    })
  })
  afterAll(() => at.close())

  it('every cookie is for https alone, the session’s for this host alone', async () => {
    const query = new URLSearchParams({
      ...{ client_id: 'web', response_type: 'code', scope: 'registry:audit', code_challenge_method: 'S256' },
      ...{ redirect_uri: 'https://program.example/cb', code_challenge: 'x'.repeat(43) },
    })
    const ask = (path: string, cookies: readonly string[]) => {
      const cookie = cookies.map((line) => line.slice(0, line.indexOf(';'))).join('; ')
      return fetch(at.url + path, { redirect: 'manual', headers: { cookie } })
    }
    const started = await ask(`/oauth/authorize?${query.toString()}`, [])
    const path = new URL(started.headers.get('location')!, at.url).pathname
    const first = started.headers.getSetCookie()
    const loggedIn = await ask(path, first)
    const resumed = await ask(new URL(loggedIn.headers.get('location')!).pathname, first)
    const all = [...first, ...resumed.headers.getSetCookie()]
    const session = all.filter((line) => line.startsWith('__Host-countersign-session='))
    expect(session).toHaveLength(1)
    expect(session[0]).toMatch(/; path=\/;/i)
    expect(session[0]).not.toMatch(/; *(domain|expires)=/i)
    for (const cookie of all) expect(cookie).toMatch(/^__(Secure|Host)-countersign-/)
    for (const cookie of all) expect(cookie).toMatch(/; secure/i)
  })
})

describe('the log', () => {
  it('has the codes of refusals and nothing that was sent or given', async () => {
    const lines: string[] = []
    const at = await startAlone({
      log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    })
    const { clientId, clientSecret } = await at.auth.bootstrap({
      account: 'admin',
      password: at.auth.oneTimePassword!,
    })
    const secret = clientSecret!
    const secrets = [secret, 'not-the-secret', 'refresh-me', 'code-of-mine']
    const form = { grant_type: 'client_credentials', client_id: clientId, scope: 'registry:audit' }
    const { body } = await post(at.url, { ...form, client_secret: secret })
    await post(at.url, { ...form, client_secret: 'not-the-secret' })
    const cli = { client_id: 'countersign-cli' }
    await post(at.url, { ...cli, grant_type: 'refresh_token', refresh_token: 'refresh-me' })
    await post(at.url, { ...cli, grant_type: 'authorization_code', code: 'code-of-mine', redirect_uri: 'x' })
    await at.close()
    const text = lines.join('')
    expect(text).toContain('invalid_client')
    expect(text).toContain('invalid_grant')
    for (const word of [...secrets, body['access_token']!]) expect(text).not.toContain(word)
  })
})
