import { refuse } from './errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from './strict-json.js'

/** What a guard computes by itself about the place it runs in (PROTOCOL 3). */
export type FactName =
  | 'hostname'
  | 'os'
  | 'shell'
  | 'cwd'
  | 'home'
  | 'user'
  | 'date'
  | 'time-ms'
  | 'node-version'
  | 'enum'
  | 'integer'

export interface Fact {
  readonly fact: FactName
  /** For `enum`: the only texts that may stand here, at most 64. */
  readonly values?: readonly string[]
  /** For `integer`: the closed range. */
  readonly min?: number
  readonly max?: number
}

/** A text of a definition in which honest servers write facts: literals and facts in turn. */
export interface Slot {
  /** RFC 6901 pointer to a string, or to a number when `type` says so. */
  readonly pointer: string
  readonly parts: readonly (string | Fact)[]
  readonly type?: 'number'
}

/** The guard's own values. A fact that is absent here matches nothing: a check that could not run is a refusal. */
export interface Facts {
  readonly [name: string]: string | undefined
}

const MAX_SLOTS = 32
const MAX_PARTS = 33
const DAY_MS = 86_400_000
const FACT_NAMES: ReadonlySet<string> = new Set([
  'hostname',
  'os',
  'shell',
  'cwd',
  'home',
  'user',
  'date',
  'time-ms',
  'node-version',
  'enum',
  'integer',
])

/** The characters a fact's text can be made of; a literal behind the fact starts outside of them. */
function inAlphabet(fact: Fact, char: string): boolean {
  switch (fact.fact) {
    case 'time-ms':
    case 'integer':
      return /[0-9]/.test(char)
    case 'date':
      return /[0-9-]/.test(char)
    case 'hostname':
      return /[A-Za-z0-9.-]/.test(char)
    case 'os':
    case 'user':
    case 'node-version':
      return /[A-Za-z0-9._-]/.test(char)
    case 'shell':
    case 'cwd':
    case 'home':
      return !/["'`\n\t)\]},;<>|]/.test(char) && char !== ' '
    case 'enum':
      return (fact.values ?? []).some((value) => value.includes(char))
  }
}

/**
 * Checks the slots of one item as they stand in a manifest.
 * @throws CountersignError `slot-invalid`
 */
export function parseSlots(value: JsonValue, where: string): readonly Slot[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_SLOTS) {
    refuse('slot-invalid', `${where}: slots is a list of 1 to ${MAX_SLOTS}`)
  }
  const slots = value.map((slot, i) => parseSlot(slot, `${where}.slots[${i}]`))
  const pointers = new Set(slots.map((slot) => slot.pointer))
  if (pointers.size !== slots.length) refuse('slot-invalid', `${where}: two slots at one pointer`)
  return slots
}

function parseSlot(value: JsonValue, where: string): Slot {
  if (!isJsonObject(value)) refuse('slot-invalid', `${where} is an object`)
  const { pointer, parts, type, ...rest } = value
  if (Object.keys(rest).length > 0) refuse('slot-invalid', `${where} has an unknown member`)
  if (typeof pointer !== 'string' || !isPointer(pointer)) refuse('slot-invalid', `${where}.pointer`)
  if (type !== undefined && type !== 'number') refuse('slot-invalid', `${where}.type is "number" or absent`)
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MAX_PARTS) {
    refuse('slot-invalid', `${where}.parts is a list of 1 to ${MAX_PARTS}`)
  }
  const checked = parts.map((part, i) => parsePart(part, `${where}.parts[${i}]`))
  assertSeparated(checked, where)
  if (type === 'number') {
    const only = checked.length === 1 ? checked[0] : undefined
    if (typeof only !== 'object' || !['time-ms', 'integer'].includes(only.fact)) {
      refuse('slot-invalid', `${where}: a number slot is exactly one fact, time-ms or integer`)
    }
  }
  return { pointer, parts: checked, ...(type === 'number' && { type }) }
}

function isPointer(text: string): boolean {
  return text.length <= 1024 && /^(?:\/(?:[^~/]|~[01])*)+$/.test(text)
}

