import { request } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { openCsrf } from '../../src/http/pages/csrf.js'
import { PASSWORD, startPages, UID, type PagesServer, type PagesServerOptions } from './memory.js'

const LOGIN = `/login/${UID}`
const INTERACTION = `interaction=${UID}`
const NEW = 'a new password of mine'

interface Sent {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Headers of `fetch` are not all ours to set: Origin and Sec-Fetch-Site are what these tests are about. */
async function send(
  url: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const req = request(url + path, { method, headers }, (res) => {
      const parts: Buffer[] = []
      res.on('data', (part: Buffer) => parts.push(part))
      res.on('error', reject)
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(parts).toString() }),
      )
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** A browser's visit: the page, its cookie, and the token of the form that posts to `action`. */
interface Opened {
  readonly page: Sent
  readonly cookie: string
  readonly csrf: string
}

async function open(url: string, path: string, action = path, cookie?: string): Promise<Opened> {
  const sent = cookie === undefined ? INTERACTION : `${INTERACTION}; ${cookie}`
  const page = await send(url, 'GET', path, { cookie: sent })
  const set = page.headers['set-cookie']?.[0]
  const pair = cookie ?? set?.split(';')[0] ?? ''
  return { page, cookie: pair, csrf: tokenOf(page.text, action) }
}

function tokenOf(page: string, action: string): string {
  const form = page.split('<form ').find((part) => part.includes(`action="${action}"`)) ?? ''
  return /name="csrf" value="([^"]+)"/.exec(form)?.[1] ?? ''
}

interface Post {
  readonly fields: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Takes these headers away. */
  readonly without?: readonly string[]
}

/** A form as a browser posts it: opened, filled in, sent from its own origin. */
async function submit(
  url: string,
  path: string,
  { fields, headers, without = [] }: Post,
  from = path,
): Promise<Sent> {
  const { cookie, csrf } = await open(url, from, path)
  return post(url, path, { csrf, ...fields }, cookie, headers, without)
}

async function post(
  url: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  cookie: string,
  headers: Readonly<Record<string, string>> = {},
  without: readonly string[] = [],
): Promise<Sent> {
  const all: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    cookie: `${INTERACTION}; ${cookie}`,
    origin: url,
    'sec-fetch-site': 'same-origin',
    ...headers,
  }
  const sent = Object.entries(all).filter(([name]) => !without.includes(name))
  return send(url, 'POST', path, Object.fromEntries(sent), new URLSearchParams(fields).toString())
}

const codeOf = ({ text }: Sent): string | undefined => /<code>([a-z-]+)<\/code>/.exec(text)?.[1]
const RIGHT = { login: 'member', password: PASSWORD }

let pages: PagesServer

beforeAll(async () => {
  pages = await startPages()
})
beforeEach(() => {
  pages.deeds.length = 0
})
afterAll(() => pages.close())

async function start(options: PagesServerOptions): Promise<PagesServer> {
  const server = await startPages(options)
  onTestFinished(() => server.close())
  return server
}

describe('a form of this browser and this registry', () => {
  it('is taken', async () => {
    const { url, deeds } = await start({})
    const sent = await submit(url, LOGIN, { fields: RIGHT })
    expect(sent.status).toBe(303)
    expect(deeds.map(([name]) => name)).toEqual(['checkPassword', 'login'])
  })

  it.each([
    ['no Origin, but Sec-Fetch-Site', ['origin']],
    ['no Sec-Fetch-Site, but Origin', ['sec-fetch-site']],
  ])('is taken with %s', async (_what, without) => {
    const sent = await submit(pages.url, '/account/recover', { fields: { code: 'x' }, without })
    expect(sent.status).toBe(400)
    expect(codeOf(sent)).toBeUndefined()
  })
})

