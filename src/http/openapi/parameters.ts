import type { z } from 'zod'
import type { Schemas } from './schema.js'
import type { JsonSchema, Parameter } from './types.js'

const digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' } as const
const decimal = { type: 'integer', minimum: 0 } as const

/** What stands in paths, by its name there. */
const PATH_PARAMETERS: Readonly<Record<string, readonly [description: string, schema: JsonSchema]>> = {
  ns: ['A namespace, such as com.example.', { type: 'string', minLength: 1, maxLength: 200 }],
  name: ['Name of a server in its namespace.', { type: 'string', minLength: 1, maxLength: 200 }],
  version: ['An exact version.', { type: 'string', minLength: 1, maxLength: 255 }],
  digest: ['SHA-256 of what is asked for.', digest],
  kid: ['Thumbprint of a key (RFC 7638).', { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' }],
  account: ['Name of an account.', { type: 'string', minLength: 1, maxLength: 64 }],
  id: ['As the list has it.', { type: 'string', minLength: 1, maxLength: 128 }],
  index: ['Place in the log.', decimal],
  root: ['Root of a revocation list: 64 hex digits.', { type: 'string', pattern: '^[0-9a-f]{64}$' }],
  n: ['Version of the trust root.', { type: 'integer', minimum: 1 }],
  number: ['Number of a frozen log, from 1.', { type: 'integer', minimum: 1, maximum: 9999 }],
  tile: [
    'Path of a tile as C2SP tlog-tiles writes it, with its slashes: `0/000`, `0/000.p/5`, `entries/000`.',
    { type: 'string', minLength: 1, maxLength: 200 },
  ],
  server: ['Name of a server; its slash as `%2F` or as it is.', { type: 'string', maxLength: 400 }],
}

/** `:ns` in the router's words is `{ns}` here. */
export function pathTemplate(path: string): string {
  return path.replaceAll(/:([A-Za-z]+)/g, '{$1}')
}

export function pathParameters(template: string): Parameter[] {
  return [...template.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name = '']) => {
    const known = PATH_PARAMETERS[name]
    if (known === undefined) throw new Error(`nothing is said about {${name}} of ${template}`)
    const [description, schema] = known
    return { name, in: 'path', required: true, description, schema }
  })
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly anyOf?: readonly ObjectSchema[]
}

/** Members of the query. Of alternatives every member is optional: which of them, the description says. */
export function queryParameters(query: z.ZodType | undefined, schemas: Schemas): Parameter[] {
  if (query === undefined) return []
  const shape: ObjectSchema = schemas.of(query)
  const sides = shape.anyOf ?? [shape]
  return sides.flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).map(([name, schema]) => ({
      ...{ name, in: 'query' as const, schema },
      required: shape.anyOf === undefined && required.includes(name),
    })),
  )
}
