import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeJwt } from 'jose'
import {
  addPerson,
  addPublicClient,
  answerPages,
  authorize,
  Browser,
  discover,
  errorOf,
  INSECURE,
  logIn,
  redeem,
  REDIRECT,
  refresh,
  startCode,
  type Person,
} from '../support/oauth.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

let at: TestRegistry
let as: oauth.AuthorizationServer
let client: oauth.Client
let other: oauth.Client
let person: Person
let auditor: Person
beforeAll(async () => {
  at = await startRegistry()
  as = await discover(at.url)
  client = await addPublicClient(at, 'program-one')
  other = await addPublicClient(at, 'program-two')
  person = await addPerson(at, 'person@example.com', ['publisher', 'auditor'])
  auditor = await addPerson(at, 'auditor@example.com', ['auditor'])
})
afterAll(async () => {
  await at.close()
})

const audit = (token: string) => send(at.url, 'GET', '/v1/audit', { token })
const who = (token: string) => send(at.url, 'GET', '/v1/account', { token })

describe('what the authorization server says of itself', () => {
  it('is true, in both places', async () => {
    const oidc = await send(at.url, 'GET', '/.well-known/openid-configuration')
    expect(oidc.body).toEqual(as)
    expect(as).toMatchObject({
      issuer: at.url,
      authorization_endpoint: `${at.url}/oauth/authorize`,
      token_endpoint: `${at.url}/oauth/token`,
      device_authorization_endpoint: `${at.url}/oauth/device`,
      revocation_endpoint: `${at.url}/oauth/revoke`,
      jwks_uri: `${at.url}/oauth/jwks`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
      authorization_response_iss_parameter_supported: true,
    })
    expect([...as.grant_types_supported!].sort()).toEqual([
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ])
    const absent = [
      'registration_endpoint',
      'introspection_endpoint',
      'userinfo_endpoint',
      'end_session_endpoint',
    ]
    expect(absent.filter((name) => name in as)).toEqual([])
  })

  it.each([
    ['/oauth/register'],
    ['/oauth/introspect'],
    ['/oauth/session/end/confirm'],
    ['/oauth/userinfo'],
    ['/oauth'],
  ])('and there is nothing at %s', async (path) => {
    const reply = await send(at.url, 'GET', path)
    expect([reply.status, reply.body.code]).toEqual([404, 'not-found'])
  })
})

describe('authorization code with PKCE', () => {
  it('ends with tokens that speak for the person', async () => {
    const tokens = await logIn(as, client, person, { scope: 'registry:publish registry:audit' })
    expect(tokens).toMatchObject({
      token_type: 'bearer',
      expires_in: 600,
      scope: 'registry:publish registry:audit',
    })
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: person.account,
      aud: at.url,
      client_id: client.client_id,
      grant: expect.any(String) as string,
    })
    expect((await audit(tokens.access_token)).status).toBe(200)
    expect((await who(tokens.access_token)).body).toMatchObject({
      account: person.account,
      login: 'person@example.com',
    })
  })

  it('cuts the scopes that the account has no role for', async () => {
    const tokens = await logIn(as, client, auditor, {
      scope: 'registry:audit registry:admin registry:publish',
    })
    expect(tokens.scope).toBe('registry:audit')
  })

  it('cuts the scopes that the client may not have', async () => {
    const narrow = await addPublicClient(at, 'program-narrow', { scopes: ['registry:audit'] })
    const tokens = await logIn(as, narrow, person, { scope: 'registry:publish registry:audit' })
    expect(tokens.scope).toBe('registry:audit')
  })

  it('gives nothing when nothing is left', async () => {
    expect(await errorOf(authorize(as, client, auditor, { request: { scope: 'registry:admin' } }))).toBe(
      'access_denied',
    )
  })

  it('cuts them again at each refresh, by the roles of that moment', async () => {
    const changing = await addPerson(at, 'changing', ['publisher', 'auditor'])
    const tokens = await logIn(as, client, changing, { scope: 'registry:publish registry:audit' })
    await at.registry.store.updateAccount(changing.account, { roles: ['auditor'] })
    expect((await refresh(as, client, tokens.refresh_token!)).scope).toBe('registry:audit')
  })

  it('takes the resource with and without its slash, and knows no other', async () => {
    expect((await logIn(as, client, person, { resource: at.url })).scope).toBe('registry:publish')
    const given = await authorize(as, client, person, { request: { resource: `${at.url}/` } })
    const tokens = await redeem(as, client, given, { additionalParameters: { resource: `${at.url}/` } })
    expect(decodeJwt(tokens.access_token).aud).toBe(at.url)
    const elsewhere = { resource: 'https://elsewhere.example' }
    expect(await errorOf(authorize(as, client, person, { request: elsewhere }))).toBe('invalid_target')
    const mixed = await authorize(as, client, person)
    expect(await errorOf(redeem(as, client, mixed, { additionalParameters: elsewhere }))).toBe(
      'invalid_target',
    )
  })

  it('gives an id token when it is asked for one', async () => {
    const tokens = await logIn(as, client, person, { scope: 'openid registry:publish' })
    expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({
      sub: person.account,
      aud: client.client_id,
    })
    expect(tokens.scope).toBe('registry:publish')
  })
})

