import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatEvent, signKeyAddEvent } from 'countersign/core'
import { StoreError } from '../../src/storage/errors.js'
import { openSecondDoor, type SecondDoor } from '../support/door.js'
import {
  addPublisher,
  newKey,
  send,
  startRegistry,
  type Publisher,
  type Reply,
  type TestRegistry,
} from '../support/registry.js'

let at: TestRegistry
let publisher: Publisher
beforeAll(async () => {
  at = await startRegistry()
  publisher = await addPublisher(at, 'com.example')
})
afterAll(() => at.close())

const doors: SecondDoor[] = []
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close()
})
const open = async (
  ...change: Parameters<typeof openSecondDoor> extends [unknown, ...infer C] ? C : never
) => {
  const door = await openSecondDoor(at, ...change)
  doors.push(door)
  return door.url
}

describe('with other processes at the same database', () => {
  it('looks there before every answer of the API, and for nobody who is refused before', async () => {
    let looks = 0
    const sync = () => {
      looks++
      return Promise.resolve()
    }
    const url = await open({ store: { isShared: true }, ledger: { sync } })
    const looksFor = async (path: string, token?: string) => {
      looks = 0
      const { status } = await send(url, 'GET', path, { token })
      return [status, looks]
    }
    expect(await looksFor('/v1/servers')).toEqual([200, 1])
    expect(await looksFor('/v1/audit', await at.admin.token())).toEqual([200, 1])
    expect(await looksFor('/v1/audit')).toEqual([401, 0])
    expect(await looksFor('/v1/servers?nonsense=1')).toEqual([400, 0])
    expect(await looksFor('/.well-known/oauth-protected-resource')).toEqual([200, 0])
    expect(await looksFor('/healthz')).toEqual([200, 0])
  })

  it('answers 503 when the database cannot say, and is what it was when it can', async () => {
    let isAway = true
    const sync = () => (isAway ? Promise.reject(new StoreError('unavailable', 'away')) : Promise.resolve())
    const url = await open({ store: { isShared: true }, ledger: { sync } })
    const { status, body, headers } = await send(url, 'GET', '/v1/servers')
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '2'])
    isAway = false
    expect((await send(url, 'GET', '/v1/servers')).status).toBe(200)
  })

  it('alone, it asks nobody', async () => {
    const sync = () => Promise.reject(new Error('asked'))
    const url = await open({ store: { isShared: false }, ledger: { sync } })
    expect((await send(url, 'GET', '/v1/servers')).status).toBe(200)
  })
})

describe('an answer that was kept while the quorum was late', () => {
  it('is 201 once what it is about is published', async () => {
    let end = 0
    const url = await open({ ledger: { publishedEnd: () => end } })
    const { caller, key, namespace } = publisher
    const { last } = (await caller.get(`/v1/namespaces/${namespace}`)).body
    const event = signKeyAddEvent({ namespace, role: 'sign', after: last }, at.identity, newKey(), key)
    const headers = { 'idempotency-key': randomUUID() }
    const post = async (): Promise<Reply> => {
      const body = { event: formatEvent(event) }
      const token = await caller.token()
      return send(url, 'POST', `/v1/namespaces/${namespace}/keys`, { body, token, headers })
    }
    const [first, second] = [await post(), await post()]
    end = Number.MAX_SAFE_INTEGER
    const third = await post()
    const seen = [first, second, third].map((one) => [
      ...[one.status, one.body['published'], one.headers.get('location')],
      one.headers.get('idempotency-replayed'),
    ])
    const { index } = first.body
    expect(seen).toEqual([
      [202, false, `/v1/log/entries/${index}`, null],
      [202, false, `/v1/log/entries/${index}`, 'true'],
      [201, undefined, null, 'true'],
    ])
    expect(third.body.index).toBe(index)
  })
})
