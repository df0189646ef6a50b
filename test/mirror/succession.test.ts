import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost, registryApi } from 'countersign'
import type { Digest } from 'countersign/core'
import type { ReadDocument } from '../../client/src/static-api.js'
import { codeOfAsync } from '../client/support.js'
import { openFolder } from '../../client/src/mirror/folder.js'
import { openRegistryApi, openRegistryReader } from '../../client/src/node/registry-files.js'
import { recoverCommand } from '../../src/registry/commands/upkeep.js'
import { openPlace, type Place, type Running } from '../registry/support.js'
import { failingFolder, openTestMirror, type TestMirror } from '../support/mirror.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  type Publisher,
} from '../support/registry.js'

const SERVER = 'com.example/weather'

/** A registry with one approved version, stopped, and copies of it that go different ways. */
let first: Place
let publisher: Publisher
let digest: string
const places: Place[] = []
const mirrors: TestMirror[] = []

beforeAll(async () => {
  first = newPlace()
  const at = await first.start()
  publisher = await addPublisher(at, 'com.example', at.admin)
  digest = await release(at, '1.0.0')
  await first.stop()
})

afterAll(async () => {
  for (const mirror of mirrors) mirror.close()
  for (const place of places) await place.remove()
})

function newPlace(from?: Place): Place {
  const place = openPlace(from)
  places.push(place)
  return place
}

async function newMirror(at: Running): Promise<TestMirror> {
  const mirror = await openTestMirror(at)
  mirrors.push(mirror)
  return mirror
}

async function release(at: Running, version: string): Promise<string> {
  const manifest = sampleManifest(at.identity, {
    server: SERVER,
    version,
    description: `Release ${version}.`,
  })
  const published = await publishManifest({ ...publisher, caller: at.admin }, manifest)
  await approveManifest(at.admin, published.manifest)
  return published.manifest
}

/** The same registry on another port. */
const of = ({ url }: Running) => ({ api: openRegistryApi(url), read: openRegistryReader(url) })

describe('a log that ends, and its successor', () => {
  it('are both in the mirror: what was approved before verifies, for those who saw it and for others', async () => {
    const place = newPlace(first)
    const before = await place.start()
    const mirror = await newMirror(before)
    await mirror.run()
    const memory = memoryInProcess()
    expect((await (await mirror.host({ memory })).verify(SERVER)).digest).toBe(digest)
    const origin = before.registry.ledger.origin
    const { size } = before.registry.ledger.committed()
    await before.stop()

    await place.run(recoverCommand, ['recover', '--yes'])
    const after = await place.start()
    const done = await mirror.run(of(after))
    expect([done.leftOut, done.origin === origin, done.entries > size]).toEqual([[], false, true])
    for (const host of [await mirror.host({ memory }), await mirror.host()]) {
      expect((await host.verify(SERVER)).digest).toBe(digest)
    }
    const proofs = [openRegistryApi(mirror.url), registryApi(after.url)].map((api) =>
      api.fetchConsistency(3, size, origin),
    )
    expect(await proofs[0]).toEqual(await proofs[1])

    const next = await release(after, '2.0.0')
    expect((await mirror.run(of(after))).leftOut).toEqual([])
    for (const host of [await mirror.host({ memory }), await mirror.host()]) {
      expect((await host.verify(SERVER)).digest).toBe(next)
      expect((await host.verify(SERVER, '1.0.0')).digest).toBe(digest)
    }
    expect(mirror.files().filter((path) => path.startsWith('log/1/'))).toHaveLength(3)
    const fresh = await newMirror(after)
    expect((await fresh.run()).leftOut).toEqual([])
    expect((await (await fresh.host()).verify(SERVER, '1.0.0')).digest).toBe(digest)
  })

  it('may be met at any moment: the next run goes on', async () => {
    const place = newPlace(first)
    const before = await place.start()
    const mirror = await newMirror(before)
    await mirror.run()
    await before.stop()
    await place.run(recoverCommand, ['recover', '--yes'])
    const after = await place.start()
    let steps = 0
    for (let ended = true; ended; steps++) {
      const folder = failingFolder(await openFolder(mirror.out), steps, () => new Error('killed'))
      ended = await mirror.run({ ...of(after), folder, memory: memoryInProcess() }).then(
        () => false,
        () => true,
      )
    }
    expect(steps).toBeGreaterThan(10)
    expect((await (await mirror.host()).verify(SERVER)).digest).toBe(digest)
    expect((await mirror.run(of(after))).leftOut).toEqual([])
  })

  it('forked: a bundle of the other history ends the run, and is remembered', async () => {
    const [place, other] = [newPlace(first), newPlace(first)]
    const [here, there] = [await place.start(), await other.start()]
    await release(here, '1.1.0')
    const theirs = await release(there, '1.2.0')
    const mirror = await newMirror(here)
    const memory = memoryInProcess()
    const read: ReadDocument = (path, max) =>
      (path.startsWith('v1/servers') ? of(there) : of(here)).read(path, max)
    const fetchBundle = (digest: Digest) => (digest === theirs ? of(there) : of(here)).api.fetchBundle(digest)
    const ports = { api: { ...of(here).api, fetchBundle }, read, memory }
    expect(await codeOfAsync(() => mirror.run(ports))).toBe('equivocation')
    expect((await memory.readWorld(here.identity))?.evidence).toHaveLength(1)
    expect(await codeOfAsync(() => mirror.run({ ...of(here), memory }))).toBe('equivocation')
    expect(mirror.files()).not.toContain('v1/status')
  })

  it('whose root is published in the middle of a run: it is there before its status is', async () => {
    const place = newPlace(first)
    await (await place.start()).stop()
    await place.run(recoverCommand, ['recover', '--yes'])
    const after = await place.start()
    const mirror = await newMirror(after)
    const { api, read } = of(after)
    const { rootNote, ...pinned } = mirror.trust
    const trust = { ...pinned, rootNote: (await api.fetchRoot(1)) ?? rootNote }
    let asked = 0
    const fetchRoot = (version: number | 'latest') =>
      version === 2 && asked++ === 0 ? Promise.resolve(undefined) : api.fetchRoot(version)
    expect((await mirror.run({ api: { ...api, fetchRoot }, read, trust })).leftOut).toEqual([])
    const host = await openHost({ registry: openRegistryApi(mirror.url), trust, memory: memoryInProcess() })
    expect((await host.verify(SERVER)).digest).toBe(digest)
  })

  it('that ends before what the mirror saw: what came after the end is gone', async () => {
    const place = newPlace(first)
    const backup = newPlace(first)
    const before = await place.start()
    const later = await release(before, '1.1.0')
    const mirror = await newMirror(before)
    await mirror.run()
    expect((await (await mirror.host()).verify(SERVER)).digest).toBe(later)
    await before.stop()
    await backup.run(recoverCommand, ['recover', '--yes'])
    const after = await backup.start()
    const done = await mirror.run({ ...of(after), memory: memoryInProcess() })
    expect(done.leftOut).toEqual([])
    const host = await mirror.host()
    expect((await host.verify(SERVER)).digest).toBe(digest)
    expect((await openRegistryApi(mirror.url).fetchVersions(SERVER)).map(({ version }) => version)).toEqual([
      '1.0.0',
    ])
  })
})