describe('the login pages', () => {
  it('are asked once a browser, and consent once a client and scope', async () => {
    const browser = new Browser(at.url)
    await authorize(as, client, person, { browser })
    const again = await browser.open((await startCode(as, client)).url)
    expect([again.url.origin, again.url.searchParams.has('code')]).toEqual(['https://program.example', true])
    const more = await browser.open((await startCode(as, client, { scope: 'registry:audit' })).url)
    expect(more.html).toMatch(/action="\/login\/[^"]+\/consent"/)
    const stranger = await browser.open((await startCode(as, other)).url)
    expect(stranger.html).toMatch(/action="\/login\/[^"]+\/consent"/)
  })

  it('are asked every time for a program of this machine', async () => {
    const redirectUri = 'http://127.0.0.1:4711/callback'
    const cli = { client_id: 'countersign-cli' }
    const browser = new Browser(at.url)
    const first = await authorize(as, cli, person, { request: { redirectUri }, browser })
    expect((await redeem(as, cli, first, { redirectUri })).scope).toBe('registry:publish')
    const again = await browser.open((await startCode(as, cli, { redirectUri })).url)
    expect(again.html).toMatch(/action="\/login\/[^"]+\/consent"/)
  })

  it.each([
    ['prompt', 'login'],
    ['max_age', '0'],
  ])('ask for the password again with %s=%s', async (name, value) => {
    const browser = new Browser(at.url)
    await authorize(as, client, person, { browser })
    const request = { scope: 'openid registry:publish', extra: { [name]: value } }
    const started = await startCode(as, client, request)
    const page = await browser.open(started.url)
    expect(page.html).toContain('type="password"')
    const end = await answerPages(browser, page, person)
    expect(end.url.searchParams.has('code')).toBe(true)
  })

  it('let another person log in where somebody was, without a script', async () => {
    const browser = new Browser(at.url)
    await authorize(as, client, person, { browser })
    const request = { scope: 'registry:audit', extra: { prompt: 'login' } }
    const given = await authorize(as, client, auditor, { request, browser })
    const tokens = await redeem(as, client, given)
    expect(decodeJwt(tokens.access_token).sub).toBe(auditor.account)
  })

  it('set cookies that no script reads and no other site sends along', async () => {
    const started = await startCode(as, client)
    const response = await fetch(started.url, { redirect: 'manual' })
    const cookies = response.headers.getSetCookie()
    expect(cookies.length).toBeGreaterThan(1)
    for (const cookie of cookies) expect(cookie).toMatch(/httponly/i)
    for (const cookie of cookies) expect(cookie).toMatch(/samesite=lax/i)
  })

  it('tell the program when the person does not agree', async () => {
    const browser = new Browser(at.url)
    const started = await startCode(as, client)
    const login = await browser.open(started.url)
    const { login: name, password } = person
    const consent = await browser.submit(login, login.url.pathname, { login: name, password })
    const end = await browser.submit(consent, '/abort')
    expect(end.url.searchParams.get('error')).toBe('access_denied')
    expect(end.url.searchParams.get('state')).toBe(started.state)
  })
})

