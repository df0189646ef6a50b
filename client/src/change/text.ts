import type { JsonValue } from '../core/index.js'
import { isTypography } from './typography.js'
import type { Ledger } from './ledger.js'
import type { Place } from './places.js'

/** A value before and after, and where it stands in each document. */
export interface Was {
  readonly before: JsonValue | undefined
  readonly after: JsonValue | undefined
  /** Where it stands now, or, if it is gone, where it stood. */
  readonly place: Place
}

/** A title: case, blanks and punctuation are looks, everything else words. */
export function compareTitles(name: string, { before, after, place }: Was, { note }: Ledger): void {
  const isLooks = typeof before === 'string' && typeof after === 'string' && isTypography(before, after)
  const words = { text: `${name} is ${isLooks ? 'written differently' : 'another one'}`, before, after }
  if (isLooks) note('typography', 'cosmetic', place, () => words)
  else note('text', 'text', place, () => words)
}

/** A text that a model or a person reads. */
export function compareTexts(name: string, { before, after, place }: Was, { note }: Ledger): void {
  const how = before === undefined ? 'is new' : after === undefined ? 'is gone' : 'says something else'
  note('text', 'text', place, () => ({ text: `${name} ${how}`, before, after }))
}
