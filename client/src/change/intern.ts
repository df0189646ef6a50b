import type { JsonObject, JsonValue } from '../core/index.js'
import { REF_KEYWORDS } from '../gates/refs.js'

/** Numbers for JSON values: equal values, whatever the order of their members, have equal numbers. Linear. */
export interface Interner {
  readonly idOf: (value: JsonValue) => number
  /** Whether a reference stands in the value: then equal writing need not be equal meaning. */
  readonly hasRefs: (value: JsonValue) => boolean
  /** Whether a text or a name like this stood in any value so far. */
  readonly hasText: (text: string) => boolean
}

/** Depth is bounded by the parser (64). */
export function openInterner(): Interner {
  // Texts have a list of their own: each is hashed once, however often it is asked for.
  const texts = new Map<string, number>()
  const ids = new Map<string, number>()
  const known = new Map<object, number>()
  const withRefs = new Set<number>()

  const nextId = (): number => ids.size + texts.size
  const internText = (text: string): number => {
    const id = texts.get(text) ?? nextId()
    texts.set(text, id)
    return id
  }
  const intern = (key: string, refs: boolean): number => {
    const id = ids.get(key) ?? nextId()
    ids.set(key, id)
    if (refs) withRefs.add(id)
    return id
  }
  const idOf = (value: JsonValue): number => {
    if (typeof value === 'string') return internText(value)
    if (typeof value !== 'object' || value === null) return intern(String(value), false)
    const old = known.get(value)
    if (old !== undefined) return old
    const id = Array.isArray(value) ? listId(value) : objectId(value)
    known.set(value, id)
    return id
  }
  const listId = (list: readonly JsonValue[]): number => {
    const inner = list.map(idOf)
    return intern(
      `[${inner.join(',')}`,
      inner.some((id) => withRefs.has(id)),
    )
  }
  const objectId = (object: JsonObject): number => {
    let refs = REF_KEYWORDS.some((keyword) => Object.hasOwn(object, keyword))
    const inner = Object.keys(object)
      .sort()
      .map((name) => {
        const id = idOf(object[name] ?? null)
        refs ||= withRefs.has(id)
        return `${idOf(name)}:${id}`
      })
    return intern(`{${inner.join(',')}`, refs)
  }
  return { idOf, hasRefs: (value) => withRefs.has(idOf(value)), hasText: (text) => texts.has(text) }
}
