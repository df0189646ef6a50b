import { request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSecondDoor, type SecondDoor } from '../support/door.js'
import { addAccount, send, startRegistry, type TestRegistry } from '../support/registry.js'

let at: TestRegistry
let door: SecondDoor
let lines: SecondDoor['lines']
beforeAll(async () => {
  at = await startRegistry()
  for (let i = 0; i < 12; i++) await addAccount(at, `account-with-a-long-name-${i}`, ['auditor'])
  door = await openSecondDoor(at)
  lines = door.lines
})
afterAll(async () => {
  await door.close()
  await at.close()
})

interface Raw {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** As it comes over the wire: nothing is decompressed. */
function raw(path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request(door.url + path, { method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

describe('request ids', () => {
  it('are ours in the answer, and the caller’s in the log beside them, with the trace it is part of', async () => {
    const parent = '4bf92f3577b34da6a3ce929d0e0e4736'
    const headers = { 'x-request-id': 'job-7.a_b', traceparent: `00-${parent}-00f067aa0ba902b7-01` }
    const { headers: answered } = await raw('/v1/servers', headers)
    const id = answered['x-request-id']
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await expect
      .poll(() => lines.find(({ traceId }) => traceId === id))
      .toMatchObject({
        ...{ msg: 'request', callerId: 'job-7.a_b', parentTrace: parent, path: '/v1/servers', status: 200 },
      })
  })

  it.each([
    ['x-request-id', 'two words'],
    ['x-request-id', 'a'.repeat(65)],
    ['x-request-id', '{"level":60}'],
    ['traceparent', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['traceparent', `ff-${'a'.repeat(32)}-00f067aa0ba902b7-01`],
    ['traceparent', 'nonsense'],
  ])('that may not be written into the log are left out: %s %s', async (name, value) => {
    const id = (await raw('/v1/servers', { [name]: value })).headers['x-request-id']
    await expect.poll(() => lines.find(({ traceId }) => traceId === id)).toBeDefined()
    const line = lines.find(({ traceId }) => traceId === id)
    expect([line?.['callerId'], line?.['parentTrace']]).toEqual([undefined, undefined])
  })

  it('are on refusals, too, under which the log has them', async () => {
    const { headers, body } = await raw('/nonsense')
    expect((JSON.parse(body.toString()) as { traceId: string }).traceId).toBe(headers['x-request-id'])
    const missing = await raw(`/v1/bundles/sha256:${'0'.repeat(64)}`)
    expect((JSON.parse(missing.body.toString()) as { traceId: string }).traceId).toBe(
      missing.headers['x-request-id'],
    )
  })

  it('lead to who changed what, and never to a secret', async () => {
    const token = await at.admin.token()
    const body = JSON.stringify({ name: 'audited', roles: ['auditor'] })
    const type = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const { status, headers, body: made } = await raw('/v1/admin/clients?x=1', type, 'POST', body)
    expect(status).toBe(201)
    const id = headers['x-request-id']
    await expect
      .poll(() => lines.find((one) => one['traceId'] === id && one['msg'] === 'audit'))
      .toMatchObject({
        ...{ account: 'admin', action: 'POST /v1/admin/clients', path: '/v1/admin/clients' },
      })
    const { client_secret: secret } = JSON.parse(made.toString()) as { client_secret: string }
    const all = JSON.stringify(lines)
    expect([all.includes(secret), all.includes(token)]).toEqual([false, false])
    await raw('/v1/admin/accounts', { authorization: `Bearer ${token}` })
    expect(
      lines.filter(({ msg }) => msg === 'audit').every(({ action }) => /^POST /.test(String(action))),
    ).toBe(true)
  })
})

describe('compression', () => {
  const asAdmin = async (encoding: string) => ({
    authorization: `Bearer ${await at.admin.token()}`,
    'accept-encoding': encoding,
  })

  it('is for answers that are long enough, in what the caller reads', async () => {
    const plain = await raw('/v1/admin/accounts', await asAdmin('identity'))
    const [gzip, brotli] = [
      await raw('/v1/admin/accounts', await asAdmin('gzip')),
      await raw('/v1/admin/accounts', await asAdmin('br')),
    ]
    expect(plain.body.length).toBeGreaterThan(1024)
    expect([plain, gzip, brotli].map(({ headers }) => headers['content-encoding'])).toEqual([
      ...[undefined, 'gzip', 'br'],
    ])
    expect([gunzipSync(gzip.body), brotliDecompressSync(brotli.body)]).toEqual([plain.body, plain.body])
    for (const { headers } of [plain, gzip]) expect(headers['vary']).toMatch(/accept-encoding/i)
    const short = await raw('/v1/log/entries/0', { 'accept-encoding': 'gzip' })
    expect(short.headers['content-encoding']).toBeUndefined()
  })

  it('is never of what is secret', async () => {
    const headers = { ...(await asAdmin('gzip')), 'content-type': 'application/json' }
    const roles = ['auditor']
    for (const [path, body] of [
      ['/v1/admin/clients', { name: 'x', roles }],
      ['/v1/admin/invitations', { roles }],
    ] as const) {
      const reply = await raw(path, headers, 'POST', JSON.stringify(body))
      expect([path, reply.status, reply.headers['vary']]).toEqual([path, 201, undefined])
      expect(reply.headers['content-encoding']).toBeUndefined()
    }
  })
})

describe('pages of other origins', () => {
  const READABLE = [
    ...['/v1/servers', '/v1/servers/com.example/x', '/v1/events'],
    '/.well-known/oauth-protected-resource',
  ]

  it('are told what they may send, without a token, where anyone may read', async () => {
    for (const path of READABLE) {
      const { status, headers, body } = await raw(path, { origin: 'https://page.example' }, 'OPTIONS')
      expect([path, status, headers['access-control-allow-origin'], body.length]).toEqual([path, 204, '*', 0])
      expect(headers['access-control-allow-headers']).toMatch(/Authorization/)
      expect(headers['access-control-allow-methods']).toBe('GET, HEAD')
    }
    const read = await raw('/v1/servers', { origin: 'https://page.example' })
    expect(read.headers['access-control-expose-headers']).toMatch(/RateLimit/)
  })

  it('are told nothing where a scope is needed', async () => {
    for (const path of ['/v1/audit', '/v1/manifests', '/v1/admin/accounts']) {
      const { headers } = await raw(path, { origin: 'https://page.example' }, 'OPTIONS')
      expect([path, headers['access-control-allow-origin']]).toEqual([path, undefined])
    }
  })
})

describe('security headers', () => {
  it('are on every answer, whoever gives it', async () => {
    const paths = [
      '/v1/servers',
      '/v1/status',
      '/nonsense',
      '/oauth/jwks',
      `/v1/bundles/sha256:${'0'.repeat(64)}`,
    ]
    for (const path of paths) {
      const { headers } = await raw(path)
      expect([path, headers['x-content-type-options']]).toEqual([path, 'nosniff'])
      expect([path, headers['x-powered-by']]).toEqual([path, undefined])
    }
    for (const path of paths.filter((one) => one !== '/v1/status')) {
      expect((await raw(path)).headers['content-security-policy']).toMatch(/default-src 'none'/)
    }
  })

  it('let nothing be kept that is no document', async () => {
    expect((await send(door.url, 'GET', '/v1/servers')).headers.get('cache-control')).toBe('no-store')
  })
})
