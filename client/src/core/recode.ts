import { CountersignError, type ErrorCode } from './errors.js'

/**
 * Runs one step of a parser. A refusal of a lower layer (a decimal, a base64 text) is told under the code of
 * the format that is being parsed, with the lower refusal as its cause, so that callers have one code a
 * format.
 */
export function recode<T>(code: ErrorCode, what: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(code, `${what}: ${cause.message}`, cause.detail, { cause })
  }
}
