import type { RequestListener } from 'node:http'
import express from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import type { Logger } from 'pino'
import type { Auth } from '../auth/auth.js'
import type { Context } from '../publishers/context.js'
import type { WebhookKey } from '../webhooks/key.js'
import { answerProblems, logAccess } from './access.js'
import { addRoutes } from './app.js'
import type { Rooms } from './rooms.js'
import { addDocs } from './docs.js'
import { openEventStreams } from './events.js'
import { addMcpRegistry } from './mcp-registry.js'
import { openMetrics } from './metrics.js'
import { openLimiter, type Limits } from './limits.js'
import { addPages } from './pages.js'
import { HttpProblem } from './problems.js'
import { providerGate } from './provider-gate.js'
import { DEFAULT_ROOM, openRoom } from './room.js'
import { routeAdder, trace, type AddRoute, type RouteEntry } from './route.js'
import { openStaticReads } from './static.js'

export interface DoorOptions {
  readonly context: Context
  readonly auth: Auth
  readonly publicUrl: string
  readonly webhookKey: WebhookKey
  readonly limits: Limits
  readonly trustProxy: number | readonly string[]
  readonly log: Logger
  /** What `/metrics` is read with. */
  readonly metricsToken?: string | undefined
  /** Where people log in, if not here. */
  readonly external?: Rooms['external']
}

/**
 * The door: static reads before anything else, then the authorization server on its own paths and the pages of its
 * logins, then the API.
 */
export function openDoor(options: DoorOptions): RequestListener {
  const { context, auth, publicUrl, log } = options
  const limiter = openLimiter(options.limits)
  const reads = openStaticReads(context)
  const events = openEventStreams(context)
  const metrics = openMetrics({ context, token: options.metricsToken })
  const problems = answerProblems(`${publicUrl}/.well-known/oauth-protected-resource`, log)

  const app = express()
  app.disable('x-powered-by')
  // One spelling of each path: a proxy in front that closes one closes the route.
  app.enable('case sensitive routing')
  app.enable('strict routing')
  app.set(
    'trust proxy',
    typeof options.trustProxy === 'number' ? options.trustProxy : [...options.trustProxy],
  )
  app.set('query parser', 'simple')
  app.set('etag', false)
  app.use(trace, logAccess(log), helmet(browserRules(publicUrl)))
  app.use(providerGate(auth, limiter, publicUrl))
  if (!auth.hasExternalIssuer) addPages(app, { auth, limiter, publicUrl, log })
  const room = openRoom(DEFAULT_ROOM)
  const { store, ledger } = context
  const routes: RouteEntry[] = []
  const add = routeAdder(app, { ...auth, limiter, room, store, ledger })
  const addAndDescribe: AddRoute = (method, path, route, handler) => {
    routes.push({ method, path, route: route as RouteEntry['route'] })
    add(method, path, route, handler)
  }
  addRoutes(addAndDescribe, { ...options, reads })
  app.get('/v1/events', events.handler)
  addMcpRegistry(app, { context, publicUrl })
  addDocs(app, { routes, publicUrl })
  metrics.add(app)
  app.use(() => {
    throw new HttpProblem('not-found', 'there is nothing here')
  })
  app.use(problems.handler)

  return (req, res) => {
    reads
      .answer(req, res)
      .then((answered) => {
        if (!answered) app(req, res)
      })
      .catch((error: unknown) => problems.answer(error, req, res))
  }
}

/** Of answers that are no page, and say so by headers of their own: browsers may load and frame nothing. */
function browserRules(publicUrl: string): HelmetOptions {
  const directives = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }
  return {
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: publicUrl.startsWith('https:'),
  }
}
