import type { Review, ReviewedItem, Withheld } from '../review.js'
import type { ListKind } from './events.js'
import { cleanItem } from './hidden.js'
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

const ITEM_KIND = { tools: 'tool', prompts: 'prompt', resourceTemplates: 'template' } as const

/** PROTOCOL 14: the signed copy goes on, kept as text; the received object only where policy observes. */
export function makeOffer(list: ListKind, review: Review, walked: Walked): Offer {
  const reviewed = list === 'tools' ? review.allowed : review[list]
  const withheld = review.withheld.filter((one) => one.kind === ITEM_KIND[list] || one.kind === 'server')
  if (isUnsigned(list, review, reviewed, withheld)) return offerUnsigned(walked)
  const observing = review.mode === 'observe'
  return {
    items: () => (observing ? [...walked.items] : reviewed.map((item) => JSON.parse(item.signed) as unknown)),
    allowed: new Map(reviewed.map((item) => [item.name, item])),
    withheld,
    mark: JSON.stringify(reviewed.map((item) => [item.name, item.signed])),
  }
}

/** A pin holds a server to what it showed first: often tools and instructions alone, and then no prompts or templates. */
function isUnsigned(
  list: ListKind,
  review: Review,
  reviewed: readonly ReviewedItem[],
  withheld: readonly Withheld[],
): boolean {
  const refused = withheld.some((one) => one.kind === 'server' || one.detail['pinned'] === true)
  return (
    list !== 'tools' && review.pin === true && reviewed.length === 0 && !refused && review.mode === 'enforce'
  )
}

function offerUnsigned(walked: Walked): Offer {
  const text = JSON.stringify(walked.items.map(cleanItem))
  return { items: () => JSON.parse(text) as unknown[], allowed: undefined, withheld: [], mark: text }
}
