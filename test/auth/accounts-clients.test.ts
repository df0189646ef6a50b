import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureAdmin } from '../../src/auth/accounts/bootstrap.js'
import { createClientFor, isSecret, setClientDisabled, type ClientRequest } from '../../src/auth/clients.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'

let dir: string
let store: Store
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-clients-'))
  store = await openSqliteStore(join(dir, 'registry.sqlite'))
  await ensureAdmin(store)
})
afterAll(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

type Key = Record<string, unknown>
const jwkOf = (key: KeyObject): Key => key.export({ format: 'jwk' })
const ed25519 = generateKeyPairSync('ed25519')
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicKeys = [ed25519, p256, rsa].map(({ publicKey }) => jwkOf(publicKey))

const request = (change: Partial<ClientRequest>): ClientRequest => ({
  ...{ by: 'admin', name: 'laptop', account: 'admin', roles: ['auditor'], ...change },
})
const create = (change: Partial<ClientRequest> = {}) => createClientFor(store, request(change))
const withKeys = (jwks: unknown) => create({ auth: 'key', jwks })
const { account: ofAccount, ...noAccount } = request({})
const createPublic = (change: Partial<ClientRequest> = {}) =>
  createClientFor(store, { ...noAccount, auth: 'public', name: 'Acme Desk', ...change })

async function refusesClient(work: Promise<unknown>): Promise<void> {
  const before = (await store.listClients(100)).length
  await expect(work).rejects.toMatchObject({ name: 'AuthError', code: 'client-invalid' })
  expect((await store.listClients(100)).length).toBe(before)
}

describe('a client of a person', () => {
  it('is made by that person alone: whoever holds it acts as them', async () => {
    await store.createAccount({
      ...{
        account: 'u-other',
        kind: 'person',
        login: 'other',
        roles: ['auditor'],
        disabled: false,
        createdAt: 0,
      },
    })
    await refusesClient(create({ account: 'u-other' }))
    expect(await create({ by: 'u-other', account: 'u-other' })).toMatchObject({ account: 'u-other' })
  })
})

describe('a client with a secret', () => {
  it('is what one gets without a word, with the digest of the secret kept', async () => {
    expect(ofAccount).toBe('admin')
    const { clientId, clientSecret, account } = await create()
    const row = await store.readClient(clientId)
    expect(row).toMatchObject({ account, authMethod: 'client_secret_basic', scopes: ['registry:audit'] })
    expect(row?.grantTypes).toEqual(['client_credentials'])
    expect(JSON.stringify(row)).not.toContain(clientSecret)
    expect(isSecret(row!.secretHash!, clientSecret!)).toBe(true)
  })

  it('has neither keys nor redirect URIs', async () => {
    await refusesClient(create({ jwks: publicKeys[0] }))
    await refusesClient(create({ redirectUris: ['https://desk.example.com/callback'] }))
    await refusesClient(create({ auth: 'key', jwks: publicKeys[0], redirectUris: [] }))
  })
})

describe('a client with keys', () => {
  it('keeps the public members of Ed25519, P-256 and RSA keys, and names each', async () => {
    const [first, ...others] = publicKeys
    const { clientId, clientSecret } = await withKeys({
      keys: [{ ...first, alg: 'EdDSA', kid: 'release', use: 'sig', x5u: 'https://a.example' }, ...others],
    })
    expect(clientSecret).toBeUndefined()
    const row = await store.readClient(clientId)
    expect(row).toMatchObject({ authMethod: 'private_key_jwt', account: 'admin' })
    expect(row?.secretHash).toBeUndefined()
    const { keys } = JSON.parse(row!.jwks!) as { keys: Key[] }
    expect(keys[0]).toEqual({ ...first, alg: 'EdDSA', kid: 'release', use: 'sig' })
    expect(keys.slice(1)).toEqual(
      others.map((key) => ({ ...key, kid: expect.any(String) as string, use: 'sig' })),
    )
  })

  it('takes one key as a set of one', async () => {
    const { clientId } = await withKeys(publicKeys[1])
    expect((await store.readClient(clientId))?.jwks).toContain('P-256')
  })

  it.each([
    ['no key', undefined],
    ['an empty set', { keys: [] }],
    ['nine keys', { keys: Array(9).fill(publicKeys[0]) }],
    ['one key twice', { keys: [publicKeys[0], publicKeys[0]] }],
    ['a list', publicKeys],
    ['something else', { keys: ['key'] }],
    ['a private Ed25519 key', jwkOf(ed25519.privateKey)],
    ['a private RSA key', jwkOf(rsa.privateKey)],
    ['a shared secret', { kty: 'oct', k: 'c2VjcmV0' }],
    ['a short RSA key', jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)],
    ['an RSA key under which everything is a signature', { ...jwkOf(rsa.publicKey), e: 'AQ' }],
    ['an RSA key of a small exponent', { ...jwkOf(rsa.publicKey), e: 'Aw' }],
    [
      'a point under which anybody can sign',
      { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') },
    ],
    ['another curve', jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)],
    ['a key for encryption', { ...publicKeys[0], use: 'enc' }],
    ['an algorithm of another key', { ...publicKeys[0], alg: 'RS256' }],
    ['no algorithm at all', { ...publicKeys[0], alg: 'none' }],
    ['a point that is none', { ...publicKeys[1], y: publicKeys[1]!['x'] }],
    ['a missing member', { kty: 'OKP', crv: 'Ed25519' }],
    ['a number for a kid', { ...publicKeys[0], kid: 1 }],
    ['a name of every object', { kty: '__proto__', crv: 'x' }],
  ])('is not made with %s', async (_, jwks) => refusesClient(withKeys(jwks)))
})

