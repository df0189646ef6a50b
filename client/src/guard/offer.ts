import type { Review, ReviewedItem, Withheld } from '../review.js'
import type { ListKind } from './events.js'
import { cleanUnsigned } from './rewrite.js'
import { isReadable } from './shapes.js'
import type { Walked } from './walk.js'

/** What the host gets of one list: texts parsed anew for each use, so that no receiver can change another's copy. */
export interface Offer {
  readonly items: () => unknown[]
  /** Names that may be used; undefined: the list is not signed and nothing is held back by name. */
  readonly allowed: ReadonlyMap<string, ReviewedItem> | undefined
  /** Of this list, or of the server as a whole. */
  readonly withheld: readonly Withheld[]
  /** Two offers with the same mark offer the same. */
  readonly mark: string
}

export const ITEM_KIND = {
  tools: 'tool',
  prompts: 'prompt',
  resourceTemplates: 'template',
  resources: 'template',
} as const satisfies Record<ListKind, Withheld['kind']>

/**
 * PROTOCOL 14: the signed copy goes on, kept as text; the received object only where policy observes.
 * @param modern by which era's rules the host's client reads the list
 */
export function makeOffer(list: ListKind, review: Review, walked: Walked, modern: boolean): Offer {
  const reviewed = reviewedOf(list, review)
  const withheld = review.withheld.filter((one) => one.kind === ITEM_KIND[list] || one.kind === 'server')
  if (isUnsigned(list, review, reviewed, withheld)) return offerUnsigned(list, walked, modern)
  if (review.mode === 'observe') return offerSeen(reviewed, withheld, walked)
  const readable = reviewed.filter((item) => isReadable(list, JSON.parse(item.signed), modern))
  const kept = new Set(readable)
  const unreadable = reviewed.filter((item) => !kept.has(item)).map((item) => malformed(list, item.name))
  return {
    items: () => readable.map((item) => JSON.parse(item.signed) as unknown),
    allowed: byName(readable),
    withheld: [...withheld, ...unreadable],
    mark: markOf(readable),
  }
}

function reviewedOf(list: ListKind, review: Review): readonly ReviewedItem[] {
  return list === 'tools' ? review.allowed : (review[list] ?? [])
}

/** A pin holds a server to the lists it showed: of another one nothing is signed, and nothing was judged or held back. */
function isUnsigned(
  list: ListKind,
  review: Review,
  reviewed: readonly ReviewedItem[],
  withheld: readonly Withheld[],
): boolean {
  const isJudged = reviewed.length > 0 || withheld.length > 0
  return list !== 'tools' && review.pin === true && !isJudged && review.mode === 'enforce'
}

function offerUnsigned(list: ListKind, walked: Walked, modern: boolean): Offer {
  const cleaned = walked.items.map(cleanUnsigned)
  const text = JSON.stringify(cleaned.filter((item) => isReadable(list, item, modern)))
  return { items: () => JSON.parse(text) as unknown[], allowed: undefined, withheld: [], mark: text }
}

function offerSeen(reviewed: readonly ReviewedItem[], withheld: readonly Withheld[], walked: Walked): Offer {
  return { items: () => [...walked.items], allowed: byName(reviewed), withheld, mark: markOf(reviewed) }
}

function malformed(list: ListKind, name: string): Withheld {
  return {
    kind: ITEM_KIND[list],
    name,
    code: 'malformed-tool',
    detail: { name, reason: 'unreadable-by-clients' },
  }
}

function byName(items: readonly ReviewedItem[]): ReadonlyMap<string, ReviewedItem> {
  return new Map(items.map((item) => [item.name, item]))
}

function markOf(items: readonly ReviewedItem[]): string {
  return JSON.stringify(items.map((item) => [item.name, item.signed]))
}
