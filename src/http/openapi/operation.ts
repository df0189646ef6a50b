import { z } from 'zod'
import type { Needs } from '../../auth/scopes.js'
import type { Described, RouteEntry } from '../route.js'
import { pathParameters, pathTemplate, queryParameters } from './parameters.js'
import { problemReference, statusOf } from './problems.js'
import type { Schemas } from './schema.js'
import { tagOf } from './tags.js'
import type { JsonSchema, Operation, Reference, Response, Security } from './types.js'

/** One line of the API's index, as the document tells it. Throws where the line says nothing about itself. */
export function describeRoute(entry: RouteEntry, schemas: Schemas): Operation {
  const { method, path, route } = entry
  const { doc } = route
  if (doc === undefined) throw new Error(`${method} ${path} is not described`)
  const template = pathTemplate(path)
  const parameters = [
    ...pathParameters(template),
    ...queryParameters(route.query, schemas),
    ...(isRepeatable(entry) ? [IDEMPOTENCY_KEY] : []),
  ]
  return {
    operationId: operationId(method, template),
    tags: [tagOf(template)],
    summary: doc.summary,
    ...(describe(entry, doc) !== '' && { description: describe(entry, doc) }),
    security: securityOf(route.scope),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body !== undefined && { requestBody: requestBody(route.body, schemas) }),
    responses: { ...answersOf(entry, doc, schemas), ...problemsOf(entry, doc) },
  }
}

/** `get /v1/servers/{ns}/{name}` is `getServersNsName`. */
export function operationId(method: string, template: string): string {
  const words = template.replace(/^\/v1\//, '').match(/[A-Za-z0-9]+/g) ?? []
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

const IDEMPOTENCY_KEY: Reference = { $ref: '#/components/parameters/IdempotencyKey' }

function isRepeatable({ method, route }: RouteEntry): boolean {
  return method === 'post' && route.scope !== undefined
}

function describe({ route, method }: RouteEntry, { description, codes = [] }: Described): string {
  const published = method === 'post' && route.trustedPublishing === true
  return [
    description,
    published ? 'Also for a token of trusted publishing.' : undefined,
    route.secretAnswer === true ? 'The answer carries a secret that is shown once.' : undefined,
    codes.length > 0 ? `Codes of this route: ${codes.map((code) => `\`${code}\``).join(', ')}.` : undefined,
  ]
    .filter((text) => text !== undefined)
    .join('\n\n')
}

/** Open routes take a token, too: owners and reviewers see more with one. */
function securityOf(needs: Needs | undefined): Security {
  if (needs === undefined) return [{}, { oauth2: [] }]
  if (needs === 'any') return [{ oauth2: [] }]
  return (typeof needs === 'string' ? [needs] : needs).map((scope) => ({ oauth2: [scope] }))
}

type Body = NonNullable<RouteEntry['route']['body']>

function requestBody({ type, limit, schema }: Body, schemas: Schemas): NonNullable<Operation['requestBody']> {
  const shape: JsonSchema = schema === undefined ? { type: 'string', minLength: 1 } : schemas.of(schema)
  return {
    required: true,
    description: `At most ${limit} bytes, without a Content-Encoding.`,
    content: { [type]: { schema: shape } },
  }
}

function answersOf(
  { method }: RouteEntry,
  { answers, orNote }: Described,
  schemas: Schemas,
): Record<string, Response> {
  const told = Object.entries(answers).map(([status, schema]) => [Number(status), schema] as const)
  const logged =
    method === 'post' ? told.find(([status, schema]) => status < 202 && isLogged(schema)) : undefined
  const waits = logged !== undefined && answers[202] === undefined ? [[202, logged[1]] as const] : []
  return Object.fromEntries(
    [...told, ...waits].map(([status, schema]) => [
      String(status),
      {
        description: ANSWERS[status] ?? 'Done.',
        headers: headersOf(status),
        content: {
          'application/json': { schema: schemas.of(schema) },
          ...(orNote === true && { 'text/plain': { schema: { type: 'string' } } }),
        },
      },
    ]),
  )
}

/** What was logged says where, and is only accepted until a published checkpoint covers it. */
function isLogged(schema: z.ZodType): boolean {
  return schema instanceof z.ZodObject && 'index' in schema.shape && 'published' in schema.shape
}

const ANSWERS: Readonly<Record<number, string>> = {
  200: 'As it is.',
  201: 'Done, for good.',
  202: 'Accepted: logged and not published yet (`published: false`, with Location), or kept until it suffices.',
}

function headersOf(status: number): Readonly<Record<string, Reference>> {
  const names = ['X-Request-Id', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']
  if (status === 202) names.push('Location')
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** What every route of its kind may refuse, and what only this one does. */
function problemsOf(entry: RouteEntry, { codes = [] }: Described): Record<string, Reference> {
  const { path, route } = entry
  const reads = route.query !== undefined || route.body !== undefined || path.includes(':')
  const statuses = new Set([401, 429, 503, ...codes.map(statusOf)])
  if (reads || isRepeatable(entry)) statuses.add(400)
  if (route.scope !== undefined) statuses.add(403)
  if (path.includes(':')) statuses.add(404)
  if (isRepeatable(entry)) for (const status of [409, 422]) statuses.add(status)
  if (route.body !== undefined) for (const status of [413, 415]) statuses.add(status)
  return Object.fromEntries([...statuses].map((status) => [String(status), problemReference(status)]))
}
