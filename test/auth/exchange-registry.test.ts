import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeJwt, type JWTPayload } from 'jose'
import * as oauth from 'oauth4webapi'
import {
  addAccount,
  addPublisher,
  expectStatus,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import { GITHUB_TRUST, githubClaims, startCiIssuer, type CiIssuer } from '../support/issuer.js'

// Publishing from a workflow, with nothing stored there that gives access to the registry.

const NAMESPACE = 'com.example'
const TRUSTED = '/v1/admin/trusted-publishers'

let at: TestRegistry
let ci: CiIssuer
let publisher: Publisher
let patch = 0

beforeAll(async () => {
  ;[at, ci] = await Promise.all([startRegistry(), startCiIssuer('RS256')])
  publisher = await addPublisher(at, NAMESPACE, await addAccount(at, 'weather-team', ['publisher']))
})
afterAll(async () => {
  await Promise.all([at.close(), ci.stop()])
})

const trust = (change: object = {}) =>
  at.admin.post(TRUSTED, {
    namespace: NAMESPACE,
    provider: 'github',
    issuer: ci.url,
    claims: GITHUB_TRUST,
    ...change,
  })

async function trusted(change: object = {}): Promise<string> {
  return String(expectStatus(201, await trust(change)).body['id'])
}

const forget = (id: string) => at.admin.request('DELETE', `${TRUSTED}/${id}`)

async function exchange(subjectToken: string, change: Record<string, string> = {}): Promise<Reply> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    client_id: 'countersign-cli',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    ...change,
  }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return send(at.url, 'POST', '/oauth/token', { body: new URLSearchParams(form).toString(), headers })
}

const job = (change: JWTPayload = {}) => ci.token(githubClaims(at.url, change))

async function workflowToken(): Promise<string> {
  return expectStatus(200, await exchange(await job())).body.access_token
}

/** A new version each time, signed by the namespace's own key, as a workflow would send it. */
function publish(token: string, server = `${NAMESPACE}/weather`): Promise<Reply> {
  const manifest = sampleManifest(at.identity, { server, version: `1.0.${patch++}` })
  return send(at.url, 'POST', '/v1/manifests', { token, body: signManifest(manifest, publisher.key) })
}

