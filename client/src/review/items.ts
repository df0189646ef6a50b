import {
  parseStrictJson,
  type ErrorDetail,
  type ItemKind,
  type JsonObject,
  type VerdictCode,
} from '../core/index.js'
import type { Anchor } from '../resolve.js'
import type { ItemSet } from '../verify/items.js'
import type { Judged } from './accept.js'
import { judgeItem, type FactSource, type Judgement } from './judge.js'
import type { LiveItem, LiveList } from './live.js'
import type { ReviewedItem, Withheld } from './types.js'

/** What of a listing is held by a signed set, and what is not, with reasons. */
export interface Judgements {
  readonly held: readonly Judged[]
  readonly withheld: readonly Withheld[]
}

/** PROTOCOL 10.10: each item by itself. */
export function judgeItems(items: ItemSet, live: LiveList, facts: FactSource, refine: Refine): Judgements {
  const held: Judged[] = []
  const withheld = withholdBad(live)
  for (const item of live.items) {
    const signed = items[item.kind].get(item.name)
    const judged = signed === undefined ? { code: ABSENT[item.kind] } : judgeItem(signed, item.text, facts)
    const refined = refine(item, judged)
    if (refined.code === 'verified') held.push({ item, match: refined })
    else
      withheld.push(withhold(item.kind, item.name, refined.code, 'detail' in refined ? refined.detail : {}))
  }
  return { held, withheld }
}

/** Items that no signed set could hold. */
export function withholdBad({ bad }: LiveList): Withheld[] {
  return bad.map((one) =>
    withhold(one.kind, one.name, one.code, one.why === undefined ? {} : { why: one.why }),
  )
}

type Refined = Judgement | { readonly code: Exclude<VerdictCode, 'verified'>; readonly detail: ErrorDetail }
type Refine = (item: LiveItem, judged: Judgement) => Refined

const ABSENT = {
  tool: 'unlisted-tool',
  instructions: 'instructions-changed',
  prompt: 'prompt-changed',
  template: 'prompt-changed',
  resource: 'unlisted-tool',
} as const satisfies Record<ItemKind, VerdictCode>

/** Revoked definitions are withheld wherever they stand; what another approved version holds is a mixture (A21). */
export function refineBy(anchor: Anchor, facts: FactSource): Refine {
  const { verified, others } = anchor
  return (item, judged) => {
    if (judged.code === 'verified') {
      return verified.revokedTools.has(judged.digest)
        ? { code: 'revoked', detail: { digest: judged.digest, step: 7 } }
        : judged
    }
    const other = others.find((one) => {
      const signed = one.items[item.kind].get(item.name)
      return signed !== undefined && judgeItem(signed, item.text, facts).code === 'verified'
    })
    if (other === undefined) return { code: judged.code, detail: { step: 10, version: verified.version } }
    return {
      code: 'version-mismatch',
      detail: { step: 8, version: verified.version, belongsTo: other.version },
    }
  }
}

export function withhold(kind: ItemKind, name: string, code: VerdictCode, detail: ErrorDetail): Withheld {
  return { kind: kind === 'resource' ? 'template' : kind, name, code, detail: { name, ...detail } }
}

/** Groups what is held by where it goes. */
export function split({ held, withheld }: Judgements) {
  const of = (kind: ItemKind): ReviewedItem[] => held.filter((one) => one.item.kind === kind).map(toReviewed)
  const [instructions] = of('instructions')
  const text = instructions && (parseStrictJson(instructions.signed) as JsonObject)['text']
  return {
    allowed: of('tool'),
    prompts: of('prompt'),
    resourceTemplates: of('template'),
    resources: of('resource'),
    withheld,
    ...(typeof text === 'string' && { instructions: text }),
  }
}

function toReviewed({ item, match }: Judged): ReviewedItem {
  const { digest, signed, dialect, variant } = match
  return { name: item.name, digest, signed, dialect, ...(variant !== undefined && { variant }) }
}
