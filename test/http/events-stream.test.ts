import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Response } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { formatEvent } from 'countersign/core'
import { openEventStreams, type EventStreamOptions } from '../../src/http/events.js'
import type { Limiter } from '../../src/http/limits.js'
import { HttpProblem, sendProblem, toProblem } from '../../src/http/problems.js'
import { localsOf } from '../../src/http/route.js'
import type { Ledger } from '../../src/log/ledger.js'
import { StoreError } from '../../src/storage/errors.js'
import type { FrozenLog, Store } from '../../src/storage/store.js'
import { openConsumer, type Consumer } from '../support/event-stream.js'

// The streams over a log that the test writes: what is published, by whom it is asked, and when it cannot be read.

const digestOf = (n: number) => `sha256:${String(n).padStart(64, '0')}` as const

/** A decision about the tool of this number; every tenth entry is a snapshot, as a log has them. */
function leafAt(n: number): string {
  if (n % 10 === 9) {
    const revocations = Buffer.alloc(32).toString('base64')
    return formatEvent({ v: 1, t: 'snapshot', asOf: n, revocations, count: 0, rootVersion: 1 })
  }
  const reason = 'a reason that takes some room, because what is kept for a slow consumer is counted in bytes'
  const about = { target: 'tool', digest: digestOf(n), reason, deciders: ['holder'] } as const
  return formatEvent({ v: 1, t: 'revoke', ...about })
}

interface Stage {
  readonly url: string
  /** Publishes up to this position. */
  readonly publish: (end: number) => void
  /** Whether the database fails. */
  fails: boolean
  /** What looks at the database wait for. */
  looking: Promise<void>
  readonly reads: { from: number; to: number }[]
  /** Requests that came, and connections that are open. */
  readonly connections: () => Promise<number>
  readonly streams: ReturnType<typeof openEventStreams>
  readonly answers: Response[]
  readonly open: (path?: string, headers?: Record<string, string>) => Promise<Consumer>
  readonly close: () => Promise<void>
}

const FAST = { retryMs: 5 }
let stage: Stage
let consumers: Consumer[] = []
afterEach(async () => {
  for (const consumer of consumers) consumer.close()
  consumers = []
  await stage.close()
})

/** `base`: where the active log begins; positions below stand in frozen ones. */
async function openStage(
  options: EventStreamOptions & { principal?: boolean } = {},
  logs: readonly number[] = [],
): Promise<Stage> {
  const frozen = logs.map((size, i) => ({ number: i + 1, size, base: sum(logs.slice(0, i)) }) as FrozenLog)
  const base = sum(logs)
  const watchers = new Set<() => void>()
  const reads: Stage['reads'] = []
  let end = base
  const read = (from: number, to: number): Promise<string[]> => {
    reads.push({ from, to })
    if (stage.fails) return Promise.reject(new StoreError('unavailable', 'the database is down'))
    return Promise.resolve(Array.from({ length: to - from }, (_, i) => leafAt(from + i)))
  }
  const store = {
    readEntries: (from: number, to: number) => read(base + from, base + to),
    readFrozenLogs: () => Promise.resolve(frozen),
    readFrozenEntries: (number: number, from: number, to: number) => {
      const log = frozen[number - 1]!
      expect(to).toBeLessThanOrEqual(log.size)
      return read(log.base + from, log.base + to)
    },
  } as Partial<Store> as Store
  const ledger = {
    base,
    publishedEnd: () => end,
    isPublished: (position: number) => position < end,
    sync: () =>
      stage.fails ? Promise.reject(new StoreError('unavailable', 'the database is down')) : stage.looking,
    watch: (onPublished: () => void) => {
      watchers.add(onPublished)
      return () => watchers.delete(onPublished)
    },
  } as Partial<Ledger> as Ledger
  const streams = openEventStreams({ store, ledger }, { ...FAST, ...options })
  const answers: Response[] = []
  const app = express()
  app.use((_req, res, next) => {
    answers.push(res)
    if (options.principal === true) Object.assign(localsOf(res), { principal: { account: 'reader' } })
    next()
  })
  app.get('/v1/events', streams.handler)
  // Express tells an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- counted, not used
  app.use(((error, _req, res, _next) => {
    sendProblem(res, toProblem(error, ''), 'trace')
  }) satisfies express.ErrorRequestHandler)
  const server = createServer(app)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  stage = {
    ...{ url, fails: false, looking: Promise.resolve(), reads, streams, answers },
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    publish(next) {
      end = next
      for (const onPublished of watchers) onPublished()
    },
    async open(path, headers) {
      const consumer = await openConsumer(url, path, headers)
      consumers.push(consumer)
      return consumer
    },
    async close() {
      streams.close()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      expect(watchers.size).toBe(0)
    },
  }
  return stage
}

