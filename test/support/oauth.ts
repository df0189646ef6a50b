import { randomBytes } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { hashPassword } from '../../src/auth/accounts/passwords.js'
import { scopesOfRoles } from '../../src/auth/scopes.js'
import type { ClientRow, Role } from '../../src/storage/store.js'
import type { TestRegistry } from './registry.js'

/** A person with an account here. */
export interface Person {
  readonly account: string
  readonly login: string
  readonly password: string
}

export async function addPerson(
  { registry }: TestRegistry,
  login: string,
  roles: readonly Role[],
): Promise<Person> {
  const password = `correct horse ${login}`
  const account = `u-${randomBytes(8).toString('hex')}`
  await registry.store.createAccount({
    ...{ account, login, roles, kind: 'person', disabled: false, createdAt: Date.now() },
    passwordHash: await hashPassword(password),
  })
  return { account, login, password }
}

const ROLES = ['publisher', 'reviewer', 'auditor', 'admin'] as const
const PEOPLE_GRANTS = [
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const

/** A public client for whoever logs in; `change` replaces members. */
export async function addPublicClient(
  { registry }: TestRegistry,
  clientId: string,
  change: Partial<ClientRow> = {},
): Promise<oauth.Client> {
  await registry.store.createClient({
    ...{ clientId, name: `Program ${clientId}`, authMethod: 'none' },
    redirectUris: ['https://program.example/callback'],
    grantTypes: PEOPLE_GRANTS,
    scopes: scopesOfRoles(ROLES),
    ...{ disabled: false, createdAt: Date.now() },
    ...change,
  })
  return { client_id: clientId }
}

// eslint-disable-next-line @typescript-eslint/no-deprecated -- struck through because it is for loopback only
export const INSECURE = { [oauth.allowInsecureRequests]: true }

/** RFC 9728, then 8414: from nothing but the registry's address to its authorization server. */
export async function discover(url: string): Promise<oauth.AuthorizationServer> {
  const asked = await oauth.resourceDiscoveryRequest(new URL(url), INSECURE)
  const resource = await oauth.processResourceDiscoveryResponse(new URL(url), asked)
  const issuer = new URL(resource.authorization_servers![0]!)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...INSECURE })
  return oauth.processDiscoveryResponse(issuer, response)
}

interface Cookie {
  readonly value: string
  readonly path: string
}

export interface Page {
  readonly status: number
  /** Where it is, or, after a redirect to another origin, where the browser was sent. */
  readonly url: URL
  readonly html: string
  readonly headers: Headers
}

/** A browser without script: cookies by path, redirects within its origin, and forms as they stand in the page. */
export class Browser {
  readonly #cookies = new Map<string, Cookie>()
  readonly #origin: string
  readonly #follow: boolean

  constructor(url: string, { follow = true } = {}) {
    this.#origin = new URL(url).origin
    this.#follow = follow
  }