describe('another browser, another moment', () => {
  it('cannot answer a login that is not its own', async () => {
    const page = await new Browser(at.url).open((await startCode(as, client)).url)
    const stranger = await new Browser(at.url).open(page.url)
    expect(stranger.status).toBe(400)
    expect(stranger.html).toContain('interaction-gone')
  })

  it('cannot answer a login twice', async () => {
    const browser = new Browser(at.url)
    const page = await browser.open((await startCode(as, client)).url)
    await answerPages(browser, page, person)
    expect((await browser.open(page.url)).html).toContain('interaction-gone')
  })

  it('cannot agree before it has logged in', async () => {
    const browser = new Browser(at.url)
    const page = await browser.open((await startCode(as, client)).url)
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.html)![1]!
    const url = new URL(`${page.url.pathname}/consent`, at.url)
    const forged = await browser.post(url, new URLSearchParams({ csrf }))
    expect(forged.url.origin).toBe(at.url)
    expect(forged.html).not.toContain('code=')
  })

  it('does not get in as an account that was disabled in the middle', async () => {
    const leaving = await addPerson(at, 'leaving', ['publisher'])
    const browser = new Browser(at.url)
    const page = await browser.open((await startCode(as, client)).url)
    const { login, password } = leaving
    const consent = await browser.submit(page, page.url.pathname, { login, password })
    await at.registry.store.updateAccount(leaving.account, { disabled: true })
    const end = await browser.submit(consent, '/consent')
    expect(end.url.origin).toBe(at.url)
    const later = await browser.open((await startCode(as, client)).url)
    expect(later.html).toContain('type="password"')
  })

  it('a code of an account that was disabled since is worth nothing, and neither are its tokens', async () => {
    const leaving = await addPerson(at, 'left', ['publisher', 'auditor'])
    const tokens = await logIn(as, client, leaving, { scope: 'registry:audit' })
    const given = await authorize(as, client, leaving)
    await at.registry.store.updateAccount(leaving.account, { disabled: true })
    expect(await errorOf(redeem(as, client, given))).toBe('invalid_grant')
    expect(await errorOf(refresh(as, client, tokens.refresh_token!))).toBe('invalid_grant')
    expect((await audit(tokens.access_token)).body.code).toBe('account-disabled')
  })
})

