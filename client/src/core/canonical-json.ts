import { isWellFormed } from './bytes.js'
import { refuse } from './errors.js'
import { parseText } from './lexical.js'
import {
  isJsonObject,
  type JsonLimits,
  type JsonValue,
  MAX_JSON_DEPTH,
  parseStrictJson,
} from './strict-json.js'

/**
 * Canonical JSON (RFC 8785, JCS) of a JSON value: what is signed, hashed and compared.
 *
 * Reads own enumerable members only and calls no `toJSON`; `__proto__` is data. Throws `json-malformed` for what JSON
 * has no form for (undefined, functions, bigints, symbols, holes, class instances), `json-number-inexact` for NaN and
 * infinities, `json-lone-surrogate`, and `json-too-deep` beyond `maxDepth` (64), so also for cycles.
 *
 * @example
 * canonicalize({ b: 1, a: [true, 'x'] }) // '{"a":[true,"x"],"b":1}'
 */
export function canonicalize(value: unknown, limits: Pick<JsonLimits, 'maxDepth'> = {}): string {
  return formatValue(value, limits.maxDepth ?? MAX_JSON_DEPTH)
}

/**
 * Strict JSON that must be in canonical form already: throws what {@link parseStrictJson} throws, and
 * `json-not-canonical` when the text is not the canonical form of its value.
 */
export function parseCanonicalJson(input: Uint8Array | string, limits: JsonLimits = {}): JsonValue {
  const text = typeof input === 'string' ? input : parseText(input, limits.maxBytes)
  const value = parseStrictJson(text, limits)
  if (canonicalize(value, limits) !== text)
    refuse('json-not-canonical', 'the JSON text is not in canonical form')
  return value
}

function formatValue(value: unknown, levels: number): string {
  switch (typeof value) {
    case 'string':
      return formatString(value)
    case 'number':
      return formatNumber(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? 'null' : formatContainer(value, levels)
    default:
      return refuse('json-malformed', 'a value has no JSON form', { type: typeof value })
  }
}

/** What a JSON string escapes (RFC 8785 3.2.2.2), and surrogates, of which pairs are fine. */
const SPECIAL = /["\\\u0000-\u001f\ud800-\udfff]/

function formatString(text: string): string {
  if (!SPECIAL.test(text)) return `"${text}"`
  if (!isWellFormed(text)) refuse('json-lone-surrogate', 'a string has a lone surrogate')
  return JSON.stringify(text) // for well-formed strings exactly RFC 8785 3.2.2.2
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) refuse('json-number-inexact', 'a number is not finite')
  return String(value) // RFC 8785 3.2.2.3 is this very algorithm; -0 becomes 0
}

function formatContainer(value: object, levels: number): string {
  if (levels <= 0) refuse('json-too-deep', 'the JSON value is nested too deeply')
  if (Array.isArray(value)) return formatArray(value, levels - 1)
  if (!isJsonObject(value)) refuse('json-malformed', 'an instance of a class has no JSON form')
  return formatObject(value, levels - 1)
}

function formatArray(array: readonly unknown[], levels: number): string {
  let text = '['
  // By index, so that a hole is met as undefined and refused.
  for (let i = 0; i < array.length; i++) text += (i === 0 ? '' : ',') + formatValue(array[i], levels)
  return text + ']'
}

function formatObject(object: Readonly<Record<string, unknown>>, levels: number): string {
  const names = sortNames(Object.keys(object))
  let text = '{'
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? ''
    text += (i === 0 ? '' : ',') + formatMember(name) + formatValue(object[name], levels)
  }
  return text + '}'
}

/**
 * The same few names stand in every definition. Short ones only, and not more than these: a hostile document that fills
 * the list costs others this much time, and nobody memory.
 */
const members = new Map<string, string>()
const MAX_MEMBERS = 512
const MAX_MEMBER_LENGTH = 32

function formatMember(name: string): string {
  const known = members.get(name)
  if (known !== undefined) return known
  const formatted = formatString(name) + ':'
  if (members.size < MAX_MEMBERS && name.length <= MAX_MEMBER_LENGTH) members.set(name, formatted)
  return formatted
}

/** The default order of strings is by UTF-16 code unit: RFC 8785 3.2.3. What was signed is sorted already. */
function sortNames(names: string[]): string[] {
  for (let i = 1; i < names.length; i++) {
    if ((names[i - 1] ?? '') > (names[i] ?? '')) return names.sort()
  }
  return names
}
