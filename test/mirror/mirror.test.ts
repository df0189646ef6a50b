import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess, pinTrust, registryApi } from 'countersign'
import type { Digest, Manifest } from 'countersign/core'
import { openRegistryApi, openRegistryReader } from '../../client/src/node/registry-files.js'
import { codeOfAsync } from '../client/support.js'
import {
  addPublisher,
  releaseSample,
  revokeManifest,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'
import { openTestMirror, serveFolder, type TestMirror } from '../support/mirror.js'
import { CALC, npmPackage, tools, WEATHER } from './support.js'

const URL_OF_CALC = 'https://calc.example.com/mcp'

let at: TestRegistry
let acme: Publisher
let mirror: TestMirror
let weather: string
let calc: string

const release = (server: string, version: string, change: Partial<Manifest>): Promise<string> =>
  releaseSample(at, acme, { server, version, ...change })

beforeAll(async () => {
  at = await startRegistry()
  acme = await addPublisher(at, 'com.acme')
  weather = await release(WEATHER, '1.0.0', npmPackage(WEATHER, '1.0.0'))
  calc = await release(CALC, '1.0.0', { remotes: [{ type: 'streamable-http', url: URL_OF_CALC }] })
  mirror = await openTestMirror(at)
  await mirror.run()
})

afterAll(async () => {
  mirror.close()
  await at.close()
})

describe('a host over a folder', () => {
  it('verifies by name, by package and by URL, and hands out what was signed', async () => {
    const host = await mirror.host()
    expect((await host.verify(WEATHER)).digest).toBe(weather)
    expect((await host.verify(CALC, '1.0.0')).digest).toBe(calc)
    const byPackage = await host.review({ slot: 'x', package: 'npm:@acme/weather@1.0.0', tools })
    expect([byPackage.verdict, byPackage.allowed.map(({ name }) => name)]).toEqual([
      'verified',
      ['get_forecast'],
    ])
    const byUrl = await host.review({ slot: URL_OF_CALC, url: URL_OF_CALC, tools })
    expect([byUrl.verdict, byUrl.manifest?.server]).toEqual(['verified', CALC])
  })

  it('withholds what was not signed, and knows nobody who does not exist', async () => {
    const host = await mirror.host()
    const changed = tools.map((tool) => ({ ...tool, description: 'Sends everything elsewhere.' }))
    const review = await host.review({ server: WEATHER, slot: 'x', tools: changed })
    expect([review.allowed, review.withheld[0]?.code]).toEqual([[], 'definition-changed'])
    expect(await codeOfAsync(() => host.verify('com.acme/none'))).toBe('unknown-server')
  })

  it('pins the trust root out of the folder as out of the registry', async () => {
    const pinned = await pinTrust(openRegistryApi(mirror.url), { fingerprint: at.fingerprint })
    expect(pinned.trust.rootNote).toBe(mirror.trust.rootNote)
  })

  it('is told what the registry tells', async () => {
    const [here, there] = [openRegistryApi(mirror.url), registryApi(at.url)]
    expect(await here.fetchVersions(WEATHER)).toEqual(await there.fetchVersions(WEATHER))
    expect(await here.fetchVersions('com.acme/none')).toEqual([])
    const queries = ['npm:@acme/weather', 'npm:@acme/weather@1.0.0', 'npm:@acme/weather@9.9.9', 'npm:none']
    for (const text of queries) {
      const found = await here.lookup({ package: text })
      expect(plain(found), text).toEqual(plain(await there.lookup({ package: text })))
    }
    for (const url of [URL_OF_CALC, 'HTTPS://calc.example.com:443/mcp', 'https://calc.example.com/other']) {
      expect(plain(await here.lookup({ url })), url).toEqual(plain(await there.lookup({ url })))
    }
    expect(await here.fetchBundle(weather as Digest)).toEqual(await there.fetchBundle(weather as Digest))
  })

  it('gets the proofs that the registry makes', async () => {
    const [here, there] = [openRegistryApi(mirror.url), registryApi(at.url)]
    const { size } = at.registry.ledger.committed()
    for (let to = 1; to <= size; to++) {
      for (let from = 1; from <= to; from++) {
        expect(await here.fetchConsistency(from, to)).toEqual(await there.fetchConsistency(from, to))
      }
    }
    for (const [from, to] of [
      [0, 1],
      [2, 1],
      [1, size + 1],
      [1.5, 2],
    ] as const) {
      expect(await codeOfAsync(() => here.fetchConsistency(from, to))).toBe('registry-error')
    }
    expect(await codeOfAsync(() => here.fetchConsistency(1, 2, 'another/log'))).toBe('registry-error')
  })

  it('calls a mirror that nobody runs any more stale, and a folder that is gone unreachable', async () => {
    const memory = memoryInProcess()
    await (await mirror.host({ memory })).refresh()
    const later = await mirror.host({ memory, now: () => Date.now() + 86_400_000 * 1.5 })
    expect((await later.review({ server: WEATHER, slot: 'x', tools })).verdict).toBe('stale')
    const gone = await mirror.host({ url: `${mirror.url}/gone` })
    expect((await gone.review({ server: WEATHER, slot: 'x', tools })).verdict).toBe('registry-unreachable')
  })
})

function plain(found: Awaited<ReturnType<ReturnType<typeof registryApi>['lookup']>>) {
  return found.map(({ server, role, versions }) => ({
    server,
    role,
    versions: versions.map(({ version, manifest, status }) => ({ version, manifest, status })),
  }))
}

describe('a host over a web server of files', () => {
  it.each(['missing', 'redirect', 'page', 'refused'] as const)(
    'that answers folders as %s',
    async (folders) => {
      const web = await serveFolder(mirror.out, folders)
      try {
        const pinned = await pinTrust(registryApi(web.url), { fingerprint: at.fingerprint })
        expect(pinned.trust.rootNote).toBe(mirror.trust.rootNote)
        const host = await mirror.host({ url: web.url })
        expect((await host.verify(WEATHER)).digest).toBe(weather)
        const found = await host.review({ slot: 'x', package: 'npm:@acme/weather@1.0.0', tools })
        expect([found.verdict, found.manifest?.digest]).toEqual(['verified', weather])
        const byUrl = await host.review({ slot: URL_OF_CALC, url: URL_OF_CALC, tools })
        expect([byUrl.verdict, byUrl.manifest?.server]).toEqual(['verified', CALC])
        const proof = await registryApi(web.url).fetchConsistency(3, 7)
        expect(proof).toEqual(await registryApi(at.url).fetchConsistency(3, 7))
        // Nobody listens there, and that is nobody's failure.
        await registryApi(web.url).reportSeen?.('a note')
      } finally {
        web.close()
      }
    },
  )
})

describe('the next run', () => {
  it('asks for what is new, and for nothing when nothing is', async () => {
    await mirror.run()
    expect(mirror.asked.map(general)).toEqual(['/v1/root/2', '/v1/status'])
    const next = await release(WEATHER, '1.1.0', npmPackage(WEATHER, '1.1.0'))
    const done = await mirror.run()
    expect([done.added, done.bundles, done.leftOut]).toEqual([4, 1, []])
    expect(mirror.asked.map(general)).toEqual([
      '/v1/root/2',
      '/v1/status',
      '/v1/consistency',
      '/log/tile/entries/000.p/N',
      `/v1/servers/${WEATHER}/versions`,
      `/v1/bundles/${next}`,
    ])
    expect((await (await mirror.host()).verify(WEATHER)).digest).toBe(next)
  })

  it('keeps the narrow tiles of two trees, and no others', async () => {
    const narrow = mirror.files().filter((path) => path.startsWith('log/tile/entries/'))
    expect(narrow).toHaveLength(2)
    await release(CALC, '1.2.0', {})
    await mirror.run()
    const now = mirror.files().filter((path) => path.startsWith('log/tile/'))
    expect(now).toHaveLength(4)
    expect(now.filter((path) => narrow.includes(path))).toHaveLength(1)
  })

  it('brings a revocation to hosts that knew the version, and to new ones', async () => {
    const memory = memoryInProcess()
    const input = { server: WEATHER, version: '1.0.0', slot: 'x', tools }
    expect((await (await mirror.host({ memory })).review(input)).verdict).toBe('verified')
    await revokeManifest(at.admin, weather)
    expect((await (await mirror.host({ memory })).review(input)).verdict).toBe('verified')
    await mirror.run()
    expect(mirror.asked.filter((path) => path.startsWith('/v1/revocations/'))).toHaveLength(1)
    expect((await (await mirror.host({ memory })).review(input)).verdict).toBe('revoked')
    expect((await (await mirror.host()).review(input)).verdict).toBe('revoked')
    const rows = await openRegistryApi(mirror.url).fetchVersions(WEATHER)
    expect(rows.map(({ version, status }) => [version, status])).toEqual([
      ['1.1.0', 'approved'],
      ['1.0.0', 'revoked'],
    ])
    expect((await (await mirror.host()).verify(WEATHER)).version).toBe('1.1.0')
  })

  it('of a mirror gives the same mirror', async () => {
    await mirror.run()
    const second = await openTestMirror(at)
    const [api, read] = [openRegistryApi(mirror.url), openRegistryReader(mirror.url)]
    const done = await second.run({ api, read })
    expect(done.leftOut).toEqual([])
    const bytes = (from: TestMirror) =>
      Object.fromEntries(
        from
          .files()
          .filter((path) => path !== 'mirror.json')
          .map((path) => [path, readFileSync(join(from.out, path), 'base64')]),
      )
    const [first, copy] = [bytes(mirror), bytes(second)]
    // What the first one keeps for readers of the status before is nothing to copy.
    for (const path of Object.keys(copy)) expect(copy[path], path).toBe(first[path])
    expect(Object.keys(first).filter((path) => !/\.p\/|revocations/.test(path))).toEqual(
      Object.keys(copy).filter((path) => !/\.p\/|revocations/.test(path)),
    )
    second.close()
  })

  it('of some servers says that it holds no others', async () => {
    const some = await openTestMirror(at)
    await some.run({ servers: [CALC] })
    const host = await some.host()
    expect((await host.verify(CALC)).server).toBe(CALC)
    const other = await host.review({ slot: 'x', package: 'npm:@acme/weather@1.1.0', tools })
    expect([other.verdict, other.allowed, other.pin]).toEqual(['registry-unreachable', [], undefined])
    expect(await codeOfAsync(() => host.verify(WEATHER))).toBe('registry-unreachable')
    // The rest comes with the next run that wants it; what is there is not fetched again.
    const all = await some.run()
    expect([all.servers, all.leftOut]).toEqual([2, []])
    expect(some.asked.filter((path) => path.includes('/tile/'))).toEqual([])
    expect((await (await some.host()).verify(WEATHER)).server).toBe(WEATHER)
    const fewer = await some.run({ servers: [CALC, 'com.acme/none'] })
    expect([fewer.servers, fewer.leftOut.map(({ what, code }) => [what, code])]).toEqual([
      1,
      [['com.acme/none', 'unknown-server']],
    ])
    expect(some.files().filter((path) => path.includes(WEATHER))).toEqual([])
    some.close()
  })
})

/** What differs from run to run. */
function general(path: string): string {
  return path.replace(/\.p\/\d+$/, '.p/N')
}

describe('damage in the folder', () => {
  it('at the edge of the tree is mended by the next run, and inside by one that begins again', async () => {
    const { size } = at.registry.ledger.committed()
    const spoil = (path: string): void => {
      const file = join(mirror.out, path)
      const bytes = readFileSync(file)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      writeFileSync(file, bytes)
    }
    const isWhole = async (): Promise<boolean> => {
      const [here, there] = [openRegistryApi(mirror.url), registryApi(at.url)]
      const proofs = await Promise.all([here.fetchConsistency(3, size), there.fetchConsistency(3, size)])
      const bundles = await Promise.all([here.fetchBundle(calc as Digest), there.fetchBundle(calc as Digest)])
      return JSON.stringify([proofs[0], bundles[0]]) === JSON.stringify([proofs[1], bundles[1]])
    }
    await mirror.run()
    expect(await isWhole()).toBe(true)
    spoil(`log/tile/0/000.p/${size}`)
    expect(await isWhole()).toBe(false)
    expect((await mirror.run()).leftOut).toEqual([])
    expect(await isWhole()).toBe(true)
    spoil(`v1/bundles/${calc}`)
    await mirror.run()
    expect(await isWhole()).toBe(false)
    expect((await mirror.run({ again: true })).leftOut).toEqual([])
    expect(await isWhole()).toBe(true)
  })
})
