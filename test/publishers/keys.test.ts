import { Point } from '@noble/ed25519'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  canonicalize,
  encodeKeyX,
  formatRevocationLine,
  keyThumbprint,
  parseEvent,
  parseStatus,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type Signer,
} from 'countersign/core'
import { countsAt } from '../../src/publishers/keys.js'
import type { KeyRow } from '../../src/storage/store.js'
import {
  addAccount,
  addKey,
  addPublisher,
  newKey,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  submitKeyEvent,
  type Caller,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

const ORDER_8 = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'

let at: TestRegistry
beforeAll(async () => {
  at = await startRegistry()
})
afterAll(async () => {
  await at.close()
})

let serial = 0
let owner: Publisher
/** A namespace of its own for each test. */
beforeEach(async () => {
  owner = await addPublisher(at, `com.example${++serial}`)
})

const view = async (publisher = owner) => (await at.admin.get(`/v1/namespaces/${publisher.namespace}`)).body

async function refusal(act: () => Promise<Reply>): Promise<[number, string]> {
  const before = at.registry.ledger.publishedSize()
  const { status, body } = await act()
  expect(at.registry.ledger.publishedSize()).toBe(before)
  return [status, body.code]
}

async function addition(added: Signer, by: Signer, change: Partial<KeyAddEvent> = {}): Promise<KeyAddEvent> {
  const { namespace } = owner
  const { last } = await view()
  return { ...signKeyAddEvent({ namespace, role: 'sign', after: last, ...change }, at.identity, added, by) }
}

async function revocation(
  kid: string,
  by: Signer,
  change: Partial<KeyRevokeEvent> = {},
): Promise<KeyRevokeEvent> {
  const { namespace } = owner
  const { last } = await view()
  return signKeyRevokeEvent({ namespace, kid, reason: 'compromise', after: last, ...change }, at.identity, by)
}

describe('a namespace', () => {
  const first = (namespace: string, key: Signer, account = 'admin', proof: 'admin' | 'dns' = 'admin') =>
    signNamespaceEvent({ namespace, proof, account }, at.identity, key)

  it('is granted, then enrolled by its first key, which is then shown', async () => {
    const body = await view()
    expect(body).toMatchObject({ namespace: owner.namespace, account: 'admin' })
    expect(body.keys).toMatchObject([{ kid: owner.key.kid, roles: ['own', 'sign'] }])
    const events = await at.registry.store.readEntries(0, at.registry.ledger.publishedSize())
    const mine = events.map((event) => parseEvent(event)).filter((event) => 'namespace' in event)
    expect(mine.filter((event) => event.namespace === owner.namespace).map((event) => event.t)).toEqual([
      'namespace',
      'key.add',
    ])
  })

  it.each([
    ['not granted', 'com.nobody', 'admin', 'admin', 'namespace-not-granted'],
    ['proved in a way nobody checked', 'com.dns', 'admin', 'dns', 'namespace-not-granted'],
    ['for another account than the granted one', 'com.dns', 'somebody', 'admin', 'namespace-not-granted'],
  ] as const)('is refused when %s', async (_, namespace, account, proof, code) => {
    await at.admin.put('/v1/admin/namespaces/com.dns', { account: 'admin' })
    expect(await refusal(() => submitKeyEvent(at.admin, first(namespace, newKey(), account, proof)))).toEqual(
      [403, code],
    )
  })

  it('is refused a second first key', async () => {
    const again = first(owner.namespace, newKey())
    expect(await refusal(() => submitKeyEvent(at.admin, again))).toEqual([409, 'after-outdated'])
    const informed = { ...again, after: (await view()).last }
    expect((await refusal(() => submitKeyEvent(at.admin, informed)))[1]).toBe('signature-invalid')
  })

  it('takes the same event once more as the same event', async () => {
    await at.admin.put('/v1/admin/namespaces/com.twice', { account: 'admin' })
    const event = first('com.twice', newKey())
    const [one, two] = await Promise.all([submitKeyEvent(at.admin, event), submitKeyEvent(at.admin, event)])
    expect([one.status, two.status, two.body.index]).toEqual([201, 201, one.body.index])
  })

  it.each([
    ['one label', 'example', 400, 'name-invalid'],
    ['capital letters', 'com.Example', 400, 'name-invalid'],
    ['an unknown account', 'com.other', 404, 'account-unknown'],
  ])('cannot be granted with %s', async (_, namespace, status, code) => {
    const account = code === 'account-unknown' ? 'nobody' : 'admin'
    const reply = await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account })
    expect([reply.status, reply.body.code]).toEqual([status, code])
  })

  it('is granted by admins alone', async () => {
    const publisher = await addAccount(at, 'granter', ['publisher'])
    const reply = await publisher.put('/v1/admin/namespaces/com.mine', { account: 'granter' })
    expect([reply.status, reply.body.code]).toEqual([403, 'scope-missing'])
  })
})

