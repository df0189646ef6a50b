import { isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js'
import { REF_KEYWORDS } from '../../gates/refs.js'
import type { Resolve } from '../../gates/resolve.js'
import { visitInner } from '../../gates/schema-walk.js'
import type { Place } from '../places.js'

/** A schema of `$defs` or `definitions`. `key` finds its counterpart in the other document. */
export interface Definition {
  readonly key: string
  readonly name: string
  readonly schema: JsonValue
  readonly place: Place
  /** Whether a reference leads to it from where it applies to something; if not, it is words for the model alone. */
  readonly isUsed: boolean
}

const MAPS: readonly string[] = ['$defs', 'definitions']

/** All definitions of a schema. Which of the two keywords holds them makes no difference. Linear. */
export function listDefinitions(
  root: JsonObject,
  resolve: Resolve,
  placeOf: (holder: JsonObject, ...tokens: Place['tokens']) => Place,
): Definition[] {
  const used = reachable(root, resolve)
  const found: Definition[] = []
  const times = new Map<string, number>()
  const add = (holder: JsonObject, keyword: string, name: string, schema: JsonValue): void => {
    const key = `${holder === root ? 'root' : 'inner'} ${name}`
    const count = times.get(key) ?? 0
    times.set(key, count + 1)
    const isUsed = isJsonObject(schema) && used.has(schema)
    found.push({ key: `${count} ${key}`, name, schema, place: placeOf(holder, keyword, name), isUsed })
  }
  const visit = (schema: JsonObject): void => {
    for (const keyword of MAPS) {
      const map = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined
      if (!isJsonObject(map)) continue
      for (const name of Object.keys(map).sort()) add(schema, keyword, name, map[name] ?? null)
    }
    visitInner(schema, [], visit)
  }
  visit(root)
  return found
}

/**
 * Keywords whose schemas are compared where they apply. Behind any other keyword, one we do not know, a reference is
 * text: what it leads to is then compared as a definition of its own.
 */
const APPLYING: ReadonlySet<string> = new Set([
  ...['properties', 'patternProperties', 'additionalProperties', 'unevaluatedProperties', 'propertyNames'],
  ...['items', 'prefixItems', 'additionalItems', 'unevaluatedItems', 'contains', 'contentSchema'],
  ...['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'dependentSchemas', 'dependencies'],
])

/** Every schema that applies to something: from the root, through references, past definitions. */
function reachable(root: JsonObject, resolve: Resolve): Set<JsonObject> {
  const seen = new Set<JsonObject>([root])
  // A set keeps its order and may grow while it is walked: it is the list of what is left to visit as well.
  for (const schema of seen) {
    visitInner(schema, [], (inner, [keyword]) => {
      if (APPLYING.has(String(keyword))) seen.add(inner)
    })
    for (const keyword of REF_KEYWORDS) {
      const reference = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined
      const target = typeof reference === 'string' ? resolve(reference) : undefined
      if (target !== undefined) seen.add(target)
    }
  }
  return seen
}