const sum = (sizes: readonly number[]): number => sizes.reduce((all, size) => all + size, 0)
const idsOf = ({ events }: Consumer) => events.map(({ id }) => id)
/** The decisions among these positions. */
const told = (from: number, end: number): number[] =>
  Array.from({ length: end - from }, (_, i) => from + i).filter((n) => n % 10 !== 9)

describe('none lost, none twice', () => {
  it('however the log grows, for those who come early, late, and again', async () => {
    const { open, publish } = await openStage()
    const early = await open()
    publish(7)
    publish(8)
    const late = await open('/v1/events?after=2')
    for (let end = 9; end <= 400; end += 13) publish(end)
    publish(3000)
    await Promise.all([early.reached(2700), late.reached(told(3, 3000).length)])
    expect(idsOf(early)).toEqual(told(0, 3000))
    expect(idsOf(late)).toEqual(told(3, 3000))
    const again = await open('/v1/events', { 'last-event-id': '1234' })
    await again.reached(told(1235, 3000).length)
    expect(idsOf(again)).toEqual(told(1235, 3000))
  })

  it('with an empty id in its header, where its address says what it has', async () => {
    const { open, publish } = await openStage()
    publish(9)
    const consumer = await open('/v1/events?after=3', { 'last-event-id': '' })
    await consumer.reached(5)
    expect(idsOf(consumer)).toEqual(told(4, 9))
  })

  it('across the ends of frozen logs', async () => {
    const { open, publish } = await openStage({}, [15, 1500])
    publish(1600)
    const consumer = await open('/v1/events?after=3')
    await consumer.reached(told(4, 1600).length)
    expect(idsOf(consumer)).toEqual(told(4, 1600))
  })

  it('while the database cannot be read for a time', async () => {
    const failures: string[] = []
    const log = { warn: ({ err }: { err: StoreError }) => failures.push(err.code) } as never
    const { open, publish } = await openStage({ log })
    const consumer = await open()
    publish(5)
    await consumer.reached(5)
    stage.fails = true
    publish(20)
    await expect.poll(() => failures.length, { timeout: 30_000 }).toBeGreaterThan(2)
    expect(new Set(failures)).toEqual(new Set(['unavailable']))
    const refused = await openConsumer(stage.url)
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '2'])
    refused.close()
    stage.fails = false
    await consumer.reached(told(0, 20).length)
    expect(idsOf(consumer)).toEqual(told(0, 20))
  })

  it('and the log is read once for all who follow it', async () => {
    const { open, publish, reads } = await openStage()
    const all = await Promise.all(Array.from({ length: 8 }, () => open()))
    await Promise.all(all.map((consumer) => expect.poll(() => consumer.text()).toContain('retry: 2000')))
    publish(100)
    await Promise.all(all.map((consumer) => consumer.reached(90)))
    expect(reads).toEqual([{ from: 0, to: 100 }])
  })
})

describe('a consumer that is told nothing', () => {
  it('hears that it is heard, and how far the log was read', async () => {
    const { open, publish } = await openStage({ heartbeatMs: 20 })
    const consumer = await open('/v1/events?types=approve')
    await consumer.beat()
    publish(500)
    await expect.poll(() => consumer.lastId(), { timeout: 30_000 }).toBe('499')
    expect(consumer.events).toEqual([])
  })

  it('also when much is published that it does not want', async () => {
    const { open, publish } = await openStage({ heartbeatMs: 20 })
    const consumer = await open('/v1/events?types=approve')
    let end = 0
    const busy = setInterval(() => publish((end += 3)), 1)
    await consumer.beat()
    await consumer.beat()
    clearInterval(busy)
    expect(consumer.events).toEqual([])
  })
})

