import {
  fillSlot,
  isJsonObject,
  parseSlots,
  readPointer,
  type FactName,
  type Facts,
  type JsonValue,
  type Slot,
} from '../core/index.js'
import { compareItems, escapeToken, itemLabel, type Difference } from './compare.js'
import type { SurfaceItem } from './surface.js'

/** A place in an item where a fact of this machine seems to stand. */
export interface SlotProposal {
  readonly item: string
  readonly slot: Slot
  /** `sure`: the text changes with the fact or cannot be anything else; `possible`: it may be an ordinary word. */
  readonly certainty: 'sure' | 'possible'
}

export interface SlotFindings {
  readonly proposals: readonly SlotProposal[]
  /** What differs between the two captures and no slot explains. */
  readonly unexplained: readonly Difference[]
}

interface Listing {
  readonly item: SurfaceItem
  readonly facts: Facts
}

/** Longest and most telling first: a working directory lies in a home folder, a host name may hold a user's name. */
const TEXT_FACTS: readonly FactName[] = [
  'cwd',
  'home',
  'hostname',
  'shell',
  'node-version',
  'date',
  'user',
  'os',
]
const IDENTITY_POINTERS = new Set(['/name', '/uri', '/uriTemplate'])
const MAX_LEAVES = 20_000

/**
 * Compares two listings of one item and proposes slots for what differs or equals a fact of this machine.
 * Facts that are also ordinary words (`linux`, `root`) are only `possible`: a slot in an honest sentence would break it
 * on every other machine.
 */
export function proposeSlots(first: Listing, second: Listing): SlotFindings {
  const label = itemLabel(first.item)
  const differing = new Map(compareItems(first.item, second.item).map((one) => [one.pointer, one]))
  const proposals: SlotProposal[] = []
  for (const { pointer, value } of leaves(first.item.definition)) {
    if (IDENTITY_POINTERS.has(pointer)) continue
    const twin = readPointer(second.item.definition, pointer)
    for (const found of proposeLeaf({ pointer, value, twin }, first.facts, second.facts)) {
      proposals.push({ item: label, ...found })
      if (found.certainty === 'sure') differing.delete(pointer)
    }
  }
  return { proposals, unexplained: [...differing.values()] }
}

interface Leaf {
  readonly pointer: string
  readonly value: string | number
}

function* leaves(root: JsonValue): Generator<Leaf> {
  const stack: { value: JsonValue; pointer: string }[] = [{ value: root, pointer: '' }]
  for (let count = 0; count < MAX_LEAVES; count++) {
    const next = stack.pop()
    if (next === undefined) return
    const { value, pointer } = next
    if (typeof value === 'string' || typeof value === 'number') yield { pointer, value }
    else if (Array.isArray(value))
      stack.push(...value.map((v, i) => ({ value: v, pointer: `${pointer}/${i}` })))
    else if (isJsonObject(value)) {
      for (const [key, v] of Object.entries(value))
        stack.push({ value: v, pointer: `${pointer}/${escapeToken(key)}` })
    }
  }
}

type LeafPair = Leaf & { readonly twin: unknown }

type LeafProposal = Omit<SlotProposal, 'item'>

/** The slot of the telling facts, and, when ordinary words may be facts as well, the wider one for a person to choose. */
function proposeLeaf(leaf: LeafPair, first: Facts, second: Facts): LeafProposal[] {
  if (typeof leaf.value === 'number') return proposeNumber(leaf, first, second)
  const text = leaf.value
  const checked = (use: (fact: FactName, value: string) => boolean): Slot | undefined =>
    checkedSlot({ pointer: leaf.pointer, parts: splitFacts(text, first, use) }, leaf, first, second)
  const sure = checked(isTelling)
  const wide = checked(() => true)
  const proposals: LeafProposal[] = sure === undefined ? [] : [{ slot: sure, certainty: 'sure' }]
  if (wide === undefined || wide.parts.length === sure?.parts.length) return proposals
  // Only a fact explains a difference; in a text that stays the same it may be an ordinary word.
  const explains = sure === undefined && leaf.value !== leaf.twin
  return [...proposals, { slot: wide, certainty: explains ? 'sure' : 'possible' }]
}

