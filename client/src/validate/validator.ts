import type { ErrorObject } from 'ajv'
import type { SchemaCheck, SchemaFault, SchemaValidator } from '../guard/ports.js'
import { Budget, countNodes, MAX_PRODUCT } from './budget.js'
import { compileSchema, type Compiled } from './compile.js'

/** Compiled schemas that are kept, and most characters of their texts together. */
const MAX_COMPILED = 1024
const MAX_COMPILED_CHARS = 8 * 1024 * 1024
const MAX_FAULTS = 8

const LIMIT: SchemaCheck = {
  status: 'invalid',
  faults: [{ valuePath: '', schemaPath: '', keyword: 'limit' }],
}

/**
 * Opens a {@link SchemaValidator} for a guard: JSON Schema 2020-12 by default, 2019-09 and draft-07 where the schema says
 * so; each schema compiled once. It reaches no network, and its time is bounded whatever stands in schema and value:
 * patterns run in linear time, references count steps, and what goes past the budget is invalid by `limit`.
 *
 * Formats are annotations, as the specification has them by default.
 *
 * @example
 * const transport = guardTransport(inner, { host, server: 'com.example/weather', validator: openValidator() })
 */
export function openValidator(): SchemaValidator {
  const budget = new Budget()
  const kept = new Map<string, Compiled>()
  let chars = 0
  const compiledFor = (schema: string): Compiled => {
    const known = kept.get(schema)
    if (known !== undefined) return known
    const compiled = compileSchema(schema, budget)
    if (schema.length > MAX_COMPILED_CHARS) return compiled
    kept.set(schema, compiled)
    chars += schema.length
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_COMPILED && chars <= MAX_COMPILED_CHARS) break
      kept.delete(oldest)
      chars -= oldest.length
    }
    return compiled
  }
  return { check: (schema, value) => checkWith(compiledFor(schema), value, budget) }
}

function checkWith(compiled: Compiled, value: unknown, budget: Budget): SchemaCheck {
  if ('unchecked' in compiled) return { status: 'unchecked', reason: compiled.unchecked }
  const most = Math.floor(MAX_PRODUCT / compiled.nodes)
  if (countNodes(value, most) > most) return LIMIT
  budget.refill()
  try {
    const errors = compiled.run(value)
    return errors === undefined
      ? { status: 'valid' }
      : { status: 'invalid', faults: errors.slice(0, MAX_FAULTS).map(toFault) }
  } catch {
    // Over the budget, nested deeper than the stack, or no JSON at all: nobody can say that it fits.
    return LIMIT
  }
}

function toFault({ instancePath, schemaPath, keyword, params }: ErrorObject): SchemaFault {
  const missing: unknown = (params as { missingProperty?: unknown }).missingProperty
  const at = typeof missing === 'string' ? `${instancePath}/${missing}` : instancePath
  return { valuePath: at, schemaPath, keyword }
}
