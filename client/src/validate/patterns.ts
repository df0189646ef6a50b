import { RE2JS } from 're2js'
import type { Budget } from './budget.js'

/** RE2 cannot say what this pattern says: a look-around, a backward reference, or something larger than it takes. */
export class PatternBeyondRe2 extends Error {
  override readonly name = 'PatternBeyondRe2'
}

/** Each takes its time to compile. */
const MAX_PATTERNS = 500

/** Parts of all patterns of a schema once repetitions are written out, as the engine does: each takes memory and time. */
const MAX_PARTS = 50_000

export class TooManyPatterns extends Error {
  override readonly name = 'TooManyPatterns'
}

interface LinearPattern {
  test(text: string): boolean
}

/** The patterns of one schema, in time linear in the text, whatever they say; each test is paid for by its length. */
export function linearPatterns(budget: Budget): { (pattern: string): LinearPattern; code: string } {
  let count = 0
  let parts = 0
  const compile = (pattern: string): LinearPattern => {
    const translated = RE2JS.translateRegExp(pattern)
    parts += countParts(translated)
    if (++count > MAX_PATTERNS || parts > MAX_PARTS) throw new TooManyPatterns()
    const compiled = compilePattern(translated)
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

function compilePattern(translated: string): RE2JS {
  try {
    return RE2JS.compile(translated)
  } catch (cause) {
    throw new PatternBeyondRe2('not a pattern of RE2', { cause })
  }
}

/** A class, an escape with its argument, a repetition that counts, or one character. */
const PARTS =
  /\[\^?\]?(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\\[pPxu]\{[^}]*\}|\\[\s\S]|\{(\d+)(?:,(\d*))?\}|[\s\S]/g

/** How many parts a pattern has when each is written as often as it is repeated at most. @throws PatternBeyondRe2 */
function countParts(translated: string): number {
  const outer: number[] = []
  let [group, last] = [0, 0]
  for (const [part, least, most = ''] of translated.matchAll(PARTS)) {
    // What is quoted would have to be read in another way, and no pattern of this dialect quotes.
    if (part === '\\Q') throw new PatternBeyondRe2('not a pattern of the dialect')
    if (least !== undefined) {
      const times = Math.max(Number(least), Number(most), 1)
      group += last * (times - 1)
      last *= times
    } else if (part === '(') {
      outer.push(group)
      group = 0
    } else if (part === ')') {
      last = group + 2
      group = (outer.pop() ?? 0) + last
    } else {
      last = 1
      group++
    }
  }
  return outer.reduce((sum, one) => sum + one, group)
}
