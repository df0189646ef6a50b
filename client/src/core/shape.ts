import { CountersignError, type ErrorCode } from './errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from './strict-json.js'

/** Turns a strictly parsed value into a typed one, or fails with where and what. Unknown members are refused. */
export type Check<T> = (value: JsonValue, where: string) => T

class Mismatch extends Error {
  readonly where: string
  constructor(where: string, what: string) {
    super(what)
    this.where = where
  }
}

/** Says that a value has not the shape asked for. */
export function mismatch(where: string, what: string): never {
  throw new Mismatch(where, what)
}

/** Runs a check; a mismatch becomes an error of the family the caller stands for. */
export function checkShape<T>(check: Check<T>, value: JsonValue, code: ErrorCode, name: string): T {
  try {
    return check(value, '')
  } catch (error) {
    if (error instanceof CountersignError) {
      throw new CountersignError(code, `${name}: ${error.message}`, error.detail, { cause: error })
    }
    if (!(error instanceof Mismatch)) throw error
    const where = error.where === '' ? name : `${name} at ${error.where}`
    throw new CountersignError(code, `${where}: ${error.message}`, { pointer: error.where }, { cause: error })
  }
}

export function text(
  min = 0,
  max = 4096,
  pattern?: RegExp,
  what = `a text of ${min} to ${max} characters`,
): Check<string> {
  return (value, where) => {
    if (
      typeof value !== 'string' ||
      value.length < min ||
      value.length > max ||
      pattern?.test(value) === false
    ) {
      mismatch(where, `must be ${what}`)
    }
    return value
  }
}

export function literal<T extends string | number | boolean>(...allowed: readonly T[]): Check<T> {
  return (value, where) => {
    const found = allowed.find((one) => one === value)
    if (found === undefined)
      mismatch(where, `must be ${allowed.map((one) => JSON.stringify(one)).join(' or ')}`)
    return found
  }
}

export function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, where) => {
    if (!Number.isSafeInteger(value) || Object.is(value, -0) || Number(value) < min || Number(value) > max) {
      mismatch(where, `must be a whole number from ${min} to ${max}`)
    }
    return value as number
  }
}

export const flag: Check<boolean> = (value, where) =>
  typeof value === 'boolean' ? value : mismatch(where, 'must be true or false')

export const anyObject: Check<JsonObject> = (value, where) =>
  isJsonObject(value) ? value : mismatch(where, 'must be an object')

/** A value that has one spelling, checked by its own parser. */
export function parsed(parse: (text: string) => unknown): Check<string> {
  return (value, where) => {
    if (typeof value !== 'string') mismatch(where, 'must be a text')
    try {
      parse(value)
    } catch (error) {
      mismatch(where, error instanceof Error ? error.message : 'is malformed')
    }
    return value
  }
}

export function list<T>(item: Check<T>, min: number, max: number): Check<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      mismatch(where, `must be a list of ${min} to ${max}`)
    }
    return value.map((one, i) => item(one, `${where}/${i}`))
  }
}

/** An object used as a map: names of the caller's choice, values of one kind. */
export function record<T>(name: RegExp, item: Check<T>, max: number): Check<Readonly<Record<string, T>>> {
  return (value, where) => {
    const keys = isJsonObject(value) ? Object.keys(value) : []
    if (
      !isJsonObject(value) ||
      keys.length === 0 ||
      keys.length > max ||
      !keys.every((key) => name.test(key))
    ) {
      mismatch(where, `must be an object of 1 to ${max} members with known names`)
    }
    const result = Object.create(null) as Record<string, T>
    for (const key of keys) result[key] = item(value[key] as JsonValue, `${where}/${key}`)
    return result
  }
}

const OPTIONAL = Symbol('optional')
type Optional<T> = Check<T> & { readonly [OPTIONAL]: true }

/** A member that may be absent; absent is never null. */
export function optional<T>(check: Check<T>): Optional<T> {
  return Object.assign((value: JsonValue, where: string) => check(value, where), {
    [OPTIONAL]: true as const,
  })
}

type Members = Readonly<Record<string, Check<unknown>>>
type Shaped<S extends Members> = {
  readonly [K in keyof S as S[K] extends Optional<unknown> ? never : K]: S[K] extends Check<infer T>
    ? T
    : never
} & {
  readonly [K in keyof S as S[K] extends Optional<unknown> ? K : never]?: S[K] extends Check<infer T>
    ? T
    : never
}

/** An object with exactly these members. */
export function object<S extends Members>(members: S): Check<Shaped<S>> {
  const checks = Object.entries(members)
  return (value, where) => {
    if (!isJsonObject(value)) mismatch(where, 'must be an object')
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(members, key)) mismatch(`${where}/${key}`, 'is not a known member')
    }
    const result: Record<string, unknown> = {}
    for (const [key, check] of checks) {
      const member = Object.hasOwn(value, key) ? value[key] : undefined
      if (member !== undefined) result[key] = check(member, `${where}/${key}`)
      else if (!(OPTIONAL in check)) mismatch(`${where}/${key}`, 'is missing')
    }
    return result as Shaped<S>
  }
}
