import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountersignError } from '../../client/src/core/index.js'
import type { Granted } from '../../client/src/cli/login/oauth/grants.js'
import { awaitDevice, type DeviceFlow } from '../../client/src/cli/login/oauth/device.js'
import { Secret } from '../../client/src/cli/login/secret.js'
import { cliCommand, runCli } from '../support/cli.js'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { addPerson, answerPages, Browser, type Person } from '../support/oauth.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

const GRANTED: Granted = {
  token: { value: new Secret('t'), type: 'Bearer', expiresAt: 0, scope: '' },
  refreshToken: new Secret('r'),
}

function refusal(code: string): CountersignError {
  return new CountersignError('registry-refused', code, { code })
}

/** Answers in turn; the clock stands still but for the sleeps, which are recorded in seconds. */
async function wait(answers: readonly (Granted | CountersignError)[], seconds = 600) {
  const flow: DeviceFlow = {
    prompt: { url: 'https://a.example/device', code: 'ABCD', expiresAt: seconds * 1000 },
    deviceCode: new Secret('d'),
    interval: 5,
  }
  const slept: number[] = []
  let now = 0
  let asked = 0
  const clock = {
    now: () => now,
    sleep: (ms: number) => {
      slept.push(ms / 1000)
      now += ms
      return Promise.resolve()
    },
  }
  const ask = (): Promise<Granted> => {
    const answer = answers[Math.min(asked++, answers.length - 1)]!
    return answer instanceof CountersignError ? Promise.reject(answer) : Promise.resolve(answer)
  }
  const outcome = await awaitDevice(flow, ask, clock).then(
    () => 'granted',
    (error: unknown) => (error as CountersignError).detail['code'] ?? (error as CountersignError).code,
  )
  return { outcome, slept }
}

describe('waiting for a person (RFC 8628)', () => {
  const pending = refusal('authorization_pending')

  it('asks no faster than told', async () => {
    expect(await wait([pending, pending, GRANTED])).toEqual({ outcome: 'granted', slept: [5, 5, 5] })
  })

  it('slows down when told so, and stays slow', async () => {
    expect(await wait([refusal('slow_down'), pending, GRANTED])).toEqual({
      outcome: 'granted',
      slept: [5, 10, 10],
    })
  })

  it('outlasts a server that is away for a moment', async () => {
    const away = new CountersignError('registry-unreachable', 'away')
    expect(await wait([away, GRANTED])).toEqual({ outcome: 'granted', slept: [5, 10] })
  })

  it.each(['access_denied', 'expired_token', 'invalid_grant'])('ends at %s', async (code) => {
    expect(await wait([pending, refusal(code)])).toMatchObject({ outcome: code })
  })

  it('ends when the code does, whatever the server says', async () => {
    const { outcome, slept } = await wait([pending], 12)
    expect(outcome).toBe('expired_token')
    expect(slept.length).toBeLessThanOrEqual(3)
  })
})

