import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startConfigured, type ConfiguredRegistry } from '../support/issuer-registry.js'
import { startIssuer, type Issuer } from '../support/issuer.js'
import { send } from '../support/registry.js'

// People log in elsewhere, by configuration alone.

let issuer: Issuer
let at: ConfiguredRegistry

const open = (): Promise<ConfiguredRegistry> =>
  startConfigured({
    externalIssuer: { url: issuer.url, clientId: 'countersign', admin: 'root', algorithms: ['ES256'] },
  })

beforeAll(async () => {
  issuer = await startIssuer({ alg: 'ES256' })
  at = await open()
})
afterAll(async () => {
  await at.close()
  await issuer.stop()
})

const get = (path: string, token?: string) => send(at.url, 'GET', path, { token })

describe('a registry whose people log in elsewhere', () => {
  it('says where, and as which client', async () => {
    const { body } = await get('/.well-known/oauth-protected-resource')
    expect(body).toMatchObject({
      resource: at.url,
      authorization_servers: [issuer.url, at.url],
      countersign_client_id: 'countersign',
      dpop_bound_access_tokens_required: false,
      bearer_methods_supported: ['header'],
    })
    expect(body['dpop_signing_alg_values_supported']).toContain('ES256')
  })

  it.each([['/oauth/authorize'], ['/device'], ['/login/abc'], ['/account/password'], ['/account/recover']])(
    'has no login of its own: %s',
    async (path) => {
      expect((await get(path)).status).toBe(404)
    },
  )

  it('knows whoever comes from there, and gives roles as its admin says', async () => {
    const member = await issuer.personToken('member', at.url)
    const { status, body } = await get('/v1/account', member)
    expect([status, body['roles']]).toEqual([200, []])
    expect((await get('/v1/audit', member)).body.code).toBe('role-missing')

    const root = await issuer.personToken('root', at.url)
    const path = `/v1/admin/accounts/${body.account}/roles`
    const given = await send(at.url, 'PUT', path, { token: root, body: { roles: ['auditor'] } })
    expect(given.status).toBe(200)
    expect((await get('/v1/audit', member)).status).toBe(200)
    expect((await get('/v1/admin/accounts', member)).status).toBe(403)
  })

  it('never shows the subject in what auditors and the log see', async () => {
    const root = await issuer.personToken('root', at.url)
    await get('/v1/account', await issuer.personToken('someone.by.name', at.url))
    expect((await get('/v1/audit?limit=100', root)).text).not.toContain('someone.by.name')
  })

  it('gives machines tokens itself, and takes those of the issuer', async () => {
    expect((await at.admin.get('/v1/audit')).status).toBe(200)
    const machine = await get('/v1/account', await issuer.machineToken(at.url))
    expect([machine.status, machine.body['clientId']]).toEqual([200, 'robot'])
  })

  it('refuses what the issuer gave for others, in a challenge that says where to go', async () => {
    const reply = await get('/v1/account', await issuer.machineToken('https://elsewhere.example'))
    expect([reply.status, reply.body.code]).toEqual([401, 'token-invalid'])
    expect(reply.headers.get('www-authenticate')).toContain('resource_metadata=')
  })

  it('with the issuer out of reach says so to its people, and to nobody else', async () => {
    await at.close()
    await issuer.stop()
    at = await open()
    const reply = await get('/v1/account', await issuer.forge({ aud: at.url, sub: 'member' }))
    expect([reply.status, reply.body.code]).toEqual([503, 'issuer-unreachable'])
    expect((await get('/v1/servers')).status).toBe(200)
    expect((await at.admin.get('/v1/audit')).status).toBe(200)
    expect((await get('/v1/account', 'abc')).body.code).toBe('token-invalid')

    await issuer.restart()
    // It is asked again after a while only; the registry that starts now asks at once.
    await at.close()
    at = await open()
    expect((await get('/v1/account', await issuer.personToken('member', at.url))).status).toBe(200)
  })
})
