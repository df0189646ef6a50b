import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Manifest } from 'countersign/core'
import {
  OFFICIAL_META,
  serverList,
  serverResponse,
  TRUST_META,
} from '../../src/http/mcp-registry/server-json.js'
import {
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  revokeManifest,
  sampleManifest,
  send,
  startRegistry,
  type Publisher,
  type PublishedVersion,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

// The MCP Registry's read API, as editors and aggregators ask it.

let at: TestRegistry
let publisher: Publisher
const versions = new Map<string, PublishedVersion>()

type Change = Partial<Manifest> & { server: string }

const publish = async (change: Change): Promise<PublishedVersion> => {
  const version = await publishManifest(publisher, sampleManifest(at.identity, change))
  versions.set(`${change.server}@${change.version ?? '1.0.0'}`, version)
  return version
}
const approve = async (change: Change): Promise<PublishedVersion> => {
  const version = await publish(change)
  await approveManifest(at.admin, version.manifest, 'read by a person')
  return version
}
const digestOf = (name: string): string => versions.get(name)?.manifest ?? ''
const get = (path: string): Promise<Reply> => send(at.url, 'GET', `/v0.1${path}`)

interface Entry {
  readonly name: string
  readonly version: string
  readonly status: string
  readonly isLatest: boolean
}

/** As a reader that drops the whole page for one wrong member. */
function readPage(reply: Reply): { entries: Entry[]; next: string | undefined } {
  const { servers, metadata } = serverList.parse(expectStatus(200, reply).body)
  expect(metadata.count).toBe(servers.length)
  const entries = servers.map(({ server, _meta }) => ({
    name: server.name,
    version: server.version,
    status: _meta[OFFICIAL_META].status,
    isLatest: _meta[OFFICIAL_META].isLatest,
  }))
  return { entries, next: metadata.nextCursor }
}

/** Every page of a listing; the filters are dropped after the first one, and the cursor is not encoded. */
async function walk(
  query: string,
  between: () => Promise<unknown> = async () => undefined,
): Promise<Entry[]> {
  const all: Entry[] = []
  let path = `/servers?limit=2${query}`
  for (let pages = 0; pages < 50; pages++) {
    const { entries, next } = readPage(await get(path))
    all.push(...entries)
    if (next === undefined) return all
    expect(next).toMatch(/^[A-Za-z0-9_-]+$/)
    path = `/servers?limit=2&cursor=${next}`
    await between()
  }
  throw new Error('this listing has no end')
}

const short = (entries: readonly Entry[]): string[] =>
  entries.map(({ name, version }) => `${name.replace('com.example/', '')}@${version}`)

beforeAll(async () => {
  at = await startRegistry()
  publisher = await addPublisher(at, 'com.example')
  await approve({ server: 'com.example/weather' })
  await approve({ server: 'com.example/weather', version: '1.1.0' })
  await approve({ server: 'com.example/weather', version: '1.10.0' })
  await publish({ server: 'com.example/weather', version: '3.0.0' })
  await approve({
    server: 'com.example/maps',
    title: 'Maps',
    description: `Draws ${'maps of towns and rivers '.repeat(10)}and Zeppelins.`,
    repository: { url: 'https://github.com/example/maps' },
    packages: [
      {
        registryType: 'npm',
        identifier: '@example/maps',
        version: '1.0.0',
        environmentVariables: [{ name: 'MAPS_KEY', isSecret: true, isRequired: true }],
      },
    ],
    remotes: [{ type: 'streamable-http', url: 'https://maps.example.com/mcp' }],
  })
  await approve({
    server: 'com.example/misfit',
    packages: [{ registryType: 'npm', identifier: 'x', transport: { type: 'pigeon' } }],
  })
  await approve({ server: 'com.example/old', title: 'Old', description: 'Superseded.' })
  await approve({ server: 'com.example/gone', title: 'Gone', description: 'Taken back.' })
  await revokeManifest(at.admin, digestOf('com.example/gone@1.0.0'))
  const old = `/v1/manifests/${digestOf('com.example/old@1.0.0')}/deprecation`
  expectStatus(201, await at.admin.post(old, { reason: 'superseded' }))
})
afterAll(() => at.close())

describe('an editor', () => {
  it('probes, lists by pages, searches, and opens an entry', async () => {
    expect(readPage(await get('/servers?limit=1')).entries).toHaveLength(1)
    const listed = await walk('&version=latest')
    expect(short(listed)).toEqual(['maps@1.0.0', 'old@1.0.0', 'weather@1.10.0'])
    expect(listed.every(({ isLatest }) => isLatest)).toBe(true)
    const reply = await get('/servers/com.example%2Fweather/versions/latest')
    const { server, _meta } = serverResponse.parse(expectStatus(200, reply).body)
    expect(server).toMatchObject({ name: 'com.example/weather', version: '1.10.0', title: 'Weather' })
    expect(_meta[OFFICIAL_META]).toMatchObject({ status: 'active', isLatest: true })
  })

  it('is led to what can be verified', async () => {
    const { body } = await get('/servers/com.example%2Fweather/versions/1.1.0')
    const trust = serverResponse.parse(body)._meta[TRUST_META]
    const version = versions.get('com.example/weather@1.1.0')
    expect(trust).toMatchObject({ registry: at.identity, role: 'publisher', manifest: version?.manifest })
    expect(trust.publishIndex).toBe(version?.index)
    expect(trust.approveIndex).toBeGreaterThan(trust.publishIndex)
    expect(trust.log).toEqual({ origin: at.registry.ledger.origin, size: at.registry.ledger.publishedSize() })
    expect((await fetch(trust.bundle)).status).toBe(200)
  })

  it('keeps its search on every page, though it sends it once', async () => {
    for (const version of ['&version=latest', '']) {
      const found = await walk(`&search=EATHER${version}`)
      expect(new Set(found.map(({ name }) => name))).toEqual(new Set(['com.example/weather']))
      expect(found).toHaveLength(version === '' ? 3 : 1)
    }
    expect(short(await walk('&search=zeppelin'))).toEqual(['maps@1.0.0'])
    expect(await walk('&search=no-such-thing')).toEqual([])
  })

  it('is told what to run, in the shape of server.json and no other', async () => {
    const { server } = serverResponse.parse((await get('/servers/com.example%2Fmaps/versions/1.0.0')).body)
    expect(server.packages).toEqual([
      {
        registryType: 'npm',
        identifier: '@example/maps',
        version: '1.0.0',
        transport: { type: 'stdio' },
        environmentVariables: [{ name: 'MAPS_KEY', isSecret: true, isRequired: true }],
      },
    ])
    expect(server.remotes).toEqual([{ type: 'streamable-http', url: 'https://maps.example.com/mcp' }])
    expect(server.repository).toEqual({ url: 'https://github.com/example/maps', source: 'github' })
    expect(server.description.length).toBeLessThanOrEqual(100)
    expect(server.description).toMatch(/^Draws maps .*\S…$/)
  })

  it('is shown every other entry beside one that fits no server.json', async () => {
    const all = await walk('&include_deleted=true')
    expect(short(all)).not.toContain('misfit@1.0.0')
    expect(short(all)).toContain('old@1.0.0')
    expect((await get('/servers/com.example%2Fmisfit/versions/latest')).status).toBe(404)
  })
})

describe('what is listed', () => {
  it('is what was approved; what waits is no part of it', async () => {
    expect(short(await walk(''))).toEqual([
      'maps@1.0.0',
      'old@1.0.0',
      'weather@1.0.0',
      'weather@1.1.0',
      'weather@1.10.0',
    ])
    expect((await get('/servers/com.example%2Fweather/versions/3.0.0')).status).toBe(404)
  })

  it('is told as deprecated, and as deleted to who asks for that', async () => {
    expect((await walk('&search=old'))[0]).toMatchObject({ status: 'deprecated', isLatest: true })
    const gone = { name: 'com.example/gone', version: '1.0.0', status: 'deleted', isLatest: true }
    expect(await walk('&search=gone')).toEqual([])
    for (const query of ['include_deleted=true', 'updated_since=2020-01-01T00:00:00Z']) {
      expect(await walk(`&search=gone&${query}`)).toEqual([gone])
      expect(await walk(`&search=gone&version=latest&${query}`)).toEqual([gone])
    }
    expect((await get('/servers/com.example%2Fgone/versions/latest')).status).toBe(404)
    expect((await get('/servers/com.example%2Fgone/versions')).status).toBe(404)
    expect((await get('/servers/com.example%2Fgone/versions?include_deleted=true')).status).toBe(200)
  })

  it('is what moved since a time', async () => {
    const all = await walk('&updated_since=2020-01-01T00:00:00%2B01:00')
    expect(all.map(({ name }) => name)).toContain('com.example/gone')
    expect(await walk('&updated_since=2999-01-01T00:00:00Z')).toEqual([])
  })

  it('is one version of every server that has it', async () => {
    expect(short(await walk('&version=1.0.0'))).toEqual(['maps@1.0.0', 'old@1.0.0', 'weather@1.0.0'])
    expect(await walk('&version=9.9.9')).toEqual([])
  })

  it('stays where it is while more is approved', async () => {
    let count = 0
    const before = short(await walk(''))
    const seen = short(
      await walk('', async () => {
        count += 1
        if (count <= 2) await approve({ server: 'com.example/weather', version: `0.${count}.0` })
      }),
    )
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toEqual(expect.arrayContaining(before))
    const { entries } = readPage(await get('/servers/com.example/weather/versions'))
    expect(entries.map(({ version }) => version)).toEqual(['1.10.0', '1.1.0', '1.0.0', '0.2.0', '0.1.0'])
    expect(entries.map(({ isLatest }) => isLatest)).toEqual([true, false, false, false, false])
  })
})

describe('the versions of a server', () => {
  it('are found by a name with an encoded slash and by one with a plain one', async () => {
    const [whole, split] = await Promise.all([
      get('/servers/com.example%2Fweather/versions'),
      get('/servers/com.example/weather/versions'),
    ])
    expect(readPage(whole).entries.length).toBeGreaterThanOrEqual(3)
    expect(split.body).toEqual(whole.body)
    expect((await get('/servers/com.example/weather/versions/1.0.0')).status).toBe(200)
    expect((await get('/servers/com.example/nothing/versions')).status).toBe(404)
    expect((await get('/servers/com.example/versions/versions')).status).toBe(404)
    expect((await get('/servers/nonsense/versions')).status).toBe(404)
  })

  it('come by pages, newest first', async () => {
    const first = readPage(await get('/servers/com.example/weather/versions?limit=2'))
    expect(first.entries.map(({ version }) => version)).toEqual(['1.10.0', '1.1.0'])
    const second = readPage(
      await get(`/servers/com.example/weather/versions?limit=2&cursor=${first.next ?? ''}`),
    )
    expect(second.entries[0]?.version).toBe('1.0.0')
    const foreign = await get(`/servers/com.example/maps/versions?cursor=${first.next ?? ''}`)
    expect(foreign).toMatchObject({ status: 400, body: { code: 'request-invalid' } })
  })
})

describe('the pages of the versions of a server', () => {
  const path = '/servers/com.example/paged/versions?limit=1'
  const versionsOf = (reply: Reply): string[] => readPage(reply).entries.map(({ version }) => version)
  beforeAll(async () => {
    for (const version of ['1.0.0', '2.0.0', '3.0.0']) await approve({ server: 'com.example/paged', version })
    await revokeManifest(at.admin, digestOf('com.example/paged@3.0.0'))
  })

  it('are of what the first one was asked for, though that is sent once', async () => {
    const first = await get(`${path}&include_deleted=true`)
    expect(versionsOf(first)).toEqual(['3.0.0'])
    const second = await get(`${path}&cursor=${readPage(first).next ?? ''}`)
    expect(versionsOf(second)).toEqual(['2.0.0'])
  })

  it('go on behind a version that is revoked meanwhile', async () => {
    const first = await get(path)
    expect(versionsOf(first)).toEqual(['2.0.0'])
    await revokeManifest(at.admin, digestOf('com.example/paged@2.0.0'))
    expect(versionsOf(await get(`${path}&cursor=${readPage(first).next ?? ''}`))).toEqual(['1.0.0'])
  })
})

describe('this API', () => {
  it('is open to pages of every origin', async () => {
    for (const path of [
      '/servers',
      '/servers/com.example%2Fweather/versions',
      '/servers/com.example/x/versions/latest',
    ]) {
      const preflight = await send(at.url, 'OPTIONS', `/v0.1${path}`)
      expect(preflight.status).toBe(204)
      for (const { headers } of [preflight, await get(path)]) {
        expect(headers.get('access-control-allow-origin')).toBe('*')
        expect(headers.get('access-control-allow-methods')).toBe('GET, OPTIONS')
        expect(headers.get('access-control-allow-headers')).toBe('Authorization, Content-Type')
      }
    }
  })

  it('answers 304 to who has it already', async () => {
    const { headers } = await get('/servers?limit=1')
    expect(headers.get('cache-control')).toMatch(/^public, max-age=\d+$/)
    const again = { headers: { 'if-none-match': headers.get('etag') ?? '' } }
    const held = await send(at.url, 'GET', '/v0.1/servers?limit=1', again)
    expect(held).toMatchObject({ status: 304, text: '' })
    const other = await send(at.url, 'GET', '/v0.1/servers?limit=2', again)
    expect(other.status).toBe(200)
  })

  it('says that it lives', async () => {
    expect((await get('/ping')).body).toEqual({ pong: true })
    expect((await get('/health')).body).toMatchObject({ status: 'ok' })
    expect((await get('/version')).status).toBe(200)
  })

  it('refuses in its own words, and writes nothing', async () => {
    for (const [method, path] of [
      ['POST', '/publish'],
      ['PUT', '/servers/com.example%2Fweather/versions/1.0.0'],
      ['DELETE', '/servers/com.example/weather/versions/1.0.0'],
      ['PATCH', '/servers/com.example%2Fweather/status'],
      ['POST', '/auth/dns'],
    ] as const) {
      const { status, body } = await send(at.url, method, `/v0.1${path}`)
      expect([status, body.code, typeof body['error']]).toEqual([501, 'not-implemented', 'string'])
    }
    const { status, body } = await get('/nothing')
    expect([status, body.code, typeof body['error']]).toEqual([404, 'not-found', 'string'])
  })

  it.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'limit=1&limit=2',
    'cursor=%2e%2e',
    'cursor=AAAA',
    'cursor=W10',
    'updated_since=yesterday',
    'include_deleted=maybe',
  ])('refuses ?%s', async (query) => {
    const { status, body } = await get(`/servers?${query}`)
    expect([status, body.code]).toEqual([400, 'request-invalid'])
  })

  it.each([
    ['cursor', 5000],
    ['search', 201],
    ['version', 300],
  ])('refuses a %s of %i characters', async (name, length) => {
    const { status, body } = await get(`/servers?${name}=${'1'.repeat(length)}`)
    expect([status, body.code]).toEqual([400, 'request-invalid'])
  })

  it('passes over what it does not know and what is empty', async () => {
    expect((await get('/servers?repo=a/b&search=&cursor=&version=&updated_since=&limit=')).status).toBe(200)
    expect(await walk("&search=%25'; DROP TABLE manifests; --")).toEqual([])
  })
})