  get cookies(): readonly string[] {
    return [...this.#cookies.keys()].map((key) => key.slice(0, key.indexOf(' ')))
  }

  cookie(name: string): string | undefined {
    return [...this.#cookies].find(([key]) => key.startsWith(`${name} `))?.[1].value
  }

  open(url: string | URL): Promise<Page> {
    return this.#request(new URL(url, this.#origin), {})
  }

  /** Submits the form that posts to an address ending so, its fields filled in and one button pressed. */
  submit(page: Page, action: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
    const form = formsOf(page.html).find((one) => new URL(one.action, page.url).pathname.endsWith(action))
    if (form === undefined) throw new Error(`no form posts to ${action} at ${page.url.href}:\n${page.html}`)
    const body = new URLSearchParams({ ...form.fields, ...fields })
    return this.post(new URL(form.action, page.url), body)
  }

  post(url: URL, body: URLSearchParams, origin = this.#origin): Promise<Page> {
    const headers = { origin, 'content-type': 'application/x-www-form-urlencoded' }
    return this.#request(url, { method: 'POST', headers, body: body.toString() })
  }

  async #request(url: URL, init: RequestInit): Promise<Page> {
    const headers = { ...(init.headers as Record<string, string> | undefined), cookie: this.#cookiesFor(url) }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const location = response.headers.get('location')
    const html = await response.text()
    const page = { status: response.status, url, html, headers: response.headers }
    if (location === null || !this.#follow) return page
    const next = new URL(location, url)
    return next.origin === this.#origin ? this.#request(next, {}) : { ...page, url: next }
  }

  #cookiesFor({ pathname }: URL): string {
    const sent = [...this.#cookies].filter(
      ([, { path }]) => path === '/' || pathname === path || pathname.startsWith(`${path}/`),
    )
    return sent.map(([key, { value }]) => `${key.slice(0, key.indexOf(' '))}=${value}`).join('; ')
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/'
    const gone = attributes.some((one) => /^expires=/i.test(one) && Date.parse(one.slice(8)) < Date.now())
    if (gone) this.#cookies.delete(`${name} ${path}`)
    else this.#cookies.set(`${name} ${path}`, { value: pair.slice(name.length + 1), path })
  }
}

interface Form {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
}

function formsOf(html: string): Form[] {
  return [...html.matchAll(/<form [^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(
    ([, action = '', inner = '']) => ({
      action: decode(action),
      fields: Object.fromEntries(
        [...inner.matchAll(/<input\b[^>]*>/g)].map(([tag]) => [
          attribute(tag, 'name'),
          attribute(tag, 'value'),
        ]),
      ),
    }),
  )
}

function attribute(tag: string, name: string): string {
  return decode(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '')
}

function decode(text: string): string {
  const plain: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#96': '`' }
  return text.replace(/&(amp|lt|gt|quot|#39|#96);/g, (entity, name: string) => plain[name] ?? entity)
}

/** Answers every login and consent page until something else comes. */
export async function answerPages(browser: Browser, first: Page, person: Person): Promise<Page> {
  let page = first
  for (let step = 0; step < 6 && page.status === 200 && page.url.pathname.startsWith('/login/'); step++) {
    const { login, password } = person
    page = page.html.includes('type="password"')
      ? await browser.submit(page, page.url.pathname, { login, password })
      : await browser.submit(page, '/consent')
  }
  return page
}

export interface CodeRequest {
  readonly scope?: string
  readonly redirectUri?: string
  readonly resource?: string
  readonly extra?: Readonly<Record<string, string>>
}

export interface StartedCode {
  readonly url: URL
  readonly verifier: string
  readonly state: string
}

/** An authorization request by the book, with PKCE. */
export async function startCode(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  request: CodeRequest = {},
): Promise<StartedCode> {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint!)
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: request.redirectUri ?? REDIRECT,
    scope: request.scope ?? 'registry:publish',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...(request.resource === undefined ? {} : { resource: request.resource }),
    ...request.extra,
  }).toString()
  return { url, verifier, state }
}

export const REDIRECT = 'https://program.example/callback'

/** The whole code flow in a browser: the parameters that the program gets back, validated. */
export async function authorize(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  person: Person,
  options: { readonly request?: CodeRequest; readonly browser?: Browser } = {},
): Promise<{ params: URLSearchParams; started: StartedCode; page: Page }> {
  const started = await startCode(as, client, options.request)
  const browser = options.browser ?? new Browser(as.issuer)
  const page = await answerPages(browser, await browser.open(started.url), person)
  if (page.url.origin === new URL(as.issuer).origin) {
    throw new Error(`the browser is still at ${page.url.href} (${page.status}):\n${page.html}`)
  }
  const params = oauth.validateAuthResponse(as, client, page.url, started.state)
  return { params, started, page }
}

/** Code for tokens. */
export async function redeem(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  { params, started }: { params: URLSearchParams; started: StartedCode },
  options: oauth.TokenEndpointRequestOptions & { redirectUri?: string } = {},
): Promise<oauth.TokenEndpointResponse> {
  const { redirectUri = REDIRECT, ...rest } = options
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    oauth.None(),
    params,
    redirectUri,
    started.verifier,
    { ...INSECURE, ...rest },
  )
  return oauth.processAuthorizationCodeResponse(as, client, response)
}

/** Tokens of a person through a public client, from the first page to the last. */
export async function logIn(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  person: Person,
  request: CodeRequest = {},
): Promise<oauth.TokenEndpointResponse> {
  const given = await authorize(as, client, person, { request })
  return redeem(as, client, given, { redirectUri: request.redirectUri ?? REDIRECT })
}

export async function refresh(
  as: oauth.AuthorizationServer,
  client: oauth.Client,
  token: string,
  options: oauth.TokenEndpointRequestOptions = {},
): Promise<oauth.TokenEndpointResponse> {
  const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), token, {
    ...INSECURE,
    ...options,
  })
  return oauth.processRefreshTokenResponse(as, client, response)
}

/** The OAuth error of a request that must not work. */
export async function errorOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError)
      return error.error
    if (error instanceof oauth.WWWAuthenticateChallengeError) return 'challenge'
    throw error
  }
  throw new Error('it worked')
}
