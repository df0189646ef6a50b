import type { webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { createRemoteJWKSet, decodeJwt, importJWK, jwtVerify, SignJWT, type JWK, type JWTPayload } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClientRow, Role } from '../../src/storage/store.js'
import { PATIENT_MS } from '../support/ledger.js'
import {
  addAccount,
  callerOf,
  requestToken,
  send,
  startRegistry,
  type Client,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let signingKey: webcrypto.CryptoKey
let kid: string

beforeAll(async () => {
  at = await startRegistry()
  const jwk = JSON.parse(
    await readFile(join(at.dir, 'data', 'oauth', 'token-signing-key.json'), 'utf8'),
  ) as JWK
  signingKey = (await importJWK(jwk, 'EdDSA')) as webcrypto.CryptoKey
  kid = jwk.kid!
})
afterAll(async () => {
  await at.close()
})

/** A token as the authorization server makes them, signed with its own key; then something is changed. */
async function mint(change: JWTPayload = {}, header: Record<string, string> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: at.url,
    aud: at.url,
    sub: at.admin.client.clientId,
    client_id: at.admin.client.clientId,
    jti: 'token-1',
    scope: 'registry:audit',
    iat: now,
    exp: now + 300,
    ...change,
  }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })
    .sign(signingKey)
}

/** `fetch` does not let its caller choose the host. */
async function getJson(path: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const [response] = (await once(request(at.url + path, { headers }).end(), 'response')) as [IncomingMessage]
  return (await json(response)) as Record<string, unknown>
}

const audit = (token?: string) => send(at.url, 'GET', '/v1/audit', { token })

describe('a token by the book', () => {
  it('is found by discovery, granted, and verified by strangers', async () => {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- struck through because it is for loopback only
    const insecure = { [oauth.allowInsecureRequests]: true }
    const resource = await oauth.resourceDiscoveryRequest(new URL(at.url), insecure)
    const metadata = await oauth.processResourceDiscoveryResponse(new URL(at.url), resource)
    expect(metadata.authorization_servers).toEqual([at.url])
    const issuer = new URL(metadata.authorization_servers![0]!)
    const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    const as = await oauth.processDiscoveryResponse(issuer, discovery)
    expect(as.grant_types_supported).toContain('client_credentials')

    const { clientId, clientSecret } = at.admin.client
    const client = { client_id: clientId }
    const auth = oauth.ClientSecretBasic(clientSecret)
    const parameters = { scope: 'registry:publish registry:audit', resource: at.url }
    const response = await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, insecure)
    const { access_token, expires_in } = await oauth.processClientCredentialsResponse(as, client, response)
    expect(expires_in).toBe(600)

    const { payload, protectedHeader } = await jwtVerify(
      access_token,
      createRemoteJWKSet(new URL(as.jwks_uri!), { timeoutDuration: PATIENT_MS }),
      {
        issuer: at.url,
        audience: at.url,
        typ: 'at+jwt',
        algorithms: ['EdDSA'],
      },
    )
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid })
    expect(payload).toMatchObject({
      client_id: clientId,
      sub: clientId,
      scope: 'registry:publish registry:audit',
    })
    expect((await audit(access_token)).status).toBe(200)
  })

  it('is asked for where the registry is, whatever host and scheme the request speaks of', async () => {
    const forged = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
    for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
      const { token_endpoint, jwks_uri } = await getJson(path, forged)
      expect([token_endpoint, jwks_uri]).toEqual([`${at.url}/oauth/token`, `${at.url}/oauth/jwks`])
    }
  })

  it('takes the client secret in the body as well', async () => {
    const { clientId, clientSecret } = at.admin.client
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    })
    const reply = await send(at.url, 'POST', '/oauth/token', {
      body: form.toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    expect(reply.status).toBe(200)
  })

  it('publishes its public key only', async () => {
    const { keys } = JSON.parse((await send(at.url, 'GET', '/oauth/jwks')).text) as { keys: JWK[] }
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x']])
  })

  it('accepts what mint() makes, so that the refusals below are for their change alone', async () => {
    expect((await audit(await mint())).status).toBe(200)
  })
})

describe('no token', () => {
  it.each([
    ['wrong secret', (client: Client) => ({ ...client, clientSecret: 'A'.repeat(43) })],
    ['unknown client', (client: Client) => ({ ...client, clientId: 'client-nobody' })],
    ['the stored hash as secret', (client: Client) => ({ ...client, clientSecret: 'f'.repeat(64) })],
  ])('for a %s', async (_, change) => {
    const reply = await requestToken(at.url, change(at.admin.client), 'registry:audit')
    expect([reply.status, reply.body['error']]).toEqual([401, 'invalid_client'])
  })

  it('for another resource', async () => {
    const reply = await requestToken(at.url, at.admin.client, 'registry:audit', 'https://elsewhere.example')
    expect([reply.status, reply.body['error']]).toEqual([400, 'invalid_target'])
  })

  it('by another grant', async () => {
    const form = new URLSearchParams({ grant_type: 'password', username: 'admin', password: 'x' })
    const { clientId, clientSecret } = at.admin.client
    const reply = await send(at.url, 'POST', '/oauth/token', {
      body: form.toString(),
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
    })
    expect([reply.status, reply.body['error']]).toEqual([400, 'unsupported_grant_type'])
  })

  it('with a scope that the client does not have', async () => {
    const reader = await addAccount(at, 'scope-test', ['auditor'])
    const { status, body } = await requestToken(at.url, reader.client, 'registry:audit registry:admin')
    expect([status, body.scope]).toEqual([200, 'registry:audit'])
    expect(decodeJwt(body.access_token)['scope']).toBe('registry:audit')
  })
})

