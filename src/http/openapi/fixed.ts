import type { z } from 'zod'
import { pathParameters } from './parameters.js'
import { operationId } from './operation.js'
import { problemReference } from './problems.js'
import type { Schemas } from './schema.js'
import { tagOf } from './tags.js'
import type { JsonSchema, Operation, Parameter, Paths, Response, Security } from './types.js'

/** An operation that is no line of the API's index, told by hand. */
export interface Fixed {
  readonly method?: 'get' | 'post'
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly query?: readonly Parameter[]
  readonly headers?: readonly Parameter[]
  /** Media type and shape of its answer; a type without a shape is bytes or text. */
  readonly answer: readonly [type: string, shape?: z.ZodType]
  /** Finished bytes with a strong ETag: 304 to who has them. */
  readonly isDocument?: true
  readonly form?: JsonSchema
  /** Statuses of its problems. */
  readonly problems?: readonly number[]
  /** Answers in the words of other standards, which are no problem documents; or not always, where `problems` has them too. */
  readonly others?: Readonly<Record<number, readonly [description: string, shape: z.ZodType]>>
  readonly security?: Security
}

const PROBLEM = { $ref: '#/components/schemas/Problem' }

export function describeFixed(operations: readonly Fixed[], schemas: Schemas): Paths {
  const paths: Paths = {}
  for (const fixed of operations) (paths[fixed.path] ??= {})[fixed.method ?? 'get'] = describe(fixed, schemas)
  return paths
}

function describe(fixed: Fixed, schemas: Schemas): Operation {
  const { method = 'get', path, summary, description, query = [], headers = [], security } = fixed
  const parameters = [...pathParameters(path), ...query, ...headers]
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary,
    ...(description !== undefined && { description }),
    security: security ?? [{}],
    ...(parameters.length > 0 && { parameters }),
    ...(fixed.form !== undefined && {
      requestBody: {
        required: true,
        content: { 'application/x-www-form-urlencoded': { schema: fixed.form } },
      },
    }),
    responses: responsesOf(fixed, schemas),
  }
}

function responsesOf(fixed: Fixed, schemas: Schemas): Operation['responses'] {
  const { answer, isDocument, problems = [], others = {} } = fixed
  const [type, shape] = answer
  const schema = shape === undefined ? { type: 'string' } : schemas.of(shape)
  const etag = { headers: { ETag: { $ref: '#/components/headers/ETag' } } }
  const answers: Record<string, Response> = {
    200: {
      description: 'As it is.',
      ...(isDocument === true && etag),
      content: { [type]: { schema } },
    },
    ...(isDocument === true && { 304: { description: 'You have it: If-None-Match holds.', ...etag } }),
  }
  const refused = problems.map((status) => [String(status), problemReference(status)])
  const told = Object.entries(others).map(([status, [description, other]]) => {
    const problem = problems.includes(Number(status))
      ? { 'application/problem+json': { schema: PROBLEM } }
      : {}
    const content = { 'application/json': { schema: schemas.of(other) }, ...problem }
    return [status, { description, content }]
  })
  return { ...answers, ...Object.fromEntries([...refused, ...told]) } as Operation['responses']
}