describe('key.add', () => {
  it('gives a new key a role, after which it signs', async () => {
    const added = newKey()
    await addKey(at, owner, added, 'sign')
    const manifest = sampleManifest(at.identity, { server: `${owner.namespace}/server` })
    expect((await at.admin.post('/v1/manifests', signManifest(manifest, added))).status).toBe(201)
  })

  it.each<[string, () => Promise<KeyEvent>, number, string]>([
    ['endorsed by a stranger', () => addition(newKey(), newKey()), 403, 'key-unknown'],
    ['endorsed by a key that only signs', endorsedBySigner, 403, 'key-inactive'],
    ['endorsed by a revoked own key', endorsedByRevoked, 403, 'key-inactive'],
    ['without possession of the new key', withoutPossession, 422, 'signature-invalid'],
    ['of another registry', fromElsewhere, 422, 'signature-invalid'],
    [
      'that names an event that is not the latest',
      async () => addition(newKey(), owner.key, { after: 0 }),
      409,
      'after-outdated',
    ],
    [
      'changed after it was signed',
      async () => ({ ...(await addition(newKey(), owner.key)), role: 'own' }),
      422,
      'signature-invalid',
    ],
    ['of a role the key has', () => addition(owner.key, owner.key), 409, 'key-taken'],
    ['of a revoked key', ofRevoked, 409, 'key-taken'],
    ['with signatures of authorities that nobody named', withAuthorities, 422, 'event-invalid'],
  ])('is refused %s', async (_, make, status, code) => {
    const event = await make()
    expect(await refusal(() => submitKeyEvent(at.admin, event))).toEqual([status, code])
  })

  async function endorsedBySigner() {
    const signer = newKey()
    await addKey(at, owner, signer, 'sign')
    return addition(newKey(), signer)
  }
  async function endorsedByRevoked() {
    const own = newKey()
    await addKey(at, owner, own, 'own')
    await submitKeyEvent(at.admin, await revocation(own.kid, owner.key))
    return addition(newKey(), own)
  }
  async function withoutPossession() {
    const [added, thief] = [newKey(), newKey()]
    const event = await addition(thief, owner.key)
    return { ...event, x: encodeKeyX(added.publicKey), kid: added.kid }
  }
  async function fromElsewhere() {
    const { namespace, key } = owner
    return signKeyAddEvent(
      { namespace, role: 'sign', after: (await view()).last },
      'registry-other',
      newKey(),
      key,
    )
  }
  async function ofRevoked() {
    const key = newKey()
    await addKey(at, owner, key, 'sign')
    await submitKeyEvent(at.admin, await revocation(key.kid, owner.key))
    return addition(key, owner.key)
  }
  async function withAuthorities() {
    const event = await addition(newKey(), owner.key)
    return { ...event, sigs: [event.pop] }
  }

  it('is refused from an account that does not act for the namespace', async () => {
    const stranger = await addAccount(at, `stranger${serial}`, ['publisher'])
    const event = await addition(newKey(), owner.key)
    expect(await refusal(() => submitKeyEvent(stranger, event))).toEqual([403, 'namespace-not-granted'])
  })

  it.each([
    ['of low order', () => Uint8Array.of(1, ...new Uint8Array(31))],
    ['of a non-canonical encoding', () => Uint8Array.of(0xee, ...new Uint8Array(30).fill(0xff), 0x7f)],
    [
      'with a part of order 8',
      () => Point.fromBytes(newKey().publicKey).add(Point.fromHex(ORDER_8)).toBytes(),
    ],
  ])('is refused for a key %s', async (_, make) => {
    const key = make()
    const event = { ...(await addition(newKey(), owner.key)), x: encodeKeyX(key), kid: keyThumbprint(key) }
    const text = canonicalize(event)
    const act = () => at.admin.post(`/v1/namespaces/${owner.namespace}/keys`, { event: text })
    expect(await refusal(act)).toEqual([422, 'key-invalid'])
  })

  it('lets one of two events that name the same latest one through', async () => {
    const events = [await addition(newKey(), owner.key), await addition(newKey(), owner.key)]
    const replies = await Promise.all(events.map((event) => submitKeyEvent(at.admin, event)))
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, 409])
  })
})

