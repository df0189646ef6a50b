/** What a change means, from harmless to dangerous. The order is the order of the list. */
export const CHANGE_CLASSES = ['none', 'cosmetic', 'narrowed', 'text', 'widened', 'dangerous'] as const

export type ChangeClass = (typeof CHANGE_CLASSES)[number]

/** What a host does with a change: nothing to see, written down, or a person agrees first. */
export type Reaction = 'silent' | 'recorded' | 'consent'

export interface ChangeRow {
  readonly examples: readonly string[]
  readonly personal: Reaction
  readonly managed: Reaction
}

/** Negative, zero or positive: which of two classes is the worse one. */
export function compareClasses(a: ChangeClass, b: ChangeClass): number {
  return CHANGE_CLASSES.indexOf(a) - CHANGE_CLASSES.indexOf(b)
}

export function worseOf(a: ChangeClass, b: ChangeClass): ChangeClass {
  return compareClasses(a, b) < 0 ? b : a
}

/** The class of all of them: the worst one; `none` of nothing. */
export function changeClass(changes: Iterable<{ readonly class: ChangeClass }>): ChangeClass {
  let worst: ChangeClass = 'none'
  for (const change of changes) worst = worseOf(worst, change.class)
  return worst
}

/**
 * The classes, what falls into them, and what hosts do (PROTOCOL 12). A managed host needs no consent for `widened`:
 * the approval of its organisation's registry is the consent.
 */
export const CHANGE_TABLE: Readonly<Record<ChangeClass, ChangeRow>> = {
  none: {
    examples: [
      'another order of members',
      '`$defs` hoisted or written out',
      'a default written out or left out',
    ],
    personal: 'silent',
    managed: 'silent',
  },
  cosmetic: {
    examples: ['another icon of the same directory', 'case, blanks or the last mark of a title'],
    personal: 'silent',
    managed: 'silent',
  },
  narrowed: {
    examples: [
      'tool or parameter removed',
      'enum narrowed',
      'new `maxLength`',
      '`readOnlyHint` false to true alone',
      'scope removed',
    ],
    personal: 'recorded',
    managed: 'recorded',
  },
  text: {
    examples: [
      'reworded description, title or instructions',
      'a default, an example or a constant that a model reads',
      'another version of the same package',
    ],
    personal: 'recorded',
    managed: 'recorded',
  },
  widened: {
    examples: [
      'new tool, prompt or variant',
      'new parameter, optional or required',
      'wider enum or type',
      '`additionalProperties` opened',
      'new optional scope',
      '`outputSchema` widened',
    ],
    personal: 'consent',
    managed: 'recorded',
  },
  dangerous: {
    examples: [
      'new required scope',
      'a hint turned towards more power',
      '`x-mcp-header`',
      'new host in a URL',
      'text that a finding of medium weight or more points into',
      'other package, launch or remote URL',
    ],
    personal: 'consent',
    managed: 'consent',
  },
}
