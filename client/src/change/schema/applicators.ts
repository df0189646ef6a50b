import { isEqual, isSettled, noteKeyword, placeOf, valueOf, viewAt, type SchemaPair } from './pair.js'
import { demanding, type View } from './view.js'

const SUBSCHEMAS = [
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'contentSchema',
] as const

/** Keywords with one schema that narrows what it stands in; absent it allows everything. */
export function compareSubschema(pair: SchemaPair): void {
  for (const keyword of SUBSCHEMAS) pushBoth(pair, keyword)
  // With an upper bound on how many items may match, fewer matches allow more.
  const isCounted = [pair.a, pair.b].some((view) => view.members.has('maxContains'))
  pushBoth(pair, 'contains', isCounted)
}

function pushBoth(pair: SchemaPair, keyword: string, reversed = false): void {
  const { a, b, push } = pair
  const [before, after] = [valueOf(a, keyword), valueOf(b, keyword)]
  if (before === undefined && after === undefined) return
  push(viewAt(a, before, keyword), viewAt(b, after, keyword), reversed)
}

/** The schemas of a list: those of the first places, and the one for the rest. */
interface Tuple {
  readonly first: readonly View[]
  readonly rest: View
}

/** `items` and `prefixItems`; a list of `items` with `additionalItems` is the older spelling of the same. */
export function compareItems(pair: SchemaPair): void {
  if (isMixed(pair.a) || isMixed(pair.b)) {
    // Both spellings at once: which of them counts depends on who reads it.
    for (const keyword of ['items', 'prefixItems', 'additionalItems']) {
      if (!isSettled(pair, keyword))
        noteKeyword(pair, keyword, 'keyword', 'widened', `${keyword} stands beside another spelling of it`)
    }
    return
  }
  const [before, after] = [tupleOf(pair.a), tupleOf(pair.b)]
  const length = Math.max(before.first.length, after.first.length)
  pair.work.spend(length)
  for (let i = 0; i < length; i++) pair.push(before.first[i] ?? before.rest, after.first[i] ?? after.rest)
  pair.push(before.rest, after.rest)
}

function isMixed(view: View): boolean {
  const [items, prefix] = [valueOf(view, 'items'), valueOf(view, 'prefixItems')]
  if (prefix !== undefined && !Array.isArray(prefix)) return true
  return Array.isArray(items) ? prefix !== undefined : view.members.has('additionalItems')
}

function tupleOf(view: View): Tuple {
  const items = valueOf(view, 'items')
  if (Array.isArray(items)) {
    return {
      first: items.map((item, i) => viewAt(view, item, 'items', i)),
      rest: viewAt(view, valueOf(view, 'additionalItems'), 'additionalItems'),
    }
  }
  const prefix = valueOf(view, 'prefixItems')
  return {
    first: Array.isArray(prefix) ? prefix.map((item, i) => viewAt(view, item, 'prefixItems', i)) : [],
    rest: viewAt(view, items, 'items'),
  }
}

/** What says which members and items of a value were looked at. */
const EVALUATING = [
  ...['properties', 'patternProperties', 'additionalProperties'],
  ...['items', 'prefixItems', 'additionalItems', 'contains'],
] as const

/**
 * Where something is said of what is left over (`unevaluatedProperties`), one of these keywords takes out of it what it
 * looks at, whatever it demands: coming or going, it may let in what was refused.
 */
export function compareEvaluated(pair: SchemaPair): void {
  for (const keyword of EVALUATING) {
    if (pair.a.members.has(keyword) === pair.b.members.has(keyword)) continue
    noteKeyword(pair, keyword, 'opened', 'widened', `${keyword} changes what is left over`)
  }
}

/** `not` and `if` turn narrower into wider; a branch that comes or goes may do either. */
export function compareConditions(pair: SchemaPair): void {
  for (const keyword of ['not', 'if', 'then', 'else'] as const) {
    const [before, after] = [valueOf(pair.a, keyword), valueOf(pair.b, keyword)]
    if (before === undefined && after === undefined) continue
    if (before !== undefined && after !== undefined) {
      pushBoth(pair, keyword, keyword === 'not' || keyword === 'if')
    } else if (keyword === 'not' && before === undefined) {
      noteKeyword(pair, keyword, 'condition', 'text', 'something is excluded, in words of its own')
    } else {
      noteKeyword(
        pair,
        keyword,
        'condition',
        'widened',
        `the condition "${keyword}" is ${before === undefined ? 'new' : 'gone'}`,
      )
    }
  }
}

/**
 * References that stay references. `$ref` is one more demand, compared with its counterpart, and one that some readers
 * take for the only one; the others lead to what depends on who asks. One that leads out of the schema, or nowhere, is
 * dangerous as soon as it is another one.
 */
export function compareReferences(pair: SchemaPair): void {
  for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef'] as const) {
    const { a, b, push } = pair
    const [x, y] = [a, b].map((view) => targetOf(view, keyword))
    const [had, has] = [a.members.has(keyword), b.members.has(keyword)]
    const isNamed = keyword === '$ref'
    if (x !== undefined && y !== undefined && (isNamed || isEqual(pair, keyword))) push(x, y)
    else if (isNamed && x !== undefined && !has)
      noteKeyword(pair, keyword, 'condition', 'widened', 'a demand is gone')
    else if (isNamed && y !== undefined && !had) {
      // Readers of the older drafts pass over what stands beside a reference from then on.
      if (demanding(a).length > 0)
        noteKeyword(pair, keyword, 'condition', 'widened', 'a reference beside demands')
      push(a.doc.view(undefined, a.place), y)
    } else if (!isEqual(pair, keyword) || (x === undefined) !== (y === undefined)) {
      const text = 'a reference cannot be resolved, or depends on who asks'
      noteKeyword(pair, keyword, 'reference', 'dangerous', text)
    }
  }
}

function targetOf(view: View, keyword: string): View | undefined {
  const target = view.doc.target(valueOf(view, keyword))
  return target === undefined ? undefined : view.doc.view(target, placeOf(view, keyword))
}
