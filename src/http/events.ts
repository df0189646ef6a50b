import type { Request, RequestHandler, Response } from 'express'
import type { Logger } from 'pino'
import type { Context } from '../publishers/context.js'
import { allowAnyOrigin } from './cors.js'
import { openFeed } from './events/feed.js'
import { readWanted } from './events/query.js'
import { openSeats } from './events/seats.js'
import { EventStream } from './events/stream.js'
import { addressKey, callerKey, type Limiter } from './limits.js'
import { HttpProblem } from './problems.js'
import { localsOf } from './route.js'

export interface EventStreams {
  readonly handler: RequestHandler
  /** Ends every stream: clients come again with the index they have. */
  close(): void
}

export interface EventStreamOptions {
  readonly log?: Logger
  /** How often one may come; as often as anyone likes when absent. */
  readonly limiter?: Limiter
  /** Streams of this process, and of one address. */
  readonly seats?: { readonly all: number; readonly each: number }
  readonly heartbeatMs?: number
  readonly stallMs?: number
  readonly retryMs?: number
  /** A stream that was opened with a token ends after this time: no token is good for longer. */
  readonly tokenMs?: number
}

const DEFAULTS = {
  seats: { all: 256, each: 8 },
  heartbeatMs: 15_000,
  stallMs: 30_000,
  retryMs: 1000,
  tokenMs: 600_000,
} as const

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // Whoever stands in between neither keeps it, nor packs it, nor waits for its end.
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
}

/**
 * `GET /v1/events`: what is published, as server-sent events. Their ids are positions of the log: whoever comes again
 * with the last one gets what follows, from whichever process.
 */
export function openEventStreams(
  { store, ledger }: Pick<Context, 'store' | 'ledger'>,
  options: EventStreamOptions = {},
): EventStreams {
  const { seats: size, tokenMs, ...times } = { ...DEFAULTS, ...options }
  const seats = openSeats(size)
  const feed = openFeed({ store, ledger })
  const open = new Set<EventStream>()
  let isClosed = false

  const assertOpen = (): void => {
    if (isClosed) throw new HttpProblem('unavailable', 'the registry is closing', { 'Retry-After': '2' })
  }
  /** The first position that is told: what follows the one the consumer has, or what is published from now on. */
  const beginning = async (after: number | undefined): Promise<number> => {
    await ledger.sync()
    const end = ledger.publishedEnd()
    if (after === undefined) return end
    if (after >= end) throw new HttpProblem('request-invalid', 'the log ends before this position')
    return after + 1
  }

  const stream = async (req: Request, res: Response): Promise<void> => {
    const { after, isWanted } = readWanted({ ...req.query }, req.headers)
    const from = await beginning(after)
    assertOpen()
    begin(res)
    if (req.method === 'HEAD') {
      res.end()
      return
    }
    const publishedEnd = () => ledger.publishedEnd()
    const onFailure = (cause: unknown): void =>
      options.log?.warn({ err: cause }, 'events could not be read; it is tried again')
    const one = new EventStream(res, { ...{ feed, isWanted, from, publishedEnd, onFailure }, ...times })
    const unwatch = ledger.watch(one.wake)
    const expired = localsOf(res).principal && setTimeout(() => one.end(), tokenMs)
    open.add(one)
    try {
      await one.run()
    } finally {
      open.delete(one)
      clearTimeout(expired)
      unwatch()
    }
  }

  return {
    handler: async (req, res) => {
      assertOpen()
      // A stream that is opened and left at once is a look-up as any other.
      res.set((await options.limiter?.('reads', callerKey(localsOf(res).principal?.account, req.ip))) ?? {})
      const leave = seats.take(addressKey(req.ip))
      try {
        await stream(req, res)
      } finally {
        leave()
      }
    },
    close() {
      isClosed = true
      for (const one of open) one.end()
    },
  }
}

/** At once, before there is anything to tell: the consumer knows that it is heard. */
function begin(res: Response): void {
  if (localsOf(res).principal === undefined) allowAnyOrigin(res)
  res.writeHead(200, HEADERS)
  res.flushHeaders()
}
