import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  formatRevocationLine,
  openTrustRoot,
  parseEvent,
  requestKeyAddEvent,
  rootNoteDigest,
  signEvent,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  utf8Bytes,
  type KeyEvent,
  type KeyRevokeEvent,
  type PublishEvent,
  type Signer,
} from 'countersign/core'
import { openReplay, type Replay } from '../../client/src/cli/log/replay.js'
import { stands } from '../../client/src/cli/log/replay-state.js'
import { openHost } from '../../client/src/host.js'
import { memoryInProcess } from '../../client/src/memory.js'
import { countsAt } from '../../src/publishers/keys.js'
import type { TestDns } from '../support/dns.js'
import {
  addAccount,
  approveManifest,
  newKey,
  publishManifest,
  sampleManifest,
  submitKeyEvent,
  type Caller,
  type TestRegistry,
} from '../support/registry.js'
import { openDns, openTown, writeAuthorities, type Clock } from './support.js'

// One long history of one namespace's keys, made in a real registry. What it says of each publication is derived three
// times: by the registry from its rows, by a replay of the log's leaves, and by a host from bundles and the status.

const NAMESPACE = 'com.history'
const SERVER = `${NAMESPACE}/server`
const WEEK = 7 * 86_400_000

const clock: Clock = { now: Date.now() }
const folder = mkdtempSync(join(tmpdir(), 'countersign-history-'))
const { authorities, file } = writeAuthorities(folder)
let dns: TestDns
let at: TestRegistry
let owner: Caller
beforeAll(async () => {
  dns = await openDns()
  at = await openTown(dns, { clock, config: { rootFile: file } })
  owner = await addAccount(at, 'owner', ['publisher'])
})
afterAll(async () => {
  await at.close()
  await dns.close()
  rmSync(folder, { recursive: true })
})

const last = async (): Promise<number> => (await owner.get(`/v1/namespaces/${NAMESPACE}`)).body.last
const submit = async (event: KeyEvent): Promise<number> => {
  const { status, body } = await submitKeyEvent(owner, event)
  if (status !== 201) throw new Error(`${event.t}: ${status} ${JSON.stringify(body)}`)
  return body.index
}
const sigsOf = (event: Parameters<typeof signEvent>[0]): string[] =>
  authorities.slice(0, 2).map((signer) => signEvent(event, at.identity, signer))

async function enrol(own: Signer): Promise<void> {
  await at.admin.put(`/v1/admin/namespaces/${NAMESPACE}`, { account: 'owner' })
  const about = { namespace: NAMESPACE, proof: 'admin', account: 'owner' } as const
  const event = signNamespaceEvent(about, at.identity, own)
  await submit({ ...event, sigs: sigsOf(event) })
}
const add = async (key: Signer, role: 'own' | 'sign', by: Signer): Promise<number> =>
  submit(signKeyAddEvent({ namespace: NAMESPACE, role, after: await last() }, at.identity, key, by))
async function give(key: Signer): Promise<number> {
  const event = requestKeyAddEvent(
    { namespace: NAMESPACE, role: 'own', after: await last() },
    at.identity,
    key,
  )
  return submit({ ...event, sigs: sigsOf(event) })
}
const ending = async (key: Signer, reason: KeyRevokeEvent['reason'], invalidFrom?: number) => ({
  ...({ v: 1, t: 'key.revoke', namespace: NAMESPACE, kid: key.kid, reason, after: await last() } as const),
  ...(invalidFrom === undefined ? {} : { invalidFrom }),
})
const end = async (key: Signer, reason: KeyRevokeEvent['reason'], by: Signer, invalidFrom?: number) =>
  submit(signKeyRevokeEvent(await ending(key, reason, invalidFrom), at.identity, by))
async function endByPeople(key: Signer, invalidFrom: number): Promise<number> {
  const event = await ending(key, 'compromise', invalidFrom)
  return submit({ ...event, sigs: sigsOf(event) })
}

