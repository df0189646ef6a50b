import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  formatEvent,
  formatManifest,
  randomBytes,
  signEnvelope,
  signerFromSeed,
  signKeyAddEvent,
  signNamespaceEvent,
  type KeyEvent,
  type Manifest,
  type Signer,
} from 'countersign/core'
import { createClient } from '../../src/auth/clients.js'
import type { Config, Secrets } from '../../src/config.js'
import { openInlineJudge } from '../../src/judge/judge.js'
import type { Overrides, Registry } from '../../src/registry.js'
import { openInFolder, type OpenedRegistry } from './in-folder.js'
import { PATIENT_MS } from './ledger.js'
import { makeMigratedDatabase, type TestDatabase } from './postgres.js'

/** A real registry, in this process, on a port of its own, with a folder of its own. */
export interface TestRegistry {
  readonly url: string
  readonly identity: string
  readonly fingerprint: string
  readonly dir: string
  readonly registry: Registry
  /** What another process over the same database is started with. */
  readonly secrets: Secrets
  /** The client that the one-time password was traded for: the account `admin` with every role. */
  readonly admin: Caller
  /** Closes it and opens it again over the same folder, on a new port. */
  restart(): Promise<TestRegistry>
  close(): Promise<void>
}

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly account: string
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Parsed when it is JSON, else empty. */
  readonly body: ReplyBody
}

/**
 * Members of the answers, of every route. A test asserts on what it asked for; what is absent is undefined.
 */
export interface ReplyBody {
  readonly [member: string]: unknown
  readonly status: unknown
  readonly code: string
  readonly fields: readonly string[]
  readonly traceId: string
  readonly index: number
  readonly last: number
  readonly manifest: string
  readonly findings: readonly { rule: string; held: boolean; refuse: boolean }[]
  readonly items: readonly { manifest: string; status: string; account: string }[]
  readonly keys: readonly { kid: string; roles: string[]; revoked?: number; invalidFrom?: number }[]
  readonly versions: readonly { version: string; manifest: string; status: string; index: number }[]
  readonly servers: readonly { server: string; role: string; versions: ReplyBody['versions'] }[]
  readonly records: readonly {
    action: string
    target: string
    detail: string
    account: string
    index?: number
  }[]
  readonly client_id: string
  readonly client_secret: string
  readonly account: string
  readonly access_token: string
  readonly expires_in: number
  readonly scope: string
  readonly cursor?: string
}

/** Speaks to a registry as one client; a token is fetched when first needed and kept while it is young. */
export interface Caller {
  readonly url: string
  readonly client: Client
  token(scope?: string): Promise<string>
  request(method: string, path: string, body?: unknown): Promise<Reply>
  get(path: string): Promise<Reply>
  post(path: string, body: unknown): Promise<Reply>
  put(path: string, body: unknown): Promise<Reply>
}

export const ALL_SCOPES = 'registry:publish registry:review registry:audit registry:admin'

/** Limits that no test meets by accident. */
const WIDE = { points: 1_000_000, seconds: 1 }

export interface StartOptions {
  /** Several registries over one database; without it each has its own, on the engine this run is about. */
  readonly databaseUrl?: string
  /** Settings besides the address and the folder. */
  readonly config?: Partial<Config>
  readonly overrides?: Overrides
  readonly dir?: string
}

export async function startRegistry(options: StartOptions = {}): Promise<TestRegistry> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'countersign-registry-')))
  const wide = { token: WIDE, bootstrap: WIDE, writes: WIDE, proofs: WIDE, seen: WIDE }
  const limits = { ...wide, ...options.overrides?.limits }
  const database = await chooseDatabase(options)
  const overrides = { ...options.overrides, limits }
  const opened = await open(dir, { ...options, ...database, overrides })
  const password = opened.registry.oneTimePassword
  if (password === undefined) throw new Error('a registry in a new folder has a one-time password')
  const admin = callerOf(opened.url, await bootstrap(opened.url, 'admin', password))
  return running(dir, { ...options, ...database, overrides }, opened, admin)
}

interface RunOptions extends StartOptions {
  /** Made for this registry alone. */
  readonly own?: TestDatabase
}

/** The project of the run says which engine its registries use. */
async function chooseDatabase({
  databaseUrl,
}: StartOptions): Promise<Pick<RunOptions, 'databaseUrl' | 'own'>> {
  if (databaseUrl !== undefined || process.env['TEST_ENGINE'] !== 'postgres') return {}
  const own = await makeMigratedDatabase()
  return { databaseUrl: own.url, own }
}

