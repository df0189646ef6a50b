import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { signEnvelope } from 'countersign/core'
import { openListener } from '../../src/http/server.js'
import {
  addAccount,
  addPublisher,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Publisher,
  type TestRegistry,
} from '../support/registry.js'

// A32: whoever sends too often, too slowly, too much or too deep is told so, or loses the connection; everybody else is
// served meanwhile. What one door refuses of it is in test/http; texts that make regular expressions walk are beside this.

const MIB = 1024 * 1024

let at: TestRegistry
let author: Publisher
beforeAll(async () => {
  at = await startRegistry()
  author = await addPublisher(at, 'com.example', await addAccount(at, 'author', ['publisher']))
})
afterAll(() => at.close())

const envelopeOf = (of: Publisher, server: string, version = '1.0.0', registry = at.identity): string =>
  signManifest(sampleManifest(registry, { server, version }), of.key)

/** Somebody else, who wants nothing unusual. */
async function readsStill(url = at.url): Promise<number[]> {
  const replies = [await send(url, 'GET', '/v1/servers'), await send(url, 'GET', '/v1/status')]
  return replies.map(({ status }) => status)
}

/** A connection that is spoken to byte by byte; what came back when it was over. */
function dial(url: string): { socket: Socket; over: Promise<string> } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  // Whoever is cut off while they write is told so by the system.
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  return { socket, over: new Promise((resolve) => socket.once('close', () => resolve(text))) }
}

const head = (path: string, type: string, ...lines: string[]): string =>
  [`POST ${path} HTTP/1.1`, 'Host: registry', `Content-Type: ${type}`, ...lines, '', ''].join('\r\n')

describe('A32 a publish flood', () => {
  it('ends with its account: others publish and read, and nothing of what was refused is logged', async () => {
    const strict = await startRegistry({ overrides: { limits: { writes: { points: 6, seconds: 600 } } } })
    onTestFinished(() => strict.close())
    const flooder = await addPublisher(
      strict,
      'org.flood',
      await addAccount(strict, 'flooder', ['publisher']),
    )
    const other = await addPublisher(strict, 'net.other', await addAccount(strict, 'other', ['publisher']))
    const flood = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        flooder.caller.post('/v1/manifests', envelopeOf(flooder, 'org.flood/x', `1.0.${i}`, strict.identity)),
      ),
    )
    const taken = flood.filter(({ status }) => status === 201)
    const refused = flood.filter(({ status }) => status !== 201)
    expect(taken.length).toBeGreaterThan(0)
    expect(taken.length).toBeLessThan(6)
    for (const { status, body, headers } of refused) {
      expect([status, body.code]).toEqual([429, 'rate-limited'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    const { body } = await flooder.caller.get('/v1/servers/org.flood/x')
    expect(body.versions).toHaveLength(taken.length)
    const honest = envelopeOf(other, 'net.other/y', '1.0.0', strict.identity)
    expect((await other.caller.post('/v1/manifests', honest)).status).toBe(201)
    expect(await readsStill(strict.url)).toEqual([200, 200])
    expect((await flooder.caller.get('/v1/account')).status).toBe(200)
  })

  it('twin: as many by somebody whom the limit allows them are all taken', async () => {
    const many = Array.from({ length: 30 }, (_, i) => envelopeOf(author, 'com.example/many', `1.0.${i}`))
    const replies = await Promise.all(many.map((envelope) => author.caller.post('/v1/manifests', envelope)))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]))
  })
})

