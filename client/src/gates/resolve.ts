import { isJsonObject, type JsonObject } from '../core/index.js'
import { REF_KEYWORDS } from './refs.js'
import { walkSchemas } from './schema-walk.js'

/** The schema a local reference names, or undefined. */
export type Resolve = (reference: string) => JsonObject | undefined

const NAMES = ['$anchor', '$dynamicAnchor', '$id', 'id'] as const

/** Looks references up inside one schema, each text once. */
export function resolver(root: JsonObject): Resolve {
  const anchors = anchorsOf(root)
  const known = new Map<string, JsonObject | undefined>()
  return (reference) => {
    if (!known.has(reference)) known.set(reference, anchors.get(reference) ?? follow(root, reference))
    return known.get(reference)
  }
}

/** The local references of one schema, without those inside it. */
export function localRefs(schema: JsonObject): string[] {
  const targets = REF_KEYWORDS.map((keyword) =>
    Object.hasOwn(schema, keyword) ? schema[keyword] : undefined,
  )
  return targets.filter((target): target is string => typeof target === 'string' && target.startsWith('#'))
}

function anchorsOf(root: JsonObject): Map<string, JsonObject> {
  const anchors = new Map<string, JsonObject>()
  walkSchemas(root, [], (schema) => {
    for (const keyword of NAMES) {
      const name = Object.hasOwn(schema, keyword) ? schema[keyword] : undefined
      if (typeof name === 'string' && name !== '')
        anchors.set(name.startsWith('#') ? name : `#${name}`, schema)
    }
  })
  return anchors
}

function follow(root: JsonObject, reference: string): JsonObject | undefined {
  let at: unknown = root
  for (const token of reference === '#' ? [] : reference.split('/').slice(1)) {
    const name = unescapeToken(token)
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Readonly<Record<string, unknown>>)[name]
  }
  if (reference !== '#' && !reference.startsWith('#/')) return undefined
  return isJsonObject(at) ? at : typeof at === 'boolean' ? (Object.create(null) as JsonObject) : undefined
}

function unescapeToken(token: string): string {
  let plain = token
  try {
    plain = decodeURIComponent(token)
  } catch {
    // A stray percent sign stands for itself: the token then names nothing, or just what it says.
  }
  return plain.replaceAll('~1', '/').replaceAll('~0', '~')
}
