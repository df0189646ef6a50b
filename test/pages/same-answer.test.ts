import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addPerson, addPublicClient, Browser, discover, startCode, type Page } from '../support/oauth.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

// Nothing distinguishes an unknown account from a wrong password: the real accounts behind the real pages.

/** One that is good, one that is disabled, nobody's, and a service's. */
const LOGINS = ['known-a', 'known-b', 'nobodyc', 'service'] as const
/** As those; nobody has tried them: the page of a lock says how long it lasts, and that is since the first try. */
const UNTRIED = ['known-d', 'known-e', 'nobodyf', 'machine'] as const

describe('what a login page tells about an account', () => {
  let at: TestRegistry

  beforeAll(async () => {
    at = await startRegistry()
    const { accounts } = at.registry.rooms.auth
    for (const [good, disabled, , name] of [LOGINS, UNTRIED]) {
      await addPerson(at, good, ['publisher'])
      const { account } = await addPerson(at, disabled, ['publisher'])
      await accounts.setDisabled('admin', account, true)
      await accounts.createService('admin', { name, roles: ['publisher'] })
    }
    await addPublicClient(at, 'program')
  })
  afterAll(() => at.close())

  async function loginPage(): Promise<{ browser: Browser; page: Page }> {
    const browser = new Browser(at.url)
    const { url } = await startCode(await discover(at.url), { client_id: 'program' })
    return { browser, page: await browser.open(url) }
  }

  /** Everything of an answer but what is of this one login, and what was typed. */
  function bare({ status, headers, html, url }: Page, login: string): unknown {
    const uid = url.pathname.split('/')[2] ?? ''
    const kept = [...headers].filter(([name]) => !/^(set-cookie|date|retry-after|x-request-id)$/.test(name))
    const page = html
      .replaceAll(/name="csrf" value="[^"]+"/g, '')
      .replaceAll(uid, 'UID')
      .replaceAll(`value="${login}"`, '')
    return { status, page, headers: kept }
  }

  it.each([
    ['wrong', (login: string) => `not it: ${login}`, 401],
    ['right where there is one, and disabled', () => 'correct horse known-b', 401],
  ])('with a password that is %s', async (_what, passwordOf, status) => {
    const answers: unknown[] = []
    for (const login of LOGINS) {
      const { browser, page } = await loginPage()
      const password = passwordOf(login)
      answers.push(bare(await browser.submit(page, page.url.pathname, { login, password }), login))
    }
    expect(answers[0]).toMatchObject({ status })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('when it is locked', async () => {
    const answers: unknown[] = []
    for (const login of UNTRIED) {
      const { browser, page } = await loginPage()
      let last = page
      for (let tries = 0; tries < 6 && last.status !== 429; tries++) {
        last = await browser.submit(page, page.url.pathname, { login, password: `guess ${tries}` })
      }
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
      answers.push(bare(last, login))
    }
    expect(answers[0]).toMatchObject({ status: 429 })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })
})
