import type { GuardEvent, ListKind } from '../guard/index.js'
import type { Review, ReviewedItem, Withheld } from '../review.js'
import type { ListingRecord, RecordedItem, RecordHead } from './record.js'
import { cut, recordDetail } from './redact.js'

/** Of one list: with these a line stays within its bound. */
const MAX_ITEMS = 200
const MAX_WITHHELD = 100

type Listed = Extract<GuardEvent, { readonly type: 'listed' }>
type Refused = Extract<GuardEvent, { readonly type: 'listing-refused' }>

/** One record for each list that a host asked for or the guard looked at again. */
export class ListingRecords {
  readonly #shown = new Map<ListKind, string>()

  listed(head: RecordHead, { list, review, withheld }: Listed): ListingRecord {
    const items = itemsOf(list, review)
    const more = Math.max(0, items.length - MAX_ITEMS) + Math.max(0, withheld.length - MAX_WITHHELD)
    return {
      ...head,
      kind: 'listing',
      list,
      decision: decisionOf(review, withheld),
      code: review.verdict,
      allowed: items.length,
      ...(this.#isNew(list, items) && { items: items.slice(0, MAX_ITEMS) }),
      ...withheldOf(withheld),
      ...(more > 0 && { more }),
      ...(review.pin === true && { pin: true }),
      ...(review.firstUse && { firstUse: true }),
    }
  }

  refused(head: RecordHead, { list, code, detail }: Refused, withValues: boolean): ListingRecord {
    this.#shown.delete(list)
    return {
      ...head,
      kind: 'listing',
      list,
      decision: 'refused',
      code,
      detail: recordDetail(detail, withValues),
    }
  }

  /** Resources that the signed list or the policy keeps from the host. */
  withheld(head: RecordHead, withheld: readonly Withheld[]): ListingRecord {
    const code = withheld[0]?.code ?? 'not-listed'
    const more = withheld.length - MAX_WITHHELD
    const listed = withheldOf(withheld)
    return {
      ...head,
      kind: 'listing',
      list: 'resources',
      decision: 'withheld',
      code,
      ...listed,
      ...(more > 0 && { more }),
    }
  }

  #isNew(list: ListKind, items: readonly RecordedItem[]): boolean {
    const shown = items.map(({ name, digest }) => `${name} ${digest}`).join('\n')
    if (this.#shown.get(list) === shown) return false
    this.#shown.set(list, shown)
    return true
  }
}

function decisionOf(review: Review, withheld: readonly Withheld[]): ListingRecord['decision'] {
  if (withheld.length === 0) return 'allowed'
  return review.mode === 'observe' ? 'observed' : 'withheld'
}

function itemsOf(list: ListKind, review: Review): RecordedItem[] {
  const lists: Readonly<Record<ListKind, readonly [string, readonly ReviewedItem[]]>> = {
    tools: ['tool', review.allowed],
    prompts: ['prompt', review.prompts],
    resourceTemplates: ['template', review.resourceTemplates],
    resources: ['resource', review.resources ?? []],
  }
  const [kind, items] = lists[list]
  return items.map(({ name, digest }) => ({ kind, name: cut(name), digest }))
}

function withheldOf(withheld: readonly Withheld[]): Pick<ListingRecord, 'withheld'> {
  if (withheld.length === 0) return {}
  const named = withheld
    .slice(0, MAX_WITHHELD)
    .map(({ kind, name, code }) => ({ kind, name: cut(name), code }))
  return { withheld: named }
}
