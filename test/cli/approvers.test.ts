import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { canonicalize, encodeKeyX, formatManifest } from 'countersign/core'
import { readKey } from 'countersign/node'
import { logInAs, openAdminSeat, openSeat, trustRegistry, type Seat } from '../support/cli-inside.js'
import { addPerson } from '../support/oauth.js'
import { sampleManifest, startRegistry, type TestRegistry } from '../support/registry.js'

// Where the trust root names approvers, persons agree and keys sign: the registry alone approves nothing.

const SERVER = 'internal.desk/weather'
let registry: TestRegistry
let admin: Seat
let reviewer: Seat
let keys: Seat
const key = (name: string): string => join(keys.home, `${name}.pem`)
beforeAll(async () => {
  keys = openSeat()
  const xs: string[] = []
  for (const name of ['one', 'two']) {
    await keys.ok('keygen', '--out', key(name))
    xs.push(encodeKeyX((await readKey(key(name))).publicKey))
  }
  await keys.ok('keygen', '--out', key('stranger'))
  const rootFile = join(keys.home, 'root.json')
  writeFileSync(rootFile, JSON.stringify({ approvers: { keys: xs, threshold: 2 } }))
  registry = await startRegistry({ config: { rootFile } })
  admin = await openAdminSeat(registry)
  await admin.ok('keygen')
  await admin.ok('namespace', 'grant', 'internal.desk')
  await admin.ok('key', 'add', 'internal.desk')
})
afterAll(async () => {
  for (const seat of [admin, reviewer, keys]) seat.close()
  await registry.close()
})

async function publish(version: string): Promise<string> {
  const file = join(admin.home, `${version}.json`)
  writeFileSync(file, formatManifest(sampleManifest(registry.identity, { server: SERVER, version })))
  return String((await admin.ok('publish', file))['manifest'])
}

/** Another person's service account: four eyes count it as that person. */
async function openReviewer(name: string): Promise<Seat> {
  const seat = openSeat()
  await trustRegistry(seat, registry)
  const secret = join(admin.home, `${name}.txt`)
  const { account } = await addPerson(registry, name, ['reviewer'])
  const robot = `${name}-robot`
  await admin.ok('admin', 'accounts', 'create', robot, '--role', 'reviewer', '--owner', account)
  const create = ['admin', 'client', 'create', robot, '--account', robot, '--role', 'reviewer']
  const { clientId } = await admin.ok(...create, '--secret-out', secret)
  await logInAs(seat, registry, String(clientId), readFileSync(secret, 'utf8').trim())
  return seat
}

it('a vote makes a draft, and the keys make it an approval', async () => {
  reviewer = await openReviewer('reviewer')
  const digest = await publish('1.0.0')
  const voted = await reviewer.ok('admin', 'approve', SERVER)
  expect(voted).toMatchObject({ signatures: { given: 0, needed: 2 } })
  expect(voted).not.toHaveProperty('index')
  expect((await reviewer.run('admin', 'show', SERVER)).stdout).toContain('0 of 2 approvers')
  const first = await reviewer.ok('admin', 'approve', digest, '--key', key('one'))
  expect(first).toMatchObject({ signatures: { given: 1, needed: 2 } })
  const stranger = await reviewer.fails('admin', 'approve', digest, '--key', key('stranger'))
  expect(stranger.detail['code']).toBe('signature-invalid')
  // What a name stands for, the registry says: an approver’s key is there to need nobody’s word.
  const named = await reviewer.fails('admin', 'approve', `${SERVER}@1.0.0`, '--key', key('two'))
  expect([named.exit, named.code]).toEqual([2, 'usage'])
  expect(await reviewer.ok('admin', 'approve', digest, '--key', key('two'))).toHaveProperty('index')
  expect(await admin.ok('verify', SERVER)).toMatchObject({ verdict: 'verified' })
})

it('a reinstatement takes two persons and the keys', async () => {
  const secondReviewer = await openReviewer('second-reviewer')
  const revoked = await reviewer.ok('admin', 'revoke', `${SERVER}@1.0.0`, '--reason', 'odd')
  const again = ['admin', 'reinstate', String(revoked['manifest']), '--reason', 'was not']
  await reviewer.ok(...again)
  const one = await secondReviewer.ok(...again, '--key', key('one'))
  expect(one).toMatchObject({ signatures: { given: 1, needed: 2 } })
  expect(await secondReviewer.ok(...again, '--key', key('two'))).toHaveProperty('index')
  expect(await admin.ok('log', 'verify')).toMatchObject({ ok: true })
  secondReviewer.close()
})

it('an approver signs nothing but what was asked for, whatever the registry drafts', async () => {
  const digest = await publish('1.1.0')
  await reviewer.ok('admin', 'approve', digest)
  let posted = 0
  let bend: (draft: Record<string, unknown>) => unknown = (draft) => draft
  const proxy = createServer((req, res) => {
    if (req.method === 'POST') posted++
    const headers = { authorization: req.headers.authorization ?? '' }
    void fetch(registry.url + (req.url ?? ''), { headers }).then(async (answer) => {
      const body = (await answer.json()) as Record<string, unknown>
      const draft = JSON.parse(String(body['draft'])) as Record<string, unknown>
      const bent = { ...body, draft: canonicalize(bend(draft)) }
      res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(bent))
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const value = await registry.admin.token()
  const token = { value, type: 'Bearer', expiresAt: Date.now() + 600_000, scope: '' }
  const entry = { [url]: { kind: 'secret', clientId: 'x', clientSecret: 'y', token } }
  const liar = openSeat({ registry: url })
  await trustRegistry(liar, registry)
  writeFileSync(join(liar.home, 'credentials.json'), JSON.stringify(entry), { mode: 0o600 })
  const other = `sha256:${'0'.repeat(64)}`
  const lies: readonly (typeof bend)[] = [
    (draft) => ({ ...draft, manifest: other }),
    (draft) => ({ ...draft, version: '9.9.9' }),
    (draft) => ({ ...draft, server: 'internal.desk/other' }),
    (draft) => ({ ...draft, after: 0 }),
    (draft) => ({ ...draft, auto: 'none' }),
    () => ({ v: 1, t: 'reinstate', target: 'manifest', digest, reason: 'x', deciders: ['a'], after: 1 }),
    () => ({ v: 1, t: 'root', version: 2, digest: other }),
  ]
  for (const lie of lies) {
    bend = lie
    const failure = await liar.fails('admin', 'approve', digest, '--registry', url, '--key', key('one'))
    expect([failure.exit, failure.code]).toEqual([1, 'registry-error'])
  }
  expect(posted).toBe(0)
  liar.close()
  proxy.close()
})
