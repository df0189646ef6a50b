import { isEqual, noteKeyword, valueOf, type SchemaPair } from './pair.js'
import type { View } from './view.js'

const UPPER = ['maxLength', 'maxItems', 'maxProperties', 'maxContains'] as const
const LOWER = ['minLength', 'minItems', 'minProperties', 'minContains'] as const

/** Upper bounds of length and number: absent is without end. */
export function compareUpper(pair: SchemaPair): void {
  for (const keyword of UPPER) {
    compareBound(pair, keyword, Number.POSITIVE_INFINITY, (before, after) => after <= before)
  }
}

/** Lower bounds: absent is zero; of `contains` at least one. */
export function compareLower(pair: SchemaPair): void {
  for (const keyword of LOWER) {
    compareBound(pair, keyword, keyword === 'minContains' ? 1 : 0, (before, after) => after >= before)
  }
}

function compareBound(
  pair: SchemaPair,
  keyword: string,
  absent: number,
  isWithin: (before: number, after: number) => boolean,
): void {
  if (isEqual(pair, keyword)) return
  const [before, after] = [pair.a, pair.b].map((view) => valueOf(view, keyword) ?? absent)
  if (before === after) return
  const known = typeof before === 'number' && typeof after === 'number'
  noteLimit(pair, keyword, known && isWithin(before, after))
}

function noteLimit(pair: SchemaPair, keyword: string, isNarrower: boolean): void {
  if (isNarrower) noteKeyword(pair, keyword, 'limit', 'narrowed', `${keyword} allows less`)
  else noteKeyword(pair, keyword, 'limit', 'widened', `${keyword} allows more, or something else`)
}

/** An end of a range: further out is wider; at the same number, excluding it is narrower. */
interface End {
  readonly at: number
  readonly excluded: boolean
}

/** `minimum` and `maximum` with their excluding forms, which are two spellings of one end. */
export function compareRange(pair: SchemaPair): void {
  for (const [sign, keywords] of [
    [1, ['maximum', 'exclusiveMaximum']],
    [-1, ['minimum', 'exclusiveMinimum']],
  ] as const) {
    if (keywords.every((keyword) => isEqual(pair, keyword))) continue
    const [before, after] = [endOf(pair.a, keywords, sign), endOf(pair.b, keywords, sign)]
    const keyword =
      keywords.find((one) => !isEqual(pair, one) && valueOf(pair.b, one) !== undefined) ?? keywords[0]
    if (before === undefined || after === undefined) noteLimit(pair, keyword, false)
    else if (before.at !== after.at) noteLimit(pair, keyword, after.at < before.at)
    else if (before.excluded !== after.excluded) noteLimit(pair, keyword, after.excluded)
  }
}

/** The narrower of the two forms; numbers are turned so that smaller is narrower. Undefined for what is no bound. */
function endOf(view: View, [inclusive, exclusive]: readonly [string, string], sign: 1 | -1): End | undefined {
  const plain = valueOf(view, inclusive) ?? sign * Number.POSITIVE_INFINITY
  const excluding = valueOf(view, exclusive) ?? sign * Number.POSITIVE_INFINITY
  if (typeof plain !== 'number') return undefined
  // Draft 4 says with a flag that the other number is excluded.
  if (typeof excluding === 'boolean') return { at: sign * plain, excluded: excluding }
  if (typeof excluding !== 'number') return undefined
  const excluded = sign * excluding <= sign * plain && Number.isFinite(excluding)
  return { at: sign * (excluded ? excluding : plain), excluded }
}

/** `multipleOf`: a multiple of the old step narrows, a divisor widens. */
export function compareMultiple(pair: SchemaPair): void {
  if (isEqual(pair, 'multipleOf')) return
  const [before, after] = [valueOf(pair.a, 'multipleOf'), valueOf(pair.b, 'multipleOf')]
  const isMultiple =
    typeof before === 'number' && typeof after === 'number' && Number.isInteger(after / before)
  noteLimit(pair, 'multipleOf', (before === undefined && typeof after === 'number') || isMultiple)
}

export function compareUnique(pair: SchemaPair): void {
  const [before, after] = [pair.a, pair.b].map((view) => valueOf(view, 'uniqueItems') ?? false)
  if (before !== after) noteLimit(pair, 'uniqueItems', before === false && after === true)
}
