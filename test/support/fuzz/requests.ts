import fc from 'fast-check'
import type { Described, Operation, Parameter, Schema } from '../openapi.js'
import { hostileText, spoilt, valid, type Pool } from './values.js'

/** A request as it goes out; whose token it carries is a name. */
export interface FuzzRequest {
  readonly method: string
  readonly path: string
  readonly as: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Who calls: roles with a token, nobody, and somebody with a token that is none. */
export const WHO = ['publisher', 'reviewer', 'admin', 'auditor', 'nobody', 'forger'] as const

/** A stream has no end; and only these accounts may be disabled without ending the run. */
const LEFT_OUT = new Set(['getEvents'])

/** Requests that the description allows, that it nearly allows, and that it does not know. */
export function requests(api: Described, pool: Pool): fc.Arbitrary<FuzzRequest> {
  const operations = Object.entries(api.document.paths)
    .filter(([path]) => !path.startsWith('/oauth/') && !path.startsWith('/docs'))
    .flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { operationId }]) => !LEFT_OUT.has(operationId))
        .map(([method, operation]) => described(api, pool, { path, method, operation })),
    )
  return fc.oneof({ weight: 9, arbitrary: fc.oneof(...operations) }, { weight: 1, arbitrary: unknown(api) })
}

interface Line {
  readonly path: string
  readonly method: string
  readonly operation: Operation
}

function described(api: Described, pool: Pool, { path, method, operation }: Line): fc.Arbitrary<FuzzRequest> {
  const parameters = (operation.parameters ?? []).map((one) => api.resolve<Parameter>(one))
  const values = Object.fromEntries(
    parameters.map((one) => [`${one.in} ${one.name}`, parameterValue(one, api, pool)]),
  )
  const [first] = Object.entries(operation.requestBody?.content ?? {})
  const [type, content] = first ?? ['', undefined]
  return fc
    .record({
      values: fc.record(values, { noNullPrototype: true }),
      as: who(operation),
      body: content === undefined ? fc.constant(undefined) : bodyOf(type, content.schema, api, pool),
      type: content === undefined ? fc.constant('') : mediaType(type),
    })
    .map(({ values: given, as, body, type: sent }) => ({
      method: method.toUpperCase(),
      path: fillPath(path, given) + queryOf(given),
      as,
      headers: { ...headersOf(given), ...(body !== undefined && sent !== '' && { 'content-type': sent }) },
      ...(body !== undefined && { body }),
    }))
}

/** Mostly somebody who may. */
function who({ security }: Operation): fc.Arbitrary<string> {
  const scopes = security.flatMap((one) => Object.values(one).flat())
  const byScope: Readonly<Record<string, string>> = {
    'registry:publish': 'publisher',
    'registry:review': 'reviewer',
    'registry:admin': 'admin',
    'registry:audit': 'auditor',
  }
  const allowed = scopes.flatMap((scope) => byScope[scope] ?? [])
  const anyone = fc.constantFrom(...WHO)
  if (allowed.length === 0) return anyone
  return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...allowed) }, { weight: 1, arbitrary: anyone })
}

function parameterValue(one: Parameter, api: Described, pool: Pool): fc.Arbitrary<string | undefined> {
  const right = valid(one.schema, api, pool, one.name).map(String)
  if (one.in === 'header') {
    // Headers are visible ASCII: everything else does not leave the client.
    const wrong = fc.constantFrom('short', 'a b c d e f g h i j k l', 'x'.repeat(300))
    return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, right, wrong)
  }
  const given = fc.oneof({ weight: 5, arbitrary: right }, { weight: 1, arbitrary: hostileText })
  return one.required === true ? given : fc.option(given, { nil: undefined })
}

function bodyOf(type: string, schema: Schema, api: Described, pool: Pool): fc.Arbitrary<string> {
  const right = type === 'application/json' ? valid(schema, api, pool) : valid(schema, api, pool, type)
  const write = (value: unknown): string =>
    type === 'application/json' ? JSON.stringify(value) : String(value)
  return fc.oneof(
    { weight: 4, arbitrary: right.map(write) },
    { weight: 3, arbitrary: spoilt(right).map(write) },
    { weight: 1, arbitrary: rawBody },
  )
}

/** What is no document of any kind, or one that is made to hurt. */
const rawBody = fc.oneof(
  hostileText,
  fc.constantFrom(
    '{',
    '{"a":1,"a":2}',
    '{"__proto__":{"polluted":true}}',
    '['.repeat(5000),
    `{"a":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`,
    `{"reason":"${'x'.repeat(70_000)}"}`,
    '{"after":1e400}',
    '{"reason":"\\ud800"}',
    '\ufeff{}',
  ),
)

function mediaType(type: string): fc.Arbitrary<string> {
  const wrong = fc.constantFrom(
    '',
    'text/html',
    'application/xml',
    `${type}; charset=utf-16`,
    'multipart/form-data',
  )
  return fc.oneof({ weight: 7, arbitrary: fc.constant(type) }, { weight: 1, arbitrary: wrong })
}

type Values = Readonly<Record<string, string | undefined>>

function fillPath(path: string, values: Values): string {
  return path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) =>
    encodeURIComponent(wellFormed(values[`path ${name}`])),
  )
}

function queryOf(values: Values): string {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) {
    if (key.startsWith('query ') && value !== undefined) query.append(key.slice(6), value)
  }
  return query.size === 0 ? '' : `?${query.toString()}`
}

function headersOf(values: Values): Record<string, string> {
  const headers = Object.entries(values).filter(
    ([key, value]) => key.startsWith('header ') && value !== undefined,
  )
  return Object.fromEntries(headers.map(([key, value]) => [key.slice(7), value ?? '']))
}

/** Half a character cannot be in a URL; `.` and `..` would be taken for steps by the client itself. */
function wellFormed(text = ''): string {
  const whole = text.replaceAll(
    /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    '?',
  )
  return /^\.{0,2}$/.test(whole) ? 'x' : whole
}

/** Methods and paths that nobody described. */
function unknown(api: Described): fc.Arbitrary<FuzzRequest> {
  const paths = Object.keys(api.document.paths)
  const path = fc.oneof(
    fc.constantFrom(...paths).map((one) => one.replaceAll(/[{}]/g, '')),
    fc
      .array(hostileText, { maxLength: 4 })
      .map((parts) => `/${parts.map((one) => encodeURIComponent(wellFormed(one))).join('/')}`),
    fc.constantFrom(
      '/v1//servers',
      '/V1/servers',
      '/v1/servers/',
      '/%76%31/servers',
      '/v1/%',
      '/v1/servers/%ff/x',
      '/.git/config',
    ),
  )
  return fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path,
    as: fc.constantFrom(...WHO),
    headers: fc.constantFrom({}, { 'x-http-method-override': 'DELETE' }, { 'x-forwarded-for': '127.0.0.1' }),
  })
}