describe('a form from elsewhere is refused, and nothing is looked at', () => {
  it.each([
    ['a foreign origin', { origin: 'https://evil.example' }, []],
    ['the same host at another port', { origin: 'http://127.0.0.1:1' }, []],
    ['a sandboxed frame', { origin: 'null' }, []],
    ['another site', { 'sec-fetch-site': 'cross-site' }, []],
    ['another subdomain', { 'sec-fetch-site': 'same-site' }, []],
    ['nowhere (typed address)', { 'sec-fetch-site': 'none' }, []],
    ['a program that says neither', {}, ['origin', 'sec-fetch-site']],
  ])('%s', async (_what, headers, without) => {
    for (const path of [LOGIN, '/account/password', '/account/recover', '/account/invitation']) {
      const sent = await submit(pages.url, path, {
        fields: { ...RIGHT, code: 'right-code' },
        headers,
        without,
      })
      expect([sent.status, codeOf(sent)], path).toEqual([403, 'form-refused'])
    }
    expect(pages.deeds).toEqual([])
  })

  it.each([
    ['missing', () => ''],
    ['malformed', () => 'x'],
    ['forged', (token: string) => `${token.slice(0, 23)}${'A'.repeat(43)}`],
    ['cut', (token: string) => token.slice(0, -1)],
    ['of another nonce', (token: string) => `${'A'.repeat(22)}${token.slice(22)}`],
  ])('a token that is %s', async (_what, change) => {
    const { csrf, cookie } = await open(pages.url, LOGIN)
    const sent = await post(pages.url, LOGIN, { ...RIGHT, csrf: change(csrf) }, cookie)
    expect([sent.status, codeOf(sent)]).toEqual([403, 'form-refused'])
    expect(pages.deeds).toEqual([])
  })

  it('a token of another form of the same browser', async () => {
    const { csrf, cookie } = await open(pages.url, '/account/recover')
    const sent = await post(pages.url, LOGIN, { ...RIGHT, csrf }, cookie)
    expect([sent.status, codeOf(sent)]).toEqual([403, 'form-refused'])
  })

  it('a token of another browser', async () => {
    const [mine, theirs] = [await open(pages.url, LOGIN), await open(pages.url, LOGIN)]
    const sent = await post(pages.url, LOGIN, { ...RIGHT, csrf: mine.csrf }, theirs.cookie)
    expect([sent.status, codeOf(sent)]).toEqual([403, 'form-refused'])
  })

  it.each([
    ['no cookie', () => 'other=1'],
    ['a cookie of another kind', () => 'countersign-form=short'],
    ['two cookies, one of them planted', (cookie: string) => `${cookie}; countersign-form=${'A'.repeat(43)}`],
  ])('%s', async (_what, change) => {
    const { csrf, cookie } = await open(pages.url, LOGIN)
    const sent = await post(pages.url, LOGIN, { ...RIGHT, csrf }, change(cookie))
    expect([sent.status, codeOf(sent)]).toEqual([403, 'form-refused'])
  })

  it('offers to open the page again, and then it works', async () => {
    const { url } = await start({})
    const refused = await post(url, LOGIN, RIGHT, '')
    expect(refused.text).toContain(`href="${LOGIN}"`)
    expect((await submit(url, LOGIN, { fields: RIGHT })).status).toBe(303)
  })
})

describe('the cookie of forms', () => {
  it('is for this host, for no script, for no other site, and is kept', async () => {
    const { page, cookie } = await open(pages.url, LOGIN)
    expect(page.headers['set-cookie']).toEqual([`${cookie}; Path=/; HttpOnly; SameSite=Strict`])
    const again = await open(pages.url, LOGIN, LOGIN, cookie)
    expect(again.page.headers['set-cookie']).toBeUndefined()
    expect(again.csrf).not.toBe('')
  })

  it('has the host prefix where there is https', async () => {
    const { url } = await start({ publicUrl: 'https://registry.example' })
    const { page } = await open(url, LOGIN)
    expect(page.headers['set-cookie']?.[0]).toMatch(
      /^__Host-countersign-form=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    )
  })
})

