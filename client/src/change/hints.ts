import { isJsonObject, type JsonObject, type JsonValue } from '../core/index.js'
import { compareClasses, type ChangeClass } from './class.js'
import { isSameJson, namesOf, ownOf } from './json.js'
import { named, type Ledger } from './ledger.js'
import { below, type Place } from './places.js'
import { compareTitles } from './text.js'

/** The hints of MCP with the value that an absent one has. */
const HINTS = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
} as const

type Hint = keyof typeof HINTS

/** Which hints allow something when they are true. */
const POWERFUL: Readonly<Record<Hint, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
}

/**
 * Annotations by what they come to: an absent hint has its default, and of a tool that only reads it does not matter
 * whether it would destroy. A hint towards more power is dangerous. One towards less is narrower when nothing else of
 * the tool changes; beside other changes it also says that nobody need look at them, and counts as widening.
 */
export function compareHints(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  place: Place,
  ledger: Ledger,
): void {
  const [a, b] = [membersOf(before), membersOf(after)]
  if (a === undefined || b === undefined) {
    ledger.note('hint', 'widened', place, () => ({ text: 'annotations are no object', before, after }))
    return
  }
  compareOthers(a, b, place, ledger)
  const others = ledger.worst()
  const turned = effectOf(a, 'readOnlyHint') !== effectOf(b, 'readOnlyHint')
  for (const hint of Object.keys(HINTS) as Hint[]) {
    const [x, y] = [effectOf(a, hint), effectOf(b, hint)]
    // A tool that turns to reading, or from it, turns these two with it: that is said once.
    if (x === y || (turned && (hint === 'destructiveHint' || hint === 'idempotentHint'))) continue
    const level = y === POWERFUL[hint] ? 'dangerous' : easing(others)
    ledger.note('hint', level, Object.hasOwn(b, hint) ? below(place, hint) : place, () => ({
      text: `${hint} comes to ${y}`,
      before: x,
      after: y,
    }))
  }
}

function easing(others: ChangeClass): ChangeClass {
  return compareClasses(others, 'text') < 0 ? 'narrowed' : 'widened'
}

function membersOf(value: JsonValue | undefined): JsonObject | undefined {
  if (value === undefined) return Object.create(null) as JsonObject
  return isJsonObject(value) ? value : undefined
}

/** What a hint comes to. Anything but a boolean is read as absent. */
function effectOf(annotations: JsonObject, hint: Hint): boolean {
  const own = (one: Hint): boolean => {
    const value = Object.hasOwn(annotations, one) ? annotations[one] : undefined
    return typeof value === 'boolean' ? value : HINTS[one]
  }
  // A tool that only reads destroys nothing, and may be called again.
  if (own('readOnlyHint') && hint === 'destructiveHint') return false
  if (own('readOnlyHint') && hint === 'idempotentHint') return true
  return own(hint)
}

/** The title, and members that MCP does not know: somebody reads them. */
function compareOthers(a: JsonObject, b: JsonObject, place: Place, ledger: Ledger): void {
  for (const name of namesOf(a, b)) {
    const [before, after] = [ownOf(a, name), ownOf(b, name)]
    if (isSameJson(before, after) || (Object.hasOwn(HINTS, name) && isHint(before) && isHint(after))) continue
    const where = after === undefined ? place : below(place, name)
    if (name === 'title')
      compareTitles('the title of the annotations', { before, after, place: where }, ledger)
    else {
      ledger.note('hint', 'text', where, () => ({
        text: `the annotation ${named(name)} says something else`,
        before,
        after,
      }))
    }
  }
}

function isHint(value: JsonValue | undefined): boolean {
  return value === undefined || typeof value === 'boolean'
}