describe('401 token-invalid', () => {
  const hour = 3600
  const now = () => Math.floor(Date.now() / 1000)
  it.each<[string, () => Promise<string>]>([
    ['expired', () => mint({ iat: now() - hour, exp: now() - 60 })],
    ['issued long ago with a long life', () => mint({ iat: now() - hour, exp: now() + hour })],
    ['for another audience', () => mint({ aud: 'https://elsewhere.example' })],
    ['by another issuer', () => mint({ iss: 'https://elsewhere.example' })],
    ['of another type', () => mint({}, { typ: 'JWT' })],
    ['without an expiry', () => mint({ exp: undefined as unknown as number })],
    ['without an id', () => mint({ jti: undefined as unknown as string })],
    ['not yet valid', () => mint({ nbf: now() + hour })],
    ['signed by another key', mintByStranger],
    ['without a signature', async () => `${(await mint()).split('.').slice(0, 2).join('.')}.`],
    ['with alg none', mintUnsigned],
    ['with a changed payload', changePayload],
    ['that is no JWT', () => Promise.resolve('abc')],
  ])('%s', async (_, make) => {
    const reply = await audit(await make())
    expect([reply.status, reply.body.code]).toEqual([401, 'token-invalid'])
    expect(reply.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  async function mintByStranger(): Promise<string> {
    const { privateKey } = (await crypto.subtle.generateKey('Ed25519', false, [
      'sign',
    ])) as webcrypto.CryptoKeyPair
    return new SignJWT({ iss: at.url, aud: at.url, sub: 'x', client_id: at.admin.client.clientId, jti: 'y' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  }

  async function mintUnsigned(): Promise<string> {
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
    return `${header}.${(await mint()).split('.')[1]!}.`
  }

  async function changePayload(): Promise<string> {
    const [header, payload, signature] = (await mint()).split('.')
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as JWTPayload
    const forged = Buffer.from(JSON.stringify({ ...claims, scope: 'registry:admin' })).toString('base64url')
    return `${header!}.${forged}.${signature!}`
  }

  it.each([['Basic YTpi'], ['Bearer'], ['Bearer a b'], [`Bearer ${'a'.repeat(9000)}`]])(
    'a header that is no bearer token: %s',
    async (authorization) => {
      const reply = await send(at.url, 'GET', '/v1/audit', { headers: { authorization } })
      expect([reply.status, reply.body.code]).toEqual([401, 'token-invalid'])
    },
  )

  it('on a route that anyone may read, a bad token is still refused', async () => {
    const reply = await send(at.url, 'GET', '/v1/servers', { token: 'abc' })
    expect([reply.status, reply.body.code]).toEqual([401, 'token-invalid'])
  })
})

describe('401 and 403', () => {
  it('says where to get a token when there is none', async () => {
    const reply = await audit()
    expect([reply.status, reply.body.code]).toEqual([401, 'token-missing'])
    expect(reply.headers.get('www-authenticate')).toBe(
      `Bearer resource_metadata="${at.url}/.well-known/oauth-protected-resource"`,
    )
  })

  it.each([['registry:publish'], ['registry:nonsense'], ['']])(
    'lacks the scope with a token for "%s"',
    async (scope) => {
      const token = await mint({ scope })
      const reply = await audit(token)
      expect([reply.status, reply.body.code]).toEqual([403, 'scope-missing'])
      expect(reply.headers.get('www-authenticate')).toContain(
        'error="insufficient_scope", scope="registry:audit"',
      )
    },
  )

  it('needs the client to have been given the scope, whatever the token says', async () => {
    const publisher = await addAccount(at, 'publisher-only', ['publisher'])
    const { clientId } = publisher.client
    const scope = 'registry:audit registry:admin'
    const token = await mint({ sub: clientId, client_id: clientId, scope })
    const reply = await audit(token)
    expect([reply.status, reply.body.code]).toEqual([403, 'scope-missing'])
  })

  it('needs the role as well as the scope', async () => {
    await addService('reader', ['publisher'])
    await addClient('client-r', { account: 'reader' })
    const reply = await audit(await mint({ sub: 'client-r', client_id: 'client-r' }))
    expect([reply.status, reply.body.code]).toEqual([403, 'role-missing'])
  })

  it('refuses disabled clients and accounts, and gives them no new token', async () => {
    await addService('gone', ['auditor'], true)
    await addClient('client-gone', { account: 'gone' })
    await addClient('client-off', { account: 'admin', disabled: true })
    for (const client_id of ['client-gone', 'client-off', 'client-never-was']) {
      const reply = await audit(await mint({ sub: client_id, client_id }))
      expect([reply.status, reply.body.code]).toEqual([401, 'account-disabled'])
      const refused = await requestToken(
        at.url,
        { clientId: client_id, clientSecret: 'x', account: '' },
        'registry:audit',
      )
      expect(refused.status).toBe(401)
    }
  })
})

function addService(account: string, roles: readonly Role[], disabled = false): Promise<void> {
  return at.registry.store.createAccount({ account, kind: 'service', roles, disabled, createdAt: 0 })
}

function addClient(clientId: string, change: Partial<ClientRow> = {}): Promise<void> {
  const secret = change.account === undefined ? {} : { secretHash: '00'.repeat(32) }
  return at.registry.store.createClient({
    clientId,
    name: clientId,
    authMethod: change.account === undefined ? 'none' : 'client_secret_basic',
    redirectUris: [],
    grantTypes: [],
    scopes: ['registry:audit'],
    disabled: false,
    createdAt: 0,
    ...secret,
    ...change,
  })
}

describe('the token of a person', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const person = (change: JWTPayload = {}): Promise<string> =>
    mint({ sub: 'u-person', client_id: 'countersign-cli', grant: 'grant-1', ...change })
  const grant = (id: string, payload: object): Promise<void> =>
    at.registry.store.putOAuth('Grant', id, JSON.stringify(payload), { grantId: id }, now() + 600)

  beforeAll(async () => {
    const { store } = at.registry
    const row = { kind: 'person', login: 'somebody', disabled: false, createdAt: 0 } as const
    await store.createAccount({ account: 'u-person', roles: ['auditor'], ...row })
    await addClient('client-console')
    await grant('grant-1', { accountId: 'u-person', clientId: 'countersign-cli' })
    await grant('grant-console', { accountId: 'u-person', clientId: 'client-console' })
    await grant('grant-other', { accountId: 'admin', clientId: 'countersign-cli' })
  })

  it('speaks for the person, through the command line or a client of nobody', async () => {
    for (const client_id of ['countersign-cli', 'client-console']) {
      const id = client_id === 'client-console' ? 'grant-console' : 'grant-1'
      const reply = await send(at.url, 'GET', '/v1/account', {
        token: await person({ client_id, grant: id }),
      })
      expect([reply.status, reply.body.account, reply.body['clientId']]).toEqual([200, 'u-person', client_id])
    }
  })

  it.each<[string, JWTPayload, string]>([
    ['without a grant', { grant: undefined }, 'token-invalid'],
    ['with a grant that is gone', { grant: 'grant-gone' }, 'token-invalid'],
    ['with a grant of somebody else', { grant: 'grant-other' }, 'token-invalid'],
    ['with a grant to another client', { grant: 'grant-console' }, 'token-invalid'],
    ['with a grant that is no word', { grant: { id: 'grant-1' } }, 'token-invalid'],
    ['of nobody', { sub: 'u-nobody' }, 'account-disabled'],
  ])('%s is refused', async (_, change, code) => {
    const reply = await audit(await person(change))
    expect([reply.status, reply.body.code]).toEqual([401, code])
  })

  it('through a client that speaks for an account of its own is refused', async () => {
    const { clientId } = at.admin.client
    await grant('grant-service', { accountId: 'u-person', clientId })
    const reply = await audit(await person({ client_id: clientId, grant: 'grant-service' }))
    expect([reply.status, reply.body.code]).toEqual([401, 'account-disabled'])
  })

  it('ends with the logout, and with a password that was changed', async () => {
    const { store } = at.registry
    const token = await person()
    expect((await audit(token)).status).toBe(200)
    await store.updateAccount('u-person', { tokensBefore: now() + 1 })
    expect((await audit(token)).body.code).toBe('token-invalid')
    await store.updateAccount('u-person', { tokensBefore: 0 })
    expect((await audit(token)).status).toBe(200)
    await store.deleteOAuthGrant('grant-1')
    expect((await audit(token)).body.code).toBe('token-invalid')
  })
})

describe('the authorization server', () => {
  it('answers JSON, whatever is asked for', async () => {
    const reply = await send(at.url, 'POST', '/oauth/token', { headers: { accept: 'text/html' } })
    expect([reply.status, reply.body['error']]).toEqual([400, 'invalid_request'])
  })

  it.each([
    ['/oauth/introspect'],
    ['/oauth/userinfo'],
    ['/session/end'],
    ['/oauth/register'],
    ['/interaction/x'],
    ['/oauth'],
  ])('is not reached at %s', async (path) => {
    const reply = await send(at.url, 'GET', path)
    expect([reply.status, reply.body.code]).toEqual([404, 'not-found'])
  })

  it('keeps its keys and its clients over a restart', async () => {
    const before = await send(at.url, 'GET', '/oauth/jwks')
    at = await at.restart()
    expect((await send(at.url, 'GET', '/oauth/jwks')).text).toBe(before.text)
    expect((await callerOf(at.url, at.admin.client).get('/v1/audit')).status).toBe(200)
  })
})
