import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addPerson,
  answerPages,
  Browser,
  discover,
  errorOf,
  INSECURE,
  refresh,
  type Person,
} from '../support/oauth.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

let at: TestRegistry
let as: oauth.AuthorizationServer
let person: Person
const cli: oauth.Client = { client_id: 'countersign-cli' }
beforeAll(async () => {
  at = await startRegistry()
  as = await discover(at.url)
  person = await addPerson(at, 'person@example.com', ['publisher', 'auditor'])
})
afterAll(async () => {
  await at.close()
})

const SCOPE = 'registry:publish registry:audit registry:admin'

async function start(
  parameters: Record<string, string> = { scope: SCOPE },
): Promise<oauth.DeviceAuthorizationResponse> {
  const response = await oauth.deviceAuthorizationRequest(as, cli, oauth.None(), parameters, INSECURE)
  return oauth.processDeviceAuthorizationResponse(as, cli, response)
}

async function poll(code: string, client = cli, options = {}): Promise<oauth.TokenEndpointResponse> {
  const response = await oauth.deviceCodeGrantRequest(as, client, oauth.None(), code, {
    ...INSECURE,
    ...options,
  })
  return oauth.processDeviceCodeResponse(as, client, response)
}

/** Types the code, compares it, logs in and agrees. */
async function connect(
  started: oauth.DeviceAuthorizationResponse,
  who = person,
  browser = new Browser(at.url),
) {
  const input = await browser.open(started.verification_uri)
  const confirm = await browser.submit(input, '/device', { user_code: started.user_code })
  expect(confirm.html).toContain(started.user_code)
  return answerPages(browser, await browser.submit(confirm, '/device', { confirm: 'yes' }), who)
}

