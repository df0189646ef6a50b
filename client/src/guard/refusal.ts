import type { ErrorDetail, VerdictCode } from '../core/index.js'
import { explainVerdict } from '../verdict.js'
import type { ListKind } from './events.js'
import { errorFrame, INTERNAL_ERROR, INVALID_PARAMS, resultFrame, type FrameId } from './frames.js'
import { withoutHidden } from './hidden.js'
import { ITEM_KIND, type Offer } from './offer.js'
import { ListingError, type ListSpec } from './walk.js'

export interface Refusal {
  readonly code: VerdictCode
  readonly detail: ErrorDetail
}

/** Why a name may not be used, or undefined when it may. */
export function judgeName(kind: ListKind, offer: Offer, name: string): Refusal | undefined {
  if (offer.allowed === undefined || offer.allowed.has(name)) return undefined
  const reason =
    offer.withheld.find((one) => one.kind === ITEM_KIND[kind] && one.name === name) ??
    offer.withheld.find((one) => one.kind === 'server')
  return reason === undefined
    ? { code: 'not-listed', detail: { name: shownName(name) } }
    : { code: reason.code, detail: { ...reason.detail, name: shownName(name) } }
}

/**
 * By default a refused tool is one that is not there; `explain` tells the person and the model why. A call of a verified
 * tool that lacks a scope or does not fit its schema says so either way, for only then it can be made right.
 */
export function refuseCall(
  id: FrameId,
  name: string,
  refusal: Refusal,
  explain: boolean,
  modern: boolean,
): object {
  const { code, detail } = refusal
  if (!explain && !isMendable(code)) return errorFrame(id, INVALID_PARAMS, `Unknown tool: ${shownName(name)}`)
  const { sentence, remedy } = explainVerdict(code, { ...detail, name: shownName(name) })
  const text = [`Countersign refused this call (${code}).`, sentence, remedy, ...particulars(refusal)].join(
    ' ',
  )
  if (!explain) return errorFrame(id, refusedCode(refusal), text, { code, ...particularData(refusal) })
  return resultFrame(id, {
    content: [{ type: 'text', text }],
    isError: true,
    ...(modern && { resultType: 'complete' }),
  })
}

/** The JSON-RPC code of a refusal that is an error. */
export function refusedCode({ code }: Refusal): number {
  return code === 'scope-missing' ? SCOPE_MISSING : INVALID_PARAMS
}

/** Of this product, outside the ranges that JSON-RPC and MCP reserve. */
const SCOPE_MISSING = -31_990

function isMendable(code: VerdictCode): boolean {
  return code === 'scope-missing' || code === 'schema-violation'
}

function particularData({ detail }: Refusal): object {
  const { scope, scopes, faults } = detail
  return { ...(scopes !== undefined && { scope, scopes }), ...(faults !== undefined && { faults }) }
}

/** Scopes are of the manifest; faults name members of the host's own arguments. */
function particulars({ detail }: Refusal): string[] {
  const { scopes, faults } = detail
  if (Array.isArray(scopes)) return [`Missing: ${scopes.join(' ')}.`]
  return Array.isArray(faults) ? [`Faults: ${faults.join('; ')}.`] : []
}

export function refuseResource(id: FrameId, uri: string): object {
  return errorFrame(id, INVALID_PARAMS, `Unknown resource: ${shownName(uri)}`)
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
export function shownName(name: string): string {
  return withoutHidden(name).slice(0, 128)
}
