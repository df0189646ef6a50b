import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  EMPTY_ROOT,
  openTrustRoot,
  parseEntryBundle,
  parseStatus,
  rootFingerprint,
  parseNote,
  toHex,
} from 'countersign/core'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  send,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let digest: string
beforeAll(async () => {
  at = await startRegistry()
  const publisher = await addPublisher(at, 'com.example')
  digest = (await publishManifest(publisher, sampleManifest(at.identity, { server: 'com.example/weather' })))
    .manifest
  await approveManifest(at.admin, digest)
})
afterAll(async () => {
  await at.close()
})

const get = (path: string, headers: Record<string, string> = {}) => send(at.url, 'GET', path, { headers })

/** A path exactly as written: `fetch` would tidy it up. */
function getRaw(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(at.url, { path }, (res) => {
      res.resume()
      resolve(res.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

describe('what never changes', () => {
  const paths = () => [
    `/v1/bundles/${digest}`,
    '/v1/servers/com.example/weather/versions/1.0.0/bundle',
    '/v1/root/1',
    '/v1/consistency?from=2&to=4',
    `/v1/revocations/${toHex(EMPTY_ROOT)}`,
    '/log/tile/entries/000.p/2',
    '/log/tile/0/000.p/2',
  ]

  it('is said to be immutable, and found by its tag', async () => {
    for (const path of paths()) {
      const first = await get(path)
      expect([path, first.status]).toEqual([path, 200])
      expect(first.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(first.headers.get('access-control-allow-origin')).toBe('*')
      const etag = first.headers.get('etag')!
      expect(etag).toMatch(/^"[\w-]{43}"$/)
      const again = await get(path, { 'if-none-match': etag })
      expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
      const head = await send(at.url, 'HEAD', path)
      expect([head.status, head.text, head.headers.get('etag')]).toEqual([200, '', etag])
    }
  })

  it('is found by its tag in a list, and weakened by a proxy that compresses', async () => {
    const path = `/v1/bundles/${digest}`
    const tag = (await get(path)).headers.get('etag')!
    for (const [held, status] of [
      [`"other", ${tag}`, 304],
      [`W/${tag}`, 304],
      ['*', 304],
      ['"other"', 200],
      [tag.slice(1, -1), 200],
    ] as const) {
      expect([held, (await get(path, { 'if-none-match': held })).status]).toEqual([held, status])
    }
  })

  it('is the same under a digest in percent encoding', async () => {
    const plain = await get(`/v1/bundles/${digest}`)
    expect((await get(`/v1/bundles/${encodeURIComponent(digest)}`)).text).toBe(plain.text)
  })

  it('needs no token, and is not bothered by one', async () => {
    expect((await at.admin.get(`/v1/bundles/${digest}`)).status).toBe(200)
    expect((await send(at.url, 'GET', '/v1/status', { token: 'nonsense' })).status).toBe(200)
  })
})

describe('what moves', () => {
  it('is held for seconds only', async () => {
    for (const path of ['/v1/status', '/v1/root/latest', '/log/checkpoint', '/log/checkpoint.committed']) {
      const { status, headers } = await get(path)
      expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=5'])
    }
    expect((await get('/healthz')).status).toBe(200)
  })

  it('agrees: root, status, checkpoint and entries are of one log', async () => {
    const root = openTrustRoot((await get('/v1/root/latest')).text)
    expect(root.identity).toBe(at.identity)
    expect(rootFingerprint(parseNote((await get('/v1/root/1')).text).text)).toBe(at.fingerprint)
    const status = parseStatus(Buffer.from((await get('/v1/status')).text))
    expect(status.checkpoint).toBe((await get('/log/checkpoint')).text)
    const size = at.registry.ledger.publishedSize()
    const tile = await fetch(`${at.url}/log/tile/entries/000.p/${size}`)
    const entries = parseEntryBundle(new Uint8Array(await tile.arrayBuffer()))
    expect(entries).toHaveLength(size)
    expect(new TextDecoder().decode(entries.at(-1))).toBe(status.snapshot.event)
  })
})

describe('what is not there', () => {
  it.each([
    ['/v1/bundles/abc', 404],
    [`/v1/bundles/sha256:${'0'.repeat(64)}`, 404],
    ['/v1/servers/com.example/weather/versions/9.9.9/bundle', 404],
    ['/v1/root/2', 404],
    ['/v1/root/latest/x', 404],
    ['/v1/root/1.0', 404],
    [`/v1/revocations/${'0'.repeat(64)}`, 404],
    ['/v1/revocations/..', 404],
    ['/v1/policies/x', 404],
    ['/log/tile/0/000', 404],
    ['/log/tile/0/1', 404],
    ['/log/tile/9/000', 404],
    ['/log/tile/entries/000.p/255', 404],
    ['/v1/consistency', 400],
    ['/v1/consistency?from=1', 400],
    ['/v1/consistency?from=2&to=1', 400],
    ['/v1/consistency?from=01&to=2', 400],
    ['/v1/consistency?from=1&to=2&to=3', 400],
    ['/v1/consistency?from=1&to=999999', 400],
    ['/v1/consistency?from=1&to=2&log=another.example/log', 400],
    ['/v1/consistency?from=1&to=2&log=', 400],
    ['/v1/consistency?from=1&to=2&other=1', 400],
    ['/log/1/checkpoint', 404],
    ['/log/0/checkpoint', 404],
    ['/log/1/tile/0/000', 404],
    ['/log/01/tile/0/000.p/2', 404],
    ['/v1/bundles/%ff', 400],
    ['/nowhere', 404],
    ['/', 404],
  ])('%s', async (path, status) => {
    const reply = await get(path)
    expect(reply.status).toBe(status)
    expect(reply.headers.get('content-type')).toBe('application/problem+json')
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.body['status']).toBe(status)
  })

  it.each([
    '/log/tile/../../keys/root.key',
    '/v1/bundles/../../data',
    '//',
    '/log/tile/%2e%2e/checkpoint',
    '/v1%2Fstatus',
    '/log%2ftile/0/000.p/2',
    '/log/tile%2F0/000.p/2',
    '/v1/root%2F1',
    '/?',
    '*',
  ])('is not found by a path such as %s', async (path) => {
    expect([400, 404]).toContain(await getRaw(path))
  })
})