let serial = 0
/** Versions that were approved, and so have a bundle. */
const released: string[] = []
/** Publishes the next version; the index of its publication. */
async function publish(key: Signer): Promise<{ version: string; index: number; digest: string }> {
  const version = `1.0.${serial++}`
  const publisher = { caller: owner, namespace: NAMESPACE, key }
  const manifest = sampleManifest(at.identity, { server: SERVER, version, description: `As of ${version}.` })
  const { index, manifest: digest } = await publishManifest(publisher, manifest)
  return { version, index, digest }
}
async function release(key: Signer): Promise<{ version: string; index: number }> {
  const published = await publish(key)
  await approveManifest(at.admin, published.digest)
  released.push(published.version)
  return published
}

type Verdicts = Record<string, boolean>

/** By the rows, as approvals, publications and lists of the registry decide. */
async function fromRows(): Promise<Verdicts> {
  const keys = await at.registry.store.readKeys(NAMESPACE)
  const rows = await at.registry.store.readServer(SERVER)
  const counts = rows.map(({ version, kid, publishIndex }) => {
    const key = keys.find((one) => one.kid === kid && one.role === 'sign')
    return [version, key !== undefined && countsAt(key, publishIndex)] as const
  })
  return Object.fromEntries(counts)
}

/** By the leaves, as anyone who replays the log derives it. */
async function replayed(): Promise<{ replay: Replay; verdicts: Verdicts }> {
  const size = at.registry.ledger.publishedSize()
  const leaves = await at.registry.store.readEntries(0, size)
  const note = at.registry.ledger.rootNote(1) ?? ''
  const roots = new Map([[1, openTrustRoot(note)]])
  const replay = openReplay(at.identity, new Map([[1, rootNoteDigest(note)]]), roots)
  for (const leaf of leaves) replay.add(utf8Bytes(leaf))
  const events = leaves.map((leaf) => parseEvent(leaf)).filter((event) => event.t === 'publish')
  const verdict = ({ manifest, version }: PublishEvent): [string, boolean] => {
    const published = replay.state.published.get(manifest)?.at(-1)
    return [version, published !== undefined && stands(replay.state, published)]
  }
  return { replay, verdicts: Object.fromEntries(events.map(verdict)) }
}

/** By the bundle of each version, as a host that never saw any of it before. */
async function fromBundles(): Promise<Verdicts> {
  const rootNote = await (await fetch(`${at.url}/v1/root/1`)).text()
  const trust = { identity: at.identity, rootNote, fingerprint: at.fingerprint }
  const verdicts: Verdicts = {}
  for (const version of released) {
    const now = (): number => clock.now
    const host = await openHost({ registry: at.url, trust, memory: memoryInProcess(), now })
    verdicts[version] = await host.verify(SERVER, version).then(
      () => true,
      (error: unknown) => {
        expect((error as { code: string }).code).toBe('key-revoked')
        return false
      },
    )
    await host.close()
  }
  return verdicts
}

/** All three say this of each version, no replay finds a lie, and the revocation lines are the same ones. */
async function expectVerdicts(...expected: readonly boolean[]): Promise<void> {
  const wanted = expected.map((counts, i) => [`1.0.${i}`, counts] as const)
  const { replay, verdicts } = await replayed()
  expect(await fromRows()).toEqual(Object.fromEntries(wanted))
  expect(verdicts).toEqual(Object.fromEntries(wanted))
  const shown = wanted.filter(([version]) => released.includes(version))
  expect(await fromBundles()).toEqual(Object.fromEntries(shown))
  expect([...replay.state.lines].sort()).toEqual(await lines())
  expect(replay.finish().lies).toEqual([])
}
const lines = async (): Promise<string[]> => (await at.registry.store.readRevocations()).sort()
const endOf = (key: Signer, invalidFrom: number): string =>
  formatRevocationLine({ kind: 'key', namespace: NAMESPACE, kid: key.kid, invalidFrom })