function open(dir: string, { overrides, config, databaseUrl }: RunOptions): Promise<OpenedRegistry> {
  return openInFolder(dir, {
    config,
    secrets: secretsOf({ databaseUrl }),
    overrides: {
      publishWaitMs: PATIENT_MS,
      witnessTimeoutMs: PATIENT_MS,
      // Many requests at once wait for few connections.
      postgres: { connectMs: PATIENT_MS, idleInTransactionMs: PATIENT_MS },
      // The build's thread judges where a test asks for it; everywhere else the sources do, here.
      judge: openInlineJudge(),
      ...overrides,
    },
  })
}

function secretsOf({ databaseUrl }: { readonly databaseUrl?: string | undefined }): Secrets {
  return databaseUrl === undefined ? {} : { databaseUrl }
}

function running(dir: string, options: RunOptions, opened: OpenedRegistry, admin: Caller): TestRegistry {
  const { url, registry } = opened
  const { identity, fingerprint } = registry
  return {
    url,
    identity,
    fingerprint,
    dir,
    registry,
    secrets: secretsOf(options),
    admin,
    async restart() {
      await opened.close()
      const again = await open(dir, options)
      return running(dir, options, again, callerOf(again.url, admin.client))
    },
    async close() {
      await opened.close()
      await options.own?.drop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export async function bootstrap(url: string, account: string, password: string): Promise<Client> {
  const reply = await send(url, 'POST', '/v1/bootstrap', { body: { account, password } })
  return clientOf(reply)
}

function clientOf({ status, body }: Reply): Client {
  if (status !== 201) throw new Error(`no client: ${status} ${JSON.stringify(body)}`)
  return { clientId: body.client_id, clientSecret: body.client_secret, account: body.account }
}

export interface SendOptions {
  readonly body?: unknown
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** A string is an envelope (`application/jose`), anything else JSON; headers given win. */
export async function send(
  url: string,
  method: string,
  path: string,
  options: SendOptions = {},
): Promise<Reply> {
  const { body, token, headers } = options
  const type = typeof body === 'string' ? 'application/jose' : 'application/json'
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': type }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (json && text !== '' ? JSON.parse(text) : {}) as ReplyBody,
  }
}

/** A client credentials token, as the authorization server answers it. */
export async function requestToken(
  url: string,
  client: Client,
  scope: string,
  resource = url,
): Promise<Reply> {
  const credentials = Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope, resource })
  return send(url, 'POST', '/oauth/token', {
    body: form.toString(),
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/x-www-form-urlencoded' },
  })
}

export function callerOf(url: string, client: Client, scopes = ALL_SCOPES): Caller {
  const tokens = new Map<string, { readonly token: string; readonly until: number }>()
  const token = async (scope = scopes): Promise<string> => {
    const kept = tokens.get(scope)
    if (kept !== undefined && performance.now() < kept.until) return kept.token
    const asked = performance.now()
    const { status, body } = await requestToken(url, client, scope)
    if (status !== 200) throw new Error(`no token: ${status} ${JSON.stringify(body)}`)
    // In good time: a request may be long on its way.
    tokens.set(scope, { token: body.access_token, until: asked + body.expires_in * 500 })
    return body.access_token
  }
  const request = async (method: string, path: string, body?: unknown): Promise<Reply> =>
    send(url, method, path, { body, token: await token() })
  return {
    url,
    client,
    token,
    request,
    get: (path) => request('GET', path),
    post: (path, body) => request('POST', path, body),
    put: (path, body) => request('PUT', path, body),
  }
}

const SCOPE_OF = {
  publisher: 'registry:publish',
  reviewer: 'registry:review',
  auditor: 'registry:audit',
  admin: 'registry:admin',
} as const

/**
 * A new person with these roles, and a caller that asks for exactly their scopes. (A service account would count as the
 * same person as the admin who made it: four eyes would see one pair.)
 */
export async function addAccount(
  { url, registry }: TestRegistry,
  name: string,
  roles: readonly (keyof typeof SCOPE_OF)[],
): Promise<Caller> {
  const person = { account: name, kind: 'person', login: name, disabled: false, createdAt: 0 } as const
  await registry.store.createAccount({ ...person, roles })
  const client = await createClient(registry.store, { account: name, name, roles })
  return callerOf(url, client, roles.map((role) => SCOPE_OF[role]).join(' '))
}

/** A namespace that an account may publish in: granted, with one key that owns and signs. */
export interface Publisher {
  readonly caller: Caller
  readonly namespace: string
  readonly key: Signer
}

export function newKey(): Signer {
  return signerFromSeed(randomBytes(32))
}

/** Grants the namespace to the caller's account and enrols one key as `own` and `sign`. */
export async function addPublisher(
  at: TestRegistry,
  namespace: string,
  caller: Caller = at.admin,
  key: Signer = newKey(),
): Promise<Publisher> {
  const { account } = caller.client
  expectStatus(200, await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account }))
  const first = signNamespaceEvent({ namespace, proof: 'admin', account }, at.identity, key)
  const { index } = expectStatus(201, await submitKeyEvent(caller, first)).body
  await addKey(at, { caller, namespace, key }, key, 'sign', index)
  return { caller, namespace, key }
}

