import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { NOTE, REFUSE, rule, type Report } from './finding.js'
import { localRefs, resolver, type Resolve } from './resolve.js'
import { visitInner } from './schema-walk.js'
import type { Path } from './walk.js'

const DANGLING = rule('schema-dangling-ref', NOTE)
const ENDLESS = rule('schema-endless-ref', REFUSE)
const BOMB = rule('schema-bomb', REFUSE)

/** Schemas once every reference is written out; every captured honest schema stays below. */
const MAX_EXPANDED = 100_000

// Keywords that apply a schema to the same value again, without going a step into it.
const IN_PLACE_LISTS = ['allOf', 'anyOf', 'oneOf'] as const
const IN_PLACE = ['not', 'if', 'then', 'else'] as const

/** References that make a small schema endless or huge for whoever resolves it (A5). Linear in the schema. */
export function inspectBombs(root: JsonObject, all: readonly JsonObject[], path: Path, report: Report): void {
  const references = all.flatMap(localRefs)
  if (references.length === 0) return
  const resolve = resolver(root)
  if (references.some((target) => resolve(target) === undefined)) {
    report(DANGLING, path, 'a reference leads to nothing in the schema')
  }
  if (depthFirst(all, (schema) => inPlaceOf(schema, resolve)).cyclic) {
    report(ENDLESS, path, 'a reference leads to itself without going into the value')
  } else if (expandedSize(root, resolve) > MAX_EXPANDED) {
    report(BOMB, path, `its references write out to more than ${MAX_EXPANDED} schemas`)
  }
}

function targetsOf(schema: JsonObject, resolve: Resolve): JsonObject[] {
  return localRefs(schema)
    .map(resolve)
    .filter((target) => target !== undefined)
}

function inPlaceOf(schema: JsonObject, resolve: Resolve): JsonObject[] {
  const listed = IN_PLACE_LISTS.flatMap((keyword): JsonValue[] => {
    const list = schema[keyword]
    return Array.isArray(list) ? list : []
  })
  const single = IN_PLACE.map((keyword) => schema[keyword])
  return [...listed, ...single].filter(isJsonObject).concat(targetsOf(schema, resolve))
}

function everythingIn(schema: JsonObject, resolve: Resolve): JsonObject[] {
  const all = targetsOf(schema, resolve)
  visitInner(schema, [], (inner) => void all.push(inner))
  return all
}

/** How many schemas stand there once every reference is written out; a recursive one is written out once. */
function expandedSize(root: JsonObject, resolve: Resolve): number {
  const sizes = new Map<JsonObject, number>()
  for (const schema of depthFirst([root], (one) => everythingIn(one, resolve)).order) {
    const size = everythingIn(schema, resolve).reduce((sum, inner) => sum + (sizes.get(inner) ?? 1), 1)
    sizes.set(schema, Math.min(size, MAX_EXPANDED + 1))
  }
  return sizes.get(root) ?? 1
}

/** Children before parents, and whether a path returns to itself. No recursion: a chain can be ten thousand long. */
function depthFirst(roots: readonly JsonObject[], next: (schema: JsonObject) => JsonObject[]) {
  const open = new Set<JsonObject>()
  const done = new Set<JsonObject>()
  let cyclic = false
  for (const root of roots) {
    const path = done.has(root) ? [] : [{ schema: root, rest: next(root) }]
    open.add(root)
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const child = top.rest.pop()
      if (child === undefined) {
        open.delete(top.schema)
        done.add(top.schema)
        path.pop()
      } else if (open.has(child)) cyclic = true
      else if (!done.has(child)) {
        open.add(child)
        path.push({ schema: child, rest: next(child) })
      }
    }
    open.clear()
  }
  return { order: [...done], cyclic }
}
