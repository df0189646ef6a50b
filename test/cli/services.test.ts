import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAdminSeat, openSeat, type Seat } from '../support/cli-inside.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

let registry: TestRegistry
let admin: Seat
let robot: Seat
beforeAll(async () => {
  registry = await startRegistry()
  admin = await openAdminSeat(registry)
  robot = openSeat({ registry: registry.url })
})
afterAll(async () => {
  admin.close()
  robot.close()
  await registry.close()
})

function keyFile(
  name: string,
  kind: 'ed25519' | 'ec' | 'rsa',
  passphrase?: string,
): { own: string; open: string } {
  const pair =
    kind === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : kind === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = join(robot.home, `${name}.pem`)
  const open = join(robot.home, `${name}.pub.pem`)
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
  writeFileSync(own, pair.privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }), { mode: 0o600 })
  writeFileSync(open, pair.publicKey.export({ type: 'spki', format: 'pem' }))
  return { own, open }
}

describe('a client with a key of its own (private_key_jwt)', () => {
  it.each(['ed25519', 'ec', 'rsa'] as const)(
    'logs in with %s, and keeps the key where it is',
    async (kind) => {
      const { own, open } = keyFile(kind, kind)
      const name = `service-${kind}`
      const made = await admin.ok(
        'admin',
        'client',
        'create',
        name,
        '--role',
        'publisher',
        '--public-key',
        open,
      )
      expect(made).not.toHaveProperty('clientSecret')
      const id = String(made['clientId'])
      const me = await robot.ok('login', '--client-id', id, '--client-key-file', own)
      expect(me).toMatchObject({ account: name, roles: ['publisher'], clientId: id, kind: 'service' })
      const kept = readFileSync(join(robot.home, 'credentials.json'), 'utf8')
      expect(JSON.parse(kept)).toMatchObject({
        [registry.url]: { kind: 'key', keyFile: own, token: { type: 'DPoP' } },
      })
      const secretLine = readFileSync(own, 'utf8').split('\n')[1]!
      expect(kept).not.toContain(secretLine.slice(-24))
    },
  )

  it('takes an encrypted key with its passphrase, and the JWK that keygen prints', async () => {
    const file = join(robot.home, 'service.pem')
    const word = join(robot.home, 'word.txt')
    writeFileSync(word, 'open sesame\n', { mode: 0o600 })
    const { jwk } = await robot.ok('keygen', '--out', file, '--passphrase-file', word)
    const jwks = join(robot.home, 'service.jwk')
    writeFileSync(jwks, JSON.stringify(jwk))
    const made = await admin.ok(
      'admin',
      'client',
      'create',
      'with-jwk',
      '--role',
      'reviewer',
      '--public-key',
      jwks,
    )
    const login = ['login', '--client-id', String(made['clientId']), '--client-key-file', file]
    expect((await robot.fails(...login)).code).toBe('key-invalid')
    expect(await robot.ok(...login, '--client-key-passphrase-file', word)).toMatchObject({
      account: 'with-jwk',
    })
  })

  it('is refused with another key, and nothing that was kept is lost', async () => {
    const before = await robot.ok('whoami')
    const { own } = keyFile('other', 'ed25519')
    const failure = await robot.fails(
      'login',
      '--client-id',
      String(before['clientId']),
      '--client-key-file',
      own,
    )
    expect([failure.exit, failure.detail['code']]).toEqual([1, 'invalid_client'])
    expect(failure.remedy).toContain('admin client list')
    expect(await robot.ok('whoami')).toEqual(before)
  })

  it('never sends a private key to the registry, and reads none that others can read', async () => {
    const { own } = keyFile('private', 'ed25519')
    const jwk = join(robot.home, 'private.jwk')
    writeFileSync(jwk, JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'BB' }))
    const create = ['admin', 'client', 'create', 'x', '--role', 'publisher', '--public-key']
    expect((await admin.fails(...create, jwk)).code).toBe('usage')
    execFileSync('chmod', ['644', own])
    expect((await robot.fails('login', '--client-id', 'x', '--client-key-file', own)).code).toBe('io')
  })
})

describe('a client with a secret', () => {
  it('asks for what was chosen at login, and for no more later on', async () => {
    const file = join(admin.home, 'narrow.txt')
    const made = await admin.ok(
      ...['admin', 'client', 'create', 'narrow', '--role', 'publisher', 'reviewer', '--secret-out', file],
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const login = ['login', '--client-id', String(made['clientId']), '--client-secret-file', file]
    expect(await robot.ok(...login)).toMatchObject({
      scopes: ['registry:publish', 'registry:review', 'registry:read'],
    })
    expect(await robot.ok(...login, '--scope', 'publish')).toMatchObject({ scopes: ['registry:publish'] })
    const refused = await robot.fails('admin', 'pending')
    expect([refused.exit, refused.detail['code']]).toEqual([1, 'scope-missing'])
    expect(refused.remedy).toContain('countersign login')
    expect((await robot.fails(...login, '--scope', 'everything')).exit).toBe(2)
  })

  it('is listed, disabled and enabled again', async () => {
    const { clients } = (await admin.ok('admin', 'client', 'list', '--account', 'narrow')) as {
      clients: { client_id: string; disabled: boolean }[]
    }
    const id = clients[0]!.client_id
    await admin.ok('admin', 'client', 'disable', id)
    const shown = await admin.run('admin', 'client', 'list')
    expect(shown.stdout).toMatch(new RegExp(`${id}.*disabled`))
    expect((await robot.fails('whoami')).exit).toBe(1)
    await admin.ok('admin', 'client', 'enable', id)
    expect(await robot.ok('whoami')).toMatchObject({ clientId: id })
  })

  it('public clients have neither secret nor account', async () => {
    const create = ['admin', 'client', 'create', 'console', '--role', 'reviewer', '--public']
    const made = await admin.ok(...create, '--redirect-uri', 'https://console.example.com/callback')
    expect(made).toMatchObject({ account: null })
    expect(made).not.toHaveProperty('clientSecret')
    expect((await admin.fails(...create, '--account', 'narrow')).code).toBe('usage')
  })
})
