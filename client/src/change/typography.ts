import { findHidden } from '../gates/unicode.js'

/**
 * Whether two titles differ in case, blanks, punctuation marks or composition only. Hidden characters are none of
 * these: a title that gains one is another title.
 */
export function isTypography(a: string, b: string): boolean {
  return !hasHidden(a) && !hasHidden(b) && letters(a) === letters(b)
}

function letters(text: string): string {
  return text
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[\p{P}\p{Zs}\t\r\n]/gu, '')
}

export function hasHidden(text: string): boolean {
  return findHidden(text).next().done === false
}