/** The row as it was before registries noted endorsers. */
function unnoted({ namespace, kid, x, role, added }: KeyRow): KeyRow {
  return { namespace, kid, x, role, added }
}

describe('key.revoke', () => {
  const lines = () => at.registry.store.readRevocations()

  it('by an own key ends another from its own index on', async () => {
    const { kid } = await addedKey()
    const reply = await submitKeyEvent(at.admin, await revocation(kid, owner.key))
    const { index } = reply.body
    expect(reply.status).toBe(201)
    const key = (await view()).keys.find((one) => one.kid === kid)
    expect(key).toMatchObject({ revoked: index, invalidFrom: index })
    const line = formatRevocationLine({ kind: 'key', namespace: owner.namespace, kid, invalidFrom: index })
    expect(await lines()).toContain(line)
  })

  it('by the key itself may go back, and takes every role with it', async () => {
    const { last } = await view()
    const reply = await submitKeyEvent(
      at.admin,
      await revocation(owner.key.kid, owner.key, { invalidFrom: last }),
    )
    expect(reply.status).toBe(201)
    const { kid } = owner.key
    expect((await view()).keys.find((one) => one.kid === kid)).toMatchObject({
      roles: ['own', 'sign'],
      invalidFrom: last,
    })
    expect(await lines()).toContain(
      formatRevocationLine({ kind: 'key', namespace: owner.namespace, kid, invalidFrom: last }),
    )
  })

  it('is in the revocation list that the status names', async () => {
    const { kid } = await addedKey()
    await submitKeyEvent(at.admin, await revocation(kid, owner.key))
    const status = parseStatus(Buffer.from((await send(at.url, 'GET', '/v1/status')).text))
    const snapshot = parseEvent(status.snapshot.event) as { revocations: string; count: number }
    const root = Buffer.from(snapshot.revocations, 'base64').toString('hex')
    const list = await send(at.url, 'GET', `/v1/revocations/${root}`)
    expect(list.text).toContain(kid)
    expect(list.text.split('\n')).toHaveLength(snapshot.count + 1)
  })

  it.each<[string, () => Promise<KeyEvent>, number, string]>([
    [
      'back in time by another key',
      async () => revocation((await addedKey()).kid, owner.key, { invalidFrom: 1 }),
      403,
      'decider-not-allowed',
    ],
    [
      'ahead of the log',
      () => revocation(owner.key.kid, owner.key, { invalidFrom: 1_000_000 }),
      422,
      'out-of-range',
    ],
    ['by a stranger', () => revocation(owner.key.kid, newKey()), 403, 'key-unknown'],
    [
      'by a key that only signs',
      async () => revocation(owner.key.kid, await addedKey()),
      403,
      'key-inactive',
    ],
    ['of a key that is not there', () => revocation(newKey().kid, owner.key), 403, 'key-unknown'],
    ['that is out of date', () => revocation(owner.key.kid, owner.key, { after: 0 }), 409, 'after-outdated'],
    ['of a revoked key', twice, 403, 'key-inactive'],
  ])('is refused %s', async (_, make, status, code) => {
    const event = await make()
    expect(await refusal(() => submitKeyEvent(at.admin, event))).toEqual([status, code])
  })

  it('takes the keys with it that the key endorsed, also where an older registry did not note by whom', async () => {
    const [thief, signs] = [newKey(), newKey()]
    const { namespace } = owner
    const added = await addKey(at, owner, thief, 'own')
    const second = await addKey(at, { ...owner, key: thief }, signs, 'sign')
    await at.registry.store.commitBatch(async (tx) => {
      for (const row of await tx.readKeys(namespace)) await tx.putKey(unnoted(row))
    })
    const event = await revocation(owner.key.kid, owner.key, { invalidFrom: added })
    expect((await submitKeyEvent(at.admin, event)).status).toBe(201)
    const ends = [
      [owner.key, added],
      [thief, added],
      [signs, second],
    ] as const
    const voided = ends.map(([{ kid }, invalidFrom]) =>
      formatRevocationLine({ kind: 'key', namespace, kid, invalidFrom }),
    )
    expect((await lines()).filter((line) => line.includes(`\0${namespace}\0`))).toEqual(voided.sort())
  })

  async function addedKey(): Promise<Signer> {
    const key = newKey()
    await addKey(at, owner, key, 'sign')
    return key
  }
  async function twice() {
    const { kid } = await addedKey()
    await submitKeyEvent(at.admin, await revocation(kid, owner.key))
    return revocation(kid, owner.key)
  }
})