describe('A32 slow senders', () => {
  const json = 'application/json'
  const LENGTH = head('/v1/bootstrap', json, 'Content-Length: 60000')
  const CHUNKED = head('/v1/bootstrap', json, 'Transfer-Encoding: chunked')
  const NOTE = head('/v1/log/seen', 'text/plain', 'Content-Length: 60000')

  it.each([
    ['headers without an end', 'GET /v1/status HTTP/1.1\r\nHost: registry\r\nX-Slow: ', 'a'],
    ['many headers', 'GET /v1/status HTTP/1.1\r\nHost: registry\r\n', 'a: b\r\n'],
    ['a request line without an end', 'GET /v1/', 'a'],
    ['a body by the byte', LENGTH, ' '],
    ['a body by the chunk', CHUNKED, '1\r\n \r\n'],
    ['a note by the byte', NOTE, 'a'],
    ['a body that never begins', LENGTH, ''],
  ])('%s: each is cut off with 408, and others are served', async (_, begin, more) => {
    const listen = { host: '127.0.0.1', port: 0 }
    const door = await openListener(listen, { headersMs: 300, requestMs: 400, lookMs: 50 })
    onTestFinished(() => door.close(0))
    door.serve(at.registry.app)
    const slow = Array.from({ length: 12 }, () => dial(door.url))
    for (const { socket } of slow) socket.write(begin)
    const drip = setInterval(() => {
      for (const { socket } of slow) if (more !== '' && socket.writable) socket.write(more)
    }, 25)
    onTestFinished(() => clearInterval(drip))
    // On a machine that is busy an honest client can be late, too: it comes again.
    await expect.poll(() => readsStill(door.url).catch(() => [])).toEqual([200, 200])
    for (const text of await Promise.all(slow.map(({ over }) => over))) {
      // Whoever still writes when it is said may only learn that the connection is gone.
      expect(text === '' || text.startsWith('HTTP/1.1 408 ')).toBe(true)
    }
    await expect.poll(() => readsStill(door.url).catch(() => [])).toEqual([200, 200])
  })

  it('twin: a request in many pieces, whole before its time is over, is answered', async () => {
    const body = JSON.stringify({ account: 'nobody', password: 'not the one' })
    const text = head('/v1/bootstrap', json, `Content-Length: ${body.length}`, 'Connection: close') + body
    const { socket, over } = dial(at.url)
    for (const letter of text) {
      socket.write(letter)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await over).toMatch(/^HTTP\/1\.1 401 [^]*"code":"credentials-invalid"/)
  })
})

describe('A32 huge bodies', () => {
  const routes = [
    ['an envelope', '/v1/manifests', 'application/jose', 6 * MIB],
    ['JSON', '/v1/bootstrap', 'application/json', 65_536],
    ['a note', '/v1/log/seen', 'text/plain', 65_536],
    ['a form', '/account/invitation', 'application/x-www-form-urlencoded', 8192],
  ] as const
  const bearer = async (): Promise<string> => `Authorization: Bearer ${await author.caller.token()}`
  const firstWords = (socket: Socket): Promise<string> =>
    new Promise((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())))

  it.each(routes)('%s that announces too much is refused before a byte of it came', async (...row) => {
    const [, path, type, limit] = row
    const { socket } = dial(at.url)
    const said = firstWords(socket)
    socket.write(head(path, type, `Content-Length: ${limit + 1}`, await bearer()))
    expect(await said).toMatch(/^HTTP\/1\.1 413 /)
  })

  it.each(routes)('%s without an end is refused while it comes', async (...row) => {
    const [, path, type, limit] = row
    const { socket } = dial(at.url)
    let said: string | undefined
    void firstWords(socket).then((text) => (said = text))
    socket.write(head(path, type, 'Transfer-Encoding: chunked', await bearer()))
    const chunk = Buffer.concat([Buffer.from('1000\r\n'), Buffer.alloc(0x1000, 'a'), Buffer.from('\r\n')])
    let sent = 0
    while (said === undefined && sent < limit + 64 * MIB) {
      sent += chunk.length
      const isRoom = socket.write(chunk)
      if (isRoom) await new Promise((resolve) => setImmediate(resolve))
      else await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
    }
    expect(said).toMatch(/^HTTP\/1\.1 413 /)
    expect(await readsStill()).toEqual([200, 200])
  })

  it('twin: the largest that is allowed is read, announced or in chunks', async () => {
    const largest = 'a'.repeat(6 * MIB)
    const announced = await author.caller.post('/v1/manifests', largest)
    expect([announced.status, announced.body.code]).toEqual([400, 'envelope-malformed'])
    const envelope = envelopeOf(author, 'com.example/chunked')
    const response = await fetch(`${at.url}/v1/manifests`, {
      ...{ method: 'POST', body: new Blob([envelope]).stream(), duplex: 'half' },
      headers: {
        'content-type': 'application/jose',
        authorization: `Bearer ${await author.caller.token()}`,
      },
    })
    expect(response.status).toBe(201)
  })
})

