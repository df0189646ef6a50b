import { createHash } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import type { Logger } from 'pino'
import type { Context } from '../../publishers/context.js'
import { holdsTag } from '../conditional.js'
import { callerKey, type Limiter } from '../limits.js'
import { HttpProblem, toProblem } from '../problems.js'
import { localsOf } from '../route.js'

export interface Answers {
  /** A route that answers with what `read` returns. */
  of(read: (req: Request) => unknown): RequestHandler
  /** Whatever else is asked below this API. */
  readonly refuse: RequestHandler
}

export interface AnswerOptions {
  readonly context: Pick<Context, 'store' | 'ledger'>
  readonly publicUrl: string
  readonly log: Logger
  readonly limiter: Limiter
  /** Whether the door asks for a token here: then no cache between us and no other origin's page gets anything. */
  readonly isPrivate?: boolean
}

/** Aggregators come by the hour, people's editors when they open a page: a minute of age harms neither. */
const MAX_AGE_SECONDS = 60
const METHODS = 'GET, OPTIONS'

/** Pages of other origins may read here, tokens and all: nothing is sent by a browser on its own. */
export function allowOrigins({ isPrivate = false }: Pick<AnswerOptions, 'isPrivate'>): RequestHandler {
  return (_req, res) => {
    openTo(res, isPrivate)
    res.set('Access-Control-Max-Age', '600').status(204).end()
  }
}

function openTo(res: Response, isPrivate: boolean): void {
  if (isPrivate) return
  res.set({
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type',
  })
}

/** Answers of this API: JSON with a tag, and errors as its specification has them, with our stable codes beside. */
export function openAnswers({ context, publicUrl, log, limiter, isPrivate = false }: AnswerOptions): Answers {
  const age = `${isPrivate ? 'private' : 'public'}, max-age=${MAX_AGE_SECONDS}`
  const answered = async (req: Request, res: Response, read: (req: Request) => unknown): Promise<void> => {
    openTo(res, isPrivate)
    try {
      res.set(await limiter('reads', callerKey(localsOf(res).principal?.account, req.ip)))
      // What another process published a moment ago is part of the answer.
      if (context.store.isShared) await context.ledger.sync()
      send(req, res, await read(req), age)
    } catch (error) {
      sendError(res, error)
    }
  }

  const sendError = (res: Response, error: unknown): void => {
    const problem = toProblem(error, `${publicUrl}/.well-known/oauth-protected-resource`)
    const { status, code, detail, fields, headers = {} } = problem
    const { traceId } = localsOf(res)
    if (status >= 500) log.error({ traceId, code, err: error }, 'request failed')
    if (res.headersSent) {
      res.destroy()
      return
    }
    res.status(status).set({ ...headers, 'Cache-Control': 'no-store' })
    res.json({ error: detail, code, fields, traceId })
  }

  return {
    of: (read) => (req, res) => answered(req, res, read),
    refuse: (req, res) => {
      openTo(res, isPrivate)
      if (req.method === 'GET' || req.method === 'HEAD') {
        sendError(res, new HttpProblem('not-found', 'there is nothing here'))
        return
      }
      const error = 'this registry is written to through /v1, where what is published is signed'
      const { traceId } = localsOf(res)
      res.status(501).set('Cache-Control', 'no-store').json({ error, code: 'not-implemented', traceId })
    },
  }
}

function send(req: Request, res: Response, value: unknown, age: string): void {
  const body = Buffer.from(JSON.stringify(value))
  // Weak: whoever compresses it on the way sends other bytes of the same answer.
  const etag = `W/"${createHash('sha256').update(body).digest('base64url')}"`
  res.set({ ETag: etag, 'Cache-Control': age })
  // Whatever else the caller says of caches, this answer is made anew.
  if (holdsTag(req.headers['if-none-match'], etag)) {
    res.status(304).end()
    return
  }
  res.status(200).type('application/json').send(body)
}
