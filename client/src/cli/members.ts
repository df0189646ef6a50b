import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'

/** A member of somebody else's JSON as text to be shown: texts and numbers, and nothing for anything else. */
export function shownMember(object: JsonObject, name: string): string {
  const value = Object.hasOwn(object, name) ? object[name] : undefined
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A list of objects, or an empty one. */
export function objectsOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

/** A list of texts; what is none is left out. */
export function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}
