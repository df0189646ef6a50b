import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  addAccount,
  addPublisher,
  approveManifest,
  newKey,
  publishManifest,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

// A33, what the registry decides: one tenant never acts for another, nobody decides on their own work, and who only
// reads never writes. Nothing of a refused request is logged.

let at: TestRegistry
let author: Publisher
let intruder: Publisher
let reviewer: Caller
let auditor: Caller
let both: Publisher
let serial = 0
let waiting: { manifest: string; index: number }

beforeAll(async () => {
  at = await startRegistry()
  author = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
  intruder = await addPublisher(at, 'org.intruder', await addAccount(at, 'intruder', ['publisher']))
  both = await addPublisher(at, 'net.both', await addAccount(at, 'both', ['publisher', 'reviewer']))
  reviewer = await addAccount(at, 'reviewer', ['reviewer'])
  auditor = await addAccount(at, 'examiner', ['auditor'])
})
afterAll(async () => {
  await at.close()
})
beforeEach(async () => {
  waiting = await publishManifest(
    author,
    sampleManifest(at.identity, { server: `com.example/server${++serial}` }),
  )
})

async function refused(act: () => Promise<Reply>): Promise<[number, string]> {
  const before = at.registry.ledger.publishedSize()
  const { status, body } = await act()
  expect(at.registry.ledger.publishedSize()).toBe(before)
  return [status, body.code]
}

const reason = 'because'
const decision = () => ({ after: waiting.index, reason })

describe('A33 another publisher’s namespace', () => {
  const foreign = (key = intruder.key) =>
    signManifest(sampleManifest(at.identity, { server: 'com.example/stolen' }), key)

  it.each<[string, () => Promise<Reply>, number, string]>([
    [
      'publishing with the own key',
      () => intruder.caller.post('/v1/manifests', foreign()),
      403,
      'namespace-mismatch',
    ],
    [
      'publishing with the owner’s stolen key',
      () => intruder.caller.post('/v1/manifests', foreign(author.key)),
      403,
      'key-unknown',
    ],
    [
      'publishing with a key of nobody',
      () => intruder.caller.post('/v1/manifests', foreign(newKey())),
      403,
      'key-unknown',
    ],
    [
      'withdrawing',
      () => intruder.caller.post(`/v1/manifests/${waiting.manifest}/withdrawal`, { reason }),
      403,
      'namespace-not-granted',
    ],
    [
      'revoking a manifest',
      () => intruder.caller.post(`/v1/manifests/${waiting.manifest}/revocation`, { reason }),
      403,
      'decider-not-allowed',
    ],
    [
      'revoking a server',
      () => intruder.caller.post(`/v1/servers/com.example/server${serial}/revocation`, { reason }),
      403,
      'decider-not-allowed',
    ],
    [
      'deprecating',
      () => intruder.caller.post(`/v1/manifests/${waiting.manifest}/deprecation`, { reason }),
      403,
      'decider-not-allowed',
    ],
    [
      'reading what waits',
      () => intruder.caller.get(`/v1/manifests/${waiting.manifest}`),
      404,
      'manifest-unknown',
    ],
  ])('%s', async (_, act, status, code) => {
    expect(await refused(act)).toEqual([status, code])
  })

  it('twin: the owner does each of these', async () => {
    expect((await author.caller.get(`/v1/manifests/${waiting.manifest}`)).status).toBe(200)
    await approveManifest(reviewer, waiting.manifest)
    const deprecated = await author.caller.post(`/v1/manifests/${waiting.manifest}/deprecation`, { reason })
    const revoked = await author.caller.post(`/v1/manifests/${waiting.manifest}/revocation`, { reason })
    expect([deprecated.status, revoked.status]).toEqual([201, 201])
  })
})

describe('A33 the own work', () => {
  it('is approved and reinstated by others only', async () => {
    const manifest = sampleManifest(at.identity, { server: `net.both/own${serial}` })
    const own = await publishManifest(both, manifest)
    const approval = () => both.caller.post(`/v1/review/${own.manifest}/approval`, { after: own.index })
    expect(await refused(approval)).toEqual([403, 'own-work'])
    await approveManifest(reviewer, own.manifest)
    const path = `/v1/manifests/${own.manifest}`
    const { index: after } = (await both.caller.post(`${path}/revocation`, { reason })).body
    const back = () => both.caller.post(`${path}/reinstatement`, { after, reason })
    expect(await refused(back)).toEqual([403, 'own-work'])
  })

  it('twin: the same reviewer approves what others published', async () => {
    expect(await approveManifest(both.caller, waiting.manifest)).toBeGreaterThan(waiting.index)
  })
})

describe('A33 who only reads, or only publishes', () => {
  it.each<[string, string, () => object]>([
    ['approves', 'review/:digest/approval', () => ({ after: waiting.index })],
    ['rejects', 'review/:digest/rejection', decision],
    ['comments', 'review/:digest/comments', () => ({ text: 'hello' })],
    ['signs', 'review/:digest/signatures', () => ({ signature: 'a..b' })],
    ['reinstates', 'manifests/:digest/reinstatement', decision],
  ])('never %s', async (_, path, body) => {
    const to = `/v1/${path.replace(':digest', waiting.manifest)}`
    for (const caller of [auditor, intruder.caller]) {
      expect(await refused(() => caller.post(to, body()))).toEqual([403, 'scope-missing'])
    }
    expect((await refused(() => send(at.url, 'POST', to, { body: body() })))[0]).toBe(401)
  })

  it.each(['revocation', 'deprecation', 'withdrawal'])('an auditor makes no %s', async (what) => {
    const act = () => auditor.post(`/v1/manifests/${waiting.manifest}/${what}`, { reason })
    expect(await refused(act)).toEqual([403, 'scope-missing'])
  })

  it('a reviewer does not withdraw, edit the policy or read the audit', async () => {
    const path = `/v1/manifests/${waiting.manifest}/withdrawal`
    expect(await refused(() => reviewer.post(path, { reason }))).toEqual([403, 'scope-missing'])
    const policy = (await reviewer.get('/v1/policy')).body['policy']
    expect(await refused(() => reviewer.put('/v1/policy', { after: 1, policy }))).toEqual([
      403,
      'scope-missing',
    ])
    expect((await reviewer.get('/v1/audit')).body.code).toBe('scope-missing')
  })

  it('twin: an auditor reads the audit, a reviewer revokes', async () => {
    expect((await auditor.get('/v1/audit')).status).toBe(200)
    const path = `/v1/manifests/${waiting.manifest}/revocation`
    expect((await reviewer.post(path, { reason })).status).toBe(201)
  })
})
