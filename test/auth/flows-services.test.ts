import { webcrypto } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, SignJWT } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addPerson,
  addPublicClient,
  authorize,
  discover,
  errorOf,
  INSECURE,
  redeem,
  refresh,
  type Person,
} from '../support/oauth.js'
import { addAccount, send, startRegistry, type TestRegistry } from '../support/registry.js'

let at: TestRegistry
let as: oauth.AuthorizationServer
beforeAll(async () => {
  at = await startRegistry()
  as = await discover(at.url)
})
afterAll(async () => {
  await at.close()
})

async function grant(
  client: oauth.Client,
  auth: oauth.ClientAuth,
  parameters: Record<string, string> = { scope: 'registry:audit' },
  options: oauth.ClientCredentialsGrantRequestOptions = {},
): Promise<oauth.TokenEndpointResponse> {
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, {
    ...INSECURE,
    ...options,
  })
  return oauth.processClientCredentialsResponse(as, client, response)
}

describe('client credentials', () => {
  it.each([
    ['client_secret_basic', oauth.ClientSecretBasic],
    ['client_secret_post', oauth.ClientSecretPost],
  ])('by %s', async (_, authBy) => {
    const { clientId, clientSecret } = at.admin.client
    const tokens = await grant({ client_id: clientId }, authBy(clientSecret))
    expect(decodeJwt(tokens.access_token)).toMatchObject({ sub: clientId, client_id: clientId, aud: at.url })
    expect(decodeJwt(tokens.access_token)).not.toHaveProperty('grant')
    expect(tokens).not.toHaveProperty('refresh_token')
    expect((await send(at.url, 'GET', '/v1/audit', { token: tokens.access_token })).status).toBe(200)
  })

  it('cuts what the account has no role for any more', async () => {
    const service = await addAccount(at, 'two-roles', ['publisher', 'auditor'])
    await at.registry.store.updateAccount('two-roles', { roles: ['auditor'] })
    const { clientId, clientSecret } = service.client
    const both = { scope: 'registry:publish registry:audit' }
    const tokens = await grant({ client_id: clientId }, oauth.ClientSecretBasic(clientSecret), both)
    expect(tokens.scope).toBe('registry:audit')
  })

  it('cuts what the client may not have, and says so when nothing is left', async () => {
    const { clientId, clientSecret } = (await addAccount(at, 'one-role', ['auditor'])).client
    const ask = (scope: string) =>
      grant({ client_id: clientId }, oauth.ClientSecretBasic(clientSecret), { scope })
    expect((await ask('registry:audit registry:admin registry:publish')).scope).toBe('registry:audit')
    expect(await errorOf(ask('registry:admin'))).toBe('invalid_scope')
    expect(await errorOf(ask('registry:nonsense'))).toBe('invalid_scope')
  })

  it('ends with the account', async () => {
    const service = await addAccount(at, 'leaving-service', ['auditor'])
    await at.registry.store.updateAccount('leaving-service', { disabled: true })
    const { clientId, clientSecret } = service.client
    expect(await errorOf(grant({ client_id: clientId }, oauth.ClientSecretBasic(clientSecret)))).toBe(
      'challenge',
    )
  })

  it('is not for the command line, nor for any client of people', async () => {
    const people = await addPublicClient(at, 'people')
    for (const client of [people, { client_id: 'countersign-cli' }]) {
      expect(await errorOf(grant(client, oauth.None()))).toBe('invalid_request')
    }
  })

  it('a client of an account cannot log people in', async () => {
    const url = new URL(as.authorization_endpoint!)
    const { clientId } = at.admin.client
    url.search = new URLSearchParams({
      ...{ client_id: clientId, response_type: 'code', redirect_uri: 'https://program.example/callback' },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', scope: 'registry:audit' },
    }).toString()
    const page = await fetch(url, { redirect: 'manual' })
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
  })
})

type Pair = webcrypto.CryptoKeyPair

async function keyClient(clientId: string, { publicKey }: Pair, alg: string): Promise<oauth.Client> {
  const jwk = { ...(await exportJWK(publicKey)), kid: clientId, alg, use: 'sig' }
  await at.registry.store.createClient({
    ...{ clientId, account: 'admin', name: 'key client', authMethod: 'private_key_jwt' },
    jwks: JSON.stringify({ keys: [jwk] }),
    ...{ redirectUris: [], grantTypes: ['client_credentials'], scopes: ['registry:audit'] },
    ...{ disabled: false, createdAt: Date.now() },
  })
  return { client_id: clientId }
}

const makePair = (alg: 'ES256' | 'Ed25519' | 'RS256') => oauth.generateKeyPair(alg)

