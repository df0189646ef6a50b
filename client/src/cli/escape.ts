import { showHidden } from '../gates/unicode.js'

/** What a terminal obeys or hides, whatever stands around it. Line feeds are for the callers to split at. */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * Foreign text for one line of a terminal: control, bidirectional and hidden characters are written as `\u{…}`, line
 * feeds and tabs as `\n` and `\t`. What comes out cannot move the cursor, colour, hide or reorder anything.
 */
export function safeText(text: string): string {
  return showHidden(text).replaceAll(OBEYED, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}}`
  })
}

/** Foreign text within a command that a person may copy into a shell: one word, whatever is in it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** The same for text of several lines: it keeps its line feeds, and each line is safe. */
export function safeLines(text: string): string[] {
  return text.split(/\r?\n/).map(safeText)
}

const HIDDEN_IN_JSON = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** JSON of a document in which no hidden character stands raw: they are `\uXXXX`, which any parser undoes. */
export function safeJson(document: unknown): string {
  return JSON.stringify(document, undefined, 2).replaceAll(HIDDEN_IN_JSON, (char) =>
    char === '\n' ? char : escapeUnits(char),
  )
}

function escapeUnits(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
