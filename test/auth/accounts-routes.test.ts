import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addAccount, addPublisher, callerOf, startRegistry } from '../support/registry.js'
import type { Caller, Reply, TestRegistry } from '../support/registry.js'

interface View {
  readonly account: string
  readonly kind: string
  readonly login?: string
  readonly roles: readonly string[]
  readonly disabled: boolean
  readonly owner?: string
  readonly createdAt: string
}

let at: TestRegistry
let admin: Caller
beforeAll(async () => {
  at = await startRegistry()
  admin = at.admin
})
afterAll(() => at.close())

/** What the routes of this file answer; what is absent is undefined. */
interface Body extends View {
  readonly code: string
  readonly url: string
  readonly expires: string
  readonly accounts: readonly View[]
  readonly clients: readonly Readonly<Record<string, unknown>>[]
}

const jsonOf = (reply: Reply): Body => JSON.parse(reply.text) as Body
const codeOf = ({ status, body }: Reply) => [status, body.code]
const post = (path: string, body?: unknown) => admin.request('POST', `/v1/admin/${path}`, body)

async function audited(target: string): Promise<string[]> {
  return (await at.registry.store.readAudit(100, undefined, { target })).map(({ action }) => action)
}

describe('people', () => {
  it('are invited with a code that is told once, apart from the page it is typed into', async () => {
    const reply = await post('invitations', { roles: ['reviewer'] })
    const { code, url, expires, roles } = jsonOf(reply)
    expect([reply.status, roles]).toEqual([201, ['reviewer']])
    expect(url).toBe(`${at.url}/account/invitation`)
    expect(new Date(expires).toISOString()).toBe(expires)
    const rows = await at.registry.store.readAudit(10, undefined, { action: 'account.invite' })
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows)).not.toContain(code)
  })

  it('get back in by a code of their own', async () => {
    await addAccount(at, 'forgetful', ['publisher'])
    const reply = await post('accounts/forgetful/recovery')
    expect(reply.status).toBe(201)
    expect(Object.keys(jsonOf(reply)).sort()).toEqual(['code', 'expires', 'url'])
    expect(jsonOf(reply).url).toBe(`${at.url}/account/recover`)
    expect(await audited('forgetful')).toContain('account.recover')
  })

  it('are shown one by one and by page, without what is secret', async () => {
    const one = jsonOf(await admin.get('/v1/admin/accounts/admin'))
    expect(one).toMatchObject({ account: 'admin', kind: 'person', login: 'admin', disabled: false })
    expect(new Date(one.createdAt).toISOString()).toBe(one.createdAt)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const query = cursor === undefined ? '' : `&cursor=${cursor}`
      const reply = await admin.get(`/v1/admin/accounts?limit=1${query}`)
      seen.push(...jsonOf(reply).accounts.map(({ account }) => account))
      expect(reply.text).not.toMatch(/argon2|hash/i)
      cursor = reply.body.cursor
    } while (cursor !== undefined)
    expect(seen).toContain('admin')
    expect(seen).toEqual([...new Set(seen)].sort())
  })
})

describe('service accounts', () => {
  it('are made for a person to answer for', async () => {
    const reply = await post('accounts', { name: 'builder', roles: ['publisher'] })
    expect(reply.status).toBe(201)
    expect(jsonOf(reply)).toMatchObject({ account: 'builder', kind: 'service', owner: 'admin' })
    await addAccount(at, 'owner', ['publisher'])
    const given = await post('accounts', { name: 'builder-2', roles: ['publisher'], owner: 'owner' })
    expect(jsonOf(given).owner).toBe('owner')
    expect(await audited('builder')).toEqual(['account.create'])
  })

  it('come with a client of their name, too, and belong to who made it', async () => {
    const reply = await post('clients', { name: 'ci', roles: ['publisher'] })
    expect([reply.status, reply.body.account]).toEqual([201, 'ci'])
    const made = jsonOf(await admin.get('/v1/admin/accounts/ci'))
    expect(made).toMatchObject({ kind: 'service', owner: 'admin', roles: ['publisher'] })
  })

  it('have no password to recover', async () => {
    await post('accounts', { name: 'robot', roles: ['publisher'] })
    expect(codeOf(await post('accounts/robot/recovery'))).toEqual([400, 'account-invalid'])
  })
})

