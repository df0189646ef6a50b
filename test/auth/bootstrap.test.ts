import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureAdmin } from '../../src/auth/accounts/bootstrap.js'
import { createClient, isSecret } from '../../src/auth/clients.js'
import { hashPassword, makePassword, openPasswordVerifier } from '../../src/auth/accounts/passwords.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { callerOf, send, startRegistry, type TestRegistry } from '../support/registry.js'

describe('the one-time password', () => {
  let dir: string
  let store: Store
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-auth-'))
    store = await openSqliteStore(join(dir, 'registry.sqlite'))
  })
  afterAll(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })

  it('is made once, and kept as an argon2id hash only', async () => {
    const password = await ensureAdmin(store)
    const row = await store.readAccount('admin')
    expect(row?.passwordHash).toMatch(/^\$argon2id\$/)
    expect(row?.passwordHash).not.toContain(password)
    expect(row).toMatchObject({ kind: 'person', login: 'admin', passwordOnce: true })
    expect(await ensureAdmin(store)).toBeUndefined()
  })

  it('is kept apart from the client secrets, of which only a digest is kept', async () => {
    const made = await createClient(store, { account: 'admin', name: 'x', roles: ['auditor'] })
    const row = await store.readClient(made.clientId)
    expect(JSON.stringify(row)).not.toContain(made.clientSecret)
    expect(isSecret(row!.secretHash!, made.clientSecret)).toBe(true)
    expect(isSecret(row!.secretHash!, `${made.clientSecret}x`)).toBe(false)
    expect(row!.scopes).toEqual(['registry:audit'])
  })
})

describe('password checks', () => {
  it('tells right from wrong, and a missing hash from neither', async () => {
    const verifier = await openPasswordVerifier()
    const password = makePassword()
    const hash = await hashPassword(password)
    expect(await verifier.verify(hash, password)).toBe(true)
    expect(await verifier.verify(hash, `${password} `)).toBe(false)
    expect(await verifier.verify(undefined, password)).toBe(false)
  })

  it('sends a flood away instead of queueing it', async () => {
    const verifier = await openPasswordVerifier()
    const hash = await hashPassword('right')
    const flood = await Promise.allSettled(Array.from({ length: 40 }, () => verifier.verify(hash, 'right')))
    const refused = flood.filter((one) => one.status === 'rejected')
    expect(refused.map((one) => (one.reason as { code: string }).code)).toEqual(Array(22).fill('busy'))
    expect(flood.filter((one) => one.status === 'fulfilled' && one.value)).toHaveLength(18)
    expect(await verifier.verify(hash, 'right')).toBe(true)
  })
})

describe('POST /v1/bootstrap', () => {
  let at: TestRegistry
  beforeAll(async () => {
    at = await startRegistry({ overrides: { limits: { bootstrap: { points: 8, seconds: 600 } } } })
  })
  afterAll(async () => {
    await at.close()
  })

  const trade = (body: unknown) => send(at.url, 'POST', '/v1/bootstrap', { body })

  it('was good once: the admin has every scope, and the password is gone', async () => {
    expect((await at.admin.get('/v1/audit')).status).toBe(200)
    expect((await at.registry.store.readAccount('admin'))?.passwordHash).toBeUndefined()
  })

  it.each([
    ['used', { account: 'admin', password: 'abcdef-abcdef-abcdef-abcdef' }],
    ['unknown', { account: 'nobody', password: 'abcdef' }],
  ])('answers the same for a %s one', async (_, body) => {
    const refused = () => at.registry.store.readAudit(20, undefined, { action: 'login.failed' })
    const before = (await refused()).length
    const reply = await trade(body)
    expect([reply.status, reply.body.code]).toEqual([401, 'credentials-invalid'])
    expect(await refused()).toHaveLength(before + 1)
    expect((await refused())[0]).toMatchObject({ account: 'unknown', target: 'unknown', detail: '{}' })
  })

  it.each([
    ['an unknown member', { account: 'admin', password: 'x', role: 'admin' }, ['/role']],
    ['a missing one', { account: 'admin' }, ['/password']],
    ['an endless password', { account: 'admin', password: 'x'.repeat(10_000) }, ['/password']],
  ])('refuses %s by its path', async (_, body, fields) => {
    const reply = await trade(body)
    expect([reply.status, reply.body.code, reply.body.fields]).toEqual([400, 'request-invalid', fields])
  })

  it('is rate-limited by address', async () => {
    const replies = []
    for (let i = 0; i < 6; i++) replies.push(await trade({ account: 'nobody', password: 'x' }))
    const last = replies.at(-1)!
    expect([last.status, last.body.code]).toEqual([429, 'rate-limited'])
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(last.headers.get('ratelimit-remaining')).toBe('0')
  })

  it('leaves key files that nobody else can read', async () => {
    for (const file of ['token-signing-key.json', 'cookie-key']) {
      const { mode } = await stat(join(at.dir, 'data', 'oauth', file))
      expect(mode & 0o077).toBe(0)
    }
  })
})

describe('POST /v1/admin/clients', () => {
  let at: TestRegistry
  beforeAll(async () => {
    at = await startRegistry()
  })
  afterAll(async () => {
    await at.close()
  })

  const create = (body: unknown) => at.admin.post('/v1/admin/clients', body)

  it('makes a service account with exactly these roles', async () => {
    const { body } = await create({ name: 'ci', roles: ['publisher'] })
    const { client_id: clientId, client_secret: clientSecret, account } = body
    const ci = callerOf(at.url, { clientId, clientSecret, account }, 'registry:publish')
    const row = await at.registry.store.readAccount('ci')
    expect(row).toMatchObject({ kind: 'service', owner: 'admin', roles: ['publisher'] })
    expect((await ci.get('/v1/namespaces/com.example')).status).toBe(200)
    expect((await ci.post('/v1/admin/clients', { name: 'more', roles: ['admin'] })).body.code).toBe(
      'scope-missing',
    )
  })

  it('makes a second client of an account, for some of its roles', async () => {
    const reply = await create({ name: 'laptop', account: 'admin', roles: ['auditor'] })
    expect([reply.status, reply.body.account]).toEqual([201, 'admin'])
    expect((await at.registry.store.readClient(reply.body.client_id))?.scopes).toEqual(['registry:audit'])
  })

  it.each([
    ['an account that is there', { name: 'admin', roles: ['publisher'] }, 409, 'account-taken'],
    ['roles the account lacks', { name: 'x', account: 'ci', roles: ['admin'] }, 403, 'role-missing'],
    ['an unknown account', { name: 'x', account: 'nobody', roles: ['admin'] }, 404, 'account-unknown'],
    ['a name that is none', { name: 'A B', roles: ['publisher'] }, 400, 'account-invalid'],
    ['an unknown role', { name: 'x', roles: ['root'] }, 400, 'request-invalid'],
    ['no role', { name: 'x', roles: [] }, 400, 'request-invalid'],
  ])('refuses %s', async (_, body, status, code) => {
    const accounts = await at.registry.store.countAccounts()
    const reply = await create(body)
    expect([reply.status, reply.body.code]).toEqual([status, code])
    expect(await at.registry.store.countAccounts()).toBe(accounts)
  })

  it('is in the audit, without the secret', async () => {
    const reply = await create({ name: 'audited', account: 'admin', roles: ['auditor'] })
    const { records } = (await at.admin.get('/v1/audit')).body
    expect(
      records.some(({ action, target }) => action === 'client.create' && target === reply.body.client_id),
    ).toBe(true)
    expect(JSON.stringify(records)).not.toContain(reply.body.client_secret)
  })
})
