import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptsGzip } from '../../src/http/static/send.js'
import { rawGet } from '../support/raw-get.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let bundle: string
beforeAll(async () => {
  at = await startRegistry()
  const publisher = await addPublisher(at, 'com.example')
  const manifest = sampleManifest(at.identity, { server: 'com.example/weather' })
  const { manifest: digest } = await publishManifest(publisher, manifest)
  await approveManifest(at.admin, digest)
  bundle = `/v1/bundles/${digest}`
})
afterAll(async () => {
  await at.close()
})

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  rawGet(at.url, path, headers, method)
const GZIP = { 'accept-encoding': 'gzip, deflate, br' }

describe('a document that packs well', () => {
  it('is sent packed to whoever takes that, under a tag of its own', async () => {
    const [plain, packed] = [await get(bundle), await get(bundle, GZIP)]
    expect([plain.status, plain.headers['content-encoding']]).toEqual([200, undefined])
    expect([packed.status, packed.headers['content-encoding']]).toEqual([200, 'gzip'])
    expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true)
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length)
    expect(Number(packed.headers['content-length'])).toBe(packed.bytes.length)
    expect(packed.headers.etag).toMatch(/^"[\w-]{43}"$/)
    expect(packed.headers.etag).not.toBe(plain.headers.etag)
    for (const { headers } of [plain, packed]) {
      expect(headers.vary).toBe('Accept-Encoding')
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
      expect(headers['access-control-allow-origin']).toBe('*')
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
  })

  it('is made once: the same packed bytes for everybody', async () => {
    const replies = await Promise.all(Array.from({ length: 8 }, () => get(bundle, GZIP)))
    expect(new Set(replies.map(({ headers }) => headers.etag)).size).toBe(1)
  })

  it('is known by either of its tags', async () => {
    const [plain, packed] = [await get(bundle), await get(bundle, GZIP)]
    const tags = [plain, packed].map(({ headers }) => headers.etag ?? '')
    for (const [tag = '', accepted, status] of [
      [tags[0], {}, 304],
      [tags[0], GZIP, 304],
      [tags[1], GZIP, 304],
      // What it holds is packed, and it does not take that now.
      [tags[1], {}, 200],
      [`W/${tags[1]}`, GZIP, 304],
    ] as const) {
      const reply = await get(bundle, { ...accepted, 'if-none-match': tag })
      expect([tag, accepted, reply.status]).toEqual([tag, accepted, status])
      if (status === 304) expect([reply.bytes.length, reply.headers.etag]).toEqual([0, tag.replace('W/', '')])
    }
  })

  it('has a head like its body', async () => {
    for (const headers of [{}, GZIP]) {
      const [whole, head] = [await get(bundle, headers), await get(bundle, headers, 'HEAD')]
      expect([head.status, head.bytes.length]).toEqual([200, 0])
      for (const name of ['etag', 'content-length', 'content-encoding', 'vary', 'content-type']) {
        expect([name, head.headers[name]]).toEqual([name, whole.headers[name]])
      }
    }
  })
})

describe('a document that does not', () => {
  it.each(['/v1/root/1', '/log/tile/0/000.p/2', '/log/checkpoint', '/v1/consistency?from=2&to=3'])(
    '%s is sent as it is',
    async (path) => {
      const reply = await get(path, GZIP)
      expect([reply.status, reply.headers['content-encoding'], reply.headers.vary]).toEqual([
        200,
        undefined,
        undefined,
      ])
    },
  )
})

describe('what is asked besides', () => {
  it('a part is answered with the whole', async () => {
    const [whole, part] = [await get(bundle), await get(bundle, { range: 'bytes=0-9' })]
    expect([part.status, part.bytes.equals(whole.bytes)]).toEqual([200, true])
  })

  it('a page of another origin may send a tag', async () => {
    const ask = { origin: 'https://page.example', 'access-control-request-method': 'GET' }
    for (const path of [bundle, '/v1/status', '/log/tile/0/000.p/2']) {
      const { status, headers } = await get(path, ask, 'OPTIONS')
      expect([path, status, headers['access-control-allow-origin']]).toEqual([path, 204, '*'])
      // What its client sends with every request must not fail here alone.
      const api = await get('/v1/servers', ask, 'OPTIONS')
      for (const name of ['access-control-allow-headers', 'access-control-allow-methods']) {
        expect([path, name, headers[name]]).toEqual([path, name, api.headers[name]])
      }
      expect(headers['access-control-allow-headers']).toMatch(/If-None-Match.*X-Request-Id/)
    }
  })

  it('such a page may read the tag, of what it is sent and of what it has', async () => {
    for (const path of [bundle, '/v1/status', '/log/tile/0/000.p/2']) {
      const { headers } = await get(path)
      const again = await get(path, { 'if-none-match': headers.etag ?? '' })
      const exposed = [headers, again.headers].map((all) => all['access-control-expose-headers'])
      expect([path, again.status, ...exposed]).toEqual([path, 304, 'ETag', 'ETag'])
    }
  })

  it('nothing else is done to a document', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      expect([method, (await get(bundle, {}, method)).status]).toEqual([method, 404])
    }
  })
})

describe('who takes gzip', () => {
  it.each([
    ['gzip', true],
    ['GZIP;q=0.1', true],
    ['br, x-gzip', true],
    ['*', true],
    ['identity, *;q=0.5', true],
    ['gzip;q=1.000', true],
    ['', false],
    ['br', false],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['*;q=0', false],
    ['*, gzip;q=0', false],
    ['gzipped', false],
    [`${'a,'.repeat(8000)}gzip`, false],
  ])('%s: %s', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected)
  })
})
