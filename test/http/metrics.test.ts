import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { answerProblems } from '../../src/http/access.js'
import { openHealth } from '../../src/http/health.js'
import { openMetrics } from '../../src/http/metrics.js'
import { trace } from '../../src/http/route.js'
import { LedgerFatal } from '../../src/log/errors.js'
import type { Context } from '../../src/publishers/context.js'
import { PATIENT_MS } from '../support/ledger.js'
import { send, startRegistry, type TestRegistry } from '../support/registry.js'

let at: TestRegistry
beforeAll(async () => {
  at = await startRegistry({ overrides: { limits: { bootstrap: { points: 2, seconds: 600 } } } })
})
afterAll(() => at.close())

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function listen(answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<string> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const metricsOf = async (url: string): Promise<string> => (await send(url, 'GET', '/metrics')).text
const valueOf = (text: string, line: string): number => {
  const found = text.split('\n').find((one) => one.startsWith(`${line} `))
  return found === undefined ? NaN : Number(found.slice(line.length + 1))
}

describe('/metrics', () => {
  it('counts answers by pattern, method and class, however many addresses are asked for', async () => {
    for (let i = 0; i < 5; i++) {
      await send(at.url, 'GET', `/nonsense/${i}`)
      await send(at.url, 'BREW', `/nonsense/${i}`)
      await send(at.url, 'GET', `/v1/servers/com.example/name-${i}`)
    }
    await send(at.url, 'GET', '/v1/status')
    const text = await metricsOf(at.url)
    const requests = 'countersign_http_requests_total'
    expect(valueOf(text, `${requests}{route="other",method="GET",status="4xx"}`)).toBe(5)
    expect(valueOf(text, `${requests}{route="/v1/servers/:ns/:name",method="GET",status="4xx"}`)).toBe(5)
    expect(valueOf(text, `${requests}{route="/v1/status",method="GET",status="2xx"}`)).toBe(1)
    expect(text).not.toMatch(/nonsense|name-\d|BREW/)
    const duration = 'countersign_http_request_duration_seconds_count'
    expect(valueOf(text, `${duration}{route="/v1/servers/:ns/:name",method="GET"}`)).toBe(5)
  })

  it('tells of the log, of who came too often, and of the process', async () => {
    const body = { account: 'nobody', password: 'x' }
    for (let i = 0; i < 2; i++) await send(at.url, 'POST', '/v1/bootstrap', { body })
    const text = await metricsOf(at.url)
    const { ledger } = at.registry
    expect(valueOf(text, 'countersign_log_committed_entries')).toBe(ledger.committed().size)
    expect(valueOf(text, 'countersign_log_published_entries')).toBe(ledger.publishedSize())
    expect(valueOf(text, 'countersign_log_batches')).toBeGreaterThan(0)
    for (const zero of ['stopped', 'queued', 'unpublished', 'witness_failures']) {
      expect([zero, valueOf(text, `countersign_log_${zero}`)]).toEqual([zero, 0])
    }
    expect(valueOf(text, 'countersign_rate_limited_total{limit="bootstrap"}')).toBe(1)
    expect(text).toContain('nodejs_eventloop_lag_seconds')
  })

  it('is for this machine: whoever comes through a proxy finds nothing', async () => {
    for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via']) {
      const reply = await send(at.url, 'GET', '/metrics', { headers: { [name]: '127.0.0.1' } })
      expect([name, reply.status, reply.body.code]).toEqual([name, 404, 'not-found'])
    }
  })

  it('is for whoever has its token where there is one, and for no other, this machine included', async () => {
    const token = 'a-token-of-the-operator'
    const app = express()
    app.use(trace)
    openMetrics({ context: at.registry.rooms.context, token }).add(app)
    app.use(answerProblems('https://registry.example/metadata', pino({ level: 'silent' })).handler)
    const url = await listen(app)
    const ask = async (authorization?: string) => {
      const headers = {
        'x-forwarded-for': '192.0.2.1',
        ...(authorization !== undefined && { authorization }),
      }
      const { status, body } = await send(url, 'GET', '/metrics', { headers })
      return [status, body.code]
    }
    expect(await ask()).toEqual([401, 'token-missing'])
    const wrong = [`Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token, 'Bearer ']
    for (const given of wrong) expect([given, await ask(given)]).toEqual([given, [401, 'token-invalid']])
    expect(await ask(`Bearer ${token}`)).toEqual([200, undefined])
    expect((await send(url, 'GET', '/metrics')).status).toBe(401)
  })
})

describe('/healthz and /readyz', () => {
  const listenHealth = async (change: { store?: object; ledger?: object }, databaseMs = PATIENT_MS) => {
    const { store, ledger } = at.registry.rooms.context
    const context = {
      store: { readLogState: () => store.readLogState(), ...change.store },
      ledger: { stopped: () => undefined, publishedSize: () => ledger.publishedSize(), ...change.ledger },
    } as unknown as Context
    const health = openHealth(context, databaseMs)
    const url = await listen((req, res) => {
      if (!health.answer(req, res)) res.writeHead(404).end()
    })
    return { health, url }
  }
  const readiness = async (url: string) => {
    const { status, body, headers } = await send(url, 'GET', '/readyz')
    return [status, body['reasons'], headers.get('retry-after')]
  }

  it('are both well on a registry that is', async () => {
    for (const path of ['/healthz', '/readyz', '/readyz?verbose=1']) {
      const { status, headers } = await send(at.url, 'GET', path)
      expect([path, status, headers.get('cache-control')]).toEqual([path, 200, 'no-store'])
    }
    expect((await send(at.url, 'HEAD', '/readyz')).status).toBe(200)
    expect((await send(at.url, 'POST', '/readyz', { body: {} })).status).toBe(404)
  })

  it.each([
    ['database', { store: { readLogState: () => Promise.reject(new Error('away')) } }],
    ['database', { store: { readLogState: () => new Promise(() => undefined) } }, 50],
    ['log-stopped', { ledger: { stopped: () => new LedgerFatal('outcome-unknown', 'stopped') } }],
    ['not-published', { ledger: { publishedSize: () => 0 } }],
  ])('it is not ready, and lives: %s', async (reason, change, databaseMs?: number) => {
    const { url } = await listenHealth(change, databaseMs)
    expect(await readiness(url)).toEqual([503, [reason], '2'])
    expect((await send(url, 'GET', '/healthz')).status).toBe(200)
  })

  it('however many ask at once, the database is asked once', async () => {
    let [looks, arrived] = [0, 0]
    let answer: () => void = () => undefined
    const readLogState = () => {
      looks++
      return new Promise<void>((resolve) => (answer = resolve))
    }
    const { ledger } = at.registry.rooms.context
    const health = openHealth({ store: { readLogState }, ledger } as unknown as Context, 60_000)
    const url = await listen((req, res) => {
      health.answer(req, res)
      arrived++
    })
    const asked = Array.from({ length: 5 }, () => readiness(url))
    await expect.poll(() => arrived).toBe(5)
    answer()
    for (const found of await Promise.all(asked)) expect(found).toEqual([200, undefined, null])
    expect(looks).toBe(1)
  })

  it('is not ready from the moment it is closed', async () => {
    const { health, url } = await listenHealth({})
    expect(await readiness(url)).toEqual([200, undefined, null])
    health.close()
    expect(await readiness(url)).toEqual([503, ['closing'], '2'])
  })
})
