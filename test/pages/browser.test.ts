import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chromiumPath, openChromium } from '../runtimes/browser.js'
import { readFocus, type Focus } from '../support/browser-page.js'
import { inspectPage, openKeyboard, type Keyboard } from '../support/browser.js'
import { addPerson, addPublicClient, discover, INSECURE, redeem, startCode } from '../support/oauth.js'
import { openInFolder } from '../support/in-folder.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

// The pages as people meet them: the real registry, the real Chromium, a keyboard, and no script.

const chromium = chromiumPath()
const CLI: oauth.Client = { client_id: 'countersign-cli' }
const PUBLISH = 'registry:publish'

/** A program on this computer that waits for the browser to come back. */
interface Program {
  readonly redirectUri: string
  readonly came: Promise<URL>
  close(): void
}

async function openProgram(host = '127.0.0.1'): Promise<Program> {
  let arrived: (url: URL) => void
  const came = new Promise<URL>((resolve) => (arrived = resolve))
  const server: Server = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://127.0.0.1')
    res.setHeader('Content-Type', 'text/html')
    res.end('<!doctype html><title>Program</title><p>back at the program')
    if (url.pathname === '/callback') arrived(url)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    redirectUri: `http://${name}:${port}/callback`,
    came,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

interface Asked {
  readonly url: string
  /** The tokens for the code that came back. */
  exchange(): Promise<oauth.TokenEndpointResponse>
}

/** What a program does before it opens a browser, and after the browser came back. */
async function askForLogin(
  at: { url: string },
  program: Program,
  scope: string,
  client = CLI,
): Promise<Asked> {
  const server = await discover(at.url)
  const { redirectUri } = program
  const started = await startCode(server, client, { scope, redirectUri, resource: at.url })
  return {
    url: started.url.href,
    async exchange() {
      const params = oauth.validateAuthResponse(server, client, await program.came, started.state)
      return redeem(server, client, { params, started }, { redirectUri })
    },
  }
}

describe.skipIf(chromium === undefined)('the pages in Chromium, by keyboard, without script', () => {
  let browser: Browser
  let keyboardOfAll: Keyboard
  let at: TestRegistry

  beforeAll(async () => {
    ;[browser, at] = await Promise.all([openChromium(chromium!), startRegistry()])
    keyboardOfAll = await openKeyboard(browser)
  })
  afterAll(async () => {
    await Promise.all([browser.close(), at.close()])
  })

  /** The same window each time, which a new one would cost most of a second, as nobody left it. */
  async function sit(): Promise<Keyboard> {
    const { page } = keyboardOfAll
    await page.goto('about:blank')
    await page.context().clearCookies()
    return keyboardOfAll
  }

  async function waitingProgram(host?: string): Promise<Program> {
    const program = await openProgram(host)
    onTestFinished(() => program.close())
    return program
  }

  const h1 = (keyboard: Keyboard): Promise<string | null> => keyboard.page.textContent('h1')
  const fine = async (keyboard: Keyboard, name: string): Promise<void> =>
    expect(await inspectPage(keyboard.page, name), name).toEqual([])

  /** A browser moves the focus with the next picture it draws, which a whole document does not wait for. */
  const focused = ({ page }: Keyboard, where: Partial<Focus>): Promise<void> =>
    expect.poll(() => page.evaluate(readFocus)).toMatchObject(where)

  async function logIn(keyboard: Keyboard, login: string, password: string): Promise<void> {
    await keyboard.fill('Login name', login)
    await keyboard.fill('Password', password)
    await keyboard.enter()
  }

  it('a login: wrong password, right password, consent, and back with a code', async () => {
    const { login, password } = await addPerson(at, 'person@example.com', ['publisher'])
    const program = await waitingProgram()
    const asked = await askForLogin(at, program, PUBLISH)
    const keyboard = await sit()
    const { page } = keyboard

    await page.goto(asked.url)
    await focused(keyboard, { id: 'login' })
    await fine(keyboard, 'login')
    await logIn(keyboard, login, 'not the password')
    expect(await page.title()).toMatch(/^Error: /)
    await focused(keyboard, { className: 'problem' })
    await fine(keyboard, 'login-wrong')

    // The summary leads to the field.
    await keyboard.tabTo('The login name or the password is wrong.')
    await page.keyboard.press('Enter')
    await focused(keyboard, { id: 'password' })
    await page.keyboard.type(password)
    await keyboard.enter()
    expect(await h1(keyboard)).toBe('Allow access?')
    expect(await page.textContent('dl')).toContain(new URL(program.redirectUri).host)
    expect(await page.textContent('dl')).toContain(login)
    await fine(keyboard, 'consent')
    await keyboard.press('Allow')
    expect(await page.title()).toBe('Program')
    const tokens = await asked.exchange()
    expect(tokens.scope).toBe(PUBLISH)
    const whoami = await send(at.url, 'GET', '/v1/account', { token: tokens.access_token })
    expect(whoami.status).toBe(200)
  })

  it('a login leads back to the IPv6 loopback address, which no policy can name', async () => {
    const { login, password } = await addPerson(at, 'six@example.com', ['publisher'])
    const program = await waitingProgram('::1')
    const asked = await askForLogin(at, program, PUBLISH)
    const keyboard = await sit()
    await keyboard.page.goto(asked.url)
    await logIn(keyboard, login, password)
    await keyboard.press('Allow')
    expect(await keyboard.page.title()).toBe('Program')
    expect((await asked.exchange()).scope).toBe(PUBLISH)
  })

  it('a login that is not agreed to', async () => {
    const { login, password } = await addPerson(at, 'no@example.com', ['reviewer', 'admin'])
    const program = await waitingProgram()
    const scope = 'registry:review registry:admin'
    const asked = await askForLogin(at, program, scope)
    const keyboard = await sit()
    await keyboard.page.goto(asked.url)
    await logIn(keyboard, login, password)
    expect(await keyboard.page.locator('.notice').count()).toBe(1)
    await fine(keyboard, 'consent-powerful')
    await keyboard.press('Do not allow')
    expect((await program.came).searchParams.get('error')).toBe('access_denied')
  })

  it('a lock-out, and the way back with a code from an admin', async () => {
    const { account, login } = await addPerson(at, 'guessed@example.com', ['publisher'])
    const program = await waitingProgram()
    const asked = await askForLogin(at, program, PUBLISH)
    const keyboard = await sit()
    const { page } = keyboard
    await page.goto(asked.url)
    const guess = { login, address: '127.0.0.1' }
    for (const password of ['guess 1', 'guess 2', 'guess 3']) {
      const elsewhere = at.registry.rooms.auth.accounts.checkPassword({ ...guess, password })
      await expect(elsewhere).rejects.toMatchObject({ code: 'credentials-invalid' })
    }
    for (const password of ['guess 4', 'guess 5', 'one more']) await logIn(keyboard, login, password)
    expect(await page.title()).toMatch(/^Error: Too many/)
    await fine(keyboard, 'locked')

    const { code } = await at.registry.rooms.auth.accounts.startRecovery('admin', account)
    await keyboard.press('I have a recovery code')
    await fine(keyboard, 'recovery')
    const chosen = 'four unrelated words here'
    await keyboard.fill('Recovery code', 'wrong-code')
    await keyboard.fill('New password', chosen)
    await keyboard.fill('New password again', chosen)
    await keyboard.enter()
    await fine(keyboard, 'recovery-wrong')
    await keyboard.fill('Recovery code', code)
    await keyboard.fill('Login name (optional)', login)
    await keyboard.fill('New password', chosen)
    await keyboard.fill('New password again', chosen)
    await keyboard.enter()
    await fine(keyboard, 'recovery-done')

    await keyboard.press('Continue to the login')
    await logIn(keyboard, login, chosen)
    await keyboard.press('Allow')
    expect((await asked.exchange()).scope).toBe(PUBLISH)
  })

  it('an invitation, from the login page and back to it', async () => {
    const program = await waitingProgram()
    const asked = await askForLogin(at, program, PUBLISH)
    const keyboard = await sit()
    await keyboard.page.goto(asked.url)
    await keyboard.press('I was invited and have no account yet')
    await fine(keyboard, 'invitation')
    const { code } = await at.registry.rooms.auth.accounts.invite('admin', ['publisher'])
    const fill = async (login: string, password: string): Promise<void> => {
      await keyboard.fill('Invitation code', code)
      await keyboard.fill('Login name', login)
      await keyboard.fill('Password', password)
      await keyboard.fill('Password again', password)
      await keyboard.enter()
    }
    await fill('New Person', 'short')
    await fine(keyboard, 'invitation-wrong')
    await fill('new.person', 'a password of my own')
    await fine(keyboard, 'invitation-done')
    await keyboard.press('Continue to the login')
    await logIn(keyboard, 'new.person', 'a password of my own')
    await keyboard.press('Allow')
    expect((await asked.exchange()).scope).toBe(PUBLISH)
  })

  it('the one-time password of a new registry buys another one, and goes on', async () => {
    const fresh = await openFresh()
    const program = await waitingProgram()
    const asked = await askForLogin(fresh, program, 'registry:admin')
    const keyboard = await sit()
    await keyboard.page.goto(asked.url)
    await logIn(keyboard, 'admin', fresh.oneTimePassword)
    await fine(keyboard, 'one-time-password')
    const chosen = 'mine and nobody else knows'
    await keyboard.fill('Password you were given', fresh.oneTimePassword)
    await keyboard.fill('New password', chosen)
    await keyboard.fill('New password again', chosen)
    await keyboard.enter()
    await keyboard.press('Allow')
    expect((await asked.exchange()).scope).toBe('registry:admin')

    await keyboard.page.goto(`${fresh.url}/account/password`)
    await fine(keyboard, 'password')
    await keyboard.fill('Login name', 'admin')
    await keyboard.fill('Password until now', chosen)
    await keyboard.fill('New password', 'another one altogether')
    await keyboard.fill('New password again', 'another one altogether')
    await keyboard.enter()
    expect(await h1(keyboard)).toBe('Your password is changed')
  })

  describe('a device code', () => {
    async function startDevice() {
      const server = await discover(at.url)
      const parameters = { scope: PUBLISH, resource: at.url }
      const response = await oauth.deviceAuthorizationRequest(server, CLI, oauth.None(), parameters, INSECURE)
      const device = await oauth.processDeviceAuthorizationResponse(server, CLI, response)
      const poll = async (): Promise<oauth.TokenEndpointResponse> => {
        const code = device.device_code
        const answer = await oauth.deviceCodeGrantRequest(server, CLI, oauth.None(), code, INSECURE)
        return oauth.processDeviceCodeResponse(server, CLI, answer)
      }
      return { ...device, poll }
    }

    it('is typed, compared, agreed to, and the tokens arrive', async () => {
      const { login, password } = await addPerson(at, 'dev@example.com', ['publisher'])
      const device = await startDevice()
      const keyboard = await sit()
      await keyboard.page.goto(device.verification_uri)
      await fine(keyboard, 'device')
      await keyboard.fill('Code', 'BBBB-BBBB')
      await keyboard.enter()
      expect(await keyboard.page.title()).toMatch(/^Error: /)
      await fine(keyboard, 'device-wrong')
      await keyboard.fill('Code', device.user_code.toLowerCase().replace('-', ' '))
      await keyboard.enter()
      expect(await keyboard.page.textContent('.user-code')).toContain(device.user_code)
      await fine(keyboard, 'device-confirm')
      await keyboard.press('The codes are the same: connect')
      await logIn(keyboard, login, password)
      expect(await h1(keyboard)).toBe('Allow access?')
      await keyboard.press('Allow')
      expect(await h1(keyboard)).toBe('Connected')
      await fine(keyboard, 'device-done')
      expect((await device.poll()).scope).toBe(PUBLISH)
    })

    it('that is refused is told to the program', async () => {
      const device = await startDevice()
      const keyboard = await sit()
      await keyboard.page.goto(device.verification_uri)
      await keyboard.fill('Code', device.user_code)
      await keyboard.enter()
      await keyboard.press('Do not connect')
      await fine(keyboard, 'device-refused')
      await expect(device.poll()).rejects.toMatchObject({ error: 'access_denied' })
    })
  })

  it('errors that no program may be told of are pages, too', async () => {
    const client = await addPublicClient(at, 'a-program')
    const program = await waitingProgram()
    const asked = await askForLogin(at, program, PUBLISH, client)
    const keyboard = await sit()
    await keyboard.page.goto(asked.url)
    expect(await keyboard.page.textContent('code')).toBe('invalid_redirect_uri')
    await fine(keyboard, 'error-redirect')
    await keyboard.page.goto(`${at.url}/login/no-such-login`)
    expect(await keyboard.page.textContent('code')).toBe('interaction-gone')
    await fine(keyboard, 'error-gone')
  })

  it('a form of another site is refused, though the browser brings it', async () => {
    const { code } = await at.registry.rooms.auth.accounts.invite('admin', ['publisher'])
    const fields = { code, login: 'forged', newPassword: 'chosen by somebody else', repeat: '' }
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`)
    const evil = createServer((_req, res) => {
      res.setHeader('Content-Type', 'text/html')
      res.end(
        `<form method="post" action="${at.url}/account/invitation">${inputs.join('')}<button>Win a prize</button></form>`,
      )
    })
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void evil.close())
    const keyboard = await sit()
    await keyboard.page.goto(`${at.url}/account/invitation`)
    await keyboard.page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`)
    await keyboard.page.click('button')
    expect(await keyboard.page.textContent('code')).toBe('form-refused')
    await fine(keyboard, 'error-form')
    expect(await at.registry.store.readAccountByLogin('forged')).toBeUndefined()
  })
})

/** A registry whose one-time password nobody has used yet. */
async function openFresh(): Promise<{ url: string; oneTimePassword: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-fresh-'))
  const { url, registry, close } = await openInFolder(dir)
  onTestFinished(async () => {
    await close()
    await rm(dir, { recursive: true, force: true })
  })
  return { url, oneTimePassword: registry.oneTimePassword ?? '' }
}
