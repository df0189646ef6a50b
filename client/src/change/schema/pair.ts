import type { JsonValue } from '../../core/index.js'
import type { ChangeClass } from '../class.js'
import type { Interner } from '../intern.js'
import type { Ledger } from '../ledger.js'
import type { Place } from '../places.js'
import type { ChangeKind } from '../types.js'
import type { Work } from '../work.js'
import type { View } from './view.js'

/** What a schema speaks of: what callers send, or what they get. */
export type Side = 'input' | 'output'

/**
 * Whether narrowing a schema widens what it stands in, as below `not`; `branch` below a branch of `oneOf`, where it may:
 * a value that fitted two branches then fits one.
 */
export type Reversed = boolean | 'branch'

/** Has two schemas inside compared as well, later. */
export type Push = (a: View, b: View, reversed?: Reversed) => void

/** Two schemas that stand at the same place, and what their rules need. */
export interface SchemaPair {
  readonly a: View
  readonly b: View
  readonly side: Side
  readonly ledger: Ledger
  readonly work: Work
  readonly ids: Interner
  readonly push: Push
}

/** Compares some keywords of two schemas. */
export type Rule = (pair: SchemaPair) => void

/** A keyword's value, or undefined. */
export function valueOf(view: View, keyword: string): JsonValue | undefined {
  return view.members.get(keyword)?.value
}

/** Where a keyword stands, and further in; where the schema stands if it has none. */
export function placeOf(view: View, keyword: string, ...tokens: Place['tokens']): Place {
  const member = view.members.get(keyword)
  return member === undefined ? view.place : view.doc.placeOf(member.holder, keyword, ...tokens)
}

/** The schema at a keyword, or further in. */
export function viewAt(
  view: View,
  value: JsonValue | undefined,
  keyword: string,
  ...tokens: Place['tokens']
): View {
  return view.doc.view(value, placeOf(view, keyword, ...tokens))
}

/** Whether a keyword has the same value on both sides, absent ones included. Says nothing of references inside. */
export function isEqual({ a, b, ids }: SchemaPair, keyword: string): boolean {
  const [x, y] = [valueOf(a, keyword), valueOf(b, keyword)]
  if (x === undefined || y === undefined) return x === y
  return ids.idOf(x) === ids.idOf(y)
}

/** Whether a keyword has the same value on both sides and nothing in it leads elsewhere: then it means the same. */
export function isSettled(pair: SchemaPair, keyword: string): boolean {
  return isEqual(pair, keyword) && !pair.ids.hasRefs(valueOf(pair.b, keyword) ?? null)
}

/** Notes a change of one keyword, where it stands now or, if it is gone, where it stood. */
export function noteKeyword(
  pair: SchemaPair,
  keyword: string,
  kind: ChangeKind,
  change: ChangeClass,
  text: string,
): void {
  const { a, b, ledger } = pair
  const [before, after] = [valueOf(a, keyword), valueOf(b, keyword)]
  const place = after === undefined && before !== undefined ? placeOf(a, keyword) : placeOf(b, keyword)
  ledger.note(kind, change, place, () => ({ text, before, after }))
}

/** Texts of these kinds narrow as well: they are demands in words of the author's. */
const DEMANDING: ReadonlySet<ChangeKind> = new Set(['values', 'limit', 'condition'])

/**
 * Below `not` and `if` what narrows a schema widens the whole. What widens it may narrow the whole, or not: it stays
 * what it is, the worse of the two. A constant that tells the branches of `oneOf` apart is a text there as anywhere.
 */
export function inReverse(ledger: Ledger, reversed: true | 'branch'): Ledger {
  return {
    ...ledger,
    note: (kind, change, place, words) => {
      const isDemand =
        change === 'narrowed' ||
        (change === 'text' && DEMANDING.has(kind) && !(reversed === 'branch' && kind === 'values'))
      ledger.note(kind, isDemand ? 'widened' : change, place, words)
    },
  }
}
