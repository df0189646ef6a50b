import { isJsonObject, type JsonObject } from '../core/index.js'
import { findHidden } from '../gates/unicode.js'

/** The text without the characters that a person does not see and a model may read. */
export function withoutHidden(text: string): string {
  let shown = ''
  let from = 0
  for (const { at, codePoint } of findHidden(text)) {
    shown += text.slice(from, at)
    from = at + (codePoint > 0xffff ? 2 : 1)
  }
  return from === 0 ? text : shown + text.slice(from)
}

const FREE_TEXT = ['name', 'title', 'description'] as const

/** PROTOCOL 3: what no manifest signs is passed with hidden characters removed; a URI stays what the host must send back. */
export function cleanItem(item: unknown): unknown {
  const cleaned = cleanTexts(item)
  if (!isJsonObject(cleaned) || !Array.isArray(cleaned['arguments'])) return cleaned
  // No deeper than prompts have them: a server nests deeper than a stack is.
  return { ...cleaned, arguments: cleaned['arguments'].map(cleanTexts) as JsonObject[] }
}

function cleanTexts(item: unknown): unknown {
  if (!isJsonObject(item)) return item
  const cleaned: JsonObject = { ...item }
  for (const member of FREE_TEXT) {
    const value = cleaned[member]
    if (typeof value === 'string') cleaned[member] = withoutHidden(value)
  }
  return cleaned
}