describe('login in a browser', () => {
  let registry: TestRegistry
  let person: Person
  let seat: Seat
  let said = ''
  beforeAll(async () => {
    registry = await startRegistry({ overrides: { authLimits: { devicePoll: { points: 100, seconds: 1 } } } })
    person = await addPerson(registry, 'owner', ['publisher', 'reviewer'])
    seat = openSeat({ registry: registry.url, onSaid: (text) => (said += text) })
  })
  afterAll(async () => {
    seat.close()
    await registry.close()
  })

  /** What the person reads on the terminal. */
  async function readPrompt(): Promise<{ url: string; code: string }> {
    for (;;) {
      const url = /Open +(\S+)/.exec(said)?.[1]
      const code = /code +([A-Z]{4}-[A-Z]{4})/.exec(said)?.[1]
      if (url !== undefined && code !== undefined) return { url, code }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Opens the address, types the code, logs in, agrees. */
  async function agree(): Promise<void> {
    const { url, code } = await readPrompt()
    const browser = new Browser(registry.url)
    const form = await browser.open(url)
    const confirm = await browser.submit(form, '/device', { user_code: code })
    const next = await browser.submit(confirm, '/device', { confirm: 'yes' })
    const done = await answerPages(browser, next, person)
    expect(done.status).toBe(200)
  }

  const kept = (): Record<string, { refreshToken: string; token: { value: string; type: string } }> =>
    JSON.parse(readFileSync(join(seat.home, 'credentials.json'), 'utf8')) as ReturnType<typeof kept>
  const entry = () => kept()[registry.url]!

  it('says who is logged in, and binds the tokens to a key', async () => {
    const login = seat.ok('login')
    await agree()
    const me = await login
    expect(me).toMatchObject({ account: person.account, login: 'owner', roles: ['publisher', 'reviewer'] })
    expect(said).toContain('registry:publish')
    expect(entry().token.type).toBe('DPoP')
    expect(said).not.toContain(entry().refreshToken)
  })

  it('asks with the kept login from then on', async () => {
    expect(await seat.ok('whoami')).toMatchObject({ account: person.account, clientId: 'countersign-cli' })
    expect(await seat.ok('admin', 'pending')).toEqual({ items: [] })
  })

  it('a token that was taken away is of no use without its key', async () => {
    const token = entry().token.value
    const bearer = await send(registry.url, 'GET', '/v1/account', { token })
    expect(bearer.status).toBe(401)
    const scheme = { authorization: `DPoP ${token}` }
    expect((await send(registry.url, 'GET', '/v1/account', { headers: scheme })).status).toBe(401)
  })

  it('refreshes once, though two processes want to at the same moment', async () => {
    for (let round = 0; round < 3; round++) {
      const all = kept()
      const before = all[registry.url]!.refreshToken
      writeFileSync(
        join(seat.home, 'credentials.json'),
        JSON.stringify({ ...all, [registry.url]: { ...all[registry.url], token: undefined } }),
      )
      const options = { home: seat.home, registry: registry.url }
      const both = await Promise.all([1, 2].map(() => runCli(['whoami', '--json'], options)))
      expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
        [0, ''],
        [0, ''],
      ])
      expect(entry().refreshToken).not.toBe(before)
    }
    expect(await seat.ok('whoami')).toMatchObject({ account: person.account })
  })

  it('logs out at the registry as well: what was kept is worth nothing', async () => {
    const before = readFileSync(join(seat.home, 'credentials.json'))
    expect(await seat.ok('logout')).toMatchObject({ forgotten: true, revoked: true })
    writeFileSync(join(seat.home, 'credentials.json'), before, { mode: 0o600 })
    const failure = await seat.fails('whoami')
    expect([failure.exit, failure.code]).toEqual([1, 'not-logged-in'])
  })

  it('says when the registry could not be told, and forgets all the same', async () => {
    const state = { kind: 'refresh', clientId: 'countersign-cli', refreshToken: 'gone' }
    writeFileSync(join(seat.home, 'credentials.json'), JSON.stringify({ 'http://127.0.0.1:1': state }), {
      mode: 0o600,
    })
    const result = await seat.run('logout', '--registry', 'http://127.0.0.1:1', '--json')
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({ forgotten: true, revoked: false })
    expect(await seat.ok('logout', '--registry', 'http://127.0.0.1:1')).toMatchObject({ forgotten: false })
  })

  it('says no when the person does', async () => {
    said = ''
    const login = seat.fails('login')
    const { url, code } = await readPrompt()
    const browser = new Browser(registry.url)
    const confirm = await browser.submit(await browser.open(url), '/device', { user_code: code })
    await browser.submit(confirm, '/device', { abort: 'yes' })
    const failure = await login
    expect([failure.exit, failure.detail['code']]).toEqual([1, 'access_denied'])
  })

  it('ends at once with Ctrl-C', async () => {
    const [command = '', ...args] = cliCommand('login', '--registry', registry.url)
    const child = spawn(command, args, {
      env: { ...process.env, COUNTERSIGN_HOME: seat.home },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    let told = ''
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk: Buffer) => {
        told += chunk.toString()
        if (told.includes('Ctrl-C')) resolve()
      })
    })
    child.kill('SIGINT')
    expect(await ended).toBe(130)
  })
})

