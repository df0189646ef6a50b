import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { DATA_KEYWORDS, SCHEMA_MAPS } from '../gates/schema-walk.js'

/** Stands beside every reference: recursion, and whatever multiplies, goes through references and is counted there. */
export const STEP_KEYWORD = 'x-countersign-step'

const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'] as const

/**
 * The schema as it is compiled: a copy with a step counted at each reference, and without what the compiler would take for
 * an order to itself (`$async` makes a validator that says yes before it looked).
 */
export function prepareSchema(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema)
    .filter(([keyword]) => keyword !== '$async' && keyword !== STEP_KEYWORD)
    .map(([keyword, value]) => [keyword, prepareValue(keyword, value)] as const)
  const refers = REFERENCES.some((keyword) => Object.hasOwn(schema, keyword))
  return Object.fromEntries(refers ? [...entries, [STEP_KEYWORD, true] as const] : entries)
}

function prepareValue(keyword: string, value: JsonValue): JsonValue {
  if (DATA_KEYWORDS.has(keyword)) return value
  if (SCHEMA_MAPS.has(keyword) && isJsonObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, prepareAny(one)]))
  }
  return prepareAny(value)
}

function prepareAny(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(prepareAny)
  return isJsonObject(value) ? prepareSchema(value) : value
}
