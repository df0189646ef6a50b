import type { JsonObject, JsonValue } from '../core/index.js'

/** An own member of an object, or undefined. */
export function ownOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** Whether two values are the same JSON; absent is not null. Nothing is written out, and the first difference ends it. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [x, y] = [a, b] as Readonly<Record<string, unknown>>[]
  const names = Object.keys(x ?? {})
  return (
    names.length === Object.keys(y ?? {}).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameJson(x?.[name], y?.[name]))
  )
}

/** The names of the members of both objects, sorted. */
export function namesOf(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
}