describe('private_key_jwt', () => {
  it.each(['ES256', 'Ed25519', 'RS256'] as const)('by %s', async (alg) => {
    const pair = await makePair(alg)
    const client = await keyClient(`key-${alg}`, pair, alg)
    const tokens = await grant(client, oauth.PrivateKeyJwt({ key: pair.privateKey, kid: client.client_id }))
    expect((await send(at.url, 'GET', '/v1/audit', { token: tokens.access_token })).status).toBe(200)
  })

  it('wants the key of that client', async () => {
    const client = await keyClient('key-stranger', await makePair('ES256'), 'ES256')
    const stranger = await makePair('ES256')
    const auth = oauth.PrivateKeyJwt({ key: stranger.privateKey, kid: client.client_id })
    expect(await errorOf(grant(client, auth))).toBe('invalid_client')
  })

  it('takes an assertion once, for itself, while it is fresh, and from no symmetric key', async () => {
    const pair = await makePair('ES256')
    const client = await keyClient('key-assert', pair, 'ES256')
    const id = client.client_id
    const assert = (
      change: Record<string, unknown> = {},
      alg = 'ES256',
      key: Parameters<SignJWT['sign']>[0] = pair.privateKey,
    ) =>
      new SignJWT({ iss: id, sub: id, aud: at.url, jti: Math.random().toString(), ...change })
        .setProtectedHeader({ alg, kid: id })
        .setIssuedAt()
        .setExpirationTime(typeof change['exp'] === 'number' ? change['exp'] : '1m')
        .sign(key)
    const ask = async (client_assertion: string): Promise<[number, unknown]> => {
      const form = new URLSearchParams({
        grant_type: 'client_credentials',
        scope: 'registry:audit',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      })
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const { status, body } = await send(at.url, 'POST', '/oauth/token', { body: form.toString(), headers })
      return [status, body['error']]
    }
    const once = await assert()
    expect(await ask(once)).toEqual([200, undefined])
    expect(await ask(once)).toEqual([401, 'invalid_client'])
    expect(await ask(await assert({ aud: 'https://elsewhere.example' }))).toEqual([401, 'invalid_client'])
    expect(await ask(await assert({ iss: 'somebody' }))).toEqual([401, 'invalid_client'])
    const past = Math.floor(Date.now() / 1000) - 60
    expect(await ask(await assert({ exp: past }))).toEqual([401, 'invalid_client'])
    const shared = new TextEncoder().encode(JSON.stringify(await exportJWK(pair.publicKey)))
    expect(await ask(await assert({}, 'HS256', shared))).toEqual([401, 'invalid_client'])
  })
})

describe('DPoP', () => {
  let client: oauth.Client
  let person: Person
  beforeAll(async () => {
    client = await addPublicClient(at, 'bound-program')
    person = await addPerson(at, 'bound', ['auditor'])
  })

  const audit = (token: string, headers: Record<string, string>) =>
    send(at.url, 'GET', '/v1/audit', { headers: { authorization: `DPoP ${token}`, ...headers } })

  it('binds code, refresh and every request to one key', async () => {
    const key = await makePair('ES256')
    const DPoP = oauth.DPoP(client, key)
    const given = await authorize(as, client, person, { request: { scope: 'registry:audit' } })
    const tokens = await redeem(as, client, given, { DPoP })
    expect(tokens.token_type).toBe('dpop')
    expect(decodeJwt(tokens.access_token)).toMatchObject({ cnf: { jkt: await DPoP.calculateThumbprint() } })

    const url = new URL('/v1/audit', at.url)
    const request = (token: string, options: oauth.ProtectedResourceRequestOptions) =>
      oauth.protectedResourceRequest(token, 'GET', url, undefined, null, { ...INSECURE, ...options })
    expect((await request(tokens.access_token, { DPoP })).status).toBe(200)
    const asBearer = await send(at.url, 'GET', '/v1/audit', { token: tokens.access_token })
    expect([asBearer.status, asBearer.body.code]).toEqual([401, 'dpop-invalid'])
    expect((await audit(tokens.access_token, {})).body.code).toBe('dpop-invalid')

    const second = await refresh(as, client, tokens.refresh_token!, { DPoP })
    expect((await request(second.access_token, { DPoP })).status).toBe(200)
    const stolen = oauth.DPoP(client, await makePair('ES256'))
    expect(await errorOf(refresh(as, client, second.refresh_token!, { DPoP: stolen }))).toBe('invalid_grant')
    expect(await errorOf(refresh(as, client, second.refresh_token!))).toBe('invalid_grant')
    const third = await refresh(as, client, second.refresh_token!, { DPoP })
    expect(third.token_type).toBe('dpop')
  })

  it('binds client credentials, by Ed25519 too', async () => {
    const { clientId, clientSecret } = at.admin.client
    const service: oauth.Client = { client_id: clientId }
    const DPoP = oauth.DPoP(service, await makePair('Ed25519'))
    const auth = oauth.ClientSecretBasic(clientSecret)
    const tokens = await grant(service, auth, undefined, { DPoP })
    expect(tokens.token_type).toBe('dpop')
    expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt')
  })

  it('takes a proof once, for this endpoint, and fresh', async () => {
    const pair = await makePair('ES256')
    const jwk = await exportJWK(pair.publicKey)
    const make = (change: Record<string, unknown> = {}) =>
      new SignJWT({
        htm: 'POST',
        htu: `${at.url}/oauth/token`,
        iat: Math.floor(Date.now() / 1000),
        jti: Math.random().toString(),
        ...change,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(pair.privateKey)
    const { clientId, clientSecret } = at.admin.client
    const ask = async (dpop: string): Promise<[number, unknown]> => {
      const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
      const { status, body } = await send(at.url, 'POST', '/oauth/token', {
        body: 'grant_type=client_credentials&scope=registry:audit',
        headers: {
          ...{ authorization: `Basic ${credentials}`, dpop },
          'content-type': 'application/x-www-form-urlencoded',
        },
      })
      return [status, body['error']]
    }
    const once = await make()
    expect(await ask(once)).toEqual([200, undefined])
    expect(await ask(once)).toEqual([400, 'invalid_grant'])
    expect(await ask(await make({ htu: 'https://elsewhere.example/oauth/token' }))).toEqual([
      400,
      'invalid_dpop_proof',
    ])
    expect(await ask(await make({ htm: 'GET' }))).toEqual([400, 'invalid_dpop_proof'])
    expect(await ask(await make({ iat: 1_700_000_000 }))).toEqual([400, 'invalid_dpop_proof'])
    const both = await make()
    const twice = await Promise.all([ask(both), ask(both), ask(both)])
    expect(twice.filter(([status]) => status === 200)).toHaveLength(1)
  })
})