describe('a registry that lies about logins', () => {
  /** Answers paths with what is given, everything else with 404. */
  async function openFake(answers: (url: string) => Record<string, unknown>) {
    const server = createServer((req, res) => {
      const answer = answers(url)[new URL(req.url ?? '/', url).pathname]
      if (answer === undefined) res.writeHead(404).end()
      else if (answer instanceof Buffer) res.end(answer)
      else res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { url, close: () => server.close() }
  }

  const PRM = '/.well-known/oauth-protected-resource'
  const AS = '/.well-known/oauth-authorization-server'
  const metadata = (issuer: string, change: object = {}): object => ({
    issuer,
    token_endpoint: `${issuer}/token`,
    device_authorization_endpoint: `${issuer}/device`,
    ...change,
  })
  const device = { device_code: 'd', user_code: 'u', verification_uri: 'https://a.example', expires_in: 600 }

  it.each<[string, (url: string) => Record<string, unknown>, string]>([
    [
      'another name than the one asked for',
      () => ({ [PRM]: { resource: 'https://other.example' } }),
      'registry-error',
    ],
    ['no authorization server', (url) => ({ [PRM]: { resource: url } }), 'registry-error'],
    [
      'an answer without end',
      (url) => ({ [PRM]: { resource: url, x: 'x'.repeat(300_000) } }),
      'registry-error',
    ],
    [
      'an issuer in plain HTTP elsewhere',
      (url) => ({ [PRM]: { resource: url, authorization_servers: ['http://example.com'] } }),
      'usage',
    ],
    [
      'metadata of another issuer',
      (url) => ({
        [PRM]: { resource: url, authorization_servers: [url] },
        [AS]: metadata('https://other.example'),
      }),
      'registry-error',
    ],
    [
      'no device flow',
      (url) => ({
        [PRM]: { resource: url, authorization_servers: [url] },
        [AS]: metadata(url, { device_authorization_endpoint: undefined }),
      }),
      'registry-error',
    ],
    [
      'endpoints in plain HTTP elsewhere',
      (url) => ({
        [PRM]: { resource: url, authorization_servers: [url] },
        [AS]: metadata(url, { device_authorization_endpoint: 'http://example.com/device' }),
      }),
      'usage',
    ],
    [
      'a page that is no page',
      (url) => ({
        [PRM]: { resource: url, authorization_servers: [url] },
        [AS]: metadata(url),
        '/device': { ...device, verification_uri: 'javascript:alert(1)' },
      }),
      'registry-error',
    ],
    ...[
      { verification_uri: 'http://example.com/device' },
      { verification_uri: 'https://registry.example.com@evil.example/' },
      { verification_uri_complete: 'data:text/html,x' },
      { user_code: 'A\u001b[31mB\u202E' },
      { user_code: 'A'.repeat(10_000) },
      { interval: 0 },
      { interval: 'soon' },
      { expires_in: -1 },
      { device_code: 7 },
    ].map((lie): [string, (url: string) => Record<string, unknown>, string] => [
      `a device answer with ${JSON.stringify(lie).slice(0, 60)}`,
      (url) => ({
        [PRM]: { resource: url, authorization_servers: [url] },
        [AS]: metadata(url),
        '/device': { ...device, ...lie },
      }),
      'registry-error',
    ]),
    [
      'issuers that are no addresses',
      (url) => ({ [PRM]: { resource: url, authorization_servers: ['not a url', 'javascript:alert(1)'] } }),
      'registry-error',
    ],
  ])('%s', async (_what, answers, code) => {
    const fake = await openFake(answers)
    const seat = openSeat({ registry: fake.url })
    expect((await seat.fails('login')).code).toBe(code)
    seat.close()
    fake.close()
  })

  it('the page it names is shown in its one spelling, and nothing else of it', async () => {
    const evil = 'https://ex\u0430mple.com/\u001b[2J\u202Eb'
    const fake = await openFake((url) => ({
      [PRM]: { resource: url, authorization_servers: [url] },
      [AS]: metadata(url),
      '/device': { ...device, verification_uri: evil, expires_in: 0.001 },
    }))
    const seat = openSeat({ registry: fake.url })
    const result = await seat.run('login')
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('https://xn--exmple-4nf.com/')
    expect(result.stderr).not.toMatch(/[\u001b\u202e]/)
    seat.close()
    fake.close()
  })
})
