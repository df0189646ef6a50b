import { randomUUID } from 'node:crypto'
import type { RequestHandler, Response } from 'express'
import type { z } from 'zod'
import type { Needs, Principal } from '../auth/scopes.js'
import type { Viewer } from '../publish/catalogue.js'
import type { BodyReader } from './body.js'
import type { LimitName } from './limits.js'

/** What a handler is given: everything checked, nothing of Express. */
export interface Call<B, Q> {
  readonly params: (name: string) => string
  readonly body: B
  readonly query: Q
  /** Who calls, on routes with a scope. */
  readonly principal: Principal
  /** `principal.account`; empty on open routes. */
  readonly account: string
  /** Who reads, on routes that anyone may read but not everyone sees all of. */
  readonly viewer: () => Promise<Viewer>
}

export interface Answer {
  readonly status?: number
  readonly body: unknown
  /** The body is finished bytes of this media type, and is sent as it is. */
  readonly type?: string
}

/** What a route may answer, for the description of the API. */
export interface Described {
  /** What it is for, in one line. */
  readonly summary: string
  /** More, where one line does not say it; Markdown. */
  readonly description?: string
  /** Shape of its answer by status; 2xx only, every problem has the same shape. */
  readonly answers: Readonly<Record<number, z.ZodType>>
  /** The answer may be a signed note in its place. */
  readonly orNote?: true
  /** Codes of problems that only this route has. */
  readonly codes?: readonly string[]
}

/** One line of the API's index. Without `scope` the route is open. */
export interface Route<B, Q> {
  readonly doc?: Described
  /** The answer carries a secret that is shown once: it is kept nowhere, and given again to nobody. */
  readonly secretAnswer?: true
  readonly scope?: Needs
  readonly limit?: LimitName
  readonly body?: BodyReader<B>
  readonly query?: z.ZodType<Q>
  /** Also for a token of trusted publishing, which is for nothing else. */
  readonly trustedPublishing?: true
}

export type Handler<B, Q> = (call: Call<B, Q>) => Answer | Promise<Answer>
export type Method = 'get' | 'post' | 'put' | 'delete'
export type AddRoute = <B = undefined, Q = Record<string, never>>(
  method: Method,
  path: string,
  route: Route<B, Q>,
  handler: Handler<B, Q>,
) => void

/** A route as it was added, for whoever describes them all. */
export interface RouteEntry {
  readonly method: Method
  readonly path: string
  readonly route: Pick<
    Route<unknown, unknown>,
    'doc' | 'scope' | 'limit' | 'body' | 'query' | 'trustedPublishing' | 'secretAnswer'
  >
}

/** Scopes of the routes that write, and the limit they share. */
export const publishing = { scope: 'registry:publish', limit: 'writes' } as const
export const reviewing = { scope: 'registry:review', limit: 'writes' } as const
export const administering = { scope: 'registry:admin', limit: 'writes' } as const

/** What the door knows about a request besides what it carries. */
interface Locals {
  traceId: string
  /** The caller's own name for the request, and the trace it is part of (W3C). */
  callerId?: string
  parentTrace?: string
  principal?: Principal
  /** The answer is not compressed. */
  isSecret?: boolean
  /** What was done before is told again. */
  isReplay?: boolean
  /** Where what was done stands in the log. */
  index?: number
}

export function localsOf(res: Response): Locals {
  return res.locals as Locals
}

/** The id of a request is ours: whoever reads the log finds one request under it. */
export const trace: RequestHandler = (req, res, next) => {
  const traceId = randomUUID()
  const callerId = req.get('x-request-id')
  const parentTrace = traceIdOf(req.get('traceparent'))
  Object.assign(localsOf(res), {
    traceId,
    ...(callerId !== undefined && CALLER_ID.test(callerId) && { callerId }),
    ...(parentTrace !== undefined && { parentTrace }),
  })
  res.set('X-Request-Id', traceId)
  next()
}

/** What others may write into our log: one word. */
const CALLER_ID = /^[A-Za-z0-9._-]{1,64}$/

/** W3C trace context: of version 00, and later ones that begin like it. */
function traceIdOf(traceparent = ''): string | undefined {
  const [, version, id] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(traceparent.slice(0, 256)) ?? []
  return version === 'ff' || id === '0'.repeat(32) ? undefined : id
}