describe('one history of keys', () => {
  const [first, second, signs, rotated] = [newKey(), newKey(), newKey(), newKey()]
  const [thief, thiefSigns, honest] = [newKey(), newKey(), newKey()]
  const [given, givenSigns, intruder] = [newKey(), newKey(), newKey()]
  let stolenAt: number
  let pending: string

  it('rotation: what the superseded key signed still counts', async () => {
    await enrol(first)
    await add(signs, 'sign', first)
    await release(signs)
    await add(second, 'own', first)
    await add(rotated, 'sign', second)
    const ended = await end(signs, 'superseded', second)
    await release(rotated)
    expect(await lines()).toEqual([endOf(signs, ended)])
    await expectVerdicts(true, true)
  })

  it('a stolen own key brings in another, which brings in one that signs', async () => {
    stolenAt = await add(thief, 'own', first)
    await add(thiefSigns, 'sign', thief)
    await release(thiefSigns)
    pending = (await publish(thiefSigns)).digest
    await add(honest, 'sign', second)
    await release(honest)
    await expectVerdicts(true, true, true, true, true)
  })

  it('ended from now on by another own key, it takes nothing back', async () => {
    await end(first, 'compromise', second)
    await expectVerdicts(true, true, true, true, true)
  })

  it('ended once more, and earlier, it takes two levels of keys with it, and no honest one', async () => {
    const before = await lines()
    await end(first, 'compromise', first, stolenAt)
    const [signsAdded] = (await at.registry.store.readKeys(NAMESPACE)).filter(
      ({ kid }) => kid === thiefSigns.kid,
    )
    expect(await lines()).toEqual(
      [
        ...before.filter((line) => !line.includes(first.kid)),
        endOf(first, stolenAt),
        endOf(thief, stolenAt),
        endOf(thiefSigns, signsAdded?.added ?? 0),
      ].sort(),
    )
    await expectVerdicts(true, true, false, false, true)
  })

  it('what waited for approval under a voided key is not approved', async () => {
    const { last: after } = (await at.admin.get(`/v1/review/${pending}`)).body
    const reply = await at.admin.post(`/v1/review/${pending}/approval`, { after })
    expect(reply.body.code).toBe('key-inactive')
  })

  it('a voided key does nothing any more', async () => {
    await expect(add(newKey(), 'sign', thief)).rejects.toThrow('key-inactive')
    await expect(end(second, 'compromise', thief)).rejects.toThrow('key-inactive')
    await expect(end(honest, 'compromise', thiefSigns)).rejects.toThrow('key-inactive')
    // Its own end may only move back.
    await expect(end(thief, 'compromise', thief, stolenAt + 1)).rejects.toThrow('key-inactive')
  })

  it('authorities move an end back, further than an own key may', async () => {
    const fifth = await release(honest)
    const ended = await end(honest, 'compromise', second)
    expect(ended).toBeGreaterThan(fifth.index)
    await expectVerdicts(true, true, false, false, true, true)
    await expect(end(honest, 'compromise', second, fifth.index)).rejects.toThrow('decider-not-allowed')
    await endByPeople(honest, fifth.index)
    await expect(endByPeople(honest, fifth.index)).rejects.toThrow('key-inactive')
    expect(await lines()).toContain(endOf(honest, fifth.index))
    expect(await lines()).not.toContain(endOf(honest, ended))
    await expectVerdicts(true, true, false, false, true, false)
  })

  it('an owner who lost every own key is back after the waiting time', async () => {
    await end(second, 'cessation', second)
    await expect(add(newKey(), 'own', second)).rejects.toThrow('key-inactive')
    await give(given)
    await expect(add(givenSigns, 'sign', given)).rejects.toThrow('key-waiting')
    clock.now += WEEK
    await add(givenSigns, 'sign', given)
    await release(givenSigns)
    await expectVerdicts(true, true, false, false, true, false, true)
  })

  it('an objection within the waiting time ends the key for ever', async () => {
    await give(intruder)
    await end(intruder, 'compromise', given)
    clock.now += WEEK
    await expect(add(newKey(), 'sign', intruder)).rejects.toThrow('key-inactive')
    await expect(give(intruder)).rejects.toThrow('key-taken')
    await release(givenSigns)
    await expectVerdicts(true, true, false, false, true, false, true, true)
  })
})
