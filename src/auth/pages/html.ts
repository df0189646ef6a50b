import { showHidden } from 'countersign/gates'

/** Text that is HTML already. Only `html` and our own constants make it, so that nothing foreign becomes markup. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Part = string | number | Html | undefined | readonly Html[]

/** What a browser would hide, reorder or break a line at, whatever stands around it. */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * Foreign text as a person should see it: control, bidirectional and hidden characters are written as `\u{…}`, and
 * what is too long to be a name ends in an ellipsis.
 */
export function visible(text: string, most = 200): string {
  const letters = Array.from(text.slice(0, 4 * most))
  const cut = letters.length > most ? `${letters.slice(0, most).join('')}…` : letters.join('')
  return showHidden(cut).replaceAll(
    OBEYED,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}}`,
  )
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

function escape(text: string): string {
  return visible(text, 2000).replace(/[&<>"'`]/g, (char) => ENTITIES[char] ?? '')
}

/** Every value is made visible and escaped, for text and for quoted attributes alike, unless it is `Html` itself. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let text = strings[0] ?? ''
  parts.forEach((part, index) => (text += render(part) + (strings[index + 1] ?? '')))
  return new Html(text)
}

function render(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(({ text }) => text).join('\n')
  return escape(String(part))
}

/** A name somebody else chose: isolated, so that its direction cannot reorder our words. */
export function foreign(text: string, most = 120): Html {
  return html`<bdi>${visible(text, most)}</bdi>`
}

/** A program by its name; blank names are told apart from a gap in the sentence. */
export function program(clientName: string): Html {
  return clientName.trim() === '' ? html`A program without a name` : foreign(clientName)
}
