import { READ_SCOPE, SCOPES, type Scope } from '../../auth/scopes.js'
import type { Privacy } from '../../config.js'
import type { RouteEntry } from '../route.js'
import { publicEvent } from '../schemas/answers/static.js'
import { EVIDENCE } from './evidence.js'
import { describeFixed, type Fixed } from './fixed.js'
import { MCP_REGISTRY } from './mcp-registry.js'
import { describeRoute } from './operation.js'
import { OPERATIONS } from './operations.js'
import { pathTemplate } from './parameters.js'
import { problemResponses, problemSchemas } from './problems.js'
import { openSchemas, type Schemas } from './schema.js'
import { TAGS } from './tags.js'
import { tokenOperations } from './tokens.js'
import type { OpenApiDocument, Paths } from './types.js'

export interface Description {
  readonly routes: readonly RouteEntry[]
  readonly publicUrl: string
  /** Where people log in, if not here. */
  readonly issuer?: string | undefined
  /** What is read with a token; nothing when absent. */
  readonly privacy?: Privacy | undefined
}

/**
 * THE DOCUMENT: every line of the API's index, told by the schemas that validate it; what stands beside the index, told
 * by hand; and what they share.
 */
export function describeApi({ routes, publicUrl, issuer, privacy }: Description): OpenApiDocument {
  const schemas = openSchemas()
  // Named by the words of the stream: its lines are no answer of their own.
  schemas.of(publicEvent)
  const beside = [...EVIDENCE, ...MCP_REGISTRY, ...tokenOperations(issuer !== undefined), ...OPERATIONS]
  const paths = merge([describeRoutes(routes, schemas), describeFixed(beside.map(closeTo(privacy)), schemas)])
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: INFO,
    servers: [{ url: publicUrl }],
    tags: TAGS,
    paths,
    components: {
      schemas: { ...problemSchemas(), ...schemas.named() },
      responses: problemResponses(),
      headers: HEADERS,
      parameters: { IdempotencyKey: IDEMPOTENCY_KEY },
      securitySchemes: securitySchemes(publicUrl, issuer),
    },
  }
}

const INFO = {
  title: 'Countersign registry',
  version: 'v1',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  description: [
    'A signed registry of MCP tools. Hosts need no token and believe nothing: they verify what they fetch.',
    'Errors are RFC 9457 problem documents with a stable `code`; every code is explained at /docs/problems.',
    'Lists page by an opaque `cursor`. Unknown members are refused. POST takes an `Idempotency-Key`.',
    'Answers may gain members: do not refuse what you do not know.',
  ].join('\n\n'),
}

function describeRoutes(routes: readonly RouteEntry[], schemas: Schemas): Paths {
  const paths: Paths = {}
  for (const entry of routes)
    (paths[pathTemplate(entry.path)] ??= {})[entry.method] = describeRoute(entry, schemas)
  return paths
}

/** Reads that are no line of the index ask for the scope as well, where the registry is private. */
function closeTo(privacy: Privacy | undefined): (operation: Fixed) => Fixed {
  const closed = privacy === 'all' ? /^\/(?:v1|v0\.1|log)\// : /^\/v1\//
  return (operation) =>
    privacy !== undefined && closed.test(operation.path)
      ? { ...operation, security: [{ oauth2: [READ_SCOPE] }] }
      : operation
}

/** By path; a path may have lines in the index and others beside it, but no operation twice. */
function merge(parts: readonly Paths[]): Paths {
  const paths: Paths = {}
  for (const [path, operations] of parts.flatMap((part) => Object.entries(part))) {
    const known = (paths[path] ??= {})
    for (const [method, operation] of Object.entries(operations)) {
      if (known[method] !== undefined) throw new Error(`${method} ${path} is described twice`)
      known[method] = operation
    }
  }
  return Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const text = (description: string) => ({ description, schema: { type: 'string' } })
const number = (description: string) => ({ description, schema: { type: 'integer', minimum: 0 } })

const HEADERS = {
  ETag: text('Strong: the same bytes have the same one.'),
  Location: text('Where to look until it is published.'),
  'Retry-After': number('Seconds.'),
  'RateLimit-Limit': number('Requests a window.'),
  'RateLimit-Remaining': number('Of them, those that are left.'),
  'RateLimit-Reset': number('Seconds until the window ends.'),
  'WWW-Authenticate': text('Where to get a token, and which scope it needs.'),
  'X-Request-Id': text("What the operator's log has the request under."),
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Random, one for each thing to be done. The same key with the same request within a day is answered as the first ' +
    'time was, with `Idempotency-Replayed: true`.',
  schema: { type: 'string', minLength: 16, maxLength: 255, pattern: '^[!-~]+$' },
}

const SCOPE_WORDS: Readonly<Record<Scope, string>> = {
  'registry:publish': 'Namespaces, keys and manifests, for publishers.',
  'registry:review': 'The queue and decisions, for reviewers.',
  'registry:audit': 'The audit trail, for auditors.',
  'registry:admin': 'Accounts, clients and the policy, for admins.',
  'registry:read': 'Reads, where a registry is private; every role has it.',
}

function securitySchemes(publicUrl: string, issuer: string | undefined) {
  const scopes = Object.fromEntries(SCOPES.map((scope) => [scope, SCOPE_WORDS[scope]]))
  const tokenUrl = `${publicUrl}/oauth/token`
  const people = { authorizationUrl: `${publicUrl}/oauth/authorize`, tokenUrl, scopes }
  const metadata = '/.well-known/openid-configuration'
  return {
    oauth2: {
      type: 'oauth2',
      description:
        'JWT access tokens (RFC 9068) with this registry as audience; DPoP (RFC 9449) is supported.',
      flows: {
        clientCredentials: { tokenUrl, scopes },
        ...(issuer === undefined && { authorizationCode: people }),
      },
    },
    oidc: {
      type: 'openIdConnect',
      description: 'The issuer of people: authorization code with PKCE, and the device flow.',
      openIdConnectUrl: `${issuer?.replace(/\/$/, '') ?? publicUrl}${metadata}`,
    },
  }
}
