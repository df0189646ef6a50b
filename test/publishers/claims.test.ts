import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeBase64,
  parseEvent,
  signNamespaceEvent,
  signNamespaceProof,
  type NamespaceEvent,
} from 'countersign/core'
import type { TestDns } from '../support/dns.js'
import {
  addAccount,
  newKey,
  sampleManifest,
  signManifest,
  addKey,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import {
  answer,
  claimByDns,
  openDns,
  openTown,
  putRecord,
  startClaim,
  type Claim,
  type Clock,
  type Started,
} from './support.js'

const clock: Clock = { now: Date.now() }
let dns: TestDns
let at: TestRegistry
let elsewhere: TestRegistry
let holder: Caller
let rival: Caller
beforeAll(async () => {
  dns = await openDns()
  at = await openTown(dns, { clock })
  elsewhere = await openTown(dns)
  holder = await addAccount(at, 'holder', ['publisher'])
  rival = await addAccount(at, 'rival', ['publisher'])
})
afterAll(async () => {
  await at.close()
  await elsewhere.close()
  await dns.close()
})
afterEach(() => {
  dns.zone.clear()
})

let serial = 0
let namespace: string
let domain: string
beforeEach(() => {
  serial += 1
  namespace = `com.example${serial}`
  domain = `example${serial}.com`
})

const claimOf = (change: Partial<Claim> = {}): Claim => ({
  ...{ namespace, proof: 'dns', account: 'holder', key: newKey() },
  ...change,
})

async function refusal(act: () => Promise<Reply>): Promise<[number, string]> {
  const before = at.registry.ledger.publishedSize()
  const { status, body } = await act()
  expect(at.registry.ledger.publishedSize()).toBe(before)
  return [status, body.code]
}

/** A claim whose record is there; `change` tells the lie. */
async function ready(change: Partial<Claim> = {}): Promise<{ claim: Claim; started: Started }> {
  const claim = claimOf(change)
  const started = await startClaim(holder, claim)
  putRecord(dns, started)
  return { claim, started }
}

describe('a claim by DNS', () => {
  it('is a challenge, a record, and the first key in the log', async () => {
    const { reply, claim, started } = await claimByDns(dns, holder, namespace)
    expect(started).toMatchObject({
      audience: at.identity,
      records: [{ at: `_countersign.${domain}` }, { at: domain }],
    })
    expect(reply).toMatchObject({ status: 201, body: { namespace, proof: 'dns', subject: domain } })
    const [leaf] = await at.registry.store.readEntries(reply.body.index, reply.body.index + 1)
    expect(parseEvent(leaf ?? '')).toMatchObject({
      t: 'namespace',
      proof: 'dns',
      account: 'holder',
      kid: claim.key.kid,
    })
    const { body } = await holder.get(`/v1/namespaces/${namespace}`)
    expect(body).toMatchObject({
      account: 'holder',
      proof: { kind: 'dns', subject: domain, suspended: false },
    })
  })

  it('lets its account publish with the keys that the first one endorses, and nobody else', async () => {
    const { claim } = await claimByDns(dns, holder, namespace)
    await addKey(at, { caller: holder, namespace, key: claim.key }, claim.key, 'sign')
    const envelope = signManifest(sampleManifest(at.identity, { server: `${namespace}/one` }), claim.key)
    expect((await rival.post('/v1/manifests', envelope)).body.code).toBe('key-unknown')
    expect((await holder.post('/v1/manifests', envelope)).status).toBe(201)
  })

  it('by the record of the MCP Registry, which names the key alone', async () => {
    const claim = claimOf()
    const started = await startClaim(holder, claim)
    expect(started.records[1]?.value).toBe(`v=MCPv1; k=ed25519; p=${encodeBase64(claim.key.publicKey)}`)
    putRecord(dns, started, 1)
    expect(await answer(holder, claim, started)).toMatchObject({ status: 201, body: { subject: domain } })
  })

  it.each([
    ['our own record', 0],
    ["the MCP Registry's", 1],
  ])('of a domain below, by %s of the one above', async (_, which) => {
    const above = await startClaim(holder, claimOf())
    const claim = claimOf({ namespace: `${namespace}.team.api` })
    const started = await startClaim(holder, claim)
    const { at: name } = above.records[which]!
    dns.zone.set(name, { txt: [[started.records[which]!.value]] })
    expect(await answer(holder, claim, started)).toMatchObject({ status: 201, body: { subject: domain } })
  })

  it('of a domain above is not granted by a record below', async () => {
    const below = await startClaim(holder, claimOf({ namespace: `${namespace}.team` }))
    const claim = claimOf()
    const started = await startClaim(holder, claim)
    for (const [i, { value }] of started.records.entries())
      dns.zone.set(below.records[i]!.at, { txt: [[value]] })
    expect(await refusal(() => answer(holder, claim, started))).toEqual([422, 'proof-failed'])
  })

  it('of a whole top-level domain is never asked for', async () => {
    const { claim, started } = await ready()
    dns.zone.clear()
    dns.zone.set('com', { txt: started.records.map(({ value }) => [value]) })
    dns.zone.set('_countersign.com', { txt: started.records.map(({ value }) => [value]) })
    expect(await refusal(() => answer(holder, claim, started))).toEqual([422, 'proof-failed'])
    expect(dns.asked.map((name) => name.toLowerCase())).not.toContain('com')
  })

  it('by a record in several strings, behind another name', async () => {
    const claim = claimOf()
    const started = await startClaim(holder, claim)
    const { at: name, value } = started.records[0]!
    dns.zone.set(name, { cname: 'records.example.net' })
    dns.zone.set('records.example.net', { txt: [['other'], [value.slice(0, 20), value.slice(20)]] })
    expect((await answer(holder, claim, started)).status).toBe(201)
  })

  it.each<[string, (value: string) => readonly (readonly string[])[]]>([
    [
      'for another registry',
      (value) => [[value.replace(/registry=[^;]+/, `registry=${elsewhere.identity}`)]],
    ],
    ['for another account', (value) => [[value.replace('account=holder', 'account=rival')]]],
    ['of another key', (value) => [[value.replace(/kid=.+/, `kid=${newKey().kid}`)]]],
    ['with more behind it', (value) => [[`${value}; more=1`]]],
    ['with something before it', (value) => [[`x${value}`]]],
    ['in capital letters', (value) => [[value.toUpperCase()]]],
    ['torn into two records', (value) => [[value.slice(0, 20)], [value.slice(20)]]],
    [
      'that is padded to a great length',
      (value) => [[' '.repeat(200), ' '.repeat(250), value, ' '.repeat(200)]],
    ],
    ['beside far too many others', (value) => [...Array.from({ length: 150 }, (_, i) => [`${i}`]), [value]]],
    ['that is not there', () => []],
  ])('is proof-failed for a record %s', async (_, records) => {
    const { claim, started } = await ready()
    const { at: name, value } = started.records[0]!
    dns.zone.set(name, { txt: records(value) })
    expect(await refusal(() => answer(holder, claim, started))).toEqual([422, 'proof-failed'])
  })

  it('is proof-failed for a key in another spelling, or of another kind', async () => {
    const { claim, started } = await ready()
    dns.zone.clear()
    const p = encodeBase64(claim.key.publicKey)
    for (const value of [
      `v=MCPv1; k=ed25519; p=${p.slice(0, -1)}`,
      `v=MCPv1; k=ecdsap384; p=${p}`,
      `v=MCPv1; p=${p}`,
    ]) {
      dns.zone.set(domain, { txt: [[value]] })
      expect(await refusal(() => answer(holder, claim, started))).toEqual([422, 'proof-failed'])
    }
    dns.zone.set(domain, { txt: [[`v=MCPv1;k=ed25519;p=${p}`]] })
    expect((await answer(holder, claim, started)).status).toBe(201)
  })

  it('is proof-unreachable while nobody answers, and the challenge stays for later', async () => {
    const { claim, started } = await ready()
    const { at: name } = started.records[0]!
    dns.zone.set(name, { fails: 'servfail' })
    expect(await refusal(() => answer(holder, claim, started))).toEqual([503, 'proof-unreachable'])
    putRecord(dns, started)
    expect((await answer(holder, claim, started)).status).toBe(201)
  })
})

describe('a challenge', () => {
  it('answers the very same claim once more with where it stands, and no other', async () => {
    const { claim, started } = await ready()
    const event = signNamespaceEvent({ namespace, proof: 'dns', account: 'holder' }, at.identity, claim.key)
    const [one, two] = [
      await answer(holder, claim, started, { event }),
      await answer(holder, claim, started, { event }),
    ]
    expect([one.status, two.status, two.body.index]).toEqual([201, 201, one.body.index])
    expect(await refusal(() => answer(holder, { ...claim, key: newKey() }, started))).toEqual([
      409,
      'namespace-taken',
    ])
  })

  it('is not good after it expired', async () => {
    const { claim, started } = await ready()
    const before = clock.now
    clock.now = Date.parse(started.expires)
    expect(await refusal(() => answer(holder, claim, started))).toEqual([409, 'challenge-invalid'])
    clock.now = before
    expect((await answer(holder, claim, started)).status).toBe(201)
  })

  it('is for its account, its namespace and its kind alone', async () => {
    const { claim, started } = await ready()
    const other = await ready({ namespace: `${namespace}.other` })
    const stolen = { ...claim, account: 'rival' }
    expect(await refusal(() => answer(rival, stolen, started))).toEqual([409, 'challenge-invalid'])
    expect(await refusal(() => answer(holder, claim, other.started))).toEqual([409, 'challenge-invalid'])
    const byHttp = { ...claim, proof: 'http' as const }
    expect(await refusal(() => answer(holder, byHttp, started))).toEqual([409, 'challenge-invalid'])
    const invented = { ...started, challenge: other.started.challenge.toUpperCase() }
    expect(await refusal(() => answer(holder, claim, invented))).toEqual([409, 'challenge-invalid'])
  })

  it.each<[string, (claim: Claim, started: Started) => Parameters<typeof answer>[3], string]>([
    ['of another key', (c, s) => ({ signature: signed(c, s, { key: newKey() }) }), 'signature-invalid'],
    [
      'for another registry',
      (c, s) => ({ signature: signed(c, s, { audience: elsewhere.identity }) }),
      'signature-invalid',
    ],
    [
      'for another account',
      (c, s) => ({ signature: signed(c, s, { account: 'rival' }) }),
      'signature-invalid',
    ],
    [
      'of another challenge',
      (c, s) => ({ signature: signed(c, s, { challenge: otherChallenge(s) }) }),
      'signature-invalid',
    ],
    ['that is the event’s own', (c, s) => ({ signature: event(c, s).sig }), 'envelope-malformed'],
  ])('is not answered by a signature %s', async (_, lie, code) => {
    const { claim, started } = await ready()
    expect((await refusal(() => answer(holder, claim, started, lie(claim, started))))[1]).toBe(code)
  })

  /** Whatever letter the random text begins with, this one begins with another. */
  const otherChallenge = ({ challenge }: Started): string =>
    `${challenge.startsWith('A') ? 'B' : 'A'}${challenge.slice(1)}`
  const signed = (claim: Claim, started: Started, change: object): string => {
    const { key, ...rest } = { ...claim, ...started, ...change }
    return signNamespaceProof(
      { namespace, account: rest.account, audience: rest.audience, challenge: rest.challenge },
      key,
    )
  }
  const event = (claim: Claim, { audience }: Started): NamespaceEvent =>
    signNamespaceEvent({ namespace, proof: 'dns', account: 'holder' }, audience, claim.key)

  it('is not answered at all without a signature', async () => {
    const { claim, started } = await ready()
    const body = { challenge: started.challenge, event: JSON.stringify(event(claim, started)) }
    const sorted = {
      ...body,
      event: JSON.stringify(Object.fromEntries(Object.entries(event(claim, started)).sort())),
    }
    expect(await refusal(() => holder.post(`/v1/namespaces/${namespace}/proofs`, sorted))).toEqual([
      422,
      'signature-invalid',
    ])
    expect((await refusal(() => holder.post(`/v1/namespaces/${namespace}/proofs`, body)))[0]).toBe(400)
  })

  it('takes an event for its account and its registry, by a proof', async () => {
    const { claim, started } = await ready()
    const about = { namespace, proof: 'dns', account: 'holder' } as const
    const lies: [NamespaceEvent, string][] = [
      [signNamespaceEvent(about, elsewhere.identity, claim.key), 'signature-invalid'],
      [signNamespaceEvent({ ...about, account: 'rival' }, at.identity, claim.key), 'event-invalid'],
      [signNamespaceEvent({ ...about, proof: 'admin' }, at.identity, claim.key), 'event-invalid'],
    ]
    for (const [lie, code] of lies) {
      expect((await refusal(() => answer(holder, claim, started, { event: lie })))[1]).toBe(code)
    }
  })

  it('of one registry is worth nothing at another', async () => {
    const third = await addAccount(elsewhere, 'holder', ['publisher'])
    const { claim, started } = await ready()
    const [there, here] = [await startClaim(third, claim), started]
    // The same account name, namespace, key and record of the MCP Registry: all that differs is who asked.
    dns.zone.set(domain, { txt: [[here.records[1]!.value]] })
    const replayed = [
      { ...there, challenge: here.challenge },
      { ...there, audience: here.audience },
    ]
    const codes = await Promise.all(
      replayed.map((one) => answer(third, claim, one).then(({ body }) => body.code)),
    )
    expect(codes).toEqual(['challenge-invalid', 'signature-invalid'])
    const signature = signed(claim, here, {})
    const event = signNamespaceEvent(
      { namespace, proof: 'dns', account: 'holder' },
      there.audience,
      claim.key,
    )
    expect((await answer(third, claim, there, { event, signature })).body.code).toBe('signature-invalid')
    // Our own record names the registry, so that it does not even count elsewhere.
    dns.zone.clear()
    putRecord(dns, here)
    expect((await answer(third, claim, there)).body.code).toBe('proof-failed')
    expect((await answer(holder, claim, here)).status).toBe(201)
  })
})

describe('which namespaces a proof is for', () => {
  it.each([
    ['com.Example', 'dns', 400, 'name-invalid'],
    ['com.example.', 'dns', 400, 'name-invalid'],
    ['com..example', 'dns', 400, 'name-invalid'],
    ['com.exämple', 'dns', 400, 'name-invalid'],
    ['com', 'dns', 400, 'name-invalid'],
    ['internal.tools', 'dns', 422, 'proof-kind'],
    ['internal.tools', 'http', 422, 'proof-kind'],
    ['internal.tools', 'oidc', 422, 'proof-kind'],
    ['localhost.app', 'http', 422, 'proof-kind'],
    ['local.printer', 'dns', 422, 'proof-kind'],
    ['8.8.8.8', 'http', 422, 'proof-kind'],
    ['1.0.0.127', 'http', 422, 'proof-kind'],
    ['0x7f.example', 'http', 422, 'proof-kind'],
    ['com.xn--a', 'dns', 422, 'proof-kind'],
    ['a.b.c.d.e.f.g.h.i', 'dns', 422, 'proof-kind'],
    ['io.github.octocat', 'dns', 422, 'proof-kind'],
    ['io.github', 'dns', 422, 'proof-kind'],
    ['io.gitlab.group', 'http', 422, 'proof-kind'],
    ['com.example', 'oidc', 422, 'proof-kind'],
    ['io.githubber', 'oidc', 422, 'proof-kind'],
  ])('%s by %s: %i %s', async (name, proof, status, code) => {
    expect(await refusal(() => holder.post('/v1/namespaces', { namespace: name, proof }))).toEqual([
      status,
      code,
    ])
  })

  it('twin: an internationalised domain in its one spelling, and a neighbour of a provider', async () => {
    for (const name of ['com.xn--bcher-kva', 'io.githubber']) {
      expect((await holder.post('/v1/namespaces', { namespace: name, proof: 'dns' })).status).toBe(201)
    }
  })

  it('not one that somebody has', async () => {
    await claimByDns(dns, holder, namespace)
    expect(await refusal(() => rival.post('/v1/namespaces', { namespace, proof: 'dns' }))).toEqual([
      409,
      'namespace-taken',
    ])
  })
})

describe('who is first', () => {
  it('of two claims with good records owns the namespace; the other one is told', async () => {
    const claims = [claimOf(), claimOf({ account: 'rival' })] as const
    const started = [await startClaim(holder, claims[0]), await startClaim(rival, claims[1])] as const
    dns.zone.set(`_countersign.${domain}`, { txt: started.map(({ records }) => [records[0]!.value]) })
    const replies = await Promise.all([
      answer(holder, claims[0], started[0]),
      answer(rival, claims[1], started[1]),
    ])
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409])
    const winner = replies[0].status === 201 ? 'holder' : 'rival'
    expect((await holder.get(`/v1/namespaces/${namespace}`)).body.account).toBe(winner)
    expect(replies.find(({ status }) => status === 409)?.body.code).toBe('namespace-taken')
  })

  it('a grant does not stand before a proof, nor over one', async () => {
    expect((await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account: 'rival' })).status).toBe(200)
    const { reply, claim } = await claimByDns(dns, holder, namespace)
    expect(reply.status).toBe(201)
    await addKey(at, { caller: holder, namespace, key: claim.key }, claim.key, 'sign')
    const envelope = signManifest(sampleManifest(at.identity, { server: `${namespace}/one` }), claim.key)
    expect((await rival.post('/v1/manifests', envelope)).body.code).toBe('key-unknown')
    // Nor does it show what waits for review.
    const pending = await holder.post('/v1/manifests', envelope)
    expect(pending.status).toBe(201)
    const path = `/v1/manifests/${pending.body['manifest']}`
    expect([(await holder.get(path)).status, (await rival.get(path)).status]).toEqual([200, 404])
    const again = await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account: 'rival' })
    expect([again.status, again.body.code]).toEqual([409, 'namespace-taken'])
  })
})
