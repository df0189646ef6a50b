import { isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js'
import { isSettled, noteKeyword, placeOf, valueOf, viewAt, type SchemaPair } from './pair.js'
import { demanding, type View } from './view.js'

type Keyword = 'allOf' | 'anyOf' | 'oneOf'

/** `allOf`, `anyOf`, `oneOf`: the order of branches means nothing, and equal branches are not compared. */
export function compareAlternatives(pair: SchemaPair): void {
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
    const isList = [pair.a, pair.b].every((view) => Array.isArray(valueOf(view, keyword) ?? []))
    if (isList || isSettled(pair, keyword)) continue
    noteKeyword(pair, keyword, 'keyword', 'widened', `${keyword} is no list`)
    return
  }
  const [before, after] = [soleUnion(pair.a), soleUnion(pair.b)]
  if (before !== undefined && after !== undefined && before !== after) compareUnions(pair, before, after)
  else for (const keyword of ['anyOf', 'oneOf'] as const) compareUnion(pair, keyword)
  compareBranches(pair, listOf(pair.a, 'allOf'), listOf(pair.b, 'allOf'), {
    added: (branch) => pair.push(pair.a.doc.view(undefined, pair.a.place), branch),
    removed: (branch) => {
      // What allows everything demanded nothing.
      if (branch.kind === 'any') return
      pair.ledger.note('condition', 'widened', branch.place, () => ({
        text: 'a demand is gone',
        before: branch.written,
      }))
    },
  })
}

/** The one of the two keywords that a schema has; undefined for none and both. */
function soleUnion(view: View): 'anyOf' | 'oneOf' | undefined {
  const [any, one] = [view.members.has('anyOf'), view.members.has('oneOf')]
  return any === one ? undefined : any ? 'anyOf' : 'oneOf'
}

/** From `anyOf` to `oneOf` what fits two branches is refused; from `oneOf` to `anyOf` it is let in. */
function compareUnions(pair: SchemaPair, before: 'anyOf' | 'oneOf', after: 'anyOf' | 'oneOf'): void {
  const [level, text] =
    after === 'oneOf'
      ? (['narrowed', 'exactly one of the alternatives has to fit'] as const)
      : (['widened', 'several of the alternatives may fit'] as const)
  pair.ledger.note('condition', level, placeOf(pair.b, after), () => ({ text, before, after }))
  compareLists(pair, listOf(pair.a, before), listOf(pair.b, after), 'oneOf')
}

function compareUnion(pair: SchemaPair, keyword: 'anyOf' | 'oneOf'): void {
  const { a, b, push } = pair
  const [before, after] = [listOf(a, keyword), listOf(b, keyword)]
  if (valueOf(a, keyword) === undefined && valueOf(b, keyword) === undefined) return
  if (valueOf(b, keyword) === undefined) {
    noteKeyword(
      pair,
      keyword,
      'alternative-removed',
      'widened',
      'none of the alternatives has to fit any more',
    )
  } else if (valueOf(a, keyword) === undefined) {
    // Fewer values fit, and yet each branch may ask for something and say something.
    noteKeyword(pair, keyword, 'condition', 'narrowed', 'one of several alternatives has to fit')
    for (const branch of after) push(a.doc.view(undefined, a.place), branch)
  } else compareLists(pair, before, after, keyword)
}

function compareLists(
  pair: SchemaPair,
  before: readonly View[],
  after: readonly View[],
  keyword: Keyword,
): void {
  // What fits two branches of oneOf is refused, so a branch that is narrower, or gone, may let it in.
  const isExclusive = keyword === 'oneOf'
  const gone = isExclusive ? 'widened' : 'narrowed'
  compareBranches({ ...pair, push: (x, y) => pair.push(x, y, isExclusive && 'branch') }, before, after, {
    added: (branch) =>
      pair.ledger.note('alternative-added', 'widened', branch.place, () => ({
        text: 'an alternative is new',
        after: branch.written,
      })),
    removed: (branch) =>
      pair.ledger.note('alternative-removed', gone, branch.place, () => ({
        text: 'an alternative is gone',
        before: branch.written,
      })),
  })
}

interface Unpaired {
  readonly added: (branch: View) => void
  readonly removed: (branch: View) => void
}

