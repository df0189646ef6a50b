/**
 * Numbers that no double holds (64-bit ids of other languages) would be rounded by being read and written again. A message
 * with one keeps its text, and goes on as it came, if nothing else could be read out of that text: no member twice.
 */
const texts = new WeakMap<object, string>()

/** Sixteen digits or more, or an exponent of three: only there reading and writing may change a number. */
const LONG_NUMBER = /\d{16}|\d[eE][+-]?\d{3}/

/** What is nested deeper is written anew, if the engine can: whoever reads it may do so with a stack. */
const MAX_DEPTH = 1000

export function keepExactText(message: object, text: string): void {
  if (LONG_NUMBER.test(text) && !Array.isArray(message) && hasOneMeaning(text))
    texts.set(message, text.trim())
}

/** The text of a message that nobody changed since it was read: the guard makes a new object of what it changes. */
export function exactTextOf(message: object): string | undefined {
  return texts.get(message)
}

interface Level {
  /** The names so far; undefined inside an array. */
  readonly names: Set<string> | undefined
  /** The next string is the name of a member. */
  atName: boolean
}

/** Whether a text that is JSON names no member twice, after unescaping, stands on one line, and is not too deep to say. */
export function hasOneMeaning(text: string): boolean {
  const levels: Level[] = []
  // By hand: an expression that matches strings of megabytes runs out of stack.
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const level = levels.at(-1)
    if (levels.length > MAX_DEPTH) return false
    if (code === 0x0a || code === 0x0d) {
      if (text.slice(at).trim() !== '') return false
    } else if (code === 0x22) {
      const end = endOfString(text, at)
      if (level?.names !== undefined && level.atName && !addName(level, text.slice(at, end))) return false
      at = end - 1
    } else if (code === 0x7b) levels.push({ names: new Set(), atName: true })
    else if (code === 0x5b) levels.push({ names: undefined, atName: false })
    else if (code === 0x7d || code === 0x5d) levels.pop()
    else if (code === 0x2c && level !== undefined) level.atName = true
  }
  return true
}

function addName(level: Level, quoted: string): boolean {
  const name = JSON.parse(quoted) as string
  level.atName = false
  if (level.names?.has(name) === true) return false
  level.names?.add(name)
  return true
}

/** After the closing quote of the string that begins here. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  for (let code = text.charCodeAt(at); code !== 0x22; code = text.charCodeAt(at)) at += code === 0x5c ? 2 : 1
  return at + 1
}
