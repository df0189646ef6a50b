import { findHidden } from '../gates/unicode.js'

/** Words, blanks and marks between and behind words. Anything else may be a path, an address, an option, a number. */
const PROSE = /^(?:[\p{L}\p{M}\p{N}]|[ \u00a0]|['’"“”,;:!?()&_–—-]|\.(?![\p{L}\p{N}]))*$/u
const OPTION = /(?<![\p{L}\p{N}])[-_–—][\p{L}\p{N}]/u
const ENDING = ' .!…:'
/** More blanks than anybody writes push words out of sight. */
const GAP = / {4}/

/**
 * Whether two titles differ in case, width of blanks, kind of quotes and dashes, the mark at the end or composition
 * only. Words stay words, in the same order, with the same marks between them: however many such steps follow each
 * other, they never say anything else. Hidden characters are none of these, nor is anything in a title that is no
 * prose.
 */
export function isTypography(a: string, b: string): boolean {
  // Most titles that changed begin with another letter: ten thousands of them are told apart by it.
  if (a.charAt(0).toLowerCase() !== b.charAt(0).toLowerCase()) return false
  return !hasHidden(a) && !hasHidden(b) && isProse(a) && isProse(b) && plain(a) === plain(b)
}

function isProse(text: string): boolean {
  const title = withoutEnding(text)
  return PROSE.test(title) && !OPTION.test(title) && !GAP.test(text.replaceAll('\u00a0', ' '))
}

/** Not a regular expression: a run that ends in something else would be walked from each of its marks. */
function withoutEnding(text: string): string {
  let end = text.length
  while (end > 0 && ENDING.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

function plain(text: string): string {
  const words = text
    .normalize('NFC')
    .toLowerCase()
    .replaceAll('’', "'")
    .replaceAll(/[“”]/g, '"')
    .replaceAll(/[\u00a0_–—-]/g, ' ')
    .replaceAll(/ +/g, ' ')
    .trim()
  return withoutEnding(words)
}

export function hasHidden(text: string): boolean {
  return findHidden(text).next().done === false
}
