import type { Request, RequestHandler, Response, Router } from 'express'
import { assertScope, isAllowed, type Principal } from '../auth/scopes.js'
import type { Authenticate } from '../auth/token.js'
import type { Ledger } from '../log/ledger.js'
import { ANYONE, type Viewer } from '../publish/catalogue.js'
import type { KeptAnswer, Store } from '../storage/store.js'
import { allowAnyOrigin, preflight } from './cors.js'
import type { Idempotency, KeyedRequest, Outcome } from './idempotency.js'
import { addressKey, callerKey, LARGE_BYTES, type Limiter } from './limits.js'
import { HttpProblem } from './problems.js'
import type { Room } from './room.js'
import { localsOf, type AddRoute, type Answer, type Call, type Handler, type Route } from './route.js'

interface Doors {
  readonly authenticate: Authenticate
  readonly limiter: Limiter
  /** For the bodies of whom we know, and of everybody else: those who come by the thousand shut nobody known out. */
  readonly room: Room
  readonly strangersRoom: Room
  readonly idempotency: Idempotency
  readonly store: Store
  readonly ledger: Pick<Ledger, 'publishedEnd' | 'sync'>
  /** Pages of other origins may read what anyone may. */
  readonly isPrivate: boolean
}

/**
 * Adds routes whose steps always come in this order: who, may they, how often, the body, what was answered under the
 * same key before, the handler, the answer as it is published.
 */
export function routeAdder(router: Router, doors: Doors): AddRoute {
  return (method, path, route, handler) => {
    const isOpen = method === 'get' && route.scope === undefined && !doors.isPrivate
    if (isOpen) router.options(path, preflight)
    const first = [enter(route, doors.authenticate), count(route, doors.limiter)]
    router[method](path, ...first, async (req, res) => {
      if (route.secretAnswer === true) localsOf(res).isSecret = true
      const outcome = await work({ req, res }, route, handler, doors)
      if (isOpen) allowAnyOrigin(res)
      if ('refusal' in outcome) sendKept(res, outcome.refusal)
      else
        sendAnswer(res, method === 'post' ? asPublished(outcome.answer, doors.ledger, res) : outcome.answer)
    })
  }
}

function sendAnswer(res: Response, { status = 200, body, type }: Answer): void {
  res.status(status)
  res.set('Cache-Control', 'no-store')
  if (type === undefined) res.json(body)
  else res.set('Content-Type', type).send(body)
}

function sendKept(res: Response, { status, headers, body }: KeptAnswer): void {
  const bytes = Buffer.from(body)
  res.writeHead(status, { ...headers, 'Content-Length': bytes.length, 'Cache-Control': 'no-store' })
  res.end(bytes)
}

/**
 * What was logged and is not published yet is accepted, and no more: the answer is the same, with where to look until
 * the quorum is there.
 */
function asPublished(answer: Answer, ledger: Doors['ledger'], res: Response): Answer {
  const { body } = answer
  if (typeof body !== 'object' || body === null || !('index' in body)) return answer
  const { index } = body
  if (typeof index !== 'number') return answer
  localsOf(res).index = index
  if (index < ledger.publishedEnd()) return answer
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

function callerOf(req: Request, res: Response): string {
  return callerKey(localsOf(res).principal?.account, req.ip)
}

function count<B, Q>({ limit = 'reads' }: Route<B, Q>, limiter: Limiter): RequestHandler {
  return async (req, res, next) => {
    // Nobody's report is worth more for who they are.
    if (limit === 'seen') res.set(await limiter(limit, addressKey(req.ip)))
    else {
      // Many accounts behind one address ask as often as one: whoever is asked sees the registry alone.
      if (limit === 'proofs') res.set(await limiter(limit, `address ${addressKey(req.ip)}`))
      res.set(await limiter(limit, callerOf(req, res)))
    }
    next()
  }
}

interface Exchange {
  readonly req: Request
  readonly res: Response
}

/** The body's room is taken from before its first byte until the handler is done, whether the caller waits or not. */
async function work<B, Q>(
  { req, res }: Exchange,
  route: Route<B, Q>,
  handler: Handler<B, Q>,
  doors: Doors,
): Promise<Outcome> {
  const { body } = route
  if (body === undefined) return runOnce({ req, res }, route, handler, doors)
  const announced = Number(req.headers['content-length'] ?? body.limit)
  const caller = callerOf(req, res)
  const room = localsOf(res).principal === undefined ? doors.strangersRoom : doors.room
  const leave = room.enter(caller, Math.min(announced, body.limit))
  try {
    await body.receive(req, res)
    if (bytesOf(req).length > LARGE_BYTES) res.set(await doors.limiter('large', caller))
    return await runOnce({ req, res }, route, handler, doors)
  } finally {
    leave()
  }
}

/** Once for all requests with the same key; a request that cannot be read uses none. */
async function runOnce<B, Q>(
  { req, res }: Exchange,
  route: Route<B, Q>,
  handler: Handler<B, Q>,
  { store, ledger, idempotency }: Doors,
): Promise<Outcome> {
  const call = readCall(req, res, route, store)
  const run = async (): Promise<Answer> => {
    // What another process published a moment ago is part of the answer.
    if (store.isShared && req.path.startsWith('/v1/')) await ledger.sync()
    return handler(call)
  }
  const keyed = keyedRequest(req, res, route)
  if (keyed === undefined) return { answer: await run(), isReplay: false }
  const outcome = await idempotency.run(keyed, run)
  if ('refusal' in outcome || outcome.isReplay) {
    localsOf(res).isReplay = true
    res.set('Idempotency-Replayed', 'true')
    if (store.isShared) await ledger.sync()
  }
  return outcome
}

/** A POST of somebody known, with a key. */
function keyedRequest<B, Q>(req: Request, res: Response, route: Route<B, Q>): KeyedRequest | undefined {
  const key = req.get('idempotency-key')
  const { principal, traceId } = localsOf(res)
  if (key === undefined || req.method !== 'POST' || route.scope === undefined) return undefined
  if (principal === undefined) return undefined
  const contentType = req.get('content-type') ?? ''
  const isSecret = route.secretAnswer === true
  return {
    ...{ key, principal, traceId, contentType, isSecret },
    ...{ method: req.method, target: req.originalUrl, body: bytesOf(req) },
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