function parsePart(part: JsonValue, where: string): string | Fact {
  if (typeof part === 'string') {
    if (part.length === 0) refuse('slot-invalid', `${where}: an empty literal`)
    return part
  }
  if (!isJsonObject(part)) refuse('slot-invalid', `${where} is a text or a fact`)
  const { fact, values, min, max, ...rest } = part
  if (Object.keys(rest).length > 0) refuse('slot-invalid', `${where} has an unknown member`)
  if (typeof fact !== 'string' || !FACT_NAMES.has(fact)) refuse('slot-invalid', `${where}: unknown fact`)
  if ((fact === 'enum') !== (values !== undefined)) refuse('slot-invalid', `${where}: values goes with enum`)
  if ((fact === 'integer') !== (min !== undefined || max !== undefined)) {
    refuse('slot-invalid', `${where}: min and max go with integer`)
  }
  if (values !== undefined) return { fact: 'enum', values: parseValues(values, where) }
  if (fact === 'integer') return { fact, ...parseRange(min, max, where) }
  return { fact: fact as FactName }
}

function parseValues(values: JsonValue, where: string): string[] {
  const texts = Array.isArray(values) ? values.filter((v) => typeof v === 'string' && v !== '') : []
  if (!Array.isArray(values) || texts.length === 0 || texts.length > 64 || texts.length !== values.length) {
    refuse('slot-invalid', `${where}.values is a list of 1 to 64 texts`)
  }
  if (new Set(texts).size !== texts.length) refuse('slot-invalid', `${where}.values repeats one`)
  return texts as string[]
}

function parseRange(min: JsonValue | undefined, max: JsonValue | undefined, where: string) {
  if (
    !Number.isSafeInteger(min) ||
    !Number.isSafeInteger(max) ||
    Number(min) > Number(max) ||
    Number(min) < 0
  ) {
    refuse('slot-invalid', `${where}: min and max are whole numbers, 0 <= min <= max`)
  }
  return { min: Number(min), max: Number(max) }
}

/** Two facts in a row, or a literal that could continue the fact before it, would let text move between them. */
function assertSeparated(parts: readonly (string | Fact)[], where: string): void {
  for (let i = 1; i < parts.length; i++) {
    const before = parts[i - 1]
    const part = parts[i]
    if (typeof before === typeof part) refuse('slot-invalid', `${where}: literals and facts stand in turn`)
    if (typeof before !== 'object' || typeof part !== 'string' || !inAlphabet(before, part.charAt(0)))
      continue
    if (!endsSentence(before, part, i === parts.length - 1)) {
      refuse('slot-invalid', `${where}: the text behind ${before.fact} could be part of it`)
    }
  }
  if (parts.every((part) => typeof part === 'string')) refuse('slot-invalid', `${where}: no fact`)
}

/**
 * A full stop with a blank or nothing behind it, although host names and paths hold dots: what stands before it is one
 * exact value, the guard's own, so there is one way to read the text. Of an enum the server chooses the value.
 */
function endsSentence(fact: Fact, literal: string, isLast: boolean): boolean {
  return fact.fact !== 'enum' && (/^\.[ \n]/.test(literal) || (literal === '.' && isLast))
}

/** What a definition carries at the pointer, for people to read: facts in braces; 0 for a number. */
export function slotTemplate(slot: Slot): string | number {
  if (slot.type === 'number') return 0
  return slot.parts.map((part) => (typeof part === 'string' ? part : `{${part.fact}}`)).join('')
}

/** What is digested in the place of the text (PROTOCOL 3). */
export function slotMarker(slot: Slot): JsonObject {
  const marker: JsonObject = { $slot: slot.parts as unknown as JsonValue[] }
  if (slot.type === 'number') marker['type'] = 'number'
  return marker
}

/**
 * The value the guard puts at the slot: its own facts, never the server's text. For `enum` and `integer` the server
 * chooses within the signed bounds, so its checked choice is used.
 * Returns undefined when the live value is not what the guard itself computes: `slot-mismatch`.
 */
