import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { isJsonObject, type JsonObject } from '../core/index.js'
import type { UncheckedReason } from '../guard/ports.js'
import { countNodes, measureSchema, type Budget, type SchemaSize } from './budget.js'
import { replaceKeywords, type Compiler } from './keywords.js'
import { linearPatterns, PatternBeyondRe2, TooManyPatterns } from './patterns.js'
import { prepareSchema, STEP_KEYWORD } from './prepare.js'

/** A signed schema as JSON text; the largest captured honest one has 49 000 characters. Compiling takes microseconds each. */
export const MAX_SCHEMA_CHARS = 128 * 1024

/** Objects in a schema; the largest captured honest one has 627. A few keywords are compiled in the square of them. */
const MAX_SCHEMA_OBJECTS = 1500

/**
 * Where a schema says something of what is left unevaluated, the names that each reference, and each level, evaluates are
 * written into the code of whoever refers to it.
 */
const MAX_TRACKED = 64_000
const MAX_LEVELS = 64

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

/** Of what a reference leads to, besides what is counted there. */
const STEP_PRICE = 64

type Dialect = (typeof DIALECTS)[keyof typeof DIALECTS]

/**
 * Compiles a schema in the dialect it names, 2020-12 by default as MCP has it. Nothing is fetched, formats are
 * annotations, and every part that could take more than linear time is replaced or counted.
 */
export function compileSchema(text: string, budget: Budget): Compiled {
  if (text.length > MAX_SCHEMA_CHARS) return { unchecked: 'size' }
  const schema: unknown = JSON.parse(text)
  if (!isJsonObject(schema)) return { unchecked: 'malformed' }
  const size = measureSchema(schema)
  if (isTooLarge(size)) return { unchecked: 'size' }
  const dialect = dialectOf(schema)
  if (dialect === undefined) return { unchecked: 'dialect' }
  try {
    if (!isWellFormed(dialect, schema)) return { unchecked: 'malformed' }
    budget.refill()
    const validate = openCompiler(dialect, size, budget).compile(prepareSchema(withoutDialect(schema)))
    return { run: (value) => errorsOf(validate, value), nodes: countNodes(schema, Infinity) }
  } catch (error) {
    return { unchecked: reasonOf(error) }
  }
}

function isTooLarge({ objects, references, names, tracks }: SchemaSize): boolean {
  return objects > MAX_SCHEMA_OBJECTS || (tracks && (references + MAX_LEVELS) * names > MAX_TRACKED)
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
function openCompiler(dialect: Dialect, { tracks, names }: SchemaSize, budget: Budget): Compiler {
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
    // A schema that is referred to is compiled once, and not anew at each place that refers to it.
    inlineRefs: false,
    // Its optimiser takes time by the square of the schema.
    code: { regExp: linearPatterns(budget), optimize: false },
  })
  // The later dialects keep account of what was evaluated, also where no schema asks.
  if (!tracks) compiler.opts.unevaluated = false
  const price = tracks ? Math.max(STEP_PRICE, names) : STEP_PRICE
  const step = (): boolean => {
    budget.spend(price)
    return true
  }
  compiler.addKeyword({ keyword: STEP_KEYWORD, schema: false, errors: false, validate: step })
  replaceKeywords(compiler, budget)
  return compiler
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
