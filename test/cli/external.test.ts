import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openAdminSeat, openSeat, type Seat } from '../support/cli-inside.js'
import { startIssuer, type Issuer } from '../support/issuer.js'
import { Browser, type Page } from '../support/oauth.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

// People log in at an issuer that is not ours, a process of its own; machines stay with the registry.

let issuer: Issuer
let registry: TestRegistry
let seat: Seat
let said = ''
beforeAll(async () => {
  issuer = await startIssuer()
  registry = await startRegistry({
    config: {
      externalIssuer: { url: issuer.url, clientId: 'countersign', admin: 'root', algorithms: ['RS256'] },
    },
    overrides: { outside: { allow: (address) => address === '127.0.0.1' } },
  })
  seat = openSeat({ registry: registry.url, onSaid: (text) => (said += text) })
})
afterAll(async () => {
  seat.close()
  await registry.close()
  await issuer.stop()
})

/** The issuer's own pages: the code, then whoever says this name, then agreeing. */
async function agreeAs(name: string): Promise<void> {
  while (!/code +\S+/.test(said)) await new Promise((resolve) => setTimeout(resolve, 10))
  const url = /Open +(\S+)/.exec(said)![1]!
  const code = /code +(\S+)/.exec(said)![1]!
  const browser = new Browser(issuer.url)
  const confirm = await browser.submit(await browser.open(url), '/device', { user_code: code })
  let page: Page = await browser.submit(confirm, '/device', { confirm: 'yes' })
  while (page.url.pathname.startsWith('/interaction/')) {
    page = await browser.submit(page, page.url.pathname, { login: name, password: 'any' })
  }
  expect(page.status).toBe(200)
}

it('finds the issuer through the registry, and logs a person in there', async () => {
  said = ''
  const login = seat.ok('login')
  await agreeAs('root')
  const me = await login
  expect(me['account']).toMatch(/^x-/)
  expect(me['roles']).toContain('admin')
  expect(said).toContain(issuer.url)
  const kept = JSON.parse(readFileSync(join(seat.home, 'credentials.json'), 'utf8')) as Record<string, object>
  expect(kept[registry.url]).toMatchObject({ kind: 'refresh', clientId: 'countersign', issuer: issuer.url })
  expect(await seat.ok('admin', 'accounts', 'list')).toHaveProperty('accounts')
})

it('says what this program is called there must be told, when the registry does not', async () => {
  const failure = await seat.fails('login', '--issuer', 'https://elsewhere.example')
  expect([failure.exit, failure.code]).toEqual([2, 'usage'])
})

it('machines log in at the registry itself', async () => {
  const robot = await openAdminSeat(registry)
  expect(await robot.ok('whoami')).toMatchObject({ account: 'admin' })
  robot.close()
})

it('has no password to invite anybody with', async () => {
  const failure = await seat.fails('admin', 'accounts', 'invite', 'publisher')
  expect([failure.exit, failure.detail['code']]).toEqual([1, 'account-invalid'])
})

it('logs out there', async () => {
  const { revoked, forgotten } = await seat.run('logout', '--json').then((result) => result.json())
  expect(forgotten).toBe(true)
  // This issuer has no revocation: that is said, and the login is gone here all the same.
  expect(revoked).toBe(false)
  expect((await seat.fails('whoami')).code).toBe('not-logged-in')
})
