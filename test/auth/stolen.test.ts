import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
  refresh,
  startCode,
  type Page,
} from '../support/oauth.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

// What is stolen, forged, planted or held back, and must be worth nothing.

const CLI: oauth.Client = { client_id: 'countersign-cli' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

let at: TestRegistry
let as: oauth.AuthorizationServer
let client: oauth.Client
beforeAll(async () => {
  at = await startRegistry()
  as = await discover(at.url)
  client = await addPublicClient(at, 'program')
})
afterAll(async () => {
  await at.close()
})

/** Every byte the store has written, its journal included. */
async function readDatabase(): Promise<string> {
  const dir = join(at.dir, 'data')
  const names = (await readdir(dir)).filter((name) => name.includes('.sqlite'))
  const files = await Promise.all(names.map((name) => readFile(join(dir, name), 'latin1')))
  return files.join('\n')
}

async function startDevice(): Promise<oauth.DeviceAuthorizationResponse> {
  const scope = new URLSearchParams({ scope: 'registry:publish' })
  const response = await oauth.deviceAuthorizationRequest(as, CLI, oauth.None(), scope, INSECURE)
  return oauth.processDeviceAuthorizationResponse(as, CLI, response)
}

const poll = (deviceCode: string) =>
  send(at.url, 'POST', '/oauth/token', {
    headers: FORM,
    body: new URLSearchParams({
      ...{ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: CLI.client_id },
      device_code: deviceCode,
    }).toString(),
  })

describe('a thief of the database', () => {
  it('finds no token and no code that would be taken', async () => {
    const person = await addPerson(at, 'copied', ['publisher'])
    const given = await authorize(as, client, person)
    const device = await startDevice()
    const browser = new Browser(at.url)
    const confirm = await browser.submit(await browser.open('/device'), '/device', {
      user_code: device.user_code,
    })
    const login = await browser.submit(confirm, '/device', { confirm: 'yes' })
    const { refresh_token: token = '' } = await logIn(as, client, person)
    const database = await readDatabase()
    expect(database).toContain(person.account)
    const found = [given.params.get('code')!, device.device_code, token].map((one) => database.includes(one))
    expect(found).toEqual([false, false, false])
    const rows = [...new Set(database.match(/~[A-Za-z0-9_-]{43}/g))]
    expect(rows.length).toBeGreaterThan(2)
    for (const row of rows) {
      expect(await errorOf(refresh(as, client, row))).toBe('invalid_grant')
      expect((await poll(row)).body['error']).toBe('invalid_grant')
    }
    // Nor does any of them stop working for whoever it belongs to.
    expect((await redeem(as, client, given)).access_token).toBeTypeOf('string')
    expect((await refresh(as, client, token)).access_token).toBeTypeOf('string')
    await answerPages(browser, login, person)
    expect((await poll(device.device_code)).status).toBe(200)
  })
})

describe('a login that is held back', () => {
  const loggedInOnly = async (login: string) => {
    const person = await addPerson(at, login, ['publisher'])
    const browser = new Browser(at.url)
    const page = await browser.open((await startCode(as, client)).url)
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.html)![1]!
    const body = new URLSearchParams({ csrf, login: person.login, password: person.password })
    return { person, held: await browser.post(page.url, body), browser }
  }
  it('is over when the account is signed out, though its password was right', async () => {
    const { person, browser, held } = await loggedInOnly('held')
    expect(held.url.pathname).toMatch(/^\/login\//)
    await at.registry.store.updateAccount(person.account, { tokensBefore: Math.floor(Date.now() / 1000) })
    const end = await browser.submit(held, '/consent')
    expect([end.url.origin, end.html.includes('interaction-gone')]).toEqual([at.url, true])
  })

  it('also before its browser came back with it', async () => {
    const person = await addPerson(at, 'held-longer', ['publisher'])
    const browser = new Browser(at.url, { follow: false })
    const start = await browser.open((await startCode(as, client)).url)
    const page = await browser.open(new URL(start.headers.get('location')!, at.url))
    const { login, password } = person
    const held = await browser.submit(page, page.url.pathname, { login, password })
    expect(held.status).toBe(303)
    await at.registry.store.updateAccount(person.account, { tokensBefore: Math.floor(Date.now() / 1000) })
    const end = await browser.open(new URL(held.headers.get('location')!, at.url))
    expect([end.status, end.html.includes('code=')]).toEqual([400, false])
    const later: Page = await new Browser(at.url).open((await startCode(as, client)).url)
    expect(later.html).toContain('type="password"')
  })
})

describe('a session', () => {
  interface Row {
    jti: string
    loginTs: number
    exp: number
  }
  const readSession = async (accountId: string): Promise<Row> =>
    JSON.parse((await at.registry.store.readOAuthBy('Session', 'accountId', accountId))!) as Row
  const put = (row: Row, accountId: string) =>
    at.registry.store.putOAuth('Session', row.jti, JSON.stringify(row), { accountId }, row.exp)
  const now = () => Math.floor(Date.now() / 1000)

  it('that a request writes again after its account was signed out is worth nothing', async () => {
    const person = await addPerson(at, 'resurrected', ['publisher'])
    const browser = new Browser(at.url)
    await authorize(as, client, person, { browser })
    const row = await readSession(person.account)
    await at.registry.store.updateAccount(person.account, { tokensBefore: now() + 1 })
    await put({ ...row, loginTs: row.loginTs - 1 }, person.account)
    const page = await browser.open((await startCode(as, client)).url)
    expect(page.html).toContain('type="password"')
  })

  it('ends half a day after the login, however often it is used', async () => {
    const person = await addPerson(at, 'all-day', ['publisher'])
    const browser = new Browser(at.url)
    await authorize(as, client, person, { browser })
    const row = await readSession(person.account)
    await put({ ...row, loginTs: row.loginTs - 11 * 3600 }, person.account)
    const again = await browser.open((await startCode(as, client)).url)
    expect(again.url.searchParams.has('code')).toBe(true)
    expect((await readSession(person.account)).exp).toBeLessThanOrEqual(now() + 3600)
  })

  it('that nobody logged in with is not kept longer than its page', async () => {
    const browser = new Browser(at.url)
    await browser.open('/device')
    const { exp } = JSON.parse(
      (await at.registry.store.readOAuth('Session', browser.cookie('countersign-session')!))!,
    ) as Row
    expect(exp).toBeLessThanOrEqual(now() + 1800)
  })
})

describe('a cookie', () => {
  const NAMES = { session: 'countersign-session', login: 'countersign-login' }
  const begin = async (cookie = '') => {
    const { url } = await startCode(as, client)
    return fetch(url, { redirect: 'manual', headers: { cookie } })
  }

  it('of the right name and value but without its signature is none', async () => {
    const first = await begin()
    const uid = first.headers.get('location')!.split('/').pop()!
    const unsigned = await fetch(new URL(`/login/${uid}`, at.url), {
      headers: { cookie: `${NAMES.login}=${uid}; ${NAMES.login}.sig=${'A'.repeat(27)}` },
    })
    expect([unsigned.status, (await unsigned.text()).includes('interaction-gone')]).toEqual([400, true])
    const resumed = await fetch(new URL(`/oauth/authorize/${uid}`, at.url), {
      headers: { cookie: `countersign-resume=${uid}` },
      redirect: 'manual',
    })
    expect(resumed.status).toBe(400)
  })

  it('of a session is another one once somebody is logged in', async () => {
    const person = await addPerson(at, 'fixed', ['publisher'])
    const browser = new Browser(at.url)
    await browser.open('/device')
    const planted = browser.cookie(NAMES.session)
    expect(planted).toBeTypeOf('string')
    await authorize(as, client, person, { browser })
    expect(browser.cookie(NAMES.session)).not.toBe(planted)
    // Whoever planted it is where they were: nowhere.
    const thief = await begin(`${NAMES.session}=${planted}; ${NAMES.session}.sig=${browser.cookie('x')}`)
    expect(thief.headers.get('location')).toMatch(/^\/login\//)
  })

  it('is for this host and for TLS alone where there is TLS', async () => {
    const publicUrl = 'https://registry.example'
    const tls = await startRegistry({ config: { publicUrl } })
    try {
      await addPublicClient(tls, 'program')
      const { url } = await startCode({ ...as, authorization_endpoint: `${tls.url}/oauth/authorize` }, client)
      const login = await fetch(url, { redirect: 'manual' })
      const device = await fetch(`${tls.url}/device`)
      const page = await fetch(`${tls.url}/account/password`)
      const cookies = [login, device, page].flatMap(({ headers }) => headers.getSetCookie())
      const names = cookies.map((cookie) => cookie.slice(0, cookie.indexOf('=')))
      expect(names.filter((name) => !name.endsWith('.sig')).sort()).toEqual([
        '__Host-countersign-form',
        '__Host-countersign-session',
        '__Secure-countersign-login',
        '__Secure-countersign-resume',
      ])
      for (const cookie of cookies) {
        expect(cookie).toMatch(/; *secure/i)
        expect(cookie).toMatch(/; *httponly/i)
        expect(cookie).toMatch(/; *samesite=(lax|strict)/i)
        expect(cookie).not.toMatch(/; *domain=/i)
        if (cookie.startsWith('__Host-')) expect(cookie).toMatch(/; *path=\/(;|$)/i)
      }
    } finally {
      await tls.close()
    }
  })
})

describe('an agreement', () => {
  it('is to what the page showed: a role given meanwhile is shown first', async () => {
    const person = await addPerson(at, 'promoted', ['publisher'])
    const browser = new Browser(at.url)
    const scope = 'registry:publish registry:admin'
    const started = await startCode(as, client, { scope })
    const login = await browser.open(started.url)
    const consent = await browser.submit(login, login.url.pathname, {
      login: person.login,
      password: person.password,
    })
    await at.registry.store.updateAccount(person.account, { roles: ['publisher', 'admin'] })
    const again = await browser.submit(consent, '/consent')
    expect([again.status, again.url.origin]).toEqual([200, at.url])
    const end = await browser.submit(again, '/consent')
    const params = oauth.validateAuthResponse(as, client, end.url, started.state)
    expect((await redeem(as, client, { params, started })).scope).toBe(scope)
  })
})

describe('a way back that is nearly right', () => {
  it.each([
    'http://127.0.0.1:1234@evil.example/callback',
    'http://127.0.0.1:1234%40evil.example/callback',
    'http://127.0.0.1\\@evil.example/callback',
    'http://evil.example\\@127.0.0.1/callback',
    'http://user:password@127.0.0.1:1234/callback',
    'http://127.0.0.1:1234/callback/../elsewhere',
    'http://127.0.0.1:1234/callback/',
    'http://127.0.0.1:1234/callback%2f..%2felsewhere',
    'http://127.0.0.1:1234/callback#fragment',
    'http://127.0.0.1:1234/callback?more=1',
    'http://127.0.0.1:1234//callback',
    'http://127.1:1234/callback',
    'http://2130706433:1234/callback',
    'http://0x7f.0.0.1:1234/callback',
    'http://[::ffff:127.0.0.1]:1234/callback',
    'http://[0:0:0:0:0:0:0:1]:1234/callback',
    'http://127.0.0.2:1234/callback',
    'http://127.0.0.1.:1234/callback',
    'https://127.0.0.1:1234/callback',
    'HTTP://127.0.0.1:1234/callback',
    ' http://127.0.0.1:1234/callback',
    'http://127.0.0.1:99999/callback',
    'javascript://127.0.0.1/callback%0aalert(1)',
    'data:text/html,callback',
    '//evil.example/callback',
    '/callback',
    '',
  ])('%j: a page of ours, and no redirect', async (redirectUri) => {
    const page = await new Browser(at.url).open((await startCode(as, CLI, { redirectUri })).url)
    expect([page.status, page.url.origin]).toEqual([400, at.url])
    expect(page.html).not.toContain('/login/')
  })

  it('is not followed beside the right one', async () => {
    const { url } = await startCode(as, client)
    url.searchParams.append('redirect_uri', 'https://evil.example/callback')
    const { url: end } = await new Browser(at.url).open(url)
    expect([end.origin, end.searchParams.get('error')]).toEqual([
      'https://program.example',
      'invalid_request',
    ])
  })
})