describe('a trusted workflow', () => {
  it('publishes a signed manifest by the identity that its CI gives it', async () => {
    const id = await trusted({ server: `${NAMESPACE}/weather` })
    const reply = expectStatus(200, await exchange(await job()))
    expect(reply.body).toMatchObject({
      token_type: 'Bearer',
      scope: 'registry:publish',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
    const token = reply.body.access_token
    const claims = decodeJwt(token)
    expect(claims).toMatchObject({ account: 'weather-team', trusted_publishers: [id], aud: at.url })
    expect(claims.exp! - claims.iat!).toBeLessThanOrEqual(600)

    const published = await publish(token)
    expect([published.status, published.body.status]).toEqual([201, 'pending'])
    const { records } = (await at.admin.get('/v1/audit?action=publish')).body
    expect(records[0]?.account).toBe('weather-team')
    await forget(id)
  })

  it('may bind its token to a key, and then needs the key', async () => {
    const id = await trusted()
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- struck through because it is for loopback only
    const insecure = { [oauth.allowInsecureRequests]: true }
    const issuer = new URL(at.url)
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
    )
    const client = { client_id: 'countersign-cli' }
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
    const parameters = {
      subject_token: await job(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    }
    const grant = 'urn:ietf:params:oauth:grant-type:token-exchange'
    const answer = await oauth.genericTokenEndpointRequest(as, client, oauth.None(), grant, parameters, {
      DPoP,
      ...insecure,
    })
    const result = await oauth.processGenericTokenEndpointResponse(as, client, answer)
    expect(result.token_type).toBe('dpop')
    expect((await publish(result.access_token)).body.code).toBe('dpop-invalid')

    const manifest = sampleManifest(at.identity, {
      server: `${NAMESPACE}/weather`,
      version: `1.0.${patch++}`,
    })
    const sent = await oauth.protectedResourceRequest(
      result.access_token,
      'POST',
      new URL(`${at.url}/v1/manifests`),
      new Headers({ 'content-type': 'application/jose' }),
      signManifest(manifest, publisher.key),
      { DPoP, ...insecure },
    )
    expect(sent.status).toBe(201)
    await forget(id)
  })

  it('does nothing but publish', async () => {
    const id = await trusted()
    const token = await workflowToken()
    const ns = `/v1/namespaces/${NAMESPACE}`
    const tried: [string, string, unknown?][] = [
      ['GET', ns],
      ['POST', `${ns}/keys`, { event: '{}' }],
      ['GET', '/v1/review'],
      ['GET', '/v1/audit'],
      ['GET', TRUSTED],
      ['POST', '/v1/admin/invitations', { roles: ['admin'] }],
    ]
    for (const [method, path, body] of tried) {
      const reply = await send(at.url, method, path, { token, body })
      expect([path, reply.status, reply.body.code]).toEqual([path, 403, 'token-limited'])
    }
    expect((await publish(token)).status).toBe(201)
    await forget(id)
  })

  it('reads what anyone may read: what waits for review is not for it', async () => {
    const id = await trusted({ server: `${NAMESPACE}/weather` })
    const token = await workflowToken()
    const secret = sampleManifest(at.identity, { server: `${NAMESPACE}/unreleased` })
    const { body } = await publisher.caller.post('/v1/manifests', signManifest(secret, publisher.key))
    for (const path of [`/v1/manifests/${body.manifest}`, `/v1/servers/${NAMESPACE}/unreleased`]) {
      expect((await publisher.caller.get(path)).status).toBe(200)
      expect([path, (await send(at.url, 'GET', path, { token })).status]).toEqual([path, 404])
    }
    await forget(id)
  })

  it('publishes the servers it is trusted with, and no other', async () => {
    const id = await trusted({ server: `${NAMESPACE}/weather` })
    const token = await workflowToken()
    const other = await publish(token, `${NAMESPACE}/tides`)
    expect([other.status, other.body.code]).toEqual([403, 'not-trusted-here'])
    expect((await publish(token)).status).toBe(201)
    await forget(id)
  })

  it('loses its token with its trusted publisher, and with its account', async () => {
    const id = await trusted()
    const token = await workflowToken()
    await at.registry.store.updateAccount('weather-team', { disabled: true })
    expect((await publish(token)).body.code).toBe('account-disabled')
    const refused = await exchange(await job())
    expect([refused.status, refused.body['error']]).toEqual([400, 'invalid_request'])
    await at.registry.store.updateAccount('weather-team', { disabled: false })
    expect((await publish(token)).status).toBe(201)
    expect((await forget(id)).status).toBe(200)
    const reply = await publish(token)
    expect([reply.status, reply.body.code]).toEqual([401, 'token-invalid'])
  })
})

describe('no token', () => {
  let id: string
  beforeAll(async () => {
    id = await trusted()
  })
  afterAll(async () => {
    await forget(id)
  })

  it.each<[string, JWTPayload]>([
    ['for a fork', { repository: 'attacker/weather', repository_id: '9000', repository_owner_id: '8000' }],
    [
      'for another workflow',
      { workflow_ref: 'octo-org/weather/.github/workflows/test.yml@refs/tags/v1.0.0' },
    ],
    [
      'for another branch',
      { workflow_ref: 'octo-org/weather/.github/workflows/release.yml@refs/heads/main' },
    ],
    ['for another environment', { environment: 'staging' }],
    ['for a pull request', { event_name: 'pull_request' }],
    ['for a token that is for others as well', { aud: ['https://elsewhere.example'] }],
    ['for a stale token', { iat: Math.floor(Date.now() / 1000) - 700 }],
  ])('%s', async (_, change) => {
    const reply = await exchange(await job(change))
    expect([reply.status, reply.body['error']]).toEqual([400, 'invalid_request'])
    expect(reply.body.access_token).toBeUndefined()
  })

  it('the second time', async () => {
    const token = await job()
    expect((await exchange(token)).status).toBe(200)
    const again = await exchange(token)
    expect([again.status, again.body['error']]).toEqual([400, 'invalid_request'])
  })

  it('of an issuer that nobody trusts, which is not asked anything', async () => {
    const stranger = await startCiIssuer('ES256')
    const reply = await exchange(await stranger.token(githubClaims(at.url)))
    expect([reply.status, reply.body['error']]).toEqual([400, 'invalid_request'])
    expect(await stranger.asked()).toEqual([])
    await stranger.stop()
  })

  it('for another resource, another scope, another type', async () => {
    const elsewhere = await exchange(await job(), { resource: 'https://elsewhere.example' })
    expect(elsewhere.body['error']).toBe('invalid_target')
    const more = await exchange(await job(), { scope: 'registry:admin' })
    expect(more.body['error']).toBe('invalid_scope')
    const type = await exchange(await job(), { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' })
    expect(type.body['error']).toBe('invalid_request')
  })
})

describe('trusted publishers over the API', () => {
  it('are added, listed by namespace, and removed, by admins alone', async () => {
    const id = await trusted({ server: `${NAMESPACE}/weather` })
    const listed = expectStatus(200, await at.admin.get(`${TRUSTED}?namespace=${NAMESPACE}`)).body
    expect(listed['trustedPublishers']).toMatchObject([
      {
        id,
        namespace: NAMESPACE,
        issuer: ci.url,
        claims: GITHUB_TRUST,
        account: 'weather-team',
        by: 'admin',
      },
    ])
    const { caller } = publisher
    for (const [method, path] of [
      ['GET', TRUSTED],
      ['POST', TRUSTED],
      ['DELETE', `${TRUSTED}/${id}`],
    ] as const) {
      const reply = await caller.request(method, path, method === 'POST' ? {} : undefined)
      expect([method, reply.status, reply.body.code]).toEqual([method, 403, 'scope-missing'])
    }
    expect((await forget(id)).status).toBe(200)
    expect((await forget(id)).body.code).toBe('trusted-publisher-unknown')
  })

  it('are not added with less than was asked for', async () => {
    // A member of this name is dropped by many a parser, and its condition with it.
    const claims = JSON.parse('{ "sub": "pipeline:7", "__proto__": "release" }') as object
    const reply = await trust({ provider: 'oidc', claims })
    expect([reply.status, reply.body.code, reply.body.fields]).toEqual([400, 'request-invalid', ['/claims']])
    const id = await trusted({ provider: 'oidc', claims: { sub: 'pipeline:7', constructor: 'release' } })
    expect((await exchange(await ci.token({ aud: at.url, sub: 'pipeline:7' }))).status).toBe(400)
    await forget(id)
  })

  it('are paged by a cursor', async () => {
    const ids = [await trusted(), await trusted(), await trusted()].sort()
    const first = expectStatus(200, await at.admin.get(`${TRUSTED}?limit=2`)).body
    const rest = expectStatus(200, await at.admin.get(`${TRUSTED}?limit=2&cursor=${first.cursor!}`)).body
    const rows = [first, rest].flatMap((page) => page['trustedPublishers'] as { id: string }[])
    expect(rows.map((row) => row.id)).toEqual(ids)
    expect(rest.cursor).toBeUndefined()
    for (const id of ids) await forget(id)
  })

  it.each<[string, object, number, string]>([
    ['an unknown provider', { provider: 'jenkins' }, 400, 'request-invalid'],
    ['an unknown member', { branch: 'main' }, 400, 'request-invalid'],
    ['claims that are no words', { claims: { repository_id: 74 } }, 400, 'request-invalid'],
    ['claims that name nobody', { claims: {} }, 400, 'trusted-publisher-invalid'],
    ['a namespace that is none', { namespace: 'example' }, 400, 'name-invalid'],
    ['a server that is none', { server: 'com.example/' }, 400, 'name-invalid'],
    ['an account that is not there', { account: 'nobody' }, 404, 'account-unknown'],
  ])('%s is refused', async (_, change, status, code) => {
    const reply = await trust(change)
    expect([reply.status, reply.body.code]).toEqual([status, code])
  })
})
