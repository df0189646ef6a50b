import type { JsonValue } from '../../core/index.js'
import { noteKeyword, valueOf, isEqual, placeOf, type SchemaPair } from './pair.js'
import type { View } from './view.js'

const TYPES: readonly string[] = ['null', 'boolean', 'object', 'array', 'string', 'number', 'integer']

/** `type`: fewer types narrow, more widen. Constants say their type by themselves. */
export function compareTypes(pair: SchemaPair): void {
  if (isEqual(pair, 'type')) return
  const [before, after] = [typesOf(pair.a), typesOf(pair.b)]
  if (before === undefined || after === undefined) {
    noteKeyword(pair, 'type', 'type', 'widened', 'the type is nothing that JSON Schema knows')
    return
  }
  const wider = !isWithin(after, before)
  const narrower = !isWithin(before, after)
  if (wider) noteKeyword(pair, 'type', 'type', 'widened', 'other types are allowed')
  else if (narrower) noteKeyword(pair, 'type', 'type', 'narrowed', 'fewer types are allowed')
}

function typesOf(view: View): ReadonlySet<string> | undefined {
  const value = valueOf(view, 'type')
  if (value === undefined) return new Set(constantsOf(view)?.map(typeOf) ?? TYPES)
  const names = Array.isArray(value) ? value : [value]
  const known = names.filter((name): name is string => typeof name === 'string' && TYPES.includes(name))
  return known.length === names.length ? new Set(known) : undefined
}

function typeOf(value: JsonValue): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}

function isWithin(inner: ReadonlySet<string>, outer: ReadonlySet<string>): boolean {
  return [...inner].every((name) => outer.has(name) || (name === 'integer' && outer.has('number')))
}

/** The only values that are allowed, from `enum` or `const`; undefined when there is no such list. */
function constantsOf(view: View): readonly JsonValue[] | undefined {
  const constant = valueOf(view, 'const')
  if (constant !== undefined) return [constant]
  const values = valueOf(view, 'enum')
  return Array.isArray(values) ? values : undefined
}

/** `enum` and `const`: order and repetition mean nothing; a new value is something new to ask for. */
export function compareValues(pair: SchemaPair): void {
  const [before, after] = [constantsOf(pair.a), constantsOf(pair.b)]
  const keyword = (valueOf(pair.b, 'const') ?? valueOf(pair.a, 'const')) ? 'const' : 'enum'
  if (before === undefined && after === undefined) {
    if (!isEqual(pair, 'enum')) noteKeyword(pair, 'enum', 'values', 'widened', 'the values are no list')
  } else if (after === undefined) {
    noteKeyword(pair, keyword, 'values', 'widened', 'any value is allowed, no longer only those listed')
  } else if (before === undefined) {
    // Fewer values, and yet words that a model did not read before.
    const level = after.some((value) => !isPlain(value)) ? 'text' : 'narrowed'
    noteKeyword(pair, keyword, 'values', level, 'only listed values are allowed')
  } else noteSets(pair, before, after)
  // A list beside a constant allows nothing more, and is read all the same.
  const isBoth = [pair.a, pair.b].some((view) => view.members.has('const') && view.members.has('enum'))
  if (isBoth && !isEqual(pair, 'enum'))
    noteKeyword(pair, 'enum', 'values', 'widened', 'the listed values are others')
}

function isPlain(value: JsonValue): boolean {
  return value === null || typeof value === 'boolean' || typeof value === 'number'
}

function noteSets(pair: SchemaPair, before: readonly JsonValue[], after: readonly JsonValue[]): void {
  const { ids, ledger, work, b } = pair
  work.spend(before.length + after.length)
  const old = new Set(before.map(ids.idOf))
  const now = new Set(after.map(ids.idOf))
  const added = after.filter((value) => !old.has(ids.idOf(value)))
  const removed = before.filter((value) => !now.has(ids.idOf(value)))
  const keyword = (view: View): string => (view.members.has('const') ? 'const' : 'enum')
  if (added.length > 0) {
    ledger.note('values', 'widened', placeOf(b, keyword(b)), () => ({
      text: `${added.length} more of the listed values`,
      ...(removed.length > 0 && { before: removed }),
      after: added,
    }))
  } else if (removed.length > 0) {
    ledger.note('values', 'narrowed', placeOf(b, keyword(b)), () => ({
      text: `${removed.length} fewer of the listed values`,
      before: removed,
      after: after,
    }))
  }
}

const FORMATS: ReadonlySet<string> = new Set([
  ...[
    'date-time',
    'date',
    'time',
    'duration',
    'email',
    'idn-email',
    'hostname',
    'idn-hostname',
    'ipv4',
    'ipv6',
  ],
  ...[
    'uri',
    'uri-reference',
    'iri',
    'iri-reference',
    'uri-template',
    'uuid',
    'json-pointer',
    'regex',
    'byte',
  ],
  ...['relative-json-pointer', 'int32', 'int64', 'float', 'double', 'password', 'binary'],
])

/** `format`: a known one that is new narrows; between two of them there is no order. */
export function compareFormat(pair: SchemaPair): void {
  if (isEqual(pair, 'format')) return
  const [before, after] = [valueOf(pair.a, 'format'), valueOf(pair.b, 'format')]
  if (before !== undefined) noteKeyword(pair, 'format', 'limit', 'widened', 'the format is another one')
  else if (typeof after === 'string' && FORMATS.has(after)) {
    noteKeyword(pair, 'format', 'limit', 'narrowed', 'a format is demanded')
  } else noteKeyword(pair, 'format', 'limit', 'text', 'a format of its own is named')
}

/** `pattern`: a new one narrows, in words of the author's; whether one is within the other nobody can say. */
export function comparePattern(pair: SchemaPair): void {
  if (isEqual(pair, 'pattern')) return
  const isNew = valueOf(pair.a, 'pattern') === undefined
  if (isNew) noteKeyword(pair, 'pattern', 'limit', 'text', 'a pattern is demanded')
  else noteKeyword(pair, 'pattern', 'limit', 'widened', 'the pattern is another one')
}

/** OpenAPI's `nullable`, which some hosts read: null is allowed besides. */
export function compareNullable(pair: SchemaPair): void {
  const [before, after] = [pair.a, pair.b].map((view) => valueOf(view, 'nullable') ?? false)
  if (before === after) return
  if (before === true && after === false)
    noteKeyword(pair, 'nullable', 'type', 'narrowed', 'null is not allowed')
  else noteKeyword(pair, 'nullable', 'type', 'widened', 'null is allowed')
}
