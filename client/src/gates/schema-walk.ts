import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import type { Path } from './walk.js'

/** Keywords whose members carry names of the author's choice; the values are schemas. */
export const SCHEMA_MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
])

/** Keywords whose value is data, whatever it looks like. */
export const DATA_KEYWORDS: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'example'])

type Visit = (schema: JsonObject, path: Path) => void

/** A schema and every schema inside it. Depth is bounded by the parser (64). */
export function walkSchemas(schema: JsonObject, path: Path, visit: Visit): void {
  visit(schema, path)
  visitInner(schema, path, (inner) => walkSchemas(inner, path, visit))
}

/**
 * The schemas directly inside one. Values of keywords we do not know count as schemas: a `$ref` can make them one.
 */
export function visitInner(schema: JsonObject, path: Path, visit: Visit): void {
  for (const keyword of Object.keys(schema)) {
    const value = schema[keyword]
    if (typeof value !== 'object' || value === null || DATA_KEYWORDS.has(keyword)) continue
    path.push(keyword)
    if (Array.isArray(value)) visitElements(value, path, visit)
    else if (SCHEMA_MAPS.has(keyword)) visitMembers(value, path, visit)
    else visit(value, path)
    path.pop()
  }
}

function visitMembers(map: JsonObject, path: Path, visit: Visit): void {
  for (const name of Object.keys(map)) visitAt(map[name], name, path, visit)
}

function visitElements(list: readonly JsonValue[], path: Path, visit: Visit): void {
  for (const [i, value] of list.entries()) visitAt(value, i, path, visit)
}

function visitAt(value: JsonValue | undefined, token: string | number, path: Path, visit: Visit): void {
  path.push(token)
  if (isJsonObject(value)) visit(value, path)
  else if (Array.isArray(value)) visitElements(value, path, visit)
  path.pop()
}
