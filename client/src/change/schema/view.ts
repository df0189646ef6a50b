import { isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js'
import type { Resolve } from '../../gates/resolve.js'
import { listDefinitions, type Definition } from './list-definitions.js'
import { openReferences } from './references.js'
import type { Doc, Place } from '../places.js'

/** A member of a schema, and the object in which it is written: behind a reference that is the one it leads to. */
export interface Member {
  readonly value: JsonValue
  readonly holder: JsonObject
}

/**
 * A schema as it applies: references followed, members beside a reference laid over what it leads to. `any` is a
 * schema that allows everything and says nothing, `never` one that allows nothing, `malformed` is none at all.
 */
export interface View {
  readonly id: number
  readonly kind: 'schema' | 'any' | 'never' | 'malformed'
  /** What is written there. */
  readonly written: JsonValue
  readonly place: Place
  readonly doc: SchemaDoc
  readonly members: ReadonlyMap<string, Member>
}

/** One root schema of one document, in which references are looked up. Nothing outside of it is ever read. */
export interface SchemaDoc {
  readonly isNew: boolean
  readonly root: JsonObject
  /** The schema written there; an absent one allows everything. */
  view(value: JsonValue | undefined, place: Place): View
  placeOf(holder: JsonObject, ...tokens: Place['tokens']): Place
  /** What a reference inside this schema leads to. */
  target(reference: JsonValue | undefined): JsonObject | undefined
  definitions(): Definition[]
}

/** Keywords that say something and demand nothing: beside a reference they replace what the target says. */
const SAYING: ReadonlySet<string> = new Set([
  'title',
  'description',
  'default',
  'examples',
  'example',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$comment',
  '$schema',
  '$defs',
  'definitions',
])

/** Its keywords that may refuse a value. */
export function demanding(view: View): string[] {
  return [...view.members.keys()].filter((keyword) => !SAYING.has(keyword))
}

const MAX_HOPS = 64
const ANY = 0
const NEVER = 1
/** Numbers from here on are those of values that are no schemas, each of them another one. */
const MALFORMED = 1e9

export function openSchemaDoc(root: JsonObject, doc: Doc): SchemaDoc {
  const resolve = openReferences(root)
  const views = new Map<object, View>()
  let malformed = 0
  const placeOf = (holder: JsonObject, ...tokens: Place['tokens']): Place => ({ doc, holder, tokens })
  const schemaDoc: SchemaDoc = {
    isNew: doc.isNew,
    root,
    placeOf,
    target: (reference) => (typeof reference === 'string' ? resolve(reference) : undefined),
    definitions: () => listDefinitions(root, resolve, placeOf),
    view: (value, place) => {
      if (!isJsonObject(value))
        return plainView(value, place, { doc: schemaDoc, id: MALFORMED + malformed++ })
      const schema = followAlone(value, resolve)
      const old = views.get(schema)
      if (old !== undefined) return old
      const members = membersOf(schema, resolve, 0)
      const isAny = members.size === 0
      const id = isAny ? ANY : views.size + 2
      const view: View = {
        id,
        kind: isAny ? 'any' : 'schema',
        written: schema,
        place: placeOf(schema),
        doc: schemaDoc,
        members,
      }
      views.set(schema, view)
      return view
    },
  }
  return schemaDoc
}

function plainView(
  value: JsonValue | undefined,
  place: Place,
  { doc, id }: { readonly doc: SchemaDoc; readonly id: number },
): View {
  const written = value ?? (value === undefined ? true : null)
  const common = { written, place, doc, members: new Map<string, Member>() }
  if (written === true) return { ...common, id: ANY, kind: 'any' }
  return written === false ? { ...common, id: NEVER, kind: 'never' } : { ...common, id, kind: 'malformed' }
}

/** A reference with nothing beside it is the schema that it leads to. */
function followAlone(schema: JsonObject, resolve: Resolve): JsonObject {
  let at = schema
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    const target = Object.keys(at).length === 1 ? targetOf(at, resolve) : undefined
    if (target === undefined) break
    at = target
  }
  return at
}

function targetOf(schema: JsonObject, resolve: Resolve): JsonObject | undefined {
  const reference = Object.hasOwn(schema, '$ref') ? schema['$ref'] : undefined
  return typeof reference === 'string' && reference.startsWith('#') ? resolve(reference) : undefined
}

/**
 * A reference that leads nowhere, or round in a circle, stays as it is written. So does one with a demand beside it:
 * readers of the older drafts pass over it, and `additionalProperties` sees no property that stands elsewhere.
 */
function membersOf(schema: JsonObject, resolve: Resolve, hops: number): ReadonlyMap<string, Member> {
  const own = new Map<string, Member>()
  for (const key of Object.keys(schema)) own.set(key, { value: schema[key] ?? null, holder: schema })
  const target = targetOf(schema, resolve)
  if (target === undefined || hops >= MAX_HOPS) return own
  const both = new Map(membersOf(target, resolve, hops + 1))
  for (const [key, member] of own) {
    if (key === '$ref') continue
    if (!SAYING.has(key)) return own
    both.set(key, member)
  }
  return both
}