/** Enrols another key, endorsed by the publisher's own key; `after` is asked for when it is not given. */
export async function addKey(
  at: TestRegistry,
  { caller, namespace, key }: Publisher,
  added: Signer,
  role: 'own' | 'sign',
  after?: number,
): Promise<number> {
  const last = after ?? (await caller.get(`/v1/namespaces/${namespace}`)).body.last
  const event = signKeyAddEvent({ namespace, role, after: last }, at.identity, added, key)
  return expectStatus(201, await submitKeyEvent(caller, event)).body.index
}

export async function submitKeyEvent(caller: Caller, event: KeyEvent): Promise<Reply> {
  const keys = `/v1/namespaces/${event.namespace}/keys`
  const path = event.t === 'key.revoke' ? `${keys}/${event.kid}/revocation` : keys
  return caller.post(path, { event: formatEvent(event) })
}

/** A small honest manifest; `change` replaces members. */
export function sampleManifest(registry: string, change: Partial<Manifest> & { server: string }): Manifest {
  return {
    format: 'countersign/manifest/v1',
    registry,
    version: '1.0.0',
    role: 'publisher',
    title: 'Weather',
    description: 'Weather reports and forecasts.',
    tools: [
      {
        definition: {
          name: 'get_forecast',
          description: 'Returns the forecast of a city for the next days.',
          inputSchema: {
            type: 'object',
            properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1, maximum: 10 } },
            required: ['city'],
          },
        },
        permissions: [],
      },
    ],
    ...change,
  }
}

export function signManifest(manifest: Manifest, key: Signer): string {
  return signEnvelope('countersign-manifest+json', formatManifest(manifest), key)
}

export interface PublishedVersion {
  readonly manifest: string
  readonly index: number
  readonly envelope: string
}

/** Signs and publishes; the manifest waits for review. */
export async function publishManifest(publisher: Publisher, manifest: Manifest): Promise<PublishedVersion> {
  const envelope = signManifest(manifest, publisher.key)
  const { body } = expectStatus(201, await publisher.caller.post('/v1/manifests', envelope))
  return { manifest: body.manifest, index: body.index, envelope }
}

/**
 * Approves as this caller, with what the review page says is the latest; gives the reason when findings hold
 * it.
 */
export async function approveManifest(reviewer: Caller, digest: string, override?: string): Promise<number> {
  const { last } = expectStatus(200, await reviewer.get(`/v1/review/${digest}`)).body
  const decision = { after: last, ...(override === undefined ? {} : { override }) }
  return expectStatus(201, await reviewer.post(`/v1/review/${digest}/approval`, decision)).body.index
}

/** Publishes a sample and has the administrator approve it; its digest. */
export async function releaseSample(
  at: Pick<TestRegistry, 'identity' | 'admin'>,
  publisher: Publisher,
  change: Partial<Manifest> & { server: string },
): Promise<string> {
  const { manifest } = await publishManifest(publisher, sampleManifest(at.identity, change))
  await approveManifest(at.admin, manifest, 'looked at')
  return manifest
}

export async function revokeManifest(
  reviewer: Caller,
  digest: string,
  reason = 'found hostile',
): Promise<number> {
  return expectStatus(201, await reviewer.post(`/v1/manifests/${digest}/revocation`, { reason })).body.index
}

/** The reply, or an error that shows it: for the steps a test is not about. */
export function expectStatus(status: number, reply: Reply): Reply {
  if (reply.status !== status)
    throw new Error(`expected ${status}, got ${reply.status}: ${JSON.stringify(reply.body)}`)
  return reply
}
