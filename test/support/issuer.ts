import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  SignJWT,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
} from 'jose'
import * as oauth from 'oauth4webapi'
import { insist, onFreePort } from './ports.js'
import { program } from './programs.js'

// Issuers that are not ours, each in a process of its own, on loopback.

type Alg = 'RS256' | 'ES256'

interface Running {
  readonly url: string
  stop(): Promise<void>
}

async function start(file: string, settings: unknown): Promise<Running> {
  const [command, ...args] = program(file, JSON.stringify(settings))
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<never>((_, reject) => {
    child.once('close', (code) => reject(new Error(`the issuer ended with ${String(code)}: ${said}`)))
  })
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const [url] = await Promise.race([line, ended])
  ended.catch(() => undefined)
  return { url, stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

export async function makeKey(alg: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg, use: 'sig' }
}

/** A second authorization server: people and machines get access tokens for any resource there. */
export interface Issuer extends Running {
  readonly alg: Alg
  /** The private key, to sign what the issuer itself never would. */
  readonly key: JWK
  /** By client credentials of its client `robot`. */
  machineToken(resource: string, scope?: string): Promise<string>
  /** By code and PKCE: whoever says this name. */
  personToken(name: string, resource: string, options?: PersonOptions): Promise<string>
  /** Signed with its key; claims and header of an access token by the book, then something is changed. */
  forge(claims: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>
  /** Ends it and starts it again at the same URL, with other keys when given. */
  restart(keys?: readonly JWK[]): Promise<void>
}

export interface PersonOptions {
  readonly scope?: string
  /** Binds the token to this key. */
  readonly dpop?: oauth.DPoPHandle
}

export const REGISTRY_SCOPES = ['registry:publish', 'registry:review', 'registry:audit', 'registry:admin']

export async function startIssuer(
  options: { alg?: Alg; roles?: Record<string, readonly string[]> } = {},
): Promise<Issuer> {
  const { alg = 'RS256', roles = {} } = options
  let keys: readonly JWK[] = [await makeKey(alg)]
  const open = (port: number) => start('issuer-main.ts', { port, keys, alg, scopes: REGISTRY_SCOPES, roles })
  // It listens again on this port after a restart, and meanwhile nothing else may be given it.
  let running = await onFreePort(open)
  const { url } = running
  const port = Number(new URL(url).port)
  return {
    url,
    alg,
    get key() {
      return keys[0]!
    },
    machineToken: (resource, scope = REGISTRY_SCOPES.join(' ')) => askForMachine(url, resource, scope),
    personToken: (name, resource, asked = {}) => askForPerson(url, name, resource, asked),
    forge: (claims, header) => forgeAccessToken(url, alg, keys[0]!, claims, header),
    stop: () => running.stop(),
    async restart(others) {
      await running.stop()
      keys = others ?? keys
      running = await insist(() => open(port))
    },
  }
}

async function forgeAccessToken(
  iss: string,
  alg: string,
  key: JWK,
  claims: JWTPayload,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const usual = { iss, client_id: 'countersign', jti: crypto.randomUUID(), iat: now, exp: now + 300 }
  return new SignJWT({ ...usual, scope: REGISTRY_SCOPES.join(' '), ...claims })
    .setProtectedHeader({ alg, typ: 'at+jwt', ...(key.kid === undefined ? {} : { kid: key.kid }), ...header })
    .sign(await importJWK(key, alg), { crit: { x: true } })
}

// eslint-disable-next-line @typescript-eslint/no-deprecated -- struck through because it is for loopback only
const insecure = { [oauth.allowInsecureRequests]: true }

async function discover(url: string): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(url)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
}

async function askForMachine(url: string, resource: string, scope: string): Promise<string> {
  const as = await discover(url)
  const client = { client_id: 'robot' }
  const auth = oauth.ClientSecretBasic('robot-secret')
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, { scope, resource }, insecure)
  return (await oauth.processClientCredentialsResponse(as, client, response)).access_token
}

const REDIRECT = 'http://127.0.0.1/callback'

async function askForPerson(
  url: string,
  name: string,
  resource: string,
  { scope = REGISTRY_SCOPES.join(' '), dpop }: PersonOptions,
): Promise<string> {
  const as = await discover(url)
  const client = { client_id: 'countersign' }
  const verifier = oauth.generateRandomCodeVerifier()
  const asked = new URL(as.authorization_endpoint!)
  asked.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: `openid ${scope}`,
    resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()
  const back = await logInAs(name, asked)
  const parameters = oauth.validateAuthResponse(as, client, back, oauth.expectNoState)
  const options = { ...insecure, ...(dpop === undefined ? {} : { DPoP: dpop }) }
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    oauth.None(),
    parameters,
    REDIRECT,
    verifier,
    options,
  )
  const result = await oauth.processAuthorizationCodeResponse(as, client, response)
  return result.access_token
}

