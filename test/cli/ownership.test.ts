import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeKeyX } from 'countersign/core'
import { readKey } from 'countersign/node'
import { logInAs, openAdminSeat, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { openDns, type TestDns } from '../support/dns.js'
import { githubClaims, startCiIssuer, type CiIssuer } from '../support/issuer.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

interface Record_ {
  readonly type: string
  readonly at: string
  readonly value: string
}

let dns: TestDns
let issuer: CiIssuer
let registry: TestRegistry
let admin: Seat
let publisher: Seat
beforeAll(async () => {
  dns = await openDns()
  issuer = await startCiIssuer()
  registry = await startRegistry({
    config: { dnsServers: [dns.address] },
    overrides: {
      outside: { allow: (address) => address === '127.0.0.1' },
      namespaceIssuers: namespaceIssuers(),
    },
  })
  admin = await openAdminSeat(registry)
  publisher = openSeat()
  await trustRegistry(publisher, registry)
  const secret = join(admin.home, 'publisher.txt')
  const made = await admin.ok(
    'admin',
    'client',
    'create',
    'publisher',
    '--role',
    'publisher',
    '--secret-out',
    secret,
  )
  await logInAs(publisher, registry, String(made['clientId']), readFileSync(secret, 'utf8').trim())
  await publisher.ok('keygen')
})
afterAll(async () => {
  publisher.close()
  admin.close()
  await registry.close()
  await issuer.stop()
  await dns.close()
})

/** GitHub, as far as this test knows. */
function namespaceIssuers() {
  const claims = { owner: 'repository_owner', ownerId: 'repository_owner_id', levels: 1 }
  return [{ prefix: 'io.github', issuer: issuer.url, ...claims }]
}

describe('a namespace of a domain', () => {
  let records: readonly Record_[]

  it('is claimed: the registry says what to put where', async () => {
    const claim = await publisher.ok('namespace', 'claim', 'com.example')
    expect(claim).toMatchObject({ proof: 'dns', account: 'publisher', audience: registry.identity })
    records = claim['records'] as Record_[]
    expect(records.length).toBeGreaterThan(0)
    const shown = await publisher.run('namespace', 'claim', 'com.example')
    expect(shown.stdout).toContain(records[0]!.value)
    expect(shown.stdout).toContain('countersign namespace verify com.example')
  })

  it('is not proved before the record is there', async () => {
    const failure = await publisher.fails('namespace', 'verify', 'com.example')
    expect([failure.exit, failure.detail['code']]).toEqual([1, 'proof-failed'])
    expect(failure.remedy).toContain('DNS')
  })

  it('is proved with it, and its key owns and signs', async () => {
    const txt = records.find(({ type }) => type === 'TXT')!
    dns.zone.set(txt.at, { txt: [[txt.value]] })
    const proved = await publisher.ok('namespace', 'verify', 'com.example')
    expect(proved).toMatchObject({ proof: 'dns', added: [{ role: 'own' }, { role: 'sign' }] })
    const shown = await publisher.ok('namespace', 'show', 'com.example')
    expect(shown).toMatchObject({ account: 'publisher', proof: { kind: 'dns', suspended: false } })
    expect(await publisher.ok('whoami')).toMatchObject({ namespaces: ['com.example'] })
  })

  it('is looked at again when asked to: exit 3 while the record is missing', async () => {
    expect(await publisher.ok('namespace', 'check', 'com.example')).toMatchObject({ look: 'present' })
    const kept = new Map(dns.zone)
    dns.zone.clear()
    const missing = await publisher.run('namespace', 'check', 'com.example', '--json')
    expect(missing.code).toBe(3)
    expect(missing.json()).toMatchObject({ look: 'absent' })
    for (const [name, zone] of kept) dns.zone.set(name, zone)
    expect((await publisher.run('namespace', 'check', 'com.example')).code).toBe(0)
  })

  it('takes another key to sign with, endorsed by the one of the home folder unless another is named', async () => {
    const ci = join(publisher.home, 'releases.pem')
    await publisher.ok('keygen', '--out', ci)
    const added = await publisher.ok('key', 'add', 'com.example', '--key', ci)
    expect(added).toMatchObject({ added: [{ role: 'sign' }] })
  })

  it('can be proved once more with the same key', async () => {
    await publisher.ok('namespace', 'claim', 'com.example')
    expect(await publisher.ok('namespace', 'verify', 'com.example')).toMatchObject({
      added: [{ role: 'own' }],
    })
  })

  it('is nobody else’s', async () => {
    const failure = await admin.fails(
      'namespace',
      'claim',
      'com.example',
      '--key',
      join(publisher.home, 'key.pem'),
    )
    expect(failure.detail['code']).toBe('namespace-taken')
  })

  it('needs a claim before a proof, and a kind that there is', async () => {
    expect((await publisher.fails('namespace', 'verify', 'com.unclaimed')).exit).toBe(2)
    expect((await publisher.fails('namespace', 'claim', 'com.example', '--proof', 'fax')).exit).toBe(2)
    expect((await publisher.fails('namespace', 'claim', 'internal.mine')).detail['code']).toBe('proof-kind')
  })
})

describe('a namespace of an owner at a code host', () => {
  it('is proved by a workflow of that owner, made out to this challenge alone', async () => {
    const claim = await publisher.ok('namespace', 'claim', 'io.github.octo-org')
    const audience = `countersign:${registry.identity}:${String(claim['challenge'])}`
    expect((await publisher.fails('namespace', 'verify', 'io.github.octo-org')).exit).toBe(2)
    const token = await issuer.token(githubClaims(audience))
    const job = openSeat({ env: { COUNTERSIGN_HOME: publisher.home, COUNTERSIGN_ID_TOKEN: token } })
    expect(await job.ok('namespace', 'verify', 'io.github.octo-org')).toMatchObject({ proof: 'oidc' })
    job.close()
  })

  it('not by a token that was made for something else', async () => {
    const token = await issuer.token(githubClaims(registry.url, { repository_owner: 'other' }))
    const job = openSeat({ env: { COUNTERSIGN_HOME: publisher.home, COUNTERSIGN_ID_TOKEN: token } })
    await job.ok('namespace', 'claim', 'io.github.other')
    expect((await job.fails('namespace', 'verify', 'io.github.other')).detail['code']).toBe('proof-failed')
    job.close()
  })
})

it('a kid that begins with a hyphen is no option', async () => {
  const kid = `-${'a'.repeat(42)}`
  const end = ['key', 'revoke', 'com.example', kid, '--reason', 'superseded']
  expect((await publisher.fails(...end)).detail['code']).toBe('key-unknown')
  // Nor where options of every command stand before it.
  const [home, address] = [`--home=${publisher.home}`, ['--registry', registry.url]]
  expect((await publisher.fails(home, ...address, ...end)).detail['code']).toBe('key-unknown')
  expect(
    (await publisher.fails('key', 'revoke', 'com.example', '-short', '--reason', 'superseded')).exit,
  ).toBe(2)
})

it('a key ends by its own signature or an own key’s', async () => {
  const ci = join(publisher.home, 'second.pem')
  await publisher.ok('keygen', '--out', ci)
  await publisher.ok('key', 'add', 'com.example', '--key', ci, '--own-key', join(publisher.home, 'key.pem'))
  const { kid } = await readKey(ci)
  const ended = await publisher.ok('key', 'revoke', 'com.example', kid, '--reason', 'compromise')
  expect(ended).toMatchObject({ kid, reason: 'compromise' })
  expect((await publisher.run('key', 'list', 'com.example')).stdout).toContain('revoked')
})

describe('authorities', () => {
  let guarded: TestRegistry
  let boss: Seat
  const file = (name: string): string => join(boss.home, name)
  beforeAll(async () => {
    boss = openSeat()
    const keys: string[] = []
    for (const name of ['one.pem', 'two.pem', 'three.pem']) {
      await boss.ok('keygen', '--out', file(name))
      keys.push(encodeKeyX((await readKey(file(name))).publicKey))
    }
    writeFileSync(file('root.json'), JSON.stringify({ authorities: { keys, threshold: 2 } }))
    guarded = await startRegistry({ config: { rootFile: file('root.json') } })
    await trustRegistry(boss, guarded)
    const { clientId, clientSecret } = guarded.admin.client
    await logInAs(boss, guarded, clientId, clientSecret)
    await boss.ok('keygen')
  })
  afterAll(async () => {
    boss.close()
    await guarded.close()
  })

  it('agree to the first key of a namespace: one file goes from hand to hand', async () => {
    await boss.ok('namespace', 'grant', 'internal.boss')
    expect((await boss.fails('key', 'add', 'internal.boss')).exit).not.toBe(0)
    const request = file('first.json')
    await boss.ok('key', 'request', 'internal.boss', '--first', '--out', request)
    expect((await boss.fails('key', 'submit', request)).exit).toBe(2)
    await boss.ok('key', 'endorse', request, '--key', file('one.pem'))
    const again = await boss.run('key', 'endorse', request, '--key', file('one.pem'))
    expect(again.stdout).toContain('next: countersign key endorse')
    expect((await boss.fails('key', 'submit', request)).exit).toBe(2)
    expect(await boss.ok('key', 'endorse', request, '--key', file('two.pem'))).toMatchObject({ threshold: 2 })
    const enough = await boss.run('key', 'endorse', request, '--key', file('two.pem'))
    expect(enough.stdout).toContain('next: countersign key submit')
    expect(await boss.ok('key', 'submit', request)).toMatchObject({ event: 'namespace' })
  })

  it('give a key to who lost every own one: it counts after a waiting time that anybody sees', async () => {
    await boss.ok('keygen', '--out', file('new.pem'))
    const request = file('recovery.json')
    await boss.ok('key', 'request', 'internal.boss', '--key', file('new.pem'), '--out', request)
    for (const name of ['one.pem', 'three.pem']) await boss.ok('key', 'endorse', request, '--key', file(name))
    expect(await boss.ok('key', 'submit', request)).toMatchObject({ event: 'key.add' })
    const { keys } = (await boss.ok('key', 'list', 'internal.boss')) as { keys: { usableAt?: string }[] }
    expect(keys.filter(({ usableAt }) => usableAt !== undefined)).toHaveLength(1)
  })

  it('end a key', async () => {
    const { kid } = await readKey(file('new.pem'))
    const request = file('end.json')
    await boss.ok('key', 'request', 'internal.boss', '--revoke', kid, '--out', request)
    for (const name of ['two.pem', 'three.pem']) await boss.ok('key', 'endorse', request, '--key', file(name))
    expect(await boss.ok('key', 'submit', request)).toMatchObject({ event: 'key.revoke', kid })
    expect(await boss.ok('log', 'verify')).toMatchObject({ ok: true })
  })

  it('sign nothing that is for another registry, no other event, and with no other key', async () => {
    const request = JSON.parse(readFileSync(file('end.json'), 'utf8')) as Record<string, unknown>
    const bent = (change: object): string => {
      writeFileSync(file('bent.json'), JSON.stringify({ ...request, ...change }))
      return file('bent.json')
    }
    const endorse = (path: string, key = 'one.pem') => boss.fails('key', 'endorse', path, '--key', file(key))
    expect((await endorse(bent({ registry: 'registry-other' }))).code).toBe('registry-mismatch')
    expect((await endorse(bent({ event: { v: 1, t: 'root', version: 2 } }))).code).toBe('usage')
    expect((await endorse(bent({ format: 'other' }))).code).toBe('usage')
    expect((await endorse(file('end.json'), 'new.pem')).code).toBe('usage')
  })

  it('are not there where the root names none', async () => {
    expect((await publisher.fails('key', 'request', 'com.example')).exit).toBe(2)
  })
})
