import { randomUUID } from 'node:crypto'
import type { Request, RequestHandler, Response, Router } from 'express'
import type { z } from 'zod'
import { assertScope, isAllowed, type Needs, type Principal } from '../auth/scopes.js'
import type { Authenticate } from '../auth/token.js'
import type { Ledger } from '../log/ledger.js'
import { ANYONE, type Viewer } from '../publish/catalogue.js'
import type { Store } from '../storage/store.js'
import type { BodyReader } from './body.js'
import { addressKey, LARGE_BYTES, type Limiter, type LimitName } from './limits.js'
import { HttpProblem } from './problems.js'
import type { Room } from './room.js'

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
}

/** What a route may answer, for the description of the API. */
export interface Described {
  /** What it is for, in one line. */
  readonly summary: string
  /** More, where one line does not say it; Markdown. */
  readonly description?: string
  /** Shape of its answer by status; 2xx only, every problem has the same shape. */
  readonly answers: Readonly<Record<number, z.ZodType>>
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
    'doc' | 'scope' | 'limit' | 'body' | 'query' | 'trustedPublishing'
  >
}

/** Scopes of the routes that write, and the limit they share. */
export const publishing = { scope: 'registry:publish', limit: 'writes' } as const
export const reviewing = { scope: 'registry:review', limit: 'writes' } as const
export const administering = { scope: 'registry:admin', limit: 'writes' } as const

/** What the door knows about a request besides what it carries. */
interface Locals {
  traceId: string
  principal?: Principal
}

export function localsOf(res: Response): Locals {
  return res.locals as Locals
}

export const trace: RequestHandler = (_req, res, next) => {
  localsOf(res).traceId = randomUUID()
  next()
}

interface Doors {
  readonly authenticate: Authenticate
  readonly limiter: Limiter
  readonly room: Room
  readonly store: Store
  readonly ledger: Pick<Ledger, 'publishedEnd'>
}

/** Adds routes whose steps always come in this order: who, may they, how often, the body, the handler. */
export function routeAdder(router: Router, doors: Doors): AddRoute {
  const { authenticate, limiter } = doors
  return (method, path, route, handler) => {
    router[method](path, enter(route, authenticate), count(route, limiter), async (req, res) => {
      const worked = await work(req, res, route, handler, doors)
      const answer = method === 'post' ? asPublished(worked, doors.ledger, res) : worked
      res.status(answer.status ?? 200)
      res.set('Cache-Control', 'no-store')
      // What anyone may read, a page of any origin may read: there are no cookies that it could borrow.
      if (method === 'get' && route.scope === undefined) res.set('Access-Control-Allow-Origin', '*')
      res.json(answer.body)
    })
  }
}

/**
 * What was logged and is not published yet is accepted, and no more: the answer is the same, with where to look until
 * the quorum is there.
 */
function asPublished(answer: Answer, ledger: Doors['ledger'], res: Response): Answer {
  const { body } = answer
  if (typeof body !== 'object' || body === null || !('index' in body)) return answer
  const { index } = body
  if (typeof index !== 'number' || index < ledger.publishedEnd()) return answer
  res.location(`/v1/log/entries/${index}`)
  return { status: 202, body: { ...body, published: false } }
}

function enter<B, Q>({ scope, trustedPublishing }: Route<B, Q>, authenticate: Authenticate): RequestHandler {
  return async (req, res, next) => {
    const { authorization } = req.headers
    if (scope !== undefined || authorization !== undefined) {
      const principal = await authenticate({
        method: req.method,
        path: req.originalUrl,
        authorization,
        dpop: req.headersDistinct['dpop'],
      })
      localsOf(res).principal = principal
      if (scope !== undefined) assertScope(principal, scope, trustedPublishing === true)
    }
    next()
  }
}

/** The account where one is known, else the address. */
function callerOf(req: Request, res: Response): string {
  return localsOf(res).principal?.account ?? addressKey(req.ip)
}

function count<B, Q>({ limit }: Route<B, Q>, limiter: Limiter): RequestHandler {
  return async (req, res, next) => {
    // Nobody's report is worth more for who they are.
    if (limit === 'seen') res.set(await limiter(limit, addressKey(req.ip)))
    else if (limit !== undefined) {
      // Many accounts behind one address ask as often as one: whoever is asked sees the registry alone.
      if (limit === 'proofs') res.set(await limiter(limit, `address ${addressKey(req.ip)}`))
      res.set(await limiter(limit, callerOf(req, res)))
    }
    next()
  }
}

/** The body's room is taken from before its first byte until the handler is done, whether the caller waits or not. */
async function work<B, Q>(
  req: Request,
  res: Response,
  route: Route<B, Q>,
  handler: Handler<B, Q>,
  { limiter, room, store }: Doors,
): Promise<Answer> {
  const { body } = route
  if (body === undefined) return handler(readCall(req, res, route, store))
  const announced = Number(req.headers['content-length'] ?? body.limit)
  const caller = callerOf(req, res)
  const leave = room.enter(caller, Math.min(announced, body.limit))
  try {
    await body.receive(req, res)
    if (bytesOf(req).length > LARGE_BYTES) res.set(await limiter('large', caller))
    return await handler(readCall(req, res, route, store))
  } finally {
    leave()
  }
}

const NOBODY: Principal = { account: '', person: '', clientId: '', roles: [], scopes: [], isBound: false }

function readCall<B, Q>(req: Request, res: Response, route: Route<B, Q>, store: Store): Call<B, Q> {
  const { principal } = localsOf(res)
  return {
    params: (name) => readParam(req, name),
    body: route.body?.parse(bytesOf(req)) as B,
    query: route.query?.parse({ ...req.query }) as Q,
    principal: principal ?? NOBODY,
    account: principal?.account ?? '',
    viewer: () => readViewer(principal, store),
  }
}

function bytesOf(req: Request): Uint8Array {
  const body: unknown = req.body
  return Buffer.isBuffer(body) ? body : new Uint8Array()
}

function readParam(req: Request, name: string): string {
  const value = req.params[name]
  if (typeof value !== 'string') throw new HttpProblem('not-found', 'there is nothing here')
  return value
}

async function readViewer(principal: Principal | undefined, store: Store): Promise<Viewer> {
  // A workflow publishes, and nothing else: it is shown what anyone is.
  if (principal === undefined || principal.publishes !== undefined) return ANYONE
  const namespaces = isAllowed(principal, 'registry:publish')
    ? await store.readAccountNamespaces(principal.account)
    : []
  return { reviewer: isAllowed(principal, 'registry:review'), namespaces: new Set(namespaces) }
}
