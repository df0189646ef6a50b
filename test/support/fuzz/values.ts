import fc from 'fast-check'
import type { Described, Schema } from '../openapi.js'

// Values from schemas: right ones, and what somebody hostile puts in their place.

type Arbitrary = fc.Arbitrary<unknown>

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'.split('')

/** What breaks parsers, paths, databases and terminals. */
const HOSTILE_TEXT = [
  ...[
    '',
    ' ',
    '\u0000',
    '\u202e',
    '\ud83d\ude00',
    '%00',
    '../../etc/passwd',
    '..%2f',
    '__proto__',
    'constructor',
  ],
  ...[
    "' OR 1=1 --",
    '"; DROP TABLE manifests; --',
    '${7*7}',
    '<script>alert(1)</script>',
    '\r\nX-Injected: 1',
  ],
  ...['-1', '0', '1e309', '9007199254740993', 'NaN', 'null', 'true', '[]', '{}', 'a'.repeat(5000)],
  ...['sha256:', `sha256:${'f'.repeat(64)}`, `SHA256:${'0'.repeat(64)}`, 'com.example/../x', 'COM.EXAMPLE'],
]

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXT),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

const hostileValue: Arbitrary = fc.oneof(
  hostileText,
  fc.constantFrom(null, true, -1, 0.5, 1e21, Number.MAX_SAFE_INTEGER, [], {}, [[]], { '': {} }),
  fc.integer({ min: 1, max: 40 }).map((depth) => nest(depth)),
  fc.jsonValue({ maxDepth: 3 }),
)

function nest(depth: number): unknown {
  return depth === 0 ? 0 : depth % 2 === 0 ? [nest(depth - 1)] : { a: nest(depth - 1) }
}

/** Known values, by the name of the member or parameter that they fit. */
export type Pool = Readonly<Record<string, readonly unknown[]>>

/** Values that the schema allows, as far as this understands it; known ones more often than others. */
export function valid(schema: Schema, api: Described, pool: Pool, name = ''): Arbitrary {
  const known = pool[name] ?? []
  const made = make(schema, api, pool)
  return known.length === 0 ? made : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, made)
}

function make(given: Schema, api: Described, pool: Pool): Arbitrary {
  const schema = api.resolve<Schema>(given)
  const members = schema as {
    const?: unknown
    enum?: unknown[]
    anyOf?: Schema[]
    items?: Schema
    type?: string
  }
  if (members.const !== undefined) return fc.constant(members.const)
  if (members.enum !== undefined) return fc.constantFrom(...members.enum)
  if (members.anyOf !== undefined) return fc.oneof(...members.anyOf.map((one) => make(one, api, pool)))
  switch (members.type) {
    case 'object':
      return object(schema, api, pool)
    case 'array':
      return fc.array(valid(members.items ?? {}, api, pool), { maxLength: 4 })
    case 'string':
      return text(schema)
    case 'integer':
    case 'number':
      return integer(schema)
    case 'boolean':
      return fc.boolean()
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function object(schema: Schema, api: Described, pool: Pool): Arbitrary {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, Schema>
    required?: string[]
  }
  const names = Object.keys(properties)
  if (names.length === 0)
    return fc.dictionary(fc.constantFrom('sub', 'ref', 'name'), text({}), { maxKeys: 3 })
  const model = Object.fromEntries(
    names.map((name) => [name, valid(properties[name] ?? {}, api, pool, name)]),
  )
  return fc.record(model, { requiredKeys: required, noNullPrototype: true })
}

/** Of a pattern that cannot be turned around, letters: that is a near miss. */
function text(schema: Schema): Arbitrary {
  const {
    pattern,
    minLength = 0,
    maxLength = 64,
  } = schema as Record<string, never> & {
    pattern?: string
    minLength?: number
    maxLength?: number
  }
  const letters = fc.string({
    unit: fc.constantFrom(...LETTERS),
    minLength: Math.max(1, minLength),
    maxLength: Math.min(Math.max(1, minLength) + 32, maxLength),
  })
  if (pattern === undefined || pattern.includes('\\p')) return letters
  return fc.stringMatching(new RegExp(pattern))
}

function integer(schema: Schema): Arbitrary {
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema as { minimum?: number; maximum?: number }
  const most = Math.max(minimum, maximum)
  return fc.oneof(
    fc.integer({ min: minimum, max: Math.min(most, minimum + 100) }),
    fc.constantFrom(minimum, most),
  )
}

/** A right value with one thing wrong in it. */
export function spoilt(right: Arbitrary): Arbitrary {
  return fc
    .tuple(right, hostileValue, hostileText, fc.nat(), fc.constantFrom('drop', 'change', 'add', 'replace'))
    .map(([value, other, name, at, how]) => spoil(value, { other, name, at, how }))
}

function spoil(
  value: unknown,
  { other, name, at, how }: { other: unknown; name: string; at: number; how: string },
): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || how === 'replace') return other
  const names = Object.keys(value)
  const chosen = names[at % Math.max(1, names.length)] ?? ''
  const entries = Object.entries(value)
  if (how === 'drop') return Object.fromEntries(entries.filter(([member]) => member !== chosen))
  if (how === 'add') return Object.fromEntries([...entries, [name, other]])
  return Object.fromEntries(entries.map(([member, given]) => [member, member === chosen ? other : given]))
}
