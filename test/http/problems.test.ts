import { CountersignError } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AuthError } from '../../src/auth/errors.js'
import { HttpProblem, toProblem } from '../../src/http/problems.js'
import { LedgerBusy, LedgerFatal, LedgerRefusal } from '../../src/log/errors.js'
import { StoreError } from '../../src/storage/errors.js'
import {
  addAccount,
  newKey,
  requestToken,
  send,
  startRegistry,
  type TestRegistry,
} from '../support/registry.js'

const problemOf = (error: unknown) => toProblem(error, 'https://registry.example/meta')

describe('toProblem', () => {
  it.each<[unknown, number, string]>([
    [new LedgerRefusal('version-taken', ''), 409, 'version-taken'],
    [new LedgerBusy('full'), 503, 'unavailable'],
    [new LedgerFatal('rollback', 'secret path'), 503, 'unavailable'],
    [new StoreError('io', 'SQLITE_FULL: secret path'), 503, 'unavailable'],
    [new StoreError('closed', ''), 503, 'unavailable'],
    [new StoreError('constraint', 'our own mistake'), 500, 'internal'],
    [new CountersignError('json-malformed', ''), 400, 'json-malformed'],
    [new CountersignError('proof-mismatch', 'our own data'), 500, 'internal'],
    [new AuthError('busy', ''), 503, 'busy'],
    [new HttpProblem('rate-limited', ''), 429, 'rate-limited'],
    [new TypeError('undefined is not a function'), 500, 'internal'],
    ['a string', 500, 'internal'],
    [undefined, 500, 'internal'],
  ])('%s', (error, status, code) => {
    expect(problemOf(error)).toMatchObject({ status, code })
  })

  it.each([
    new AuthError('busy', ''),
    new AuthError('issuer-unreachable', ''),
    new AuthError('locked', '', { retryAfter: 7 }),
    new LedgerBusy('full'),
  ])('says when to come again: $code', (error) => {
    expect(problemOf(error).headers?.['Retry-After']).toMatch(/^\d+$/)
  })

  it('says nothing about what nobody foresaw', () => {
    const { detail, explanation } = problemOf(new Error('password is hunter2'))
    expect(JSON.stringify([detail, explanation])).not.toContain('hunter2')
  })

  it('names fields by JSON pointer, hostile names included', () => {
    const schema = z.strictObject({ a: z.array(z.strictObject({ b: z.string() })) })
    const result = schema.safeParse({ a: [{ b: 1 }], 'x/~y': 1, ['z'.repeat(1000)]: 1 })
    const { fields, explanation } = problemOf(result.error)
    expect(fields).toEqual(['/a/0/b', '/x~1~0y', `/${'z'.repeat(128)}`])
    const { rules } = explanation as { rules: { field: string; rule: string }[] }
    expect(rules.map(({ field }) => field)).toEqual(fields)
    for (const { rule } of rules) expect(rule.length).toBeGreaterThan(4)
  })
})

