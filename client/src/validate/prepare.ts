import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { DATA_KEYWORDS, SCHEMA_MAPS } from '../gates/schema-walk.js'

/** Stands beside every reference: recursion, and whatever multiplies, goes through references and is counted there. */
export const STEP_KEYWORD = 'x-countersign-step'

const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'] as const

/**
 * What the compiler would take for an order to itself, and no dialect of ours has: `$async` makes a validator that says yes
 * before it looked, `id` and `nullable` keep it from compiling.
 */
const FOREIGN: ReadonlySet<string> = new Set(['$async', 'id', 'nullable', STEP_KEYWORD])

/** The schema as it is compiled: a copy with a step counted at each reference, and without what is foreign. */
export function prepareSchema(schema: JsonObject): JsonObject {
  const entries = Object.entries(withProto(withNull(schema)))
    .filter(([keyword]) => !FOREIGN.has(keyword))
    .map(([keyword, value]) => [keyword, prepareValue(keyword, value)] as const)
  const refers = REFERENCES.some((keyword) => Object.hasOwn(schema, keyword))
  return Object.fromEntries(refers ? [...entries, [STEP_KEYWORD, true] as const] : entries)
}

/** `nullable` as OpenAPI means it, beside a type: publishers mean it so, and hosts take it so. */
function withNull(schema: JsonObject): JsonObject {
  const { type, nullable } = schema
  return nullable === true && type !== undefined
    ? { ...schema, type: [...new Set([type, 'null'].flat())] }
    : schema
}

const PROTO = '__proto__'

/** The compiler leaves this name out of `properties`; as a pattern it is a name like every other. */
function withProto(schema: JsonObject): JsonObject {
  const { properties, patternProperties } = schema
  if (!isJsonObject(properties) || !Object.hasOwn(properties, PROTO)) return schema
  const pattern = `^${PROTO}$`
  const patterns = isJsonObject(patternProperties) ? patternProperties : {}
  const both = [properties[PROTO], patterns[pattern]].filter((one) => one !== undefined)
  return { ...schema, patternProperties: { ...patterns, [pattern]: { allOf: both } } }
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
