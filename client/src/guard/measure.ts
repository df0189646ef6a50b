/** Most that one result, or one error, of the server may hold: UTF-16 units of text, and eight for every value. */
export const MAX_RESULT_SIZE = 8 * 1024 * 1024

const VALUE_SIZE = 8

/** Whether a value is larger than `most`. Without recursion: what it measures may be nested as deep as a parser goes. */
export function isLarger(value: unknown, most: number): boolean {
  let left = most
  const stack: unknown[] = [value]
  while (stack.length > 0 && left >= 0) {
    const one = stack.pop()
    left -= VALUE_SIZE
    if (typeof one === 'string') left -= one.length
    else if (typeof one === 'object' && one !== null) left -= pushInner(one, stack, left)
  }
  return left < 0
}

/** Puts the members on the stack and returns the size of their names; stops where there are too many. */
function pushInner(value: object, stack: unknown[], left: number): number {
  let size = 0
  if (Array.isArray(value)) {
    if (value.length * VALUE_SIZE > left) return left + 1
    for (const one of value) stack.push(one)
    return 0
  }
  for (const [name, one] of Object.entries(value)) {
    size += name.length
    stack.push(one)
  }
  return size
}

// C0 without tab, line feed and carriage return, DEL, C1, and what the Unicode gate calls hidden in the usual ranges.
const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\u{e0000}-\u{e01ef}]/gu

/** Hidden and control characters in the texts of a result: counted, never taken out, for they may be the data. */
export function countHidden(content: unknown): number {
  if (!Array.isArray(content)) return 0
  let count = 0
  for (const block of content as unknown[]) {
    const text = (block as { text?: unknown } | null | undefined)?.text
    if (typeof text === 'string') count += text.match(HIDDEN)?.length ?? 0
  }
  return count
}