describe('a consumer that does not read', () => {
  it('is cut off, and little is kept for it until then', async () => {
    const { open, publish, answers } = await openStage({ stallMs: 2000 })
    const slow = await open()
    slow.stall()
    publish(100_000)
    let most = 0
    const watching = setInterval(() => (most = Math.max(most, answers[0]!.writableLength)), 1)
    await expect.poll(() => answers[0]!.destroyed, { timeout: 50_000 }).toBe(true)
    clearInterval(watching)
    // One look at the log is at most 1024 entries.
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(1024 * 1024)
    const brisk = await open('/v1/events?after=99000')
    await brisk.reached(told(99_001, 100_000).length)
    expect(idsOf(brisk)).toEqual(told(99_001, 100_000))
  })
})

describe('how many', () => {
  it('an address has so many, and those who leave make room', async () => {
    const { open } = await openStage({ seats: { all: 100, each: 3 } })
    const three = [await open(), await open(), await open()]
    const refused = await open()
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '30'])
    three[1]!.close()
    await expect.poll(async () => (await open()).status, { timeout: 30_000 }).toBe(200)
  })

  it('a process has so many', async () => {
    const { open } = await openStage({ seats: { all: 2, each: 8 } })
    expect([(await open()).status, (await open()).status]).toEqual([200, 200])
    const refused = await open()
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30'])
  })

  it('and one may come only so often', async () => {
    const asked: string[] = []
    const limiter: Limiter = (name, key) => {
      asked.push(`${name} ${key}`)
      if (asked.length > 2) throw new HttpProblem('rate-limited', 'too many requests', { 'Retry-After': '7' })
      return Promise.resolve({ 'RateLimit-Limit': '2' })
    }
    const { open } = await openStage({ limiter })
    for (const status of [200, 200, 429]) {
      const consumer = await open()
      const header = status === 200 ? 'ratelimit-limit' : 'retry-after'
      expect([consumer.status, consumer.headers[header]]).toEqual([status, status === 200 ? '2' : '7'])
    }
    expect(asked).toEqual(Array.from({ length: 3 }, () => 'reads address 127.0.0.1'))
  })

  it('and a request that is refused takes no place', async () => {
    const { open } = await openStage({ seats: { all: 1, each: 1 } })
    for (let i = 0; i < 3; i++) expect((await open('/v1/events?after=x')).status).toBe(400)
    expect((await open()).status).toBe(200)
  })
})

describe('whoever leaves while the database is asked how far the log is', () => {
  it('takes no place with it', async () => {
    const { url, open, answers, connections } = await openStage({ seats: { all: 2, each: 2 } })
    let answer: () => void = () => undefined
    stage.looking = new Promise((resolve) => (answer = resolve))
    for (let i = 1; i <= 2; i++) {
      const asked = request(`${url}/v1/events`, { agent: false }).once('error', () => undefined)
      asked.end()
      await expect.poll(() => answers.length, { timeout: 30_000 }).toBe(i)
      asked.destroy()
    }
    await expect.poll(connections, { timeout: 30_000 }).toBe(0)
    answer()
    expect([(await open()).status, (await open()).status]).toEqual([200, 200])
  })
})

describe('the end', () => {
  it('comes also for whoever came just before it', async () => {
    const { open, streams, answers } = await openStage()
    let answer: () => void = () => undefined
    stage.looking = new Promise((resolve) => (answer = resolve))
    const late = open()
    await expect.poll(() => answers.length, { timeout: 30_000 }).toBe(1)
    streams.close()
    answer()
    expect((await late).status).toBe(503)
  })

  it('comes for everybody when the registry closes, and nobody new is let in', async () => {
    const { open, streams, publish } = await openStage()
    const all = [await open(), await open()]
    publish(5)
    await Promise.all(all.map((consumer) => consumer.reached(5)))
    streams.close()
    await Promise.all(all.map(({ ended }) => ended))
    expect(all.map(idsOf)).toEqual([told(0, 5), told(0, 5)])
    expect((await open()).status).toBe(503)
  })

  it('comes with the end of the token, and what one reader sees is for no other origin', async () => {
    const { open, publish } = await openStage({ principal: true, tokenMs: 100 })
    const consumer = await open()
    expect(consumer.headers['access-control-allow-origin']).toBeUndefined()
    publish(3)
    await consumer.ended
    // A token may end before anything was read: whoever comes again gets it.
    const ended = async (): Promise<number[]> => {
      const again = await open('/v1/events?after=0')
      await again.ended
      return idsOf(again)
    }
    await expect.poll(ended).toEqual([1, 2])
  })
})
