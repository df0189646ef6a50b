import type { ChangeClass } from './class.js'

/** What a change is about. The list is closed. */
export const CHANGE_KINDS = [
  // Spelling and looks
  'rewritten',
  'typography',
  'icon',
  // Words
  'text',
  'hidden-characters',
  'new-host',
  // Items
  'item-added',
  'item-removed',
  'variant-added',
  'variant-removed',
  'slot',
  'resources-mode',
  // Schemas
  'parameter-added',
  'parameter-removed',
  'parameter-required',
  'parameter-optional',
  'type',
  'values',
  'limit',
  'opened',
  'closed',
  'alternative-added',
  'alternative-removed',
  'condition',
  'default',
  'reference',
  'dialect',
  'definition',
  'header',
  'keyword',
  // Other members of items
  'hint',
  'execution',
  'meta',
  // Rights
  'scope-added',
  'scope-removed',
  'scope-required',
  'scope-optional',
  'authorization',
  // What runs, and who speaks
  'package',
  'artifact',
  'remote',
  'launch',
  'environment',
  'identity',
  'expiry',
  // What could not be compared
  'too-complex',
] as const

export type ChangeKind = (typeof CHANGE_KINDS)[number]

/**
 * One change. `item`, `before`, `after` and `text` are bounded and safe to print: hidden characters are visible in
 * them. `pointer` carries the document's characters as they are: print it through `showHidden`.
 */
export interface Change {
  /** RFC 6901, into the new document; into the old one for what is gone (`after` is absent then). */
  readonly pointer: string
  /** Kind and name, such as `tool get_user`; `server` for what belongs to no item. */
  readonly item: string
  readonly kind: ChangeKind
  readonly class: ChangeClass
  readonly before?: string
  readonly after?: string
  /** A sentence for people. */
  readonly text: string
}

/** What changed between two documents, worst first. `class` is computed over all changes, listed or not. */
export interface Comparison {
  readonly class: ChangeClass
  readonly changes: readonly Change[]
  /** How many more there are than are listed. */
  readonly more: number
}