describe('a public client', () => {
  it('is for whoever logs in: code and device, without an account or a secret', async () => {
    const redirectUris = [
      'https://desk.example.com/callback',
      'http://127.0.0.1:3000/callback',
      'http://[::1]/callback',
      'com.example.desk:/callback',
    ]
    const { clientId, ...told } = await createPublic({ redirectUris, roles: ['publisher', 'reviewer'] })
    expect(told).toEqual({})
    const row = await store.readClient(clientId)
    expect(row).toMatchObject({ authMethod: 'none', redirectUris, name: 'Acme Desk' })
    expect(row?.account).toBeUndefined()
    expect(row?.scopes).toEqual(['registry:publish', 'registry:review'])
    expect(row?.grantTypes).toEqual([
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:device_code',
      'refresh_token',
    ])
  })

  it('is for devices only without a redirect URI', async () => {
    const { clientId } = await createPublic()
    expect((await store.readClient(clientId))?.grantTypes).not.toContain('authorization_code')
  })

  it.each([
    'http://desk.example.com/callback',
    'http://127.0.0.1.example.com/callback',
    'https://desk.example.com/callback#fragment',
    'https://user:password@desk.example.com/callback',
    'https://*.example.com/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    'myapp:/callback',
    '/callback',
    'https://desk.example.com/call back',
    `https://desk.example.com/${'x'.repeat(600)}`,
  ])('never sends a browser to %s', async (uri) => refusesClient(createPublic({ redirectUris: [uri] })))

  it('has each redirect URI once, an honest name, and no account', async () => {
    const uri = 'https://desk.example.com/callback'
    await refusesClient(createPublic({ redirectUris: [uri, uri] }))
    await refusesClient(createPublic({ redirectUris: Array.from({ length: 11 }, (_, i) => `${uri}${i}`) }))
    await refusesClient(createPublic({ name: 'Desk\u202Eksed' }))
    await refusesClient(createPublic({ name: '<b>Desk</b>' }))
    await refusesClient(createPublic({ account: 'admin' }))
    await refusesClient(createPublic({ jwks: publicKeys[0] }))
  })
})

describe('switching a client off and on', () => {
  it('changes the row and is in the audit', async () => {
    const { clientId } = await create()
    expect((await setClientDisabled(store, 'admin', clientId, true)).disabled).toBe(true)
    expect((await setClientDisabled(store, 'admin', clientId, false)).disabled).toBe(false)
    const records = await store.readAudit(2, undefined, { target: clientId })
    expect(records.map(({ action }) => action)).toEqual(['client.enable', 'client.disable'])
  })

  it('says that there is none', async () => {
    const unknown = setClientDisabled(store, 'admin', 'countersign-cli', true)
    await expect(unknown).rejects.toMatchObject({ code: 'client-unknown' })
  })
})
