import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LedgerBusy } from '../../src/log/errors.js'
import { openIdempotency, type KeyedRequest } from '../../src/http/idempotency.js'
import { HttpProblem, toProblem } from '../../src/http/problems.js'
import type { Answer } from '../../src/http/route.js'
import { StoreError } from '../../src/storage/errors.js'
import {
  addAccount,
  addPublisher,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let now = Date.now()
beforeAll(async () => {
  at = await startRegistry({ overrides: { now: () => now } })
})
afterAll(() => at.close())

interface Sent {
  readonly key: string
  readonly path?: string
  readonly body?: unknown
  readonly by?: Caller
  readonly method?: string
  readonly type?: string
}

async function post({
  key,
  path = '/v1/admin/accounts',
  body,
  by = at.admin,
  method,
  type,
}: Sent): Promise<Reply> {
  const headers = { 'idempotency-key': key, ...(type !== undefined && { 'content-type': type }) }
  return send(at.url, method ?? 'POST', path, { body, token: await by.token(), headers })
}

const service = (name: string) => ({ name, roles: ['auditor'] })
const isReplayed = ({ headers }: Reply): boolean => headers.get('idempotency-replayed') === 'true'
const seen = (reply: Reply) => [reply.status, reply.body.code, isReplayed(reply)]

describe('a POST with a key', () => {
  it('is done once, and answered the same ever after', async () => {
    const sent = { key: randomUUID(), body: service('once') }
    const first = await post(sent)
    const again = await post(sent)
    expect([seen(first), seen(again)]).toEqual([
      [201, undefined, false],
      [201, undefined, true],
    ])
    expect(again.text).toBe(first.text)
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
    // The twin: without the key, the second one is another request.
    expect((await at.admin.post('/v1/admin/accounts', service('once'))).body.code).toBe('account-taken')
  })

  it('is logged once, when what it did is an entry', async () => {
    const { caller, key: signer } = await addPublisher(at, 'com.once')
    const body = signManifest(sampleManifest(at.identity, { server: 'com.once/x' }), signer)
    const sent = { key: randomUUID(), path: '/v1/manifests', body, by: caller }
    const [first, again] = [await post(sent), await post(sent)]
    expect([seen(first), seen(again), again.text]).toEqual([
      [201, undefined, false],
      [201, undefined, true],
      first.text,
    ])
  })

  it('is itself alone: another body, path or type is another request', async () => {
    const key = randomUUID()
    expect((await post({ key, body: service('mine') })).status).toBe(201)
    const others = [
      { body: service('other') },
      { path: '/v1/admin/accounts?x=1', body: service('mine') },
      { body: service('mine'), type: 'application/json; charset=utf-8' },
      { path: '/v1/admin/clients', body: { name: 'c', roles: ['auditor'] } },
    ]
    for (const other of others) {
      const reply = await post({ key, ...other })
      expect([other, ...seen(reply)]).toEqual([other, 422, 'idempotency-mismatch', false])
    }
    expect(seen(await post({ key, body: service('mine') }))).toEqual([201, undefined, true])
  })

  it('belongs to one account: nobody is shown what another one was answered', async () => {
    const other = await addAccount(at, 'other-admin', ['admin'])
    const key = randomUUID()
    expect((await post({ key, body: service('of-admin') })).status).toBe(201)
    expect(seen(await post({ key, body: service('of-admin'), by: other }))).toEqual([
      409,
      'account-taken',
      false,
    ])
  })

  it('is refused the same again, under the trace id of the first', async () => {
    const sent = { key: randomUUID(), body: service('refused') }
    await at.admin.post('/v1/admin/accounts', service('refused'))
    const [first, again] = [await post(sent), await post(sent)]
    expect([seen(first), seen(again)]).toEqual([
      [409, 'account-taken', false],
      [409, 'account-taken', true],
    ])
    expect([again.text, again.headers.get('content-type')]).toEqual([
      first.text,
      first.headers.get('content-type'),
    ])
  })

  it('uses none when it cannot be read: the key is free for the right one', async () => {
    const key = randomUUID()
    expect((await post({ key, body: { nonsense: 1 } })).body.code).toBe('request-invalid')
    expect((await post({ key, body: service('right') })).status).toBe(201)
  })

  it('that was answered with a secret is not answered again, and the secret is kept nowhere', async () => {
    const sent = { key: randomUUID(), path: '/v1/admin/clients', body: { name: 'robot', roles: ['auditor'] } }
    const first = await post(sent)
    expect([first.status, first.body.client_secret.length > 20]).toEqual([201, true])
    expect(seen(await post(sent))).toEqual([409, 'idempotency-spent', false])
  })

  it('has no say once its account is disabled', async () => {
    const leaving = await addAccount(at, 'leaving', ['admin'])
    const sent = { key: randomUUID(), body: service('left-behind'), by: leaving }
    expect((await post(sent)).status).toBe(201)
    await at.registry.store.updateAccount('leaving', { disabled: true })
    expect(seen(await post(sent))).toEqual([401, 'account-disabled', false])
  })

  it.each([
    ['short'],
    ['a'.repeat(15)],
    ['a'.repeat(256)],
    ['with a space in its middle'],
    ['ümlaut-ümlaut-ümlaut'],
  ])('is refused when it is %j', async (key) => {
    expect(seen(await post({ key, body: service('never') }))).toEqual([400, 'idempotency-key-invalid', false])
  })

  it.each([['!'.repeat(16)], ['~'.repeat(255)]])('is good when it is %j', async (key) => {
    expect((await post({ key, body: service(`good-${key.length}`) })).status).toBe(201)
  })

  it('is nothing special where nobody is known, nor to a PUT', async () => {
    const headers = { 'idempotency-key': 'x' }
    const open = await send(at.url, 'POST', '/v1/bootstrap', {
      body: { account: 'nobody', password: 'x' },
      headers,
    })
    expect(open.body.code).toBe('credentials-invalid')
    const grant = {
      key: 'x',
      method: 'PUT',
      path: '/v1/admin/namespaces/com.put',
      body: { account: 'admin' },
    }
    expect((await post(grant)).status).toBe(200)
  })
})

describe('openIdempotency', () => {
  const open = () =>
    openIdempotency({
      store: at.registry.store,
      problemOf: (error) => toProblem(error, ''),
      log: pino({ level: 'silent' }),
      now: () => now,
    })
  const request = (change: Partial<KeyedRequest> = {}): KeyedRequest => ({
    key: randomUUID(),
    principal: { account: 'admin', clientId: 'c' },
    ...{ method: 'POST', target: '/v1/x', contentType: '', body: new Uint8Array(), traceId: 't' },
    isSecret: false,
    ...change,
  })
  const answer = (body: unknown) => (): Promise<Answer> => Promise.resolve({ status: 201, body })
  const refused = (code: string) => expect.objectContaining({ code }) as Error

  it('runs one of two that come at once', async () => {
    const one = request()
    let resolve: (answer: Answer) => void = () => undefined
    const promise = new Promise<Answer>((done) => (resolve = done))
    let start: () => void = () => undefined
    const started = new Promise<void>((done) => (start = done))
    const first = open().run(one, () => {
      start()
      return promise
    })
    await started
    await expect(open().run(one, answer('twice'))).rejects.toThrow(refused('idempotency-running'))
    resolve({ status: 201, body: 'first' })
    await first
    expect(await open().run(one, answer('twice'))).toEqual({
      answer: { status: 201, body: 'first' },
      isReplay: true,
    })
  })

  it.each([
    ['the database is away', () => new StoreError('unavailable', 'away')],
    ['the log is busy', () => new LedgerBusy('busy')],
    ['nobody foresaw it', () => new Error('unforeseen')],
    ['it came too often', () => new HttpProblem('rate-limited', 'too often')],
  ])('may be tried again when %s', async (_, failure) => {
    const one = request()
    const fails = () => Promise.reject(failure())
    await expect(open().run(one, fails)).rejects.toThrow()
    expect(await open().run(one, answer('done'))).toEqual({
      answer: { status: 201, body: 'done' },
      isReplay: false,
    })
  })

  it('tells a workflow nothing of what its account did, nor of what another workflow did', async () => {
    const one = request()
    const as = (...trustedPublishers: string[]): KeyedRequest => ({
      ...one,
      principal: { ...one.principal, publishes: { trustedPublishers, servers: [] } },
    })
    await open().run(one, answer('of a person'))
    expect(await open().run(as('tp-1', 'tp-2'), answer('of a workflow'))).toMatchObject({ isReplay: false })
    expect(await open().run(as('tp-3'), answer('of another'))).toMatchObject({ isReplay: false })
    // The twin: the same workflow, whose rows came in another order.
    expect(await open().run(as('tp-2', 'tp-1'), answer('again'))).toEqual({
      answer: { status: 201, body: 'of a workflow' },
      isReplay: true,
    })
  })

  it('keeps no answer that is too large, and the largest that is not', async () => {
    const [fits, large] = [request(), request()]
    await open().run(fits, answer('x'.repeat(64 * 1024 - 2)))
    await open().run(large, answer('x'.repeat(64 * 1024 - 1)))
    expect(await open().run(fits, answer('again'))).toMatchObject({ isReplay: true })
    expect(await open().run(large, answer('again'))).toMatchObject({ isReplay: false })
  })

  it('is free when whoever took it has died, for the same request alone', async () => {
    const one = request()
    await new Promise<void>((started) => {
      void open().run(one, () => {
        started()
        return new Promise<Answer>(() => undefined)
      })
    })
    await expect(open().run(one, answer('x'))).rejects.toThrow(refused('idempotency-running'))
    now += 61_000
    const other = { ...one, body: Buffer.from('other') }
    await expect(open().run(other, answer('x'))).rejects.toThrow(refused('idempotency-mismatch'))
    expect(await open().run(one, answer('later'))).toMatchObject({ isReplay: false })
  })

  it('forgets after a day', async () => {
    const one = request()
    await open().run(one, answer('first'))
    now += 86_400_000 - 1000
    expect(await open().run(one, answer('second'))).toMatchObject({ isReplay: true })
    now += 2000
    expect(await open().run(one, answer('second'))).toMatchObject({ isReplay: false })
  })

  it('is done all the same when its answer cannot be kept', async () => {
    const { store } = at.registry
    const idempotency = openIdempotency({
      store: {
        takeIdempotencyKey: (...given) => store.takeIdempotencyKey(...given),
        freeIdempotencyKey: () => Promise.reject(new StoreError('unavailable', 'away')),
        answerIdempotencyKey: () => Promise.reject(new StoreError('unavailable', 'away')),
      },
      problemOf: (error) => toProblem(error, ''),
      log: pino({ level: 'silent' }),
      now: () => now,
    })
    expect(await idempotency.run(request(), answer('done'))).toMatchObject({ isReplay: false })
  })
})