describe('A32 deep JSON', () => {
  const nested = (depth: number, open: string, close: string): string =>
    `${open.repeat(depth)}1${close.repeat(depth)}`
  const manifestWith = (schema: string): string => {
    const text = JSON.stringify(sampleManifest(at.identity, { server: 'com.example/deep' }))
    const deep = text.replace('"inputSchema":{', `"inputSchema":{"x-deep":${schema},`)
    return signEnvelope('countersign-manifest+json', new TextEncoder().encode(deep), author.key)
  }

  it.each([
    ['objects', nested(10_000, '{"a":', '}')],
    ['arrays', nested(30_000, '[', ']')],
    ['arrays that never close', '['.repeat(65_000)],
    ['one level too many', nested(17, '[', ']')],
  ])('%s are refused', async (_, text) => {
    const headers = { 'content-type': 'application/json' }
    const reply = await send(at.url, 'POST', '/v1/bootstrap', { body: text, headers })
    expect([reply.status, reply.body.code]).toEqual([400, 'json-too-deep'])
  })

  it.each([
    ['objects', nested(100_000, '{"a":', '}')],
    ['arrays', nested(1_000_000, '[', ']')],
  ])('%s in what was signed are refused', async (_, schema) => {
    const reply = await author.caller.post('/v1/manifests', manifestWith(schema))
    expect([reply.status, reply.body.code]).toEqual([400, 'json-too-deep'])
  })

  it('twin: as deep as people write is read', async () => {
    const jwks = { keys: JSON.parse(nested(12, '[', ']')) as unknown }
    const body = { name: 'deep', roles: ['auditor'], auth: 'key', jwks }
    expect((await at.admin.post('/v1/admin/clients', body)).body.code).toBe('client-invalid')
    const property = { type: 'object', properties: { a: { type: 'object', properties: {} } } }
    const [tool] = sampleManifest(at.identity, { server: 'com.example/twin' }).tools
    const definition = { ...tool!.definition, inputSchema: { ...property, properties: { b: property } } }
    const manifest = sampleManifest(at.identity, {
      ...{ server: 'com.example/twin', tools: [{ definition, permissions: [] }] },
    })
    const reply = await author.caller.post('/v1/manifests', signManifest(manifest, author.key))
    expect(reply.status).toBe(201)
  })
})

describe('A32 an argon2 flood', () => {
  it('waits in a short queue or is sent away; who needs no password is served meanwhile', async () => {
    const body = { account: 'nobody', password: 'not the one' }
    const flood = Promise.all(
      Array.from({ length: 40 }, () => send(at.url, 'POST', '/v1/bootstrap', { body })),
    )
    expect(await readsStill()).toEqual([200, 200])
    const envelope = envelopeOf(author, 'com.example/meanwhile')
    expect((await author.caller.post('/v1/manifests', envelope)).status).toBe(201)
    const replies = await flood
    const told = new Set(replies.map(({ status, body: { code } }) => `${status} ${code}`))
    expect(
      [...told].filter((word) => !['401 credentials-invalid', '503 busy', '429 locked'].includes(word)),
    ).toEqual([])
    const sentAway = replies.filter(({ status }) => status !== 401)
    expect(sentAway.length).toBeGreaterThan(0)
    for (const { headers } of sentAway) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('twin: afterwards a password is checked as ever', async () => {
    const fresh = await startRegistry()
    onTestFinished(() => fresh.close())
    const wrong = { body: { account: 'somebody', password: 'not the one' } }
    expect((await send(fresh.url, 'POST', '/v1/bootstrap', wrong)).status).toBe(401)
    expect((await fresh.admin.get('/v1/account')).status).toBe(200)
  })
})
