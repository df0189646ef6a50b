import type { Request, RequestHandler, Router } from 'express'
import type { Context } from '../publishers/context.js'
import { allowOrigins, openAnswers, type AnswerOptions, type Answers } from './mcp-registry/answers.js'
import { listPage, listServer, showVersion } from './mcp-registry/catalogue.js'
import { openDetails } from './mcp-registry/details.js'
import type { CatalogueRooms } from './mcp-registry/entries.js'
import { readListQuery, versionQuery, versionsQuery } from './mcp-registry/query.js'

export interface McpRegistryOptions extends AnswerOptions {
  readonly context: Context
}

const BASE = '/v0.1'
/** Of the API that is spoken here. */
const API_VERSION = '0.1'

/**
 * The MCP Registry's read API, for hosts that speak it already: VS Code, Copilot, aggregators. Everything in it is a hint
 * that `_meta` leads from to what can be verified.
 */
export function addMcpRegistry(router: Router, options: McpRegistryOptions): void {
  const { context, publicUrl, log } = options
  const rooms = { context, details: openDetails(context.store, log), publicUrl }
  const answers = openAnswers(options)
  const get = (path: string, read: (req: Request) => unknown): void => {
    router.options(BASE + path, allowOrigins(options))
    router.get(BASE + path, answers.of(read))
  }
  get('/ping', () => ({ pong: true }))
  get('/health', () => ({ status: 'ok' }))
  get('/version', () => ({ version: API_VERSION }))
  get('/servers', (req) => listPage(rooms, readListQuery(req.query)))
  addServers(router, rooms, { answers, preflight: allowOrigins(options) })
  // Publishing goes through /v1, where it is signed.
  router.all(/^\/v0\.1\//, answers.refuse)
}

/** A name as one segment, with its slash as `%2F`, or as two: proxies in between decode it. */
function addServers(
  router: Router,
  rooms: CatalogueRooms,
  { answers, preflight }: { answers: Answers; preflight: RequestHandler },
): void {
  const versions = (req: Request, name: string) => {
    const { cursor = '', limit, include_deleted: deleted = false } = versionsQuery.parse(req.query)
    return listServer(rooms, name, { limit, deleted, ...(cursor !== '' && { cursor }) })
  }
  const version = (req: Request, name: string) => {
    const { include_deleted: deleted = false } = versionQuery.parse(req.query)
    return showVersion(rooms, name, { version: param(req, 'version'), deleted })
  }
  for (const [path, read] of [
    ['versions', versions],
    ['versions/:version', version],
  ] as const) {
    const [whole, split] = [`${BASE}/servers/:name/${path}`, `${BASE}/servers/:ns/:name/${path}`]
    router.options([whole, split], preflight)
    // `com.example/versions` is a server's name as well: one segment without a slash is the first half of one.
    router.get(
      whole,
      (req, _res, next) => next(param(req, 'name').includes('/') ? undefined : 'route'),
      answers.of((req) => read(req, param(req, 'name'))),
    )
    router.get(
      split,
      answers.of((req) => read(req, `${param(req, 'ns')}/${param(req, 'name')}`)),
    )
  }
}

function param({ params }: Request, name: string): string {
  const value = params[name]
  return typeof value === 'string' ? value : ''
}
