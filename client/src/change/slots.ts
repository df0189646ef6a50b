import { canonicalize, type Fact, type Slot } from '../core/index.js'
import { worseOf, type ChangeClass } from './class.js'
import type { Ledger } from './ledger.js'
import type { Place } from './places.js'

/**
 * Slots: where a fixed text was, the place now speaks, and so it does with another fact, more of the listed words or a
 * wider range. A slot that became a fixed text is a text.
 */
export function compareSlots(
  before: readonly Slot[],
  after: readonly Slot[],
  { note }: Ledger,
  placeOf: (slot: Slot, isNew: boolean) => Place,
): void {
  const old = new Map(before.map((slot) => [slot.pointer, slot]))
  for (const slot of after) {
    const twin = old.get(slot.pointer)
    old.delete(slot.pointer)
    const level = twin === undefined ? 'widened' : compareParts(twin, slot)
    if (level === 'none') continue
    note('slot', level, placeOf(slot, true), () => ({
      text: twin === undefined ? 'a fact of the place stands in the text' : 'another fact stands in the text',
      ...(twin !== undefined && { before: twin.parts }),
      after: slot.parts,
    }))
  }
  for (const slot of old.values()) {
    note('slot', 'text', placeOf(slot, false), () => ({
      text: 'a fixed text stands where a fact of the place stood',
      before: slot.parts,
    }))
  }
}

function compareParts(a: Slot, b: Slot): ChangeClass {
  if (canonicalize(a.parts) === canonicalize(b.parts)) return a.type === b.type ? 'none' : 'widened'
  if (a.parts.length !== b.parts.length || a.type !== b.type) return 'widened'
  let worst: ChangeClass = 'none'
  for (const [i, part] of b.parts.entries()) {
    const old = a.parts[i]
    if (typeof part === 'string' && typeof old === 'string')
      worst = worseOf(worst, part === old ? 'none' : 'text')
    else if (typeof part === 'object' && typeof old === 'object')
      worst = worseOf(worst, compareFacts(old, part))
    else return 'widened'
  }
  return worst
}

function compareFacts(a: Fact, b: Fact): ChangeClass {
  if (canonicalize(a) === canonicalize(b)) return 'none'
  if (a.fact !== b.fact) return 'widened'
  const listed = new Set(a.values)
  const isWithin =
    (b.values ?? []).every((value) => listed.has(value)) &&
    (b.min ?? 0) >= (a.min ?? 0) &&
    (b.max ?? 0) <= (a.max ?? 0)
  if (!isWithin) return 'widened'
  return b.fact === 'enum' && listed.size === b.values?.length ? 'none' : 'narrowed'
}
