import { RE2JS } from 're2js'
import type { Budget } from './budget.js'

/** RE2 cannot say what this pattern says: a look-around, a backward reference, or something larger than it takes. */
export class PatternBeyondRe2 extends Error {
  override readonly name = 'PatternBeyondRe2'
}

/** Each takes its time to compile. */
const MAX_PATTERNS = 500

export class TooManyPatterns extends Error {
  override readonly name = 'TooManyPatterns'
}

interface LinearPattern {
  test(text: string): boolean
}

/** The patterns of one schema, in time linear in the text, whatever they say; each test is paid for by its length. */
export function linearPatterns(budget: Budget): { (pattern: string): LinearPattern; code: string } {
  let count = 0
  const compile = (pattern: string): LinearPattern => {
    if (++count > MAX_PATTERNS) throw new TooManyPatterns()
    const compiled = compilePattern(pattern)
    const price = 1 + Math.ceil(compiled.programSize() / 16)
    return {
      test: (text) => {
        budget.spend(1 + text.length * price)
        return compiled.test(text)
      },
    }
  }
  // Only source code that is written out would need to name the engine.
  return Object.assign(compile, { code: 'undefined' })
}

function compilePattern(pattern: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern))
  } catch (cause) {
    throw new PatternBeyondRe2('not a pattern of RE2', { cause })
  }
}
