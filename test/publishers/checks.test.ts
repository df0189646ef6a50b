import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signKeyAddEvent, signKeyRevokeEvent } from 'countersign/core'
import { judgeLook, MAX_ABSENCES } from '../../src/publishers/proofs/lapse.js'
import type { Look } from '../../src/publishers/proofs/look.js'
import { checkProof } from '../../src/publishers/proofs/check.js'
import { OutsideError } from '../../src/net/outside.js'
import type { ProofRow } from '../../src/storage/store.js'
import type { TestDns } from '../support/dns.js'
import {
  addAccount,
  addKey,
  newKey,
  sampleManifest,
  signManifest,
  submitKeyEvent,
  type Caller,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import { claimByDns, openDns, openTown, type Clock } from './support.js'

const DAY = 86_400_000

describe('judgeLook', () => {
  const row: ProofRow = {
    ...{ namespace: 'com.example', kind: 'dns', subject: 'example.com', kid: 'k' },
    ...{ checkedAt: 0, suspended: false },
  }
  const GONE: Look = { is: 'absent', why: 'gone' }
  const SILENT: Look = { is: 'unreachable', why: 'silent' }
  const HERE: Look = { is: 'present', subject: 'example.com' }

  /** A look a day, from day 1 on; the days on which it is suspended. */
  function days(looks: readonly Look[], every = DAY): number[] {
    let now = row
    const absences: number[] = []
    const suspended: number[] = []
    for (const [i, look] of looks.entries()) {
      const at = (i + 1) * every
      const judged = judgeLook(now, look, absences, at)
      if (judged.counts) absences.unshift(at)
      absences.length = Math.min(absences.length, MAX_ABSENCES)
      if (look.is === 'present') absences.length = 0
      now = judged.row
      if (now.suspended) suspended.push(i + 1)
    }
    return suspended
  }
  const times = (count: number, look: Look): Look[] => Array.from({ length: count }, () => look)

  it('suspends after seven days of absence', () => {
    expect(days(times(9, GONE))).toEqual([8, 9])
  })

  it('does not suspend on two looks, however far apart', () => {
    expect(days(times(2, GONE), 30 * DAY)).toEqual([])
    expect(days(times(3, GONE), 30 * DAY)).toEqual([3])
  })

  it('counts looks that are close together as one', () => {
    expect(days(times(500, GONE), 60_000)).toEqual([])
  })

  it('is not put off by whoever asks again and again: an hour, a minute', () => {
    const HOUR = DAY / 24
    expect(days(times(24 * 8, GONE), HOUR)[0]).toBe(24 * 7 + 1)
    expect(days(times(24 * 8 * 4, GONE), HOUR / 4)[0]).toBeLessThanOrEqual(24 * 7 * 4 + 4)
  })

  it('does not count silence before a month of it', () => {
    expect(days(times(29, SILENT))).toEqual([])
    expect(days(times(31, SILENT))).toEqual([31])
    expect(days([...times(10, SILENT), ...times(2, GONE)])).toEqual([])
  })

  it('begins again after one good look', () => {
    expect(days([...times(6, GONE), HERE, ...times(7, GONE)])).toEqual([])
  })

  it('lifts at once, and not by silence', () => {
    expect(days([...times(8, GONE), SILENT, HERE])).toEqual([8, 9])
  })
})

describe('a proof that lapses', () => {
  const clock: Clock = { now: Date.now() }
  let dns: TestDns
  let at: TestRegistry
  let holder: Caller
  beforeAll(async () => {
    dns = await openDns()
    at = await openTown(dns, { clock })
    holder = await addAccount(at, 'holder', ['publisher'])
  })
  afterAll(async () => {
    await at.close()
    await dns.close()
  })

  let serial = 0
  let owner: Publisher
  let record: string
  beforeEach(async () => {
    const namespace = `com.lapse${++serial}`
    const { reply, claim, started } = await claimByDns(dns, holder, namespace)
    expect(reply.status).toBe(201)
    owner = { caller: holder, namespace, key: claim.key }
    record = started.records[0]!.at
    await addKey(at, owner, owner.key, 'sign')
  })

  const look = async (afterDays = 1): Promise<void> => {
    clock.now += afterDays * DAY + 1
    await at.registry.proofChecks.runOnce()
  }
  const proof = async (): Promise<unknown> =>
    (await holder.get(`/v1/namespaces/${owner.namespace}`)).body['proof']
  const check = (by = holder): Promise<Reply> => by.request('POST', `/v1/namespaces/${owner.namespace}/check`)
  const publishes = async (version: string): Promise<unknown> => {
    const manifest = sampleManifest(at.identity, { server: `${owner.namespace}/one`, version })
    const { status, body } = await holder.post('/v1/manifests', signManifest(manifest, owner.key))
    return status === 201 ? status : body.code
  }
  const audited = async (): Promise<string[]> => {
    const records = await at.registry.store.readAudit(50, undefined, { target: owner.namespace })
    return records.map(({ action }) => action).reverse()
  }
  const lapse = async (): Promise<void> => {
    const kept = dns.zone.get(record)
    dns.zone.delete(record)
    for (let i = 0; i < 8; i++) await look()
    expect(await proof()).toMatchObject({ suspended: true })
    if (kept !== undefined) restored = () => dns.zone.set(record, kept)
  }
  let restored: () => unknown = () => undefined

  it('suspends publishing and new keys, and no revocation', async () => {
    expect(await publishes('1.0.0')).toBe(201)
    await lapse()
    expect(await publishes('1.0.1')).toBe('namespace-suspended')
    const { last } = (await holder.get(`/v1/namespaces/${owner.namespace}`)).body
    const about = { namespace: owner.namespace, after: last }
    const addition = signKeyAddEvent({ ...about, role: 'sign' }, at.identity, newKey(), owner.key)
    expect((await submitKeyEvent(holder, addition)).body.code).toBe('namespace-suspended')
    const revocation = { ...about, kid: owner.key.kid, reason: 'cessation' } as const
    const revoked = await submitKeyEvent(holder, signKeyRevokeEvent(revocation, at.identity, owner.key))
    expect(revoked.status).toBe(201)
  })

  it('is back with the first good look that somebody asks for', async () => {
    await lapse()
    expect((await check()).body).toMatchObject({ look: 'absent', proof: { suspended: true } })
    restored()
    expect((await check()).body).toMatchObject({ look: 'present', proof: { suspended: false } })
    expect(await publishes('1.0.0')).toBe(201)
    const absences = Array.from({ length: 8 }, () => 'namespace.absent')
    const [suspended, back] = ['namespace.suspend', 'namespace.restore']
    expect(await audited()).toEqual(['namespace', 'key.add', ...absences, suspended, back])
  })

  it('twin: a record that stays, or names a key that took over, is good for ever', async () => {
    const next = newKey()
    await addKey(at, owner, next, 'own')
    for (let i = 0; i < 3; i++) await look(10)
    expect(await proof()).toMatchObject({ suspended: false })
    const [, [value = ''] = []] = dns.zone.get(record)?.txt ?? []
    dns.zone.set(record, { txt: [[value.replace(owner.key.kid, next.kid)]] })
    for (let i = 0; i < 3; i++) await look(10)
    expect(await proof()).toMatchObject({ suspended: false })
    expect(await audited()).toEqual(['namespace', 'key.add', 'key.add'])
  })

  it('does not count a compromised key’s record', async () => {
    const next = newKey()
    const index = await addKey(at, owner, next, 'own')
    const revocation = {
      namespace: owner.namespace,
      kid: owner.key.kid,
      reason: 'compromise',
      after: index,
    } as const
    await submitKeyEvent(holder, signKeyRevokeEvent(revocation, at.identity, next))
    expect((await check()).body).toMatchObject({ look: 'absent' })
  })

  it('does not count a compromised key’s record, although the key says later that it was only replaced', async () => {
    const [next, { namespace }] = [newKey(), owner]
    const index = await addKey(at, owner, next, 'own')
    const about = { namespace, kid: owner.key.kid, after: index } as const
    const first = { ...about, reason: 'compromise' } as const
    const ended = (await submitKeyEvent(holder, signKeyRevokeEvent(first, at.identity, next))).body.index
    const milder = { ...about, reason: 'superseded', after: ended, invalidFrom: ended - 1 } as const
    expect((await submitKeyEvent(holder, signKeyRevokeEvent(milder, at.identity, owner.key))).status).toBe(
      201,
    )
    expect((await check()).body).toMatchObject({ look: 'absent' })
  })

  it('is not lost by a server that does not answer', async () => {
    const kept = dns.zone.get(record)
    dns.zone.set(record, { fails: 'servfail' })
    for (let i = 0; i < 4; i++) await look(5)
    expect(await proof()).toMatchObject({ suspended: false, failingSince: expect.any(String) as string })
    dns.zone.set(record, kept ?? {})
    await look()
    expect(await proof()).not.toHaveProperty('failingSince')
  })

  it('is not kept by an owner who has it looked at every other hour', async () => {
    dns.zone.delete(record)
    let looks = 0
    for (let suspended = false; !suspended && looks < 12 * 8; looks++) {
      clock.now += DAY / 12
      const { body } = await check()
      suspended = (body['proof'] as { suspended: boolean }).suspended
    }
    expect(looks).toBe(12 * 7 + 1)
  })

  it('that was proved again while a slow look went on stays proved', async () => {
    const { store } = at.registry
    const before = await store.readProof(owner.namespace)
    if (before === undefined) throw new Error('there is a proof')
    await store.recordProofCheck({ ...before, failingSince: clock.now - 31 * DAY })
    const { context } = at.registry.rooms
    // Meanwhile the owner looks as well, and finds it.
    const resolveTxt = async (): Promise<readonly string[]> => {
      clock.now += 1000
      expect((await check()).body['look']).toBe('present')
      throw new OutsideError('unreachable', 'late')
    }
    const row = await store.readProof(owner.namespace)
    await checkProof({ ...context, outside: { ...context.outside, resolveTxt } }, row ?? before)
    expect(await proof()).toMatchObject({ suspended: false })
    expect(await proof()).not.toHaveProperty('failingSince')
  })

  it('is looked at for its owner and for admins alone', async () => {
    const rival = await addAccount(at, `rival${serial}`, ['publisher'])
    expect([(await check(rival)).status, (await check(rival)).body.code]).toEqual([
      403,
      'namespace-not-granted',
    ])
    expect((await check(at.admin)).status).toBe(200)
  })

  it('is looked at once in its time, and not before', async () => {
    await look(0.5)
    const before = dns.asked.length
    await at.registry.proofChecks.runOnce()
    expect(dns.asked.length).toBe(before)
    await look(1)
    expect(dns.asked.slice(before)).toContain(record)
  })
})
