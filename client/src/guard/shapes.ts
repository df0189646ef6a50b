import { isJsonObject, type JsonObject } from '../core/index.js'
import type { ListKind } from './events.js'

/**
 * Whether the official clients can read a definition. They check a whole list at once and give all of it up over one item
 * that has, say, a `true` where they want a schema; that item alone is withheld instead.
 */
export function isReadable(list: ListKind, definition: unknown, modern: boolean): boolean {
  if (!isJsonObject(definition) || !hasMembers(definition, COMMON)) return false
  return hasMembers(definition, OWN[list]) && (list !== 'tools' || hasSchemas(definition, modern))
}

type Test = (value: unknown) => boolean
type Members = Readonly<Record<string, Test>>

const isText: Test = (value) => typeof value === 'string'
const isFlag: Test = (value) => typeof value === 'boolean'
const isNumber: Test = (value) => typeof value === 'number'
const needed = new Set(['name', 'inputSchema', 'uriTemplate', 'uri', 'src', 'role'])

/** Members that are absent fit, but for those without which nothing can be read. */
function hasMembers(object: JsonObject, members: Members): boolean {
  return Object.entries(members).every(([name, test]) =>
    Object.hasOwn(object, name) ? test(object[name]) : !needed.has(name),
  )
}

const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test)

const objectOf =
  (members: Members): Test =>
  (value) =>
    isJsonObject(value) && hasMembers(value, members)

const oneOf =
  (...values: readonly string[]): Test =>
  (value) =>
    values.some((one) => one === value)

const COMMON: Members = {
  name: isText,
  title: isText,
  description: isText,
  icons: listOf(
    objectOf({ src: isText, mimeType: isText, sizes: listOf(isText), theme: oneOf('light', 'dark') }),
  ),
  _meta: isJsonObject,
}

// A date that no calendar has is left to the clients; this keeps what is plainly no time from them.
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/

const ANNOTATIONS = objectOf({
  audience: listOf(oneOf('user', 'assistant')),
  priority: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  lastModified: (value) => typeof value === 'string' && DATE_TIME.test(value),
})

const OWN: Readonly<Record<ListKind, Members>> = {
  tools: {
    inputSchema: isJsonObject,
    annotations: objectOf({
      title: isText,
      readOnlyHint: isFlag,
      destructiveHint: isFlag,
      idempotentHint: isFlag,
      openWorldHint: isFlag,
    }),
    execution: objectOf({ taskSupport: oneOf('required', 'optional', 'forbidden') }),
  },
  prompts: { arguments: listOf(objectOf({ name: isText, description: isText, required: isFlag })) },
  resourceTemplates: { uriTemplate: isText, mimeType: isText, annotations: ANNOTATIONS },
  resources: { uri: isText, mimeType: isText, annotations: ANNOTATIONS, size: isNumber },
}

function hasSchemas({ inputSchema, outputSchema }: JsonObject, modern: boolean): boolean {
  if (!isObjectSchema(inputSchema)) return false
  // The 2026 era lets a result be anything; the 2025 era wants an object.
  return outputSchema === undefined || (modern ? isJsonObject(outputSchema) : isObjectSchema(outputSchema))
}

function isObjectSchema(schema: unknown): boolean {
  if (!isJsonObject(schema) || schema['type'] !== 'object') return false
  const { properties, required } = schema
  const named =
    properties === undefined || (isJsonObject(properties) && Object.values(properties).every(isSchema))
  return named && (required === undefined || listOf(isText)(required))
}

/** A boolean schema is one, and the clients of 1.x refuse it. */
function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