describe('a request that is wrong about where to send the browser', () => {
  it.each([
    ['another host', 'https://evil.example/callback'],
    ['another path', 'https://program.example/callback/..'],
    ['a longer path', 'https://program.example/callback?x=1'],
    ['another scheme', 'http://program.example/callback'],
    ['a loopback port the client never named', 'http://127.0.0.1:1/callback'],
  ])('%s: a page, and no redirect', async (_, redirectUri) => {
    const page = await new Browser(at.url).open((await startCode(as, client, { redirectUri })).url)
    expect([page.status, page.url.origin]).toEqual([400, at.url])
    expect(page.html).toContain('invalid_redirect_uri')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('the command line: any port of this machine, no other path or host', async () => {
    const cli = { client_id: 'countersign-cli' }
    const open = async (redirectUri: string) =>
      (await new Browser(at.url).open((await startCode(as, cli, { redirectUri })).url)).status
    expect(await open('http://127.0.0.1:50123/callback')).toBe(200)
    expect(await open('http://[::1]:50123/callback')).toBe(200)
    expect(await open('http://127.0.0.1:50123/elsewhere')).toBe(400)
    expect(await open('http://localhost:50123/callback')).toBe(400)
    expect(await open('http://127.0.0.1.evil.example/callback')).toBe(400)
  })

  it('a client that is not known: a page', async () => {
    const page = await new Browser(at.url).open((await startCode(as, { client_id: 'nobody' })).url)
    expect([page.status, page.url.origin]).toEqual([400, at.url])
    expect(page.html).toContain('invalid_client')
  })
})

describe('what this server does not do', () => {
  it.each([
    ['response_type', 'token', 'error=invalid_request'],
    ['response_type', 'id_token', 'error=invalid_request'],
    ['response_mode', 'form_post', 'invalid_request'],
    ['response_mode', 'fragment', 'invalid_request'],
    ['request', 'e30.e30.', 'request_not_supported'],
    ['request_uri', 'https://program.example/request', 'request_uri_not_supported'],
  ])('%s=%s', async (name, value, error) => {
    const { url } = await startCode(as, client)
    url.searchParams.set(name, value)
    const page = await new Browser(at.url).open(url)
    // Back to the program where that can be done by a redirect, else a page.
    const told = page.url.origin === at.url ? page.html : `${page.url.search}${page.url.hash}${page.html}`
    expect(told).toContain(error)
    expect(told).not.toContain('code=')
  })
})

describe('PKCE', () => {
  it.each<[string, Record<string, string>]>([
    ['missing', { code_challenge: '', code_challenge_method: '' }],
    ['plain', { code_challenge_method: 'plain' }],
    ['without its method', { code_challenge_method: '' }],
  ])('%s is refused', async (_, change) => {
    const { url } = await startCode(as, client)
    for (const [name, value] of Object.entries(change)) {
      if (value === '') url.searchParams.delete(name)
      else url.searchParams.set(name, value)
    }
    const page = await new Browser(at.url).open(url)
    expect(page.url.searchParams.get('error')).toBe('invalid_request')
  })

  it('wants the right verifier', async () => {
    const given = await authorize(as, client, person)
    const wrong = { ...given, started: { ...given.started, verifier: oauth.generateRandomCodeVerifier() } }
    expect(await errorOf(redeem(as, client, wrong))).toBe('invalid_grant')
  })
})

describe('a code', () => {
  it('is good once, and used twice it ends what it gave', async () => {
    const given = await authorize(as, client, person, { request: { scope: 'registry:audit' } })
    const tokens = await redeem(as, client, given)
    expect((await audit(tokens.access_token)).status).toBe(200)
    expect(await errorOf(redeem(as, client, given))).toBe('invalid_grant')
    expect((await audit(tokens.access_token)).body.code).toBe('token-invalid')
    expect(await errorOf(refresh(as, client, tokens.refresh_token!))).toBe('invalid_grant')
  })

  it('is good once, also when it comes many times at once', async () => {
    const given = await authorize(as, client, person)
    const all = await Promise.allSettled(Array.from({ length: 6 }, () => redeem(as, client, given)))
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })

  it('belongs to its client', async () => {
    const given = await authorize(as, client, person)
    expect(await errorOf(redeem(as, other, { ...given, params: given.params }))).toBe('invalid_grant')
  })

  it('belongs to its redirect URI', async () => {
    const given = await authorize(as, client, person)
    expect(await errorOf(redeem(as, client, given, { redirectUri: `${REDIRECT}/` }))).toBe('invalid_grant')
  })
})

describe('a refresh token', () => {
  it('changes with every use', async () => {
    const first = await logIn(as, client, person, { scope: 'registry:audit' })
    const second = await refresh(as, client, first.refresh_token!)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect((await audit(second.access_token)).status).toBe(200)
  })

  it('used again ends its whole family, access tokens included', async () => {
    const first = await logIn(as, client, person, { scope: 'registry:audit' })
    const second = await refresh(as, client, first.refresh_token!)
    expect(await errorOf(refresh(as, client, first.refresh_token!))).toBe('invalid_grant')
    expect(await errorOf(refresh(as, client, second.refresh_token!))).toBe('invalid_grant')
    for (const { access_token } of [first, second]) {
      expect((await audit(access_token)).body.code).toBe('token-invalid')
    }
  })

  it('used twice at once gives at most one new one', async () => {
    const { refresh_token } = await logIn(as, client, person)
    const all = await Promise.allSettled([1, 2, 3, 4].map(() => refresh(as, client, refresh_token!)))
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })

  it('belongs to its client, and the other one cannot end it either', async () => {
    const { refresh_token } = await logIn(as, client, person)
    expect(await errorOf(refresh(as, other, refresh_token!))).toBe('invalid_grant')
    await oauth.revocationRequest(as, other, oauth.None(), refresh_token!, INSECURE)
    expect((await refresh(as, client, refresh_token!)).access_token).toBeTruthy()
  })

  it('cannot ask for more than it was given for', async () => {
    const { refresh_token } = await logIn(as, client, person, { scope: 'registry:publish' })
    const more = { additionalParameters: { scope: 'registry:publish registry:audit' } }
    expect(await errorOf(refresh(as, client, refresh_token!, more))).toBe('invalid_scope')
  })

  it('revoked, takes the access tokens with it, and other programs stay', async () => {
    const browser = new Browser(at.url)
    const request = { scope: 'registry:audit' }
    const one = await redeem(as, client, await authorize(as, client, person, { request, browser }))
    const two = await redeem(as, other, await authorize(as, other, person, { request, browser }))
    const reply = await oauth.revocationRequest(as, client, oauth.None(), one.refresh_token!, INSECURE)
    await oauth.processRevocationResponse(reply)
    expect((await audit(one.access_token)).body.code).toBe('token-invalid')
    expect(await errorOf(refresh(as, client, one.refresh_token!))).toBe('invalid_grant')
    expect((await audit(two.access_token)).status).toBe(200)
  })
})