describe('the address of an event', () => {
  const post = (path: string, event: string, caller: Caller = at.admin) => caller.post(path, { event })

  it('must be its namespace, its key and its kind', async () => {
    const other = await addPublisher(at, `org.other${serial}`)
    const add = canonicalize(await addition(newKey(), owner.key))
    const revoke = canonicalize(await revocation(owner.key.kid, owner.key))
    const keys = `/v1/namespaces/${owner.namespace}/keys`
    const elsewhere = `/v1/namespaces/${other.namespace}/keys`
    expect(await refusal(() => post(elsewhere, add))).toEqual([403, 'namespace-mismatch'])
    expect(await refusal(() => post(keys, revoke))).toEqual([422, 'event-invalid'])
    expect(await refusal(() => post(`${keys}/${other.key.kid}/revocation`, revoke))).toEqual([
      422,
      'event-invalid',
    ])
  })

  it.each([
    ['no JSON', '{', 400, 'json-malformed'],
    ['not canonical', '{"v":1, "t":"namespace"}', 400, 'json-not-canonical'],
    ['no event', '{"t":"other","v":1}', 422, 'event-invalid'],
    [
      'an event of the registry itself',
      '{"digest":"sha256:00","t":"root","v":1,"version":2}',
      422,
      'event-invalid',
    ],
    ['longer than an event', `"${'a'.repeat(5000)}"`, 413, 'input-too-large'],
  ])('takes an event, not %s', async (_, event, status, code) => {
    expect(await refusal(() => post(`/v1/namespaces/${owner.namespace}/keys`, event))).toEqual([status, code])
  })
})

describe('countsAt', () => {
  const key = { namespace: 'a.b', kid: 'k', x: 'x', role: 'sign', added: 5 } as const
  it('is the open interval between added and invalidFrom', () => {
    expect([4, 5, 6, 1000].map((index) => countsAt(key, index))).toEqual([false, false, true, true])
    const ended = { ...key, revoked: 12, invalidFrom: 8 }
    expect([5, 6, 7, 8, 9, 20].map((index) => countsAt(ended, index))).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
    ])
  })
})
