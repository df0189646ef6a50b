import {
  canonicalize,
  fillSlot,
  parseStrictJson,
  readPointer,
  replaceAt,
  withoutDialect,
  type Digest,
  type Facts,
  type JsonObject,
  type VerdictCode,
} from '../core/index.js'
import { withMarkers, type SignedForm, type SignedItem } from '../verify/items.js'

/** The guard's own facts; read anew for each review, for some of them move. */
export type FactSource = () => Facts

/** A live item that is what was signed. The signed copy goes on, never the received object. */
export interface Match {
  readonly code: 'verified'
  readonly digest: Digest
  /** JSON text of the signed copy, slots filled with the guard's own facts. */
  readonly signed: string
  /** It differed only in what another SDK release underneath writes by itself (PROTOCOL 3). */
  readonly dialect: boolean
  readonly variant?: string
}

export interface Mismatch {
  readonly code: Exclude<VerdictCode, 'verified'>
}

export type Judgement = Match | Mismatch

const NO_FACTS: FactSource = () => ({})

/**
 * PROTOCOL 10.10: is the live item, given as the canonical text of its covered members, one of the signed forms?
 * Equal text settles it without a hash. Slots and dialect noise are looked at only when no form is equal; nothing
 * else is tolerated.
 */
export function judgeItem(item: SignedItem, liveText: string, facts: FactSource = NO_FACTS): Judgement {
  for (const form of item.forms) {
    if (form.slots.length === 0 && form.text === liveText) return plainMatch(form)
  }
  return judgeClosely(item, liveText, facts)
}

/** The usual match is one object a form, made once: a review of a known list allocates next to nothing. */
const plainMatches = new WeakMap<SignedForm, Match>()

function plainMatch(form: SignedForm): Match {
  const known = plainMatches.get(form)
  if (known !== undefined) return known
  const match = Object.freeze(matchOf(form, form.text, false))
  plainMatches.set(form, match)
  return match
}

function matchOf(form: SignedForm, signed: string, dialect: boolean): Match {
  const { digest, variant } = form
  return { code: 'verified', digest, signed, dialect, ...(variant !== undefined && { variant }) }
}

/**
 * A server may show 8 MiB of items that no version holds: each is read once for all forms, and not at all where nothing but
 * equal text could hold it.
 */
function judgeClosely(item: SignedItem, liveText: string, facts: FactSource): Judgement {
  let code: Mismatch['code'] = CHANGED[item.kind]
  const forms = item.forms.filter((form) => form.slots.length > 0 || item.kind === 'tool')
  if (forms.length === 0) return { code }
  const live = parseStrictJson(liveText) as JsonObject
  let known: Facts | undefined
  let plainText: string | undefined
  for (const form of forms) {
    if (form.slots.length === 0) {
      plainText ??= canonicalize(withoutDialect(live))
      if (plainText === form.plainText) return matchOf(form, form.text, true)
      continue
    }
    const judged = judgeForm(item, form, live, (known ??= facts()))
    if (judged?.code === 'verified') return judged
    if (judged !== undefined) code = judged.code
  }
  return { code }
}

const CHANGED = {
  tool: 'definition-changed',
  instructions: 'instructions-changed',
  prompt: 'prompt-changed',
  template: 'prompt-changed',
  resource: 'definition-changed',
} as const

/** Undefined when the form is another definition. */
function judgeForm(
  item: SignedItem,
  form: SignedForm,
  live: JsonObject,
  facts: Facts,
): Judgement | undefined {
  if (!form.slots.every((slot) => readPointer(live, slot.pointer) !== undefined)) return undefined
  const marked = withMarkers(live, form.slots)
  const exact = canonicalize(marked) === form.text
  // PROTOCOL 3, dialect noise: against the same manifest's form only, and only for tools.
  const dialect = !exact && item.kind === 'tool' && canonicalize(withoutDialect(marked)) === form.plainText
  if (!exact && !dialect) return undefined
  const signed = fillForm(form, live, facts)
  return signed === undefined ? { code: 'slot-mismatch' } : matchOf(form, signed, dialect)
}

/** The signed definition with the guard's own values in its slots; undefined when the server's are not the same. */
function fillForm(form: SignedForm, live: JsonObject, facts: Facts): string | undefined {
  let filled = form.definition
  for (const slot of form.slots) {
    const own = fillSlot(slot, readPointer(live, slot.pointer), facts)
    if (own === undefined) return undefined
    filled = replaceAt(filled, slot.pointer, own)
  }
  return canonicalize(filled)
}
