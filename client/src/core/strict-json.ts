import { isWellFormed, utf8Bytes } from './bytes.js'
import { type ErrorCode, refuse } from './errors.js'
import { MAX_INPUT_BYTES, parseText } from './lexical.js'

/** Any JSON value, as {@link parseStrictJson} returns it. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/** A JSON object. From {@link parseStrictJson} it inherits nothing, so `__proto__` is a member like any other. */
export interface JsonObject {
  [member: string]: JsonValue
}

/** Caps that hold before and while parsing. */
export interface JsonLimits {
  /** Bytes of UTF-8; 6 MiB when absent. */
  readonly maxBytes?: number
  /** Containers inside each other; 64 when absent. */
  readonly maxDepth?: number
}

/** Containers inside each other that strict and canonical JSON allow unless told otherwise (PROTOCOL 1). */
export const MAX_JSON_DEPTH = 64

interface Reader {
  readonly text: string
  readonly maxDepth: number
  at: number
}

/**
 * Strict JSON (PROTOCOL 1): one text, one meaning, on every implementation.
 *
 * Promises objects that inherit nothing, well-formed strings and finite numbers whose shortest form is the number that
 * was written; `-0` is 0. Throws `input-too-large`, `utf8-invalid` (also for a byte order mark), `json-malformed`,
 * `json-duplicate-member` (compared after unescaping), `json-too-deep`, `json-lone-surrogate`, `json-number-inexact`.
 */
export function parseStrictJson(input: Uint8Array | string, limits: JsonLimits = {}): JsonValue {
  const text =
    typeof input === 'string' ? checkText(input, limits.maxBytes) : parseText(input, limits.maxBytes)
  const reader: Reader = { text, maxDepth: limits.maxDepth ?? MAX_JSON_DEPTH, at: 0 }
  const value = readValue(reader, 0)
  skipSpace(reader)
  if (reader.at !== text.length) malformed(reader, 'something follows the value')
  return value
}

/** Whether a JSON value is an object: neither array nor null, and not an instance of a class. */
export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Object.prototype of any realm is the one with nothing above it.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

function checkText(text: string, maxBytes: number = MAX_INPUT_BYTES): string {
  // A UTF-16 unit is at most three bytes of UTF-8: short texts need no exact count.
  const tooLarge = text.length > maxBytes || (text.length * 3 > maxBytes && byteLength(text) > maxBytes)
  if (tooLarge) refuse('input-too-large', 'the JSON text is too large', { maxBytes })
  if (!isWellFormed(text)) refuse('json-lone-surrogate', 'the JSON text has a lone surrogate')
  if (text.startsWith('\ufeff')) refuse('utf8-invalid', 'the JSON text starts with a byte order mark')
  return text
}

function byteLength(text: string): number {
  return isWellFormed(text) ? utf8Bytes(text).length : text.length * 3
}

function readValue(reader: Reader, depth: number): JsonValue {
  skipSpace(reader)
  switch (reader.text.charCodeAt(reader.at)) {
    case 0x7b:
      return readObject(reader, enter(reader, depth))
    case 0x5b:
      return readArray(reader, enter(reader, depth))
    case 0x22:
      return readString(reader)
    case 0x74:
      return readWord(reader, 'true', true)
    case 0x66:
      return readWord(reader, 'false', false)
    case 0x6e:
      return readWord(reader, 'null', null)
    default:
      return readNumber(reader)
  }
}

function enter(reader: Reader, depth: number): number {
  if (depth >= reader.maxDepth) fail(reader, 'json-too-deep', 'the JSON value is nested too deeply')
  reader.at++
  return depth + 1
}

/**
 * Makes an object that inherits nothing: its prototype is frozen, empty and has none itself. Unlike one made by
 * `Object.create(null)` it is not a hash table to the engine, which makes parsing and walking manifests cheaper.
 */
const Bare = function () {} as unknown as { new (): JsonObject; prototype: object }
Bare.prototype = Object.freeze(Object.create(null) as object)

function readObject(reader: Reader, depth: number): JsonObject {
  const object = new Bare()
  if (nextCode(reader) === 0x7d) return close(reader, object)
  for (;;) {
    if (nextCode(reader) !== 0x22) malformed(reader, 'a member name is missing')
    const member = readString(reader)
    if (member in object) fail(reader, 'json-duplicate-member', 'a member appears twice', member)
    if (nextCode(reader) !== 0x3a) malformed(reader, 'a colon is missing')
    reader.at++
    object[member] = readValue(reader, depth)
    if (endsList(reader, 0x7d)) return object
  }
}