describe('roles, disabling and signing out', () => {
  it('count at once, whatever an older token says', async () => {
    const author = await addAccount(at, 'author', ['publisher', 'auditor'])
    expect((await author.get('/v1/audit')).status).toBe(200)
    const changed = await admin.put('/v1/admin/accounts/author/roles', { roles: ['publisher'] })
    expect([changed.status, jsonOf(changed).roles]).toEqual([200, ['publisher']])
    expect(codeOf(await author.get('/v1/audit'))).toEqual([403, 'role-missing'])
    expect(jsonOf(await post('accounts/author/disable')).disabled).toBe(true)
    expect(codeOf(await author.get('/v1/account'))).toEqual([401, 'account-disabled'])
    expect(jsonOf(await post('accounts/author/enable')).disabled).toBe(false)
    // Tokens of the second in which it was disabled stay refused.
    let fresh = author
    const tryAgain = async () => {
      fresh = callerOf(at.url, author.client, 'registry:publish')
      return (await fresh.get('/v1/account')).status
    }
    await expect.poll(tryAgain).toBe(200)
    expect((await post('accounts/author/sign-out')).status).toBe(200)
    expect(codeOf(await fresh.get('/v1/account'))).toEqual([401, 'token-invalid'])
    const trail = ['account.sign-out', 'account.enable', 'account.disable', 'account.roles']
    expect(await audited('author')).toEqual(trail)
  })

  it('never leave the registry without an admin', async () => {
    expect(codeOf(await post('accounts/admin/disable'))).toEqual([409, 'last-admin'])
    const demoted = await admin.put('/v1/admin/accounts/admin/roles', { roles: ['publisher'] })
    expect(codeOf(demoted)).toEqual([409, 'last-admin'])
    expect((await admin.get('/v1/admin/accounts')).status).toBe(200)
  })
})

describe('clients', () => {
  it('are listed, of one account or all, and switched off and on', async () => {
    const reader = await addAccount(at, 'reader', ['publisher'])
    const list = jsonOf(await admin.get('/v1/admin/clients?account=reader')).clients
    expect(list).toHaveLength(1)
    expect(list[0]).toMatchObject({ client_id: reader.client.clientId, account: 'reader', auth: 'secret' })
    expect(JSON.stringify(list)).not.toMatch(/secretHash|secret_hash/)
    const { clientId } = reader.client
    expect(jsonOf(await post(`clients/${clientId}/disable`)).disabled).toBe(true)
    expect(jsonOf(await post(`clients/${clientId}/enable`)).disabled).toBe(false)
    const first = await admin.get('/v1/admin/clients?limit=1')
    const second = await admin.get(`/v1/admin/clients?limit=1&cursor=${first.body.cursor}`)
    expect(second.text).not.toBe(first.text)
    expect(codeOf(await post('clients/nothing/disable'))).toEqual([404, 'client-unknown'])
  })

  it('may have a key instead of a secret, or be for whoever logs in', async () => {
    const jwks = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
    const keyed = await post('clients', { name: 'signer', roles: ['publisher'], auth: 'key', jwks })
    expect([keyed.status, keyed.body.account, keyed.body.client_secret]).toEqual([201, 'signer', undefined])
    const redirectUris = ['https://desk.example.com/callback']
    const desk = await post('clients', { name: 'Desk', roles: ['publisher'], auth: 'public', redirectUris })
    expect([desk.status, desk.body.account, desk.body.client_secret]).toEqual([201, undefined, undefined])
    const { clients } = jsonOf(await admin.get('/v1/admin/clients?limit=100'))
    expect(clients.find((one) => one['client_id'] === desk.body.client_id)).toMatchObject({
      ...{ auth: 'public', name: 'Desk', redirectUris },
    })
    expect(await audited(desk.body.client_id)).toEqual(['client.create'])
  })

  it.each([
    ['keys of a client with a secret', { auth: 'secret', jwks: {} }, 'client-invalid'],
    ['no keys of a client with keys', { auth: 'key' }, 'client-invalid'],
    [
      'a redirect to somebody else',
      { auth: 'public', redirectUris: ['http://a.example/'] },
      'client-invalid',
    ],
    ['another way to log in', { auth: 'password' }, 'request-invalid'],
    [
      'too many redirects',
      { auth: 'public', redirectUris: Array(11).fill('https://a.example/') },
      'request-invalid',
    ],
  ])('are refused with %s, and no account is left behind', async (_, change, code) => {
    const accounts = await at.registry.store.countAccounts()
    const reply = await post('clients', { name: 'nobody', roles: ['publisher'], ...change })
    expect(codeOf(reply)).toEqual([400, code])
    expect(await at.registry.store.countAccounts()).toBe(accounts)
  })
})