describe('over the wire', () => {
  let at: TestRegistry
  beforeAll(async () => {
    at = await startRegistry({
      overrides: { limits: { writes: { points: 12, seconds: 600 }, token: { points: 4, seconds: 600 } } },
    })
  })
  afterAll(async () => {
    await at.close()
  })

  it('a problem has its whole shape, and no stack', async () => {
    const { status, headers, body, text } = await send(at.url, 'GET', '/nowhere')
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status,
      code: 'not-found',
      detail: body['detail'],
      traceId: body.traceId,
    })
    expect(body.traceId).toMatch(/^[0-9a-f-]{36}$/)
    expect(text).not.toMatch(/\.(js|ts):\d/)
  })

  const put = async (body: string, type = 'application/json', headers: Record<string, string> = {}) =>
    send(at.url, 'PUT', '/v1/admin/namespaces/com.example', {
      body,
      token: await at.admin.token(),
      headers: { 'content-type': type, ...headers },
    })

  it.each<[string, string, number, string]>([
    ['malformed JSON', '{"account":', 400, 'json-malformed'],
    ['no body at all', '', 400, 'json-malformed'],
    ['a duplicate member', '{"account":"admin","account":"other"}', 400, 'json-duplicate-member'],
    [
      'a duplicate member in disguise',
      '{"account":"admin","\\u0061ccount":"other"}',
      400,
      'json-duplicate-member',
    ],
    ['a prototype as a member', '{"account":"admin","__proto__":{"admin":true}}', 400, 'request-invalid'],
    ['an array', '[]', 400, 'request-invalid'],
    ['a deep one', `${'['.repeat(100)}${']'.repeat(100)}`, 400, 'json-too-deep'],
    ['a byte order mark', '\ufeff{"account":"admin"}', 400, 'utf8-invalid'],
  ])('refuses %s', async (_, text, status, code) => {
    const reply = await put(text)
    expect([reply.status, reply.body.code]).toEqual([status, code])
    expect(await at.registry.store.readGrant('com.example')).toBeUndefined()
  })

  it('counts token requests by address', async () => {
    const replies = []
    for (let i = 0; i < 5; i++) replies.push(await requestToken(at.url, at.admin.client, 'registry:audit'))
    const last = replies.at(-1)!
    expect([last.status, last.body.code]).toEqual([429, 'rate-limited'])
    expect(last.headers.get('retry-after')).not.toBeNull()
  })

  it('counts writes by account, and says when to come again', async () => {
    const replies = []
    for (let i = 0; i < 6; i++) replies.push(await put('{}'))
    const last = replies.at(-1)!
    expect([last.status, last.body.code]).toEqual([429, 'rate-limited'])
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('bodies', () => {
  let at: TestRegistry
  beforeAll(async () => {
    at = await startRegistry()
  })
  afterAll(async () => {
    await at.close()
  })

  const post = async (body: string, headers: Record<string, string>) =>
    send(at.url, 'POST', '/v1/admin/clients', { body, token: await at.admin.token(), headers })

  it('of JSON end at 64 KiB', async () => {
    const reply = await post(JSON.stringify({ name: 'x'.repeat(65_536) }), {
      'content-type': 'application/json',
    })
    expect([reply.status, reply.body.code]).toEqual([413, 'body-too-large'])
  })

  it.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['application/jose'],
    ['application/jsonp'],
  ])('of another type are refused: %s', async (type) => {
    const reply = await post('{"name":"x","roles":["auditor"]}', { 'content-type': type })
    expect([reply.status, reply.body.code]).toEqual([415, 'media-type-unsupported'])
  })

  it('that are compressed are refused, whatever they would become', async () => {
    const reply = await post('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    expect([reply.status, reply.body.code]).toEqual([415, 'media-type-unsupported'])
  })

  it('are not read for a caller who may not send them', async () => {
    const reply = await send(at.url, 'POST', '/v1/manifests', { body: 'a'.repeat(7 * 1024 * 1024) })
    expect([reply.status, reply.body.code]).toEqual([401, 'token-missing'])
  })

  it('never come back in an answer or reach the database', async () => {
    const before = await at.registry.store.countAccounts()
    const reply = await post('{"name":"<script>alert(1)</script>","roles":["auditor"]}', {
      'content-type': 'application/json',
    })
    expect([reply.status, reply.text.includes('<script>')]).toEqual([400, false])
    expect(await at.registry.store.countAccounts()).toBe(before)
  })

  it('carry the headers that keep browsers out of trouble', async () => {
    const { headers } = await send(at.url, 'GET', '/v1/servers')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-powered-by')).toBeNull()
  })

  it('every route that writes has a scope: nothing is open but the bootstrap', async () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const routes = [
      ['POST', '/v1/manifests'],
      ['POST', '/v1/namespaces/com.example/keys'],
      ['POST', `/v1/namespaces/com.example/keys/${newKey().kid}/revocation`],
      ['POST', `/v1/review/${digest}/approval`],
      ['POST', `/v1/review/${digest}/rejection`],
      ['POST', `/v1/manifests/${digest}/revocation`],
      ['POST', `/v1/tools/${digest}/revocation`],
      ['POST', '/v1/servers/com.example/x/revocation'],
      ['PUT', '/v1/admin/namespaces/com.example'],
      ['POST', '/v1/admin/clients'],
      ['GET', '/v1/audit'],
      ['GET', '/v1/review'],
      ['GET', `/v1/review/${digest}`],
      ['GET', '/v1/namespaces/com.example'],
    ] as const
    const auditor = await addAccount(at, 'auditor', ['auditor'])
    for (const [method, path] of routes) {
      const body = method === 'GET' ? {} : { body: {} }
      expect((await send(at.url, method, path, body)).body.code).toBe('token-missing')
      if (path === '/v1/audit') continue
      expect((await send(at.url, method, path, { ...body, token: await auditor.token() })).body.code).toBe(
        'scope-missing',
      )
    }
  })
})
