import { canonicalize, type JsonObject, type JsonValue } from '../core/index.js'

/** An own member of an object, or undefined. */
export function ownOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** Whether two values are the same JSON; absent is not null. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b
  return a === b || canonicalize(a) === canonicalize(b)
}

/** The names of the members of both objects, sorted. */
export function namesOf(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
}
