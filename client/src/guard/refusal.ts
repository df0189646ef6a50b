import type { ErrorDetail, VerdictCode } from '../core/index.js'
import { explainVerdict } from '../verdict.js'
import type { ListKind } from './events.js'
import { errorFrame, INTERNAL_ERROR, INVALID_PARAMS, resultFrame, type FrameId } from './frames.js'
import { withoutHidden } from './hidden.js'
import type { Offer } from './offer.js'
import { ListingError, type ListSpec } from './walk.js'

export interface Refusal {
  readonly code: VerdictCode
  readonly detail: ErrorDetail
}

/** Why a name may not be used, or undefined when it may. */
export function judgeName(kind: ListKind, offer: Offer, name: string): Refusal | undefined {
  if (offer.allowed === undefined || offer.allowed.has(name)) return undefined
  const reason =
    offer.withheld.find((one) => one.kind === ITEM[kind] && one.name === name) ??
    offer.withheld.find((one) => one.kind === 'server')
  return reason === undefined
    ? { code: 'not-listed', detail: { name: shownName(name) } }
    : { code: reason.code, detail: { ...reason.detail, name: shownName(name) } }
}

const ITEM = { tools: 'tool', prompts: 'prompt', resourceTemplates: 'template' } as const

/** By default a refused tool is one that is not there; `explain` tells the person and the model why. */
export function refuseCall(
  id: FrameId,
  name: string,
  refusal: Refusal,
  explain: boolean,
  modern: boolean,
): object {
  if (!explain) return errorFrame(id, INVALID_PARAMS, `Unknown tool: ${shownName(name)}`)
  const { sentence, remedy } = explainVerdict(refusal.code, refusal.detail)
  const text = `Countersign refused this call (${refusal.code}). ${sentence} ${remedy}`
  return resultFrame(id, {
    content: [{ type: 'text', text }],
    isError: true,
    ...(modern && { resultType: 'complete' }),
  })
}

export function refusePrompt(id: FrameId, name: string): object {
  return errorFrame(id, INVALID_PARAMS, `Unknown prompt: ${shownName(name)}`)
}

/** The server's own error keeps its code only; a verification that failed is an internal error that names its verdict. */
export function refuseListing(id: FrameId, list: ListSpec, error: unknown, refusal: Refusal): object {
  if (error instanceof ListingError)
    return errorFrame(id, error.rpcCode, `${list.method} failed at the server`)
  return errorFrame(id, INTERNAL_ERROR, `${list.method} was refused: ${refusal.code}`, { code: refusal.code })
}

/** Names come from the host's model, which may repeat what a server told it. */
function shownName(name: string): string {
  return withoutHidden(name).slice(0, 128)
}