describe('GET /v1/account', () => {
  it('tells any token what it is', async () => {
    const colleague = await addAccount(at, 'colleague', ['publisher', 'auditor'])
    await addPublisher(at, 'com.colleague', colleague)
    const reply = await colleague.get('/v1/account')
    expect(reply.status).toBe(200)
    expect(jsonOf(reply)).toEqual({
      ...{ account: 'colleague', login: 'colleague', kind: 'person', roles: ['publisher', 'auditor'] },
      scopes: expect.arrayContaining(['registry:publish', 'registry:audit']) as string[],
      ...{ clientId: colleague.client.clientId, namespaces: ['com.colleague'] },
    })
  })

  it('asks for one', async () => {
    expect((await fetch(`${at.url}/v1/account`)).status).toBe(401)
  })
})

describe('bad requests', () => {
  it.each([
    ['GET', 'accounts/nobody', undefined, 404, 'account-unknown'],
    ['PUT', 'accounts/nobody/roles', { roles: [] }, 404, 'account-unknown'],
    ['POST', 'accounts/nobody/sign-out', undefined, 404, 'account-unknown'],
    ['POST', 'accounts/nobody/recovery', undefined, 404, 'account-unknown'],
    ['POST', 'accounts', { name: 'ci', roles: ['publisher'], owner: 'nobody' }, 404, 'account-unknown'],
    ['POST', 'accounts', { name: 'admin', roles: ['publisher'] }, 409, 'account-taken'],
    ['POST', 'accounts', { name: 'auto', roles: ['publisher'] }, 400, 'account-invalid'],
    ['POST', 'accounts', { name: 'ci', roles: [] }, 400, 'request-invalid'],
    ['POST', 'invitations', { roles: [] }, 400, 'request-invalid'],
    ['POST', 'invitations', { roles: ['root'] }, 400, 'request-invalid'],
    ['POST', 'invitations', { roles: ['admin'], login: 'x' }, 400, 'request-invalid'],
    ['PUT', 'accounts/admin/roles', { roles: 'admin' }, 400, 'request-invalid'],
    ['GET', 'accounts?limit=0', undefined, 400, 'request-invalid'],
    ['GET', 'clients?cursor=%2e', undefined, 400, 'request-invalid'],
  ] as const)('%s %s %j gives %i %s', async (method, path, body, status, code) => {
    expect(codeOf(await admin.request(method, `/v1/admin/${path}`, body))).toEqual([status, code])
  })

  it('are for admins alone', async () => {
    const other = await addAccount(at, 'nosy', ['publisher', 'reviewer', 'auditor'])
    for (const [method, path] of [
      ['GET', 'accounts'],
      ['GET', 'accounts/admin'],
      ['POST', 'accounts'],
      ['POST', 'invitations'],
      ['PUT', 'accounts/nosy/roles'],
      ['POST', 'accounts/admin/recovery'],
      ['POST', 'accounts/admin/disable'],
      ['POST', 'accounts/admin/enable'],
      ['POST', 'accounts/admin/sign-out'],
      ['GET', 'clients'],
      ['POST', 'clients'],
      ['POST', 'clients/x/disable'],
    ] as const) {
      expect(
        codeOf(await other.request(method, `/v1/admin/${path}`, method === 'GET' ? undefined : {})),
      ).toEqual([403, 'scope-missing'])
    }
  })
})
