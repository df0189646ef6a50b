import type { RequestListener } from 'node:http'
import express, { type Express } from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import type { Logger } from 'pino'
import type { Auth } from '../auth/auth.js'
import type { Privacy } from '../config.js'
import type { Context } from '../publishers/context.js'
import type { WebhookKey } from '../webhooks/key.js'
import { answerProblems, logAccess } from './access.js'
import { addRoutes } from './app.js'
import type { Rooms } from './rooms.js'
import { compressAnswers } from './compression.js'
import { preflight } from './cors.js'
import { addDocs } from './docs.js'
import { openEventStreams } from './events.js'
import { openHealth } from './health.js'
import { openIdempotency } from './idempotency.js'
import { addMcpRegistry } from './mcp-registry.js'
import { openMetrics } from './metrics.js'
import { openLimiter, type Limiter, type Limits } from './limits.js'
import { addPages } from './pages.js'
import { openReaders, type Readers } from './privacy.js'
import { HttpProblem, toProblem } from './problems.js'
import { providerGate } from './provider-gate.js'
import { DEFAULT_ROOM, openRoom, STRANGERS_ROOM } from './room.js'
import { routeAdder } from './route-adder.js'
import { trace, type AddRoute, type RouteEntry } from './route.js'
import { openStaticReads, type StaticReads } from './static.js'

export interface DoorOptions {
  readonly context: Context
  readonly auth: Auth
  readonly publicUrl: string
  readonly webhookKey: WebhookKey
  readonly limits: Limits
  readonly trustProxy: number | readonly string[]
  readonly log: Logger
  /** What may be read without a token; everything when absent. */
  readonly privacy?: Privacy | undefined
  /** What `/metrics` is read with. */
  readonly metricsToken?: string | undefined
  /** Where people log in, if not here. */
  readonly external?: Rooms['external']
  /** What the organisation asks of its hosts. */
  readonly hostPolicy?: Rooms['hostPolicy']
}

export interface Door {
  readonly app: RequestListener
  /** Nobody should be sent here any more, and streams end; whatever else comes is answered as before. */
  drain(): void
  /** When nothing comes any more. */
  close(): void
}

/**
 * The door: health and static reads before anything else, then the authorization server on its own paths and the pages
 * of its logins, then the API.
 */
export function openDoor(options: DoorOptions): Door {
  const { context, auth, publicUrl, log } = options
  const { store } = context
  const metrics = openMetrics({ context, token: options.metricsToken })
  const limiter = openLimiter(options.limits, (name, rate) => store.counter(name, rate), metrics.countRefused)
  const readers = openReaders(options.privacy, auth.authenticate)
  const reads = openStaticReads({ ...context, readers, onAnswer: metrics.count })
  const events = openEventStreams(context, { log, limiter })
  const health = openHealth(context)
  const resourceMetadata = `${publicUrl}/.well-known/oauth-protected-resource`
  const problems = answerProblems(resourceMetadata, log)

  const app = openExpress(options.trustProxy)
  app.use(trace, logAccess(log, metrics.count), helmet(browserRules(publicUrl)))
  app.use(providerGate(auth, limiter, publicUrl))
  if (!auth.hasExternalIssuer) addPages(app, { auth, limiter, publicUrl, log })
  app.use(compressAnswers(), readers.gate)
  const routes = addApi(app, options, { limiter, readers, reads, resourceMetadata })
  app.get('/v1/events', events.handler)
  if (!readers.isPrivate) app.options('/v1/events', preflight)
  addMcpRegistry(app, { context, publicUrl, log, limiter, isPrivate: options.privacy === 'all' })
  addDocs(app, { routes, publicUrl, issuer: options.external?.issuer, privacy: options.privacy })
  metrics.add(app)
  app.use(() => {
    throw new HttpProblem('not-found', 'there is nothing here')
  })
  app.use(problems.handler)

  return {
    app: (req, res) => {
      if (health.answer(req, res)) return
      const answered = reads.answer(req, res)
      if (answered === true) return
      Promise.resolve(answered)
        .then((isAnswered) => {
          if (!isAnswered) app(req, res)
        })
        .catch((error: unknown) => problems.answer(error, req, res))
    },
    drain() {
      health.close()
      events.close()
    },
    close: () => reads.close(),
  }
}

interface Gates {
  readonly limiter: Limiter
  readonly readers: Readers
  readonly reads: StaticReads
  readonly resourceMetadata: string
}

/** The API's index, and what its lines are. */
function addApi(app: Express, options: DoorOptions, gates: Gates): readonly RouteEntry[] {
  const { context, auth, log } = options
  const { store, ledger, now } = context
  const { limiter, readers, reads, resourceMetadata } = gates
  const problemOf = (error: unknown) => toProblem(error, resourceMetadata)
  const add = routeAdder(app, {
    ...{ limiter, store, ledger, authenticate: auth.authenticate, isPrivate: readers.isPrivate },
    room: openRoom(DEFAULT_ROOM),
    strangersRoom: openRoom(STRANGERS_ROOM),
    idempotency: openIdempotency({ store, problemOf, log, now }),
  })
  const routes: RouteEntry[] = []
  const addAndDescribe: AddRoute = (method, path, given, handler) => {
    const reading = readers.scopeOf(method, path)
    const route = given.scope === undefined && reading !== undefined ? { ...given, scope: reading } : given
    routes.push({ method, path, route })
    add(method, path, route, handler)
  }
  addRoutes(addAndDescribe, { ...options, reads })
  return routes
}

function openExpress(trustProxy: DoorOptions['trustProxy']): Express {
  const app = express()
  app.disable('x-powered-by')
  // One spelling of each path: a proxy in front that closes one closes the route.
  app.enable('case sensitive routing')
  app.enable('strict routing')
  app.set('trust proxy', typeof trustProxy === 'number' ? trustProxy : [...trustProxy])
  app.set('query parser', 'simple')
  app.set('etag', false)
  return app
}

/** Of answers that are no page, and say so by headers of their own: browsers may load and frame nothing. */
function browserRules(publicUrl: string): HelmetOptions {
  const directives = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }
  return {
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: publicUrl.startsWith('https:'),
  }
}
