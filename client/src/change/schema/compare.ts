import type { JsonObject } from '../../core/index.js'
import { openInterner, type Interner } from '../intern.js'
import type { Ledger } from '../ledger.js'
import type { Doc } from '../places.js'
import type { Work } from '../work.js'
import { compareEvaluated } from './applicators.js'
import { compareDefinitions } from './definitions.js'
import { inReverse, type Push, type Reversed, type SchemaPair, type Side } from './pair.js'
import { rulesFor } from './rules.js'
import { openSchemaDoc, type View } from './view.js'

export interface SchemaContext {
  readonly side: Side
  readonly ledger: Ledger
  readonly work: Work
  readonly before: Doc
  readonly after: Doc
}

/** Two schemas, and whether what narrows them widens what they stand in, as below `not`. */
type Waiting = readonly [a: View, b: View, reversed: Reversed]

/**
 * The changes between two root schemas: each pair of schemas that stand at the same place, references followed, is
 * looked at once. Pairs wait in a list, so that no schema decides how deep the stack gets; a schema that leads back to
 * itself meets a pair that was seen. When the work runs out the rest counts as `dangerous`.
 */
export function compareSchemas(a: JsonObject, b: JsonObject, context: SchemaContext): void {
  const ids = openInterner()
  if (ids.idOf(a) === ids.idOf(b)) return
  const before = openSchemaDoc(a, context.before)
  const after = openSchemaDoc(b, context.after)
  const waiting: Waiting[] = []
  const push = pusher(waiting, ids)
  // What is left over depends on everything else: there, no change is sure to narrow the whole.
  const hasRest = ids.hasText('unevaluatedProperties') || ids.hasText('unevaluatedItems')
  push(before.view(a, before.placeOf(a)), after.view(b, after.placeOf(b)), hasRest)
  compareDefinitions(before, after, { ledger: context.ledger, ids, push })
  // The list grows while it is walked.
  for (const [x, y, reversed] of waiting) {
    if (!context.work.spend(1 + x.members.size + y.members.size)) {
      context.ledger.note('too-complex', 'dangerous', y.place, () => ({
        text: 'the schemas are too entangled to say what changed',
      }))
      return
    }
    const ledger = reversed === false ? context.ledger : inReverse(context.ledger, reversed)
    const further: Push = (c, d, turned = false) => push(c, d, reversed === true || turned || reversed)
    const pair = { a: x, b: y, side: context.side, ledger, work: context.work, ids, push: further }
    if (hasRest) compareEvaluated(pair)
    comparePair(pair)
  }
}

/** Each pair once, and none whose schemas say the same. */
function pusher(waiting: Waiting[], ids: Interner): Push {
  const seen = new Set<string>()
  return (a, b, reversed = false) => {
    const key = `${a.id} ${b.id} ${reversed}`
    if (seen.has(key) || isSame(a, b, ids)) return
    seen.add(key)
    waiting.push([a, b, reversed])
  }
}

/** Equal writing is equal meaning as long as nothing in it refers to something else. */
function isSame(a: View, b: View, ids: Interner): boolean {
  if (a.kind !== b.kind) return false
  if (a.kind === 'any' || a.kind === 'never') return true
  return ids.idOf(a.written) === ids.idOf(b.written) && !ids.hasRefs(a.written)
}

function comparePair(pair: SchemaPair): void {
  const { a, b, ledger } = pair
  if (a.kind === 'malformed' || b.kind === 'malformed') {
    const words = { text: 'what stands here is no schema', before: a.written, after: b.written }
    ledger.note('keyword', 'widened', b.place, () => words)
  } else if (b.kind === 'never') {
    ledger.note('closed', 'narrowed', b.place, () => ({
      text: 'nothing is allowed here any more',
      after: false,
    }))
  } else if (a.kind === 'never') {
    const words = { text: 'something is allowed here where nothing was', before: false, after: b.written }
    ledger.note('opened', 'widened', b.place, () => words)
  } else {
    for (const rule of rulesFor(pair)) rule(pair)
  }
}