describe('the device flow', () => {
  it('says how often to ask, and puts no code into a link', async () => {
    const started = await start()
    expect(started).toMatchObject({ verification_uri: `${at.url}/device`, interval: 5, expires_in: 600 })
    expect(started).not.toHaveProperty('verification_uri_complete')
    expect(started.user_code).toMatch(/^[B-Z]{4}-[B-Z]{4}$/)
  })

  it('ends with tokens for whoever typed the code, their scopes cut to their roles', async () => {
    const started = await start()
    const done = await connect(started)
    expect([done.status, done.url.pathname]).toEqual([200, expect.stringMatching(/^\/device\//)])
    const tokens = await poll(started.device_code)
    expect(tokens.scope).toBe('registry:publish registry:audit')
    const reply = await send(at.url, 'GET', '/v1/account', { token: tokens.access_token })
    expect(reply.body).toMatchObject({ account: person.account, clientId: 'countersign-cli' })
    const again = await refresh(as, cli, tokens.refresh_token!)
    expect(again.refresh_token).not.toBe(tokens.refresh_token)
  })

  it('takes the code in any case and without its dash', async () => {
    const started = await start()
    const typed = { ...started, user_code: started.user_code.toLowerCase().replace('-', ' ') }
    const browser = new Browser(at.url)
    const input = await browser.open(typed.verification_uri)
    const confirm = await browser.submit(input, '/device', { user_code: typed.user_code })
    expect(confirm.html).toContain(started.user_code)
  })

  it('shows what asks and from where before anything is agreed to', async () => {
    const started = await start()
    const browser = new Browser(at.url)
    const input = await browser.open(started.verification_uri)
    const confirm = await browser.submit(input, '/device', { user_code: started.user_code })
    expect(confirm.html).toContain('Countersign command line')
    expect(confirm.html).toContain('127.0.0.1')
    expect(confirm.html).toContain('registry:admin')
    expect(confirm.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('takes no code from a link', async () => {
    const started = await start()
    const page = await new Browser(at.url).open(`/device?user_code=${started.user_code}`)
    expect(page.status).toBe(200)
    expect(page.html).not.toContain(started.user_code)
  })

  it('tells the program when the person does not want it', async () => {
    const started = await start()
    const browser = new Browser(at.url)
    const input = await browser.open(started.verification_uri)
    const confirm = await browser.submit(input, '/device', { user_code: started.user_code })
    const end = await browser.submit(confirm, '/device', { abort: 'yes' })
    expect(end.status).toBe(200)
    expect(await errorOf(poll(started.device_code))).toBe('access_denied')
  })

  it('ends when the person does not agree to the scopes', async () => {
    const started = await start()
    const browser = new Browser(at.url)
    const input = await browser.open(started.verification_uri)
    const confirm = await browser.submit(input, '/device', { user_code: started.user_code })
    const login = await browser.submit(confirm, '/device', { confirm: 'yes' })
    const { login: name, password } = person
    const consent = await browser.submit(login, login.url.pathname, { login: name, password })
    await browser.submit(consent, '/abort')
    expect(await errorOf(poll(started.device_code))).toBe('access_denied')
  })
})

describe('a device code', () => {
  it('waits, and answers slow_down to who does not', async () => {
    const { device_code } = await start()
    expect(await errorOf(poll(device_code))).toBe('authorization_pending')
    // On a slow machine the seconds may be over before it asks again.
    await expect.poll(() => errorOf(poll(device_code))).toBe('slow_down')
    expect(await errorOf(poll((await start()).device_code))).toBe('authorization_pending')
  })

  it('belongs to the client that started it', async () => {
    const started = await start()
    await connect(started)
    await at.registry.store.createClient({
      ...{ clientId: 'other-device', name: 'Other', authMethod: 'none', redirectUris: [] },
      grantTypes: ['urn:ietf:params:oauth:grant-type:device_code'],
      ...{ scopes: ['registry:publish'], disabled: false, createdAt: 0 },
    })
    expect(await errorOf(poll(started.device_code, { client_id: 'other-device' }))).toBe('invalid_grant')
  })

  it('is good once', async () => {
    const started = await start()
    await connect(started)
    const all = await Promise.allSettled([poll(started.device_code), poll(started.device_code)])
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('cannot be connected a second time, by anybody', async () => {
    const started = await start()
    await connect(started)
    const browser = new Browser(at.url)
    const input = await browser.open(started.verification_uri)
    const again = await browser.submit(input, '/device', { user_code: started.user_code })
    expect(again.status).toBe(400)
  })

  it.each([['BBBB-BBBB'], [''], ['x'.repeat(64)], ['<script>']])('%s is nobody’s', async (user_code) => {
    const browser = new Browser(at.url)
    const page = await browser.submit(await browser.open('/device'), '/device', { user_code })
    expect(page.status).toBe(400)
    expect(page.html).not.toContain('<script')
  })

  it('is not taken from a form of another site', async () => {
    const started = await start()
    const browser = new Browser(at.url)
    await browser.open('/device')
    const body = new URLSearchParams({ user_code: started.user_code, xsrf: 'f'.repeat(48), confirm: 'yes' })
    const page = await browser.post(new URL('/device', at.url), body)
    expect(page.status).toBe(400)
    expect(await errorOf(poll(started.device_code))).toBe('authorization_pending')
  })

  it('is for this registry', async () => {
    expect(await errorOf(start({ scope: SCOPE, resource: 'https://elsewhere.example' }))).toBe(
      'invalid_target',
    )
  })

  it('gives nothing to an account that was disabled in the middle', async () => {
    const leaving = await addPerson(at, 'leaving', ['publisher'])
    const started = await start({ scope: 'registry:publish' })
    await connect(started, leaving)
    await at.registry.store.updateAccount(leaving.account, { disabled: true })
    expect(await errorOf(poll(started.device_code))).toBe('invalid_grant')
  })
})

describe('from one address', () => {
  it('codes can be tried as often as passwords, then a page says to wait', async () => {
    const strict = await startRegistry({ overrides: { limits: { bootstrap: { points: 3, seconds: 600 } } } })
    try {
      const browser = new Browser(strict.url)
      const statuses: number[] = []
      for (let attempt = 0; attempt < 5; attempt++) {
        const input = await browser.open('/device')
        statuses.push((await browser.submit(input, '/device', { user_code: 'BBBB-BBBB' })).status)
      }
      expect(statuses).toEqual([400, 400, 400, 429, 429])
    } finally {
      await strict.close()
    }
  })

  it('logins can be started, devices too, as often as the limit says', async () => {
    const strict = await startRegistry({ overrides: { limits: { token: { points: 4, seconds: 600 } } } })
    try {
      const statuses: number[] = []
      for (const path of [
        '/oauth/authorize',
        '/oauth/authorize',
        '/oauth/authorize',
        '/oauth/authorize',
        '/device',
      ]) {
        const response = await fetch(strict.url + path, { redirect: 'manual' })
        statuses.push(response.status)
        if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      }
      expect(statuses).toEqual([400, 400, 400, 400, 429])
      const token = await send(strict.url, 'POST', '/oauth/token')
      expect([token.status, token.body.code]).toEqual([429, 'rate-limited'])
      expect((await send(strict.url, 'GET', '/oauth/jwks')).status).toBe(200)
    } finally {
      await strict.close()
    }
  })
})

describe('what is too long', () => {
  const LONG = 'x'.repeat(5000)

  it('is refused before anything of it is kept: a page for browsers, a problem for programs', async () => {
    const page = await fetch(`${at.url}/oauth/authorize?client_id=countersign-cli&state=${LONG}`)
    expect([page.status, page.headers.get('content-type')]).toEqual([400, 'text/html; charset=utf-8'])
    const form = new URLSearchParams({ client_id: 'countersign-cli', scope: LONG }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const device = await send(at.url, 'POST', '/oauth/device', { body: form, headers })
    expect([device.status, device.body.code]).toEqual([413, 'body-too-large'])
    const token = await send(at.url, 'POST', '/oauth/token', { body: LONG.repeat(7), headers })
    expect([token.status, token.body.code]).toEqual([413, 'body-too-large'])
  })

  it('a body that does not say how long it is, too', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('client_id=countersign-cli'))
        controller.close()
      },
    })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit
    const response = await fetch(`${at.url}/oauth/device`, init)
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      400,
      'request-invalid',
    ])
  })
})