function readArray(reader: Reader, depth: number): JsonValue[] {
  const array: JsonValue[] = []
  if (nextCode(reader) === 0x5d) return close(reader, array)
  for (;;) {
    array.push(readValue(reader, depth))
    if (endsList(reader, 0x5d)) return array
  }
}

function close<T>(reader: Reader, value: T): T {
  reader.at++
  return value
}

/** Steps over a comma (false) or the closing bracket (true); refuses anything else. */
function endsList(reader: Reader, closing: number): boolean {
  const code = nextCode(reader)
  if (code !== closing && code !== 0x2c) malformed(reader, 'a comma or closing bracket is missing')
  reader.at++
  return code === closing
}

/** What ends the plain run of a string before its quote does. */
const SPECIAL = /[\\\u0000-\u001f]/
/** Ordinary characters of a string; a scan by the regular expression engine is several times a loop's speed. */
const PLAIN = /[^"\\\u0000-\u001f]*/y

function readString(reader: Reader): string {
  const start = reader.at
  const end = reader.text.indexOf('"', start + 1)
  const plain = end < 0 ? '' : reader.text.slice(start + 1, end)
  if (end < 0 || SPECIAL.test(plain)) return readEscaped(reader)
  reader.at = end + 1
  return plain
}

function readEscaped(reader: Reader): string {
  const start = reader.at
  for (let at = start + 1; ; at += 2) {
    PLAIN.lastIndex = at
    PLAIN.test(reader.text)
    at = PLAIN.lastIndex
    const code = reader.text.charCodeAt(at)
    if (code === 0x22) {
      reader.at = at + 1
      return unescape(reader, start)
    }
    // Whatever follows a backslash does not end the string; `unescape` judges it.
    if (code !== 0x5c) malformed(reader, 'a string does not end, or has a control character')
  }
}

function unescape(reader: Reader, start: number): string {
  const string = unescapeLiteral(reader, start)
  // "\ud800" is plain ASCII in the text: it turns into a lone surrogate only here.
  if (!isWellFormed(string)) fail(reader, 'json-lone-surrogate', 'a string has a lone surrogate')
  return string
}

function unescapeLiteral(reader: Reader, start: number): string {
  try {
    // One string literal: no members, no numbers, nothing the platform's parser is lenient about.
    return JSON.parse(reader.text.slice(start, reader.at)) as string
  } catch {
    return malformed(reader, 'a string has an unknown escape')
  }
}

function readWord<T>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) malformed(reader, 'an unknown word')
  reader.at += word.length
  return value
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

function readNumber(reader: Reader): number {
  NUMBER.lastIndex = reader.at
  const token = NUMBER.exec(reader.text)?.[0]
  if (token === undefined) return malformed(reader, 'a value is missing')
  const value = Number(token)
  if (!isExact(token, value))
    fail(reader, 'json-number-inexact', 'a number does not survive', token.slice(0, 40))
  reader.at += token.length
  return value === 0 ? 0 : value // one zero: -0 and 0 are the same text in canonical JSON
}

function isExact(token: string, value: number): boolean {
  if (!Number.isFinite(value)) return false
  const written = String(value)
  return token === written || decimalValue(token) === decimalValue(written)
}

/** One spelling for each decimal value: its significant digits, and the power of ten of the last of them. */
function decimalValue(token: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(token) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = trimZeros(digits)
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

/** Not a regular expression: /0+$/ is quadratic over a hostile run of zeros that ends in a one. */
function trimZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--
  return digits.slice(0, end)
}

function nextCode(reader: Reader): number {
  skipSpace(reader)
  return reader.text.charCodeAt(reader.at)
}

function skipSpace(reader: Reader): void {
  const { text } = reader
  for (;;) {
    const code = text.charCodeAt(reader.at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    reader.at++
  }
}

function malformed(reader: Reader, message: string): never {
  return fail(reader, 'json-malformed', message)
}

function fail(reader: Reader, code: ErrorCode, message: string, found?: string): never {
  refuse(
    code,
    message,
    found === undefined ? { at: reader.at } : { at: reader.at, found: found.slice(0, 80) },
  )
}