function proposeNumber(leaf: LeafPair, first: Facts, second: Facts): LeafProposal[] {
  const slot: Slot = { pointer: leaf.pointer, parts: [{ fact: 'time-ms' }], type: 'number' }
  const checked = checkedSlot(slot, leaf, first, second)
  return checked === undefined ? [] : [{ slot: checked, certainty: 'sure' }]
}

/** A slot counts only when the core takes it and it explains what both processes said. */
function checkedSlot(slot: Slot, leaf: LeafPair, first: Facts, second: Facts): Slot | undefined {
  if (slot.parts.every((part) => typeof part === 'string')) return undefined
  if (fillSlot(slot, leaf.value, first) === undefined || fillSlot(slot, leaf.twin, second) === undefined)
    return undefined
  return separated(slot) ? slot : undefined
}

function separated(slot: Slot): boolean {
  try {
    parseSlots([slot as unknown as JsonValue], 'slot')
    return true
  } catch {
    // Text that could move between a fact and its neighbour cannot be a slot; it is reported as unexplained.
    return false
  }
}

/** Text and facts in turn; a fact that stands beside another, or in the middle of a word, stays text. */
function splitFacts(
  text: string,
  facts: Facts,
  use: (fact: FactName, value: string) => boolean,
): Slot['parts'] {
  let parts: Slot['parts'] = text === '' ? [] : [text]
  for (const fact of TEXT_FACTS) {
    const value = facts[fact]
    if (value !== undefined && value.length >= 2 && use(fact, value)) parts = cutOut(parts, fact, value)
  }
  const now = Number(facts['time-ms'])
  return parts.flatMap((part) => (typeof part === 'string' ? cutTime(part, now) : [part]))
}

function cutOut(parts: Slot['parts'], fact: FactName, value: string): Slot['parts'] {
  return parts.flatMap((part) => (typeof part === 'string' ? cutText(part, fact, value) : [part]))
}

function cutText(text: string, fact: FactName, value: string): Slot['parts'] {
  const parts: Slot['parts'][number][] = []
  let from = 0
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) {
    if (!standsAlone(text, at, value.length) || !mayFollow(fact, text.slice(at + value.length))) continue
    if (at > from) parts.push(text.slice(from, at))
    parts.push({ fact })
    from = at + value.length
  }
  if (from < text.length) parts.push(text.slice(from))
  return parts
}

/** The core refuses a fact whose end could not be told from the text behind it; then it stays text. */
function mayFollow(fact: FactName, rest: string): boolean {
  return rest === '' || separated({ pointer: '/text', parts: [{ fact }, rest] })
}

function standsAlone(text: string, at: number, length: number): boolean {
  const before = text.charAt(at - 1)
  const after = text.charAt(at + length)
  return !/[A-Za-z0-9_-]/.test(before) && !/[A-Za-z0-9_-]/.test(after)
}

function cutTime(text: string, now: number): Slot['parts'] {
  const match = /(?<![0-9])[1-9][0-9]{12}(?![0-9])/.exec(text)
  if (match === null || Math.abs(Number(match[0]) - now) > 86_400_000) return [text]
  const rest = text.slice(match.index + match[0].length)
  return [
    ...(match.index > 0 ? [text.slice(0, match.index)] : []),
    { fact: 'time-ms' },
    ...(rest === '' ? [] : cutTime(rest, now)),
  ]
}

/** Whether such a text is hardly ever an ordinary word. */
function isTelling(fact: FactName, value: string): boolean {
  switch (fact) {
    case 'cwd':
    case 'home':
    case 'shell':
      return (value.match(/[\\/]/g) ?? []).length >= 2
    case 'hostname':
      return value.length >= 6 && /[0-9.-]/.test(value)
    case 'node-version':
    case 'date':
      return true
    default:
      return false
  }
}
