import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import { send, type Reply } from './registry.js'

// Replies held against the description of the API: what it does not tell, no answer may be.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json }

export interface Schema {
  readonly [member: string]: unknown
  readonly $ref?: string
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: Schema
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<Record<string, Response | { readonly $ref: string }>>
}

interface Response {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Described {
  readonly document: ApiDocument
  /** The operation of a request, by the most literal path that fits. */
  operationOf(method: string, path: string): { template: string; operation: Operation } | undefined
  /** What is wrong with a reply; empty when the document tells it. */
  offences(method: string, path: string, reply: Pick<Reply, 'status' | 'text' | 'headers'>): readonly string[]
  resolve<T extends object>(value: T | { readonly $ref: string }): T
}

export async function fetchDescription(url: string): Promise<Described> {
  const { status, text } = await send(url, 'GET', '/openapi.json')
  if (status !== 200) throw new Error(`no description: ${status} ${text}`)
  return describe(JSON.parse(text) as ApiDocument)
}

export function describe(document: ApiDocument): Described {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  const compiled = new Map<string, ValidateFunction>()
  const resolve = <T extends object>(value: T | { readonly $ref: string }): T => {
    if (!('$ref' in value) || typeof value.$ref !== 'string') return value as T
    const [, , kind = '', name = ''] = value.$ref.split('/')
    return document.components[kind]?.[name] as T
  }
  const templates = Object.keys(document.paths).map((template) => ({ template, fits: patternOf(template) }))
  const operationOf: Described['operationOf'] = (method, path) => {
    const bare = path.replace(/\?.*$/s, '')
    const found = templates.filter(({ fits }) => fits.test(bare))
    const [best] = found.sort((a, b) => placeholders(a.template) - placeholders(b.template))
    const operation = best === undefined ? undefined : document.paths[best.template]?.[method.toLowerCase()]
    return best === undefined || operation === undefined ? undefined : { template: best.template, operation }
  }
  return {
    document,
    operationOf,
    resolve,
    offences(method, path, reply) {
      const known = operationOf(method, path)
      if (known === undefined) return [`${method} ${path} is not described`]
      const where = `${method} ${known.template} ${reply.status}`
      const told = known.operation.responses[reply.status]
      if (told === undefined) return [`${where} is not described: ${reply.text.slice(0, 300)}`]
      const { content } = resolve<Response>(told)
      if (content === undefined) return reply.text === '' ? [] : [`${where} has a body`]
      const type = reply.headers.get('content-type')?.replace(/;.*$/, '') ?? ''
      const schema = content[type]?.schema
      if (schema === undefined) return [`${where} is ${type}`]
      if (!type.endsWith('json')) return []
      const validate = compiled.get(where) ?? ajv.compile({ ...schema, ...definitions(document) })
      compiled.set(where, validate)
      if (validate(JSON.parse(reply.text))) return []
      return (validate.errors ?? []).map(
        ({ instancePath, message = '', params }) =>
          `${where}: ${instancePath} ${message} ${JSON.stringify(params)}`,
      )
    },
  }
}

function definitions({ components }: ApiDocument): { components: unknown } {
  return { components: { schemas: closed(components['schemas']) } }
}

/** Answers may gain members, and these tests want to hear of those: objects that name their members have no others. A problem's status and code stand beside a reference: that stays open. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]))
  const names =
    'properties' in members && members['type'] === 'object' && !('additionalProperties' in members)
  return names ? { ...members, additionalProperties: false } : members
}

function placeholders(template: string): number {
  return template.split('{').length
}

/** `{tile}` and `{server}` have slashes in them; every other one is a segment. */
function patternOf(template: string): RegExp {
  const source = template
    .replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replaceAll(/\{(tile|server)\}/g, '.+')
    .replaceAll(/\{[A-Za-z]+\}/g, '[^/]+')
  return new RegExp(`^${source}$`)
}