/** Pairs equal branches, then those that say the same of what they are, then the rest in order. */
function compareBranches(
  pair: SchemaPair,
  before: readonly View[],
  after: readonly View[],
  unpaired: Unpaired,
): void {
  const { ids, work, push } = pair
  work.spend(before.length + after.length)
  const byWriting = (view: View): string => `${view.kind} ${ids.idOf(view.written)}`
  let rest = { before, after }
  for (const key of [byWriting, natureOf, () => '']) rest = pairBy(key, rest, push)
  rest.before.forEach(unpaired.removed)
  rest.after.forEach(unpaired.added)
}

/** Takes the pairs with equal keys out, in order; gives what is left. */
function pairBy(
  key: (view: View) => string,
  { before, after }: { readonly before: readonly View[]; readonly after: readonly View[] },
  push: SchemaPair['push'],
): { before: View[]; after: View[] } {
  const waiting = new Map<string, View[]>()
  for (const view of after) {
    const list = waiting.get(key(view)) ?? []
    list.push(view)
    waiting.set(key(view), list)
  }
  for (const list of waiting.values()) list.reverse()
  const taken = new Set<View>()
  const left = before.filter((view) => {
    const twin = waiting.get(key(view))?.pop()
    if (twin === undefined) return true
    taken.add(twin)
    push(view, twin)
    return false
  })
  return { before: left, after: after.filter((view) => !taken.has(view)) }
}

/** What tells one branch from another at a glance: its type, its title, and the constants that discriminate. */
function natureOf(view: View): string {
  const known = natures.get(view)
  if (known !== undefined) return known
  const nature = readNature(view)
  natures.set(view, nature)
  return nature
}

/** A schema that many references lead to is looked at once. */
const natures = new WeakMap<View, string>()

function readNature(view: View): string {
  const properties = valueOf(view, 'properties')
  const constants = isJsonObject(properties)
    ? Object.keys(properties)
        .sort()
        .map((name) => properties[name])
        .map((schema) =>
          isJsonObject(schema) && Object.hasOwn(schema, 'const') ? JSON.stringify(schema['const']) : '',
        )
    : []
  const own = ['type', 'title', 'const', 'enum'].map((keyword) =>
    JSON.stringify(valueOf(view, keyword) ?? null),
  )
  return [...own, ...constants].join('\n')
}

function listOf(view: View, keyword: Keyword): View[] {
  const value = valueOf(view, keyword)
  return Array.isArray(value) ? value.map((branch, i) => viewAt(view, branch, keyword, i)) : []
}

/**
 * `{A}` and `{anyOf: [{A}, {B}]}` are one branch and two: where one schema demands nothing but a union, and the other
 * has demands and no union, these demands are compared as its only branch.
 */
export function isLifted({ a, b }: SchemaPair): boolean {
  return (isUnion(a) && isPlain(b)) || (isPlain(a) && isUnion(b))
}

export function liftAlternatives(pair: SchemaPair): void {
  const keyword = soleUnion(pair.a) ?? soleUnion(pair.b) ?? 'anyOf'
  compareLists(pair, branchesOf(pair.a), branchesOf(pair.b), keyword)
}

function branchesOf(view: View): View[] {
  const keyword = soleUnion(view)
  return keyword === undefined ? [demandsOf(view)] : listOf(view, keyword)
}

function isUnion(view: View): boolean {
  const demands = demanding(view)
  return (
    demands.length === 1 && soleUnion(view) !== undefined && Array.isArray(valueOf(view, demands[0] ?? ''))
  )
}

function isPlain(view: View): boolean {
  return (
    view.kind === 'schema' &&
    demanding(view).length > 0 &&
    !view.members.has('anyOf') &&
    !view.members.has('oneOf')
  )
}

/** The schema without what it says of itself. Its number is one that no other schema has. */
function demandsOf(view: View): View {
  const demands = new Set(demanding(view))
  const members = new Map([...view.members].filter(([keyword]) => demands.has(keyword)))
  const written = Object.create(null) as JsonObject
  for (const [keyword, { value }] of members) written[keyword] = value satisfies JsonValue
  return { ...view, id: -view.id, members, written }
}
