import { createHash, timingSafeEqual } from 'node:crypto'
import type { Request, Router } from 'express'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { AuthError } from '../auth/errors.js'
import type { Context } from '../publishers/context.js'
import type { LimitName } from './limits.js'
import { openAnswers, type Counted } from './metrics/answers.js'
import { HttpProblem } from './problems.js'

export interface Metrics {
  readonly count: (answer: Counted) => void
  /** Somebody came too often. */
  readonly countRefused: (limit: LimitName) => void
}

export interface MetricsOptions {
  readonly context: Pick<Context, 'store' | 'ledger'>
  /** What `/metrics` is read with; absent: only from this machine. */
  readonly token?: string | undefined
}

/**
 * `GET /metrics`, for Prometheus. Labels come from closed lists: routes by their patterns, methods that HTTP has,
 * classes of status codes.
 */
export function openMetrics({
  context,
  token,
}: MetricsOptions): Metrics & { readonly add: (router: Router) => void } {
  const registry = new Registry()
  const answers = openAnswers(registry)
  const refused = new Counter({
    name: 'countersign_rate_limited_total',
    help: 'Requests refused because somebody came too often, by limit.',
    labelNames: ['limit'],
    registers: [registry],
  })
  addLogGauges(registry, context.ledger)
  return {
    count: answers,
    countRefused: (limit) => refused.inc({ limit }),
    add(router) {
      router.get('/metrics', async (req, res) => {
        assertScraper(req, token)
        const all = Registry.merge([registry, processMetrics()])
        res.set({ 'Content-Type': all.contentType, 'Cache-Control': 'no-store' })
        res.send(await all.metrics())
      })
    },
  }
}

/** Read when they are asked for. */
function addLogGauges(registry: Registry, ledger: Context['ledger']): void {
  const add = (name: string, help: string, read: () => number): void => {
    const gauge: Gauge = new Gauge({
      name: `countersign_log_${name}`,
      help,
      registers: [registry],
      collect: () => gauge.set(read()),
    })
  }
  add('committed_entries', 'Entries of the active log.', () => ledger.committed().size)
  add('published_entries', 'Entries under the newest published checkpoint.', () => ledger.publishedSize())
  add('stopped', '1 when the log signs nothing any more.', () => (ledger.stopped() === undefined ? 0 : 1))
  add(
    'witness_failures',
    'Witnesses that failed in the last round.',
    () => ledger.witnessing().failures.length,
  )
  add(
    'published_timestamp_seconds',
    'When the newest published checkpoint was cosigned; 0 while there is none.',
    () => (ledger.witnessing().at ?? 0) / 1000,
  )
  const load = (name: string, help: string, of: (load: ReturnType<typeof ledger.load>) => number): void =>
    add(name, help, () => of(ledger.load()))
  load('queued', 'Submissions that wait for a batch.', ({ queued }) => queued)
  load(
    'unpublished',
    'Submissions that are committed and wait for the quorum.',
    ({ unpublished }) => unpublished,
  )
  load('batches', 'Batches committed by this process since it started.', ({ batches }) => batches)
}

let ofProcess: Registry | undefined

/** Memory, processor, event loop: of the process, however many registries are in it. */
function processMetrics(): Registry {
  if (ofProcess === undefined) {
    ofProcess = new Registry()
    collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** Whoever has the token; without one this machine alone, and whoever comes through a proxy is not this machine. */
function assertScraper(req: Request, token: string | undefined): void {
  if (token === undefined) {
    if (isLocal(req)) return
    throw new HttpProblem('not-found', 'there is nothing here')
  }
  const { authorization } = req.headers
  if (authorization === undefined) throw new AuthError('token-missing', '/metrics is read with its token')
  const given = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(authorization)?.[1]
  if (given === undefined || !isSame(given, token)) {
    throw new AuthError('token-invalid', 'this is not the token of /metrics')
  }
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i
/** What proxies add; not every one says the address. */
const FORWARDED = /^(?:x-forwarded-.*|forwarded|x-real-ip|via)$/

function isLocal({ socket, headers }: Request): boolean {
  if (Object.keys(headers).some((name) => FORWARDED.test(name))) return false
  return LOOPBACK.test(socket.remoteAddress ?? '')
}

/** In a time that says nothing of where they differ, or of how long the token is. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}