/** What a browser does at the issuer's own pages: it follows redirects, keeps cookies, says a name and agrees. */
async function logInAs(name: string, from: URL): Promise<URL> {
  const cookies = new Map<string, string>()
  let next: { url: URL; form?: Record<string, string> } = { url: from }
  for (let step = 0; step < 12; step++) {
    if (next.url.pathname === '/callback') return next.url
    const response = await fetch(next.url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join('; ') },
      ...(next.form === undefined ? {} : { method: 'POST', body: new URLSearchParams(next.form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(key, value)
    }
    const location = response.headers.get('location')
    if (location !== null) {
      next = { url: new URL(location, next.url) }
      continue
    }
    const prompt = /name="prompt" value="(\w+)"/.exec(await response.text())?.[1]
    if (prompt === undefined) throw new Error(`the issuer shows no form: ${response.status}`)
    next = { url: next.url, form: { prompt, login: name, password: 'any' } }
  }
  throw new Error('the login at the issuer comes to no end')
}

/** What CI systems have: an issuer that signs what it knows about a job. */
export interface CiIssuer extends Running {
  readonly alg: string
  readonly key: JWK
  /** The issuer signs these claims as one of its jobs' identity tokens. */
  token(claims: JWTPayload): Promise<string>
  /** Paths that were asked for, `/token` aside. */
  asked(): Promise<string[]>
}

export async function startCiIssuer(alg = 'RS256'): Promise<CiIssuer> {
  const key = await makeKey(alg)
  const running = await start('issuer-ci-main.ts', { key, alg })
  const { url } = running
  return {
    ...running,
    alg,
    key,
    async token(claims) {
      const response = await fetch(`${url}/token`, { method: 'POST', body: JSON.stringify(claims) })
      return ((await response.json()) as { value: string }).value
    },
    asked: async () => (await (await fetch(`${url}/asked`)).json()) as string[],
  }
}

/** What GitHub says about a job: a release of `octo-org/weather` by its workflow `release.yml`. */
export function githubClaims(aud: string, change: JWTPayload = {}): JWTPayload {
  return {
    aud,
    sub: 'repo:octo-org/weather:environment:release',
    repository: 'octo-org/weather',
    repository_id: '74',
    repository_owner: 'octo-org',
    repository_owner_id: '65',
    repository_visibility: 'public',
    environment: 'release',
    event_name: 'push',
    ref: 'refs/tags/v1.0.0',
    ref_type: 'tag',
    workflow: 'release',
    workflow_ref: 'octo-org/weather/.github/workflows/release.yml@refs/tags/v1.0.0',
    job_workflow_ref: 'octo-org/weather/.github/workflows/release.yml@refs/tags/v1.0.0',
    runner_environment: 'github-hosted',
    run_id: '30433642',
    actor: 'octocat',
    actor_id: '12',
    ...change,
  }
}

/** What a trusted publisher for those asks for. */
export const GITHUB_TRUST = {
  repository_id: '74',
  repository_owner_id: '65',
  workflow_ref: 'octo-org/weather/.github/workflows/release.yml@refs/tags/v*',
  environment: 'release',
}

/** What GitLab says about a job: a tag of `group/weather`. */
export function gitlabClaims(aud: string, change: JWTPayload = {}): JWTPayload {
  return {
    aud,
    sub: 'project_path:group/weather:ref_type:tag:ref:v1.0.0',
    namespace_id: '72',
    namespace_path: 'group',
    project_id: '20',
    project_path: 'group/weather',
    pipeline_source: 'push',
    ref: 'v1.0.0',
    ref_type: 'tag',
    ref_path: 'refs/tags/v1.0.0',
    ref_protected: 'true',
    ci_config_ref_uri: 'gitlab.example/group/weather//.gitlab-ci.yml@refs/tags/v1.0.0',
    environment: 'release',
    user_id: '1',
    ...change,
  }
}

export const GITLAB_TRUST = {
  project_id: '20',
  namespace_id: '72',
  ci_config_ref_uri: 'gitlab.example/group/weather//.gitlab-ci.yml@refs/tags/v*',
  ref_protected: 'true',
}
