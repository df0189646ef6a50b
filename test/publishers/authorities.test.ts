import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  requestKeyAddEvent,
  signEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
  type Signer,
} from 'countersign/core'
import type { TestDns } from '../support/dns.js'
import {
  addAccount,
  newKey,
  sampleManifest,
  signManifest,
  startRegistry,
  submitKeyEvent,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'
import { makeDatabase } from '../support/postgres.js'
import { answer, openDns, openTown, putRecord, startClaim, writeAuthorities, type Clock } from './support.js'

const WEEK = 7 * 86_400_000

const clock: Clock = { now: Date.now() }
const folder = mkdtempSync(join(tmpdir(), 'countersign-people-'))
const { authorities, file } = writeAuthorities(folder)
const [one, two, three] = authorities as [Signer, Signer, Signer]
let dns: TestDns
let at: TestRegistry
let holder: Caller
beforeAll(async () => {
  dns = await openDns()
  at = await openTown(dns, { clock, config: { rootFile: file } })
  holder = await addAccount(at, 'holder', ['publisher'])
})
afterAll(async () => {
  await at.close()
  await dns.close()
  rmSync(folder, { recursive: true })
})

type Signed<E> = E & { readonly sigs: readonly string[] }
/** The event with the signatures of these people, whoever they are. */
function withSigs<E extends Parameters<typeof signEvent>[0]>(event: E, by: readonly Signer[]): Signed<E> {
  return { ...event, sigs: by.map((signer) => signEvent(event, at.identity, signer)) }
}

let serial = 0
let namespace: string
let own: Signer
beforeEach(async () => {
  namespace = `com.people${++serial}`
  own = newKey()
  await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account: 'holder' })
  expect((await submitKeyEvent(holder, withSigs(firstKey(), [one, two]))).status).toBe(201)
})

const firstKey = (change: Partial<NamespaceEvent> = {}): NamespaceEvent =>
  signNamespaceEvent({ namespace, proof: 'admin', account: 'holder', ...change }, at.identity, own)
const last = async (): Promise<number> => (await holder.get(`/v1/namespaces/${namespace}`)).body.last
const outcome = async (event: KeyEvent, by = holder): Promise<unknown> => {
  const { status, body } = await submitKeyEvent(by, event)
  return status === 201 ? status : body.code
}
const request = async (key: Signer, role: 'own' | 'sign' = 'own') =>
  requestKeyAddEvent({ namespace, role, after: await last() }, at.identity, key)
const addition = async (key: Signer, by: Signer, role: 'own' | 'sign' = 'sign') =>
  signKeyAddEvent({ namespace, role, after: await last() }, at.identity, key, by)
const revocation = async (kid: string, by: Signer, change: Partial<KeyRevokeEvent> = {}) =>
  signKeyRevokeEvent(
    { namespace, kid, reason: 'compromise', after: await last(), ...change },
    at.identity,
    by,
  )
async function endedByPeople(
  kid: string,
  change: Partial<KeyRevokeEvent>,
  by: readonly Signer[],
): Promise<KeyEvent> {
  const about = { v: 1, t: 'key.revoke', namespace, kid, reason: 'compromise' } as const
  return withSigs({ ...about, after: await last(), ...change }, by)
}

describe('a root that names authorities', () => {
  it('is the one hosts pin', () => {
    expect(at.registry.ledger.trustRoot().authorities).toMatchObject({ threshold: 2 })
  })

  it('leaves no namespace to the registry alone', async () => {
    namespace = `com.alone${serial}`
    await at.admin.put(`/v1/admin/namespaces/${namespace}`, { account: 'holder' })
    const event = firstKey()
    expect(await outcome(event)).toBe('signature-invalid')
    expect(await outcome(withSigs(event, [one]))).toBe('signature-invalid')
    expect(await outcome(withSigs(event, [one, one]))).toBe('signature-invalid')
    expect(await outcome(withSigs(event, [one, newKey()]))).toBe('signature-invalid')
    expect(await outcome(withSigs(event, [one, two, newKey()]))).toBe('signature-invalid')
    expect(await outcome({ ...event, sigs: withSigs(firstKey({ account: 'rival' }), [one, two]).sigs })).toBe(
      'signature-invalid',
    )
    expect(await outcome(withSigs(event, [three, two]))).toBe(201)
  })

  it('asks for them in a claim by DNS, too', async () => {
    const claim = { namespace: `com.claimed${serial}`, proof: 'dns', account: 'holder', key: own } as const
    const started = await startClaim(holder, claim)
    putRecord(dns, started)
    const { proof, account } = claim
    const event = signNamespaceEvent({ namespace: claim.namespace, proof, account }, at.identity, own)
    expect((await answer(holder, claim, started, { event })).body.code).toBe('signature-invalid')
    expect((await answer(holder, claim, started, { event: withSigs(event, [one, two]) })).status).toBe(201)
  })
})

