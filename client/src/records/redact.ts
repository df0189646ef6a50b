import { isJsonObject, type ErrorDetail, type JsonObject, type JsonValue } from '../core/index.js'
import type { RedactedArguments, Shape } from './record.js'

/** Names of a schema that are looked up; a tool with more arguments has its others counted. */
const MAX_NAMES = 64
const MAX_VALUES_CHARS = 32 * 1024
const MAX_DETAIL_MEMBERS = 16
const MAX_DETAIL_ITEMS = 8
const MAX_TEXT = 256

/** A text from outside, no longer than a record wants it. */
export function cut(text: string, max: number = MAX_TEXT): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`
}

/**
 * The shape of a call's arguments, without a value: for each argument that the signed schema names its type, and how long
 * it is. Names that the schema does not have may themselves be values, so they are counted and no more; no hash stands
 * here, for the hash of a short value gives the value away.
 */
export function redactArguments(given: JsonObject, names: readonly string[]): RedactedArguments {
  const known = names.filter((name) => Object.hasOwn(given, name)).slice(0, MAX_NAMES)
  const others = Object.keys(given).length - known.length
  const shapes = Object.fromEntries(known.map((name) => [name, shapeOf(given[name])]))
  return { redacted: true, shapes, ...(others > 0 && { others }) }
}

function shapeOf(value: JsonValue | undefined): Shape {
  if (typeof value === 'string') return { type: 'string', size: value.length }
  if (Array.isArray(value)) return { type: 'array', size: value.length }
  if (value === null) return { type: 'null' }
  if (isJsonObject(value)) return { type: 'object', size: Object.keys(value).length }
  return { type: typeof value === 'number' ? 'number' : 'boolean' }
}

/** Whether a value is small enough to be written as it is; stops counting as soon as it is not. */
export function isSmall(value: JsonValue): boolean {
  let room = MAX_VALUES_CHARS
  const pending: JsonValue[] = [value]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    room -= typeof next === 'string' ? next.length + 2 : 8
    if (Array.isArray(next)) {
      if (next.length > room) return false
      for (const item of next) pending.push(item)
    } else if (isJsonObject(next)) {
      for (const [name, item] of Object.entries(next)) {
        room -= name.length
        pending.push(item)
      }
    }
    if (room < 0) return false
  }
  return true
}

/** What explains a verdict, cut to what a line has room for. */
export function recordDetail(detail: ErrorDetail, withValues: boolean): JsonObject {
  const members = Object.entries(detail).slice(0, MAX_DETAIL_MEMBERS)
  return Object.fromEntries(
    members.map(([name, value]) => [
      cut(name),
      name === 'faults' && !withValues ? withoutPaths(value) : plain(value),
    ]),
  )
}

function plain(value: ErrorDetail[string] | undefined): JsonValue {
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'object' && value !== null)
    return value.slice(0, MAX_DETAIL_ITEMS).map((one) => cut(one))
  return value ?? null
}

/** `/path: keyword (/schema/path)`: the path leads through the value and is made of its names. */
function withoutPaths(value: ErrorDetail[string] | undefined): JsonValue {
  if (typeof value !== 'object' || value === null) return null
  return value
    .slice(0, MAX_DETAIL_ITEMS)
    .map((fault) => /: ([A-Za-z$]+ \([^:]*\))$/.exec(fault)?.[1] ?? 'fault')
}

/** A URI without what may be a secret in it: credentials, query and fragment. */
export function redactUri(uri: string, max: number = MAX_TEXT): string {
  return cut(uri.replace(/[?#].*$/s, '').replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/]*@/, '$1'), max)
}
