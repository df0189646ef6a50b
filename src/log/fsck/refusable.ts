import { CountersignError } from 'countersign/core'

/** What the parser gives, or undefined when it refuses the input; anything else that it throws is thrown. */
export function refusable<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}