describe('an owner who lost every own key', () => {
  const back = newKey()
  beforeEach(async () => {
    expect(await outcome(await revocation(own.kid, own, { reason: 'cessation' }))).toBe(201)
  })
  const recover = async (key: Signer, by: readonly Signer[] = [one, two]): Promise<Reply> =>
    submitKeyEvent(holder, withSigs(await request(key), by))
  const publishes = async (key: Signer): Promise<unknown> => {
    const manifest = sampleManifest(at.identity, { server: `${namespace}/one` })
    const { status, body } = await holder.post('/v1/manifests', signManifest(manifest, key))
    return status === 201 ? status : body.code
  }

  it('gets back by a threshold of them, after a week in which everybody can see it', async () => {
    expect((await recover(back)).status).toBe(201)
    const { keys } = (await holder.get(`/v1/namespaces/${namespace}`)).body
    const usableAt = new Date(clock.now + WEEK).toISOString()
    expect(keys.find(({ kid }) => kid === back.kid)).toMatchObject({ usableAt, roles: ['own'] })
    const sign = newKey()
    expect(await outcome(await addition(sign, back))).toBe('key-waiting')
    clock.now += WEEK - 1
    expect(await outcome(await addition(sign, back))).toBe('key-waiting')
    clock.now += 1
    expect(await outcome(await addition(sign, back))).toBe(201)
    expect(await publishes(sign)).toBe(201)
  })

  it('also gets a key that signs, and it waits as well', async () => {
    const sign = newKey()
    expect(await outcome(withSigs(await request(sign, 'sign'), [one, three]))).toBe(201)
    expect(await publishes(sign)).toBe('key-waiting')
    clock.now += WEEK
    expect(await publishes(sign)).toBe(201)
  })

  it.each<[string, () => Promise<Reply>, string]>([
    ['one of them', () => recover(newKey(), [one]), 'signature-invalid'],
    ['one of them twice', () => recover(newKey(), [one, one]), 'signature-invalid'],
    ['strangers', () => recover(newKey(), [newKey(), newKey()]), 'signature-invalid'],
    ['two of them and a stranger', () => recover(newKey(), [one, two, newKey()]), 'signature-invalid'],
  ])('is not brought back by %s', async (_, act, code) => {
    expect((await act()).body.code).toBe(code)
  })

  it('is not brought back for another registry, moment or key', async () => {
    const event = await request(back)
    const elsewhere = authorities.map((signer) => signEvent(event, 'registry-other', signer))
    expect(await outcome({ ...event, sigs: elsewhere })).toBe('signature-invalid')
    const other = withSigs(await request(newKey()), [one, two])
    expect(await outcome({ ...event, sigs: other.sigs })).toBe('signature-invalid')
    const stale = requestKeyAddEvent({ namespace, role: 'own', after: 0 }, at.identity, back)
    expect(await outcome(withSigs(stale, [one, two]))).toBe('after-outdated')
  })

  it('by an event that a stranger hands in is refused; an admin may', async () => {
    const rival = await addAccount(at, `rival${serial}`, ['publisher'])
    const event = withSigs(await request(newKey()), [one, two])
    expect(await outcome(event, rival)).toBe('namespace-not-granted')
    expect(await outcome(event, at.admin)).toBe(201)
  })
})

describe('an own key that is still there', () => {
  it('objects to a key that authorities gave, for ever', async () => {
    const intruder = newKey()
    expect(await outcome(withSigs(await request(intruder), [one, two]))).toBe(201)
    expect(await outcome(await revocation(own.kid, intruder))).toBe('key-waiting')
    expect(await outcome(await revocation(intruder.kid, own))).toBe(201)
    clock.now += WEEK
    expect(await outcome(await addition(newKey(), intruder))).toBe('key-inactive')
    expect(await outcome(withSigs(await request(intruder), [one, two]))).toBe('key-taken')
  })

  it('and the authorities do not sign the same event', async () => {
    const event = await addition(newKey(), own)
    expect(await outcome(withSigs(event, [one, two]))).toBe('event-invalid')
  })
})

describe('authorities end keys', () => {
  it('also in the past, also once more and earlier, never later', async () => {
    const thief = newKey()
    const added = (await submitKeyEvent(holder, await addition(thief, own, 'own'))).body.index
    expect(await outcome(await endedByPeople(thief.kid, {}, [two, three]))).toBe(201)
    expect(await outcome(await endedByPeople(thief.kid, { invalidFrom: added + 1 }, [two, three]))).toBe(201)
    expect(await outcome(await endedByPeople(thief.kid, { invalidFrom: added + 2 }, [two, three]))).toBe(
      'key-inactive',
    )
    expect(await outcome(await endedByPeople(thief.kid, { invalidFrom: added }, [two]))).toBe(
      'signature-invalid',
    )
    expect(await outcome(await revocation(thief.kid, own, { invalidFrom: added }))).toBe(
      'decider-not-allowed',
    )
    expect(await outcome(await revocation(thief.kid, thief, { invalidFrom: added }))).toBe(201)
  })
})

describe('who the first root names', () => {
  it('is chosen before the first start', async () => {
    const database = process.env['TEST_ENGINE'] === 'postgres' ? await makeDatabase() : undefined
    const databaseUrl = database?.url
    const plain = await startRegistry(databaseUrl === undefined ? {} : { databaseUrl })
    try {
      expect(plain.registry.ledger.trustRoot().authorities).toBeUndefined()
      const given = {
        config: { rootFile: file },
        dir: plain.dir,
        ...(databaseUrl !== undefined && { databaseUrl }),
      }
      await plain.registry.close()
      await expect(startRegistry(given)).rejects.toMatchObject({ code: 'identity-mismatch' })
    } finally {
      // Its database is closed already; what is left is the port and the folder.
      await plain.close().catch(() => {
        rmSync(plain.dir, { recursive: true, force: true })
      })
      await database?.drop()
    }
  })

  it.each([
    ['a threshold that nobody reaches', { authorities: { keys: [], threshold: 1 } }],
    ['a key that is none', { authorities: { keys: ['A'.repeat(43)], threshold: 1 } }],
    ['more signatures than keys', { approvers: { keys: ['x'], threshold: 2 } }],
  ])('is refused with %s', async (_, people) => {
    const bad = join(folder, 'bad.json')
    writeFileSync(bad, JSON.stringify(people))
    await expect(startRegistry({ config: { rootFile: bad } })).rejects.toMatchObject({
      code: 'root-malformed',
    })
  })
})
