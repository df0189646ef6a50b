import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import type { UncheckedReason } from '../guard/ports.js'
import { countNodes, countObjects, type Budget } from './budget.js'
import { linearPatterns, PatternBeyondRe2, TooManyPatterns } from './patterns.js'
import { prepareSchema, STEP_KEYWORD } from './prepare.js'

/** A signed schema as JSON text; the largest captured honest one has 49 000 characters. Compiling takes microseconds each. */
export const MAX_SCHEMA_CHARS = 128 * 1024

/** Objects in a schema; the largest captured honest one has 627. A few keywords are compiled in the square of them. */
const MAX_SCHEMA_OBJECTS = 1500

/** A schema made ready, or why it cannot be. */
export type Compiled =
  | { readonly run: (value: unknown) => readonly ErrorObject[] | undefined; readonly nodes: number }
  | { readonly unchecked: UncheckedReason }

const DIALECTS = {
  'https://json-schema.org/draft/2020-12/schema': Ajv2020,
  'https://json-schema.org/draft/2019-09/schema': Ajv2019,
  'http://json-schema.org/draft-07/schema': Ajv,
} as const

const DEFAULT_DIALECT = 'https://json-schema.org/draft/2020-12/schema'

type Compiler = Ajv | Ajv2019 | Ajv2020
type Dialect = (typeof DIALECTS)[keyof typeof DIALECTS]

/**
 * Compiles a schema in the dialect it names, 2020-12 by default as MCP has it. Nothing is fetched, formats are
 * annotations, and every part that could take more than linear time is replaced or counted.
 */
export function compileSchema(text: string, budget: Budget): Compiled {
  if (text.length > MAX_SCHEMA_CHARS) return { unchecked: 'size' }
  const schema: unknown = JSON.parse(text)
  if (!isJsonObject(schema)) return { unchecked: 'malformed' }
  if (countObjects(schema) > MAX_SCHEMA_OBJECTS) return { unchecked: 'size' }
  const dialect = dialectOf(schema)
  if (dialect === undefined) return { unchecked: 'dialect' }
  try {
    if (!isWellFormed(dialect, schema)) return { unchecked: 'malformed' }
    budget.refill()
    const validate = openCompiler(dialect, budget).compile(prepareSchema(withoutDialect(schema)))
    return { run: (value) => errorsOf(validate, value), nodes: countNodes(schema, Infinity) }
  } catch (error) {
    return { unchecked: reasonOf(error) }
  }
}

function errorsOf(validate: ValidateFunction, value: unknown): readonly ErrorObject[] | undefined {
  return validate(value) ? undefined : (validate.errors ?? [])
}

function dialectOf({ $schema = DEFAULT_DIALECT }: JsonObject): Dialect | undefined {
  const name = typeof $schema === 'string' ? $schema.replace(/#$/, '') : ''
  return Object.hasOwn(DIALECTS, name) ? DIALECTS[name as keyof typeof DIALECTS] : undefined
}

function withoutDialect(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== '$schema'))
}

/** One compiler a schema: two schemas may call themselves by one `$id`. */
function openCompiler(dialect: Dialect, budget: Budget): Compiler {
  const compiler: Compiler = new dialect({
    strict: false,
    allErrors: false,
    validateFormats: false,
    // The schema was held against its meta-schema already, and may not refer to that either.
    validateSchema: false,
    meta: false,
    ownProperties: true,
    messages: false,
    logger: false,
    // Its optimiser takes time by the square of the schema.
    code: { regExp: linearPatterns(budget), optimize: false },
  })
  compiler.addKeyword({ keyword: STEP_KEYWORD, schema: false, errors: false, validate: () => step(budget) })
  compiler.removeKeyword('uniqueItems')
  compiler.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    validate: (wanted: boolean, items: readonly JsonValue[]) => !wanted || areUnique(items, budget),
  })
  return compiler
}

function step(budget: Budget): boolean {
  budget.spend(64)
  return true
}

/** By canonical text: the compiler's own way compares each item with every other. */
function areUnique(items: readonly JsonValue[], budget: Budget): boolean {
  const seen = new Set<string>()
  for (const item of items) {
    const text = canonicalize(item)
    budget.spend(text.length)
    if (seen.has(text)) return false
    seen.add(text)
  }
  return true
}

const metaCompilers = new Map<Dialect, Compiler>()

function isWellFormed(dialect: Dialect, schema: JsonObject): boolean {
  let compiler = metaCompilers.get(dialect)
  if (compiler === undefined) {
    compiler = new dialect({ strict: false, validateFormats: false, logger: false })
    metaCompilers.set(dialect, compiler)
  }
  return compiler.validateSchema(withoutDialect(schema)) === true
}

/** A compiler that fails, for whatever reason, has compiled nothing. */
function reasonOf(error: unknown): UncheckedReason {
  if (error instanceof PatternBeyondRe2) return 'pattern'
  if (error instanceof TooManyPatterns) return 'size'
  return error instanceof Ajv.MissingRefError ? 'reference' : 'malformed'
}
