import { excerpt, type Finding } from '../gates/finding.js'
import { showHidden } from '../gates/unicode.js'
import { compareClasses, worseOf, type ChangeClass } from './class.js'
import { pointsInto } from './findings.js'
import { formatPlace, type Place } from './places.js'
import type { Change, ChangeKind, Comparison } from './types.js'

/** What is said of a change. Asked for only when the change is listed. */
export interface Words {
  readonly text: string
  readonly before?: unknown
  readonly after?: unknown
}

/** Notes one change. `before` and `after` may be any JSON value or text; they are cut and made printable here. */
export type Note = (kind: ChangeKind, change: ChangeClass, place: Place, words: () => Words) => void

/** Where changes are noted for one item. */
export interface Ledger {
  readonly note: Note
  /** The worst class noted so far. */
  readonly worst: () => ChangeClass
  /** How many were noted so far. */
  readonly count: () => number
}

/** What is looked for everywhere, and seen where schemas are compared as well: it is noted once. */
const TWICE: ReadonlySet<ChangeKind> = new Set(['header', 'reference'])

/** What narrows, or means the same, says nothing that was not said before: no finding makes it worse. */
const RAISED: ReadonlySet<ChangeClass> = new Set(['cosmetic', 'text', 'widened'])

/** All changes of one comparison: a ledger for each item, and the result. */
export interface Book {
  of(item: string): Ledger
  close(): Comparison
}

const MAX_LISTED = 300
/** Of each class, so that a thousand harmless changes never push a dangerous one off the list. */
const MAX_OF_A_CLASS = 100

/** The findings are those of the new document: what changed where one of weight points is `dangerous`. */
export function openBook(findings: readonly Finding[]): Book {
  const isFound = pointsInto(findings)
  const listed: Change[] = []
  const twice = new Set<string>()
  const counts = new Map<ChangeClass, number>()
  let worst: ChangeClass = 'none'
  let total = 0

  const of = (item: string): Ledger => {
    const shown = excerpt(item)
    let own: ChangeClass = 'none'
    let noted = 0
    const note: Note = (kind, change, place, words) => {
      if (TWICE.has(kind)) {
        const key = `${shown} ${kind} ${change} ${place.doc.isNew} ${formatPlace(place)}`
        if (twice.has(key)) return
        if (twice.size < MAX_LISTED) twice.add(key)
      }
      const found = RAISED.has(change) && place.doc.isNew && isFound(place)
      const level = found ? 'dangerous' : change
      own = worseOf(own, level)
      worst = worseOf(worst, level)
      noted += 1
      total += 1
      const count = (counts.get(level) ?? 0) + 1
      counts.set(level, count)
      if (count <= MAX_OF_A_CLASS) listed.push(entry({ item: shown, kind, level, place, found }, words()))
    }
    return { note, worst: () => own, count: () => noted }
  }

  const close = (): Comparison => {
    const changes = listed.sort(inOrder).slice(0, MAX_LISTED)
    return { class: worst, changes, more: total - changes.length }
  }
  return { of, close }
}

interface Noted {
  readonly item: string
  readonly kind: ChangeKind
  readonly level: ChangeClass
  readonly place: Place
  readonly found: boolean
}

function entry({ item, kind, level, place, found }: Noted, { text, before, after }: Words): Change {
  return {
    pointer: formatPlace(place),
    item,
    kind,
    class: level,
    ...(before !== undefined && { before: printable(before, after) }),
    ...(after !== undefined && { after: printable(after, before) }),
    text: `${item}: ${text}${found ? ', and the registry’s rules find something there' : ''}`,
  }
}

/** What stands there, cut around the first difference to its counterpart. */
function printable(value: unknown, other: unknown): string {
  if (typeof value !== 'string') return excerpt(JSON.stringify(value))
  return excerpt(value, typeof other === 'string' ? firstDifference(value, other) : 0)
}

function firstDifference(a: string, b: string): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}

function inOrder(a: Change, b: Change): number {
  return (
    compareClasses(b.class, a.class) ||
    compareText(a.item, b.item) ||
    compareText(a.pointer, b.pointer) ||
    compareText(a.kind, b.kind) ||
    compareText(a.text, b.text)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A name as it is put into a sentence. */
export function named(name: string): string {
  return `"${showHidden(excerpt(name))}"`
}