export function fillSlot(slot: Slot, live: unknown, facts: Facts): string | number | undefined {
  if (slot.type === 'number') {
    const only = slot.parts[0]
    if (typeof live !== 'number' || !Number.isSafeInteger(live) || typeof only !== 'object') return undefined
    const text = matchFact(only, String(live), facts)
    return text === undefined ? undefined : Number(text)
  }
  if (typeof live !== 'string') return undefined
  return fillText(slot.parts, live, facts)
}

function fillText(parts: readonly (string | Fact)[], live: string, facts: Facts): string | undefined {
  let rest = live
  let filled = ''
  for (const [i, part] of parts.entries()) {
    if (typeof part === 'string') {
      if (!rest.startsWith(part)) return undefined
      rest = rest.slice(part.length)
      filled += part
      continue
    }
    const text = takeFact(part, rest, parts[i + 1] as string | undefined, facts)
    const own = text === undefined ? undefined : matchFact(part, text, facts)
    if (text === undefined || own === undefined) return undefined
    rest = rest.slice(text.length)
    filled += own
  }
  return rest === '' ? filled : undefined
}

/** How much of the text is the fact: known facts by their own length, the others up to the next literal. */
function takeFact(fact: Fact, rest: string, next: string | undefined, facts: Facts): string | undefined {
  const own = fact.fact === 'enum' || fact.fact === 'integer' ? undefined : facts[fact.fact]
  if (own !== undefined && fact.fact !== 'time-ms') return rest.startsWith(own) ? own : undefined
  if (fact.fact === 'enum') {
    const fits = (fact.values ?? []).filter((v) => rest.startsWith(v)).sort((a, b) => b.length - a.length)
    return fits.find((v) => (next === undefined ? rest === v : rest.startsWith(next, v.length)))
  }
  return /^[0-9]{1,16}/.exec(rest)?.[0]
}

function matchFact(fact: Fact, text: string, facts: Facts): string | undefined {
  const own = facts[fact.fact]
  switch (fact.fact) {
    case 'enum':
      return fact.values?.includes(text) === true ? text : undefined
    case 'integer': {
      if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined
      const n = Number(text)
      return n >= (fact.min ?? 0) && n <= (fact.max ?? -1) ? text : undefined
    }
    case 'time-ms':
      // The server's clock reading and ours lie apart by its start-up time and more; ours is forwarded.
      if (own === undefined || !/^[1-9][0-9]{0,15}$/.test(text)) return undefined
      return Math.abs(Number(text) - Number(own)) <= DAY_MS ? own : undefined
    default:
      return own !== undefined && own === text ? own : undefined
  }
}

/** Facts a remote server's manifest may use: the guard cannot know the others (PROTOCOL 3). */
export function isRemoteFact(fact: Fact): boolean {
  return fact.fact === 'enum' || fact.fact === 'integer' || fact.fact === 'date'
}

/** The value a pointer names, and a way to replace it in a deep copy; undefined where it leads nowhere. */
export function readPointer(value: unknown, pointer: string): unknown {
  let at: unknown = value
  for (const token of pointerTokens(pointer)) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, token)) return undefined
    // RFC 6901 section 4: of a list, an index leads somewhere, and nothing else it has.
    if (Array.isArray(at) && !/^(?:0|[1-9][0-9]*)$/.test(token)) return undefined
    at = (at as Record<string, unknown>)[token]
  }
  return at
}

/** A copy of `value` (objects and arrays along the pointer are copied, the rest is shared) with one value replaced. */
export function replaceAt<T>(value: T, pointer: string, replacement: unknown): T {
  const [token, ...rest] = pointerTokens(pointer)
  if (token === undefined) return replacement as T
  const copy: Record<string, unknown> = Array.isArray(value)
    ? (value.slice() as unknown as Record<string, unknown>)
    : copyMembers(value as object)
  const tail = rest.map((t) => `/${t.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  Object.defineProperty(copy, token, {
    value: replaceAt(copy[token], tail, replacement),
    enumerable: true,
    writable: true,
    configurable: true,
  })
  return copy as T
}

function copyMembers(value: object): Record<string, unknown> {
  const copy = Object.create(null) as Record<string, unknown>
  for (const key of Object.keys(value)) copy[key] = (value as Record<string, unknown>)[key]
  return copy
}

function pointerTokens(pointer: string): string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}