describe('a body', () => {
  const bodies = [LOGIN, '/account/password', '/account/recover', '/account/invitation']

  it.each(bodies)('of more than 8 KiB is refused at %s', async (path) => {
    const sent = await submit(pages.url, path, { fields: { ...RIGHT, more: 'x'.repeat(8 * 1024) } })
    expect([sent.status, codeOf(sent)]).toEqual([413, 'body-too-large'])
    expect(pages.deeds).toEqual([])
  })

  it.each(['application/json', 'multipart/form-data; boundary=x', 'text/plain'])(
    'as %s is refused',
    async (type) => {
      const sent = await submit(pages.url, LOGIN, { fields: RIGHT, headers: { 'content-type': type } })
      expect([sent.status, codeOf(sent)]).toEqual([415, 'media-type-unsupported'])
    },
  )

  it('that is compressed is refused', async () => {
    const sent = await submit(pages.url, LOGIN, { fields: RIGHT, headers: { 'content-encoding': 'gzip' } })
    expect(sent.status).toBe(415)
  })

  it('with a field twice is refused', async () => {
    const { csrf, cookie } = await open(pages.url, LOGIN)
    const headers = {
      ...{ 'content-type': 'application/x-www-form-urlencoded', cookie: `${INTERACTION}; ${cookie}` },
      origin: pages.url,
    }
    const body = `csrf=${csrf}&login=member&login=leaver&password=x`
    const sent = await send(pages.url, 'POST', LOGIN, headers, body)
    expect([sent.status, codeOf(sent)]).toEqual([400, 'request-invalid'])
    expect(pages.deeds).toEqual([])
  })

  it('of a flood is refused before it is read', async () => {
    const { url, deeds } = await start({ rate: { points: 2, seconds: 60 } })
    const send = () => submit(url, LOGIN, { fields: { login: 'leaver', password: 'wrong' } })
    expect([(await send()).status, (await send()).status]).toEqual([401, 401])
    const refused = await send()
    expect([refused.status, codeOf(refused)]).toEqual([429, 'rate-limited'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(deeds).toHaveLength(2)
  })
})

describe('what tells nothing about an account', () => {
  const bare = ({ text }: Sent, login: string): string =>
    text.replace(/name="csrf" value="[^"]+"/, '').replaceAll(`value="${login}"`, '')

  it('unknown, disabled and wrong password: the same bytes but for the token', async () => {
    const attempts = [
      ['member', 'a wrong password'],
      ['leaver', PASSWORD],
      ['nobody', 'any password'],
    ] as const
    const answers = await Promise.all(
      attempts.map(async ([login, password]) => {
        const sent = await submit(pages.url, LOGIN, { fields: { login, password } })
        const its = Object.entries(sent.headers).filter(
          ([name]) => !/^(set-cookie|date|x-request-id)$/.test(name),
        )
        return { status: sent.status, headers: Object.fromEntries(its), page: bare(sent, login) }
      }),
    )
    expect(answers[0]?.status).toBe(401)
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('locked: when to come again and how to recover, whoever it is', async () => {
    const sent = await submit(pages.url, LOGIN, { fields: { login: 'shut', password: 'any' } })
    expect(sent.status).toBe(429)
    expect(sent.headers['retry-after']).toBe('840')
    expect(sent.text).toContain('14 minutes')
    expect(sent.text).toContain('href="/account/recover?back=%2Flogin%2Finteraction-1"')
    // The token of the form is random, and may spell anything.
    expect(sent.text.replaceAll(/name="csrf" value="[^"]+"/g, '')).not.toContain('shut')
  })

  it('a password is in no answer', async () => {
    const password = 'a very secret thing'
    for (const path of [LOGIN, '/account/password']) {
      const sent = await submit(pages.url, path, {
        fields: { login: 'member', password, newPassword: 'short' },
      })
      expect(sent.text).not.toContain(password)
      expect(sent.text).not.toContain('short"')
    }
  })
})

describe('statuses', () => {
  it.each([
    ['nothing typed', { login: '', password: '' }, 400],
    ['no password', { login: 'member', password: '' }, 400],
    ['too many checks at once', { login: 'slow', password: 'x' }, 503],
    ['a password from somebody else', { login: 'once', password: PASSWORD }, 403],
  ])('of a login with %s', async (_what, fields, status) => {
    const sent = await submit(pages.url, LOGIN, { fields })
    expect(sent.status).toBe(status)
    expect(pages.deeds.filter(([name]) => name === 'login')).toEqual([])
  })

  it.each([
    ['done', { code: 'right-code', newPassword: NEW, repeat: NEW }, 200],
    ['wrong code', { code: 'wrong-code', newPassword: NEW, repeat: NEW }, 400],
    ['no code', { code: '', newPassword: NEW, repeat: NEW }, 400],
    ['too short', { code: 'right-code', newPassword: 'short', repeat: 'short' }, 400],
    ['too long', { code: 'right-code', newPassword: 'x'.repeat(257), repeat: 'x'.repeat(257) }, 400],
    ['not the same', { code: 'right-code', newPassword: NEW, repeat: `${NEW}.` }, 400],
  ])('of a recovery: %s', async (_what, fields, status) => {
    const sent = await submit(pages.url, '/account/recover', { fields })
    expect(sent.status).toBe(status)
  })

  it.each([
    ['done', { login: 'new', code: ' right-code ', newPassword: NEW, repeat: NEW }, 200],
    ['taken', { login: 'member', code: 'right-code', newPassword: NEW, repeat: NEW }, 409],
    ['wrong code', { login: 'new', code: 'wrong', newPassword: NEW, repeat: NEW }, 400],
    [
      'the login as password',
      { login: 'a-long-login-name', code: 'x', newPassword: 'A-Long-Login-Name' },
      400,
    ],
  ])('of an invitation: %s', async (_what, fields, status) => {
    const sent = await submit(pages.url, '/account/invitation', { fields })
    expect(sent.status).toBe(status)
  })

  it.each([
    ['done', { ...RIGHT, newPassword: NEW, repeat: NEW }, 200],
    ['wrong password', { login: 'member', password: 'wrong', newPassword: NEW, repeat: NEW }, 401],
    ['unknown login', { login: 'nobody', password: 'wrong', newPassword: NEW, repeat: NEW }, 401],
    ['locked', { login: 'shut', password: 'wrong', newPassword: NEW, repeat: NEW }, 429],
    ['the same again', { ...RIGHT, newPassword: PASSWORD, repeat: PASSWORD }, 400],
  ])('of a change: %s', async (_what, fields, status) => {
    const sent = await submit(pages.url, '/account/password', { fields })
    expect(sent.status).toBe(status)
  })

  it('of a login that is over, another one, or none', async () => {
    for (const [path, cookie] of [
      [LOGIN, 'none=1'],
      ['/login/another', INTERACTION],
      ['/login/another/consent', INTERACTION],
    ] as const) {
      const sent = await send(pages.url, 'GET', path, { cookie })
      expect([sent.status, codeOf(sent)], path).toEqual([400, 'interaction-gone'])
    }
  })

  it('of what nobody foresaw: 500, a trace id, and no reason', async () => {
    const checkPassword = () => Promise.reject(new Error('the secret inner reason'))
    const { url } = await start({ accounts: { checkPassword } })
    const sent = await submit(url, LOGIN, { fields: RIGHT })
    expect([sent.status, codeOf(sent)]).toEqual([500, 'internal'])
    expect(sent.text).toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/)
    expect(sent.text).not.toContain('inner reason')
  })
})

describe('the way on', () => {
  it('a one-time password buys another one, and the login goes on with it', async () => {
    const { url, deeds } = await start({})
    const { cookie, csrf } = await open(url, LOGIN)
    const given = { login: 'once', password: PASSWORD }
    const asked = await post(url, LOGIN, { ...given, csrf }, cookie)
    expect([asked.status, asked.headers['location']]).toEqual([403, undefined])

    const action = `${LOGIN}/password`
    const token = tokenOf(asked.text, action)
    const fields = { ...given, csrf: token, newPassword: NEW }
    const mistyped = await post(url, action, { ...fields, repeat: 'another' }, cookie)
    expect(mistyped.status).toBe(400)
    const sent = await post(url, action, { ...fields, repeat: NEW }, cookie)
    expect(sent.status).toBe(303)
    expect(deeds.map(([name]) => name)).toEqual(['checkPassword', 'changePassword', 'login'])
  })

  it('consent comes after login, and each form does what it says', async () => {
    const { url, deeds } = await start({})
    await submit(url, LOGIN, { fields: RIGHT })
    const { page } = await open(url, LOGIN)
    expect(page.text).toContain('127.0.0.1:5151')
    const sent = await submit(url, `${LOGIN}/consent`, { fields: { scopes: 'registry:publish' } }, LOGIN)
    expect([sent.status, sent.headers['location']]).toEqual([303, 'http://127.0.0.1:5151/callback?code=1'])
    expect(deeds.at(-1)?.[0]).toBe('consent')
  })

  it('consent is not given before somebody logged in', async () => {
    const { cookie } = await open(pages.url, LOGIN)
    const path = `${LOGIN}/consent`
    const csrf = openCsrf(pages.url).token(cookie.split('=')[1] ?? '', path)
    const sent = await post(pages.url, path, { csrf }, cookie)
    expect([sent.status, sent.headers['location']]).toEqual([303, LOGIN])
    expect(pages.deeds).toEqual([])
  })

  it('a refusal is told to the program', async () => {
    const { url, deeds } = await start({ interaction: { prompt: 'consent', account: 'u-a' } })
    const sent = await submit(url, `${LOGIN}/abort`, { fields: {} }, LOGIN)
    expect(sent.headers['location']).toContain('error=access_denied')
    expect(deeds.map(([name]) => name)).toEqual(['abort'])
  })

  it('a form that was posted to the wrong page leads to the right one', async () => {
    const { url, deeds } = await start({ interaction: { prompt: 'consent', account: 'u-a' } })
    const { cookie } = await open(url, LOGIN, `${LOGIN}/consent`)
    const login = await open(pages.url, LOGIN, LOGIN, cookie)
    const sent = await post(url, LOGIN, { ...RIGHT, csrf: login.csrf }, cookie)
    expect([sent.status, sent.headers['location']]).toEqual([303, LOGIN])
    expect(deeds).toEqual([])
  })

  it.each([
    ['/login/interaction-1', true],
    ['https://evil.example/login/interaction-1', false],
    ['//evil.example', false],
    ['/login/interaction-1/../../x', false],
    ['javascript:alert(1)', false],
  ])('back to %s: %s', async (back, led) => {
    const path = `/account/recover?back=${encodeURIComponent(back)}`
    const { page, cookie, csrf } = await open(pages.url, path, '/account/recover')
    expect(page.text.includes(`href="${back}"`)).toBe(led)
    const fields = { csrf, back, code: 'right-code', newPassword: NEW, repeat: NEW }
    const done = await post(pages.url, '/account/recover', fields, cookie)
    expect(done.status).toBe(200)
    expect(done.text.includes(`href="${back}"`)).toBe(led)
  })
})

describe('every answer', () => {
  const GETS = [LOGIN, '/account/password', '/account/recover', '/account/invitation', '/login/unknown']

  it.each(GETS)('%s has the headers of a page that is kept nowhere and framed by nobody', async (path) => {
    const { page } = await open(pages.url, path)
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/)
  })

  it.each([
    [{}, "'self' http://127.0.0.1:5151 https://127.0.0.1:5151"],
    [{ redirectHost: 'agents.example' }, "'self' https://agents.example"],
    [{ redirectHost: 'com.example.app:' }, "'self' com.example.app:"],
    [{ redirectHost: 'evil;script-src *' }, "'self'"],
  ])('a form may lead to the redirect URI alone: %j', async (interaction, targets) => {
    const { url } = await start({ interaction })
    const { page } = await open(url, LOGIN)
    expect(String(page.headers['content-security-policy'])).toContain(`; form-action ${targets}; `)
  })

  it('also a redirect and a refusal', async () => {
    const { url } = await start({})
    const redirect = await submit(url, LOGIN, { fields: RIGHT })
    const refusal = await post(url, LOGIN, {}, '')
    for (const sent of [redirect, refusal]) expect(sent.headers['cache-control']).toBe('no-store')
  })

  it.each([...GETS, ...['consent', 'abort', 'password'].map((form) => `${LOGIN}/${form}`)])(
    'GET and HEAD %s change nothing',
    async (path) => {
      const filled = `${path}?login=member&password=x&code=right-code&newPassword=${NEW}&confirm=yes`
      for (const method of ['GET', 'HEAD']) {
        await send(pages.url, method, encodeURI(filled), { cookie: INTERACTION })
      }
      expect(pages.deeds).toEqual([])
    },
  )

  it('what is no page is left to others', async () => {
    for (const [method, path] of [
      ['PUT', LOGIN],
      ['GET', '/account'],
      ['GET', '/Account/Password'],
      ['GET', `${LOGIN}/more/words`],
    ] as const) {
      expect((await send(pages.url, method, path)).text, path).toBe('elsewhere')
    }
  })
})
