import type { JsonObject } from '../core/index.js'
import type { Withheld } from '../review.js'
import { textOf } from './call-log.js'
import { settle } from './calls.js'
import type { RequestFrame } from './frames.js'
import { answerNow, answerWith } from './listing.js'
import { judgeName, refusedCode, refuseListing, refuseResource, type Refusal } from './refusal.js'
import type { Forward, Session } from './session.js'
import { matchesTemplate } from './template.js'

/**
 * What holds for the resources of this server: all refused with the server; as the manifest lists them; or signed by
 * nobody, and then passed or dropped by policy.
 */
type Rule =
  { readonly kind: 'refused'; readonly refusal: Refusal } | { readonly kind: 'listed' | 'pass' | 'drop' }

/** Asked twice: only a review tells for certain. */
function isObserving({ verifier }: Session): boolean {
  return verifier.observing
}

async function ruleOf(session: Session): Promise<Rule> {
  const { verifier, settings } = session
  if (isObserving(session)) return { kind: 'pass' }
  const known = verifier.tools.usable ?? (await settle(verifier.tools))
  if (isObserving(session)) return { kind: 'pass' }
  if ('code' in known) return { kind: 'refused', refusal: known }
  const { manifest, withheld } = known.review
  const whole = withheld.find((one) => one.kind === 'server')
  if (whole !== undefined) return { kind: 'refused', refusal: whole }
  if (manifest?.manifest.resources?.mode === 'listed') return { kind: 'listed' }
  return { kind: settings.policy()?.dynamicResources === 'drop' ? 'drop' : 'pass' }
}

/** Answers `resources/list`: a signed list as any other one, an unsigned one page by page as the server has it. */
export function answerResources(session: Session, frame: RequestFrame, forward: Forward): void {
  const { wire, verifier, settings } = session
  const surface = verifier.surface('resources')
  surface.enqueue(async () => {
    const rule = await ruleOf(session)
    if (rule.kind === 'listed') return answerNow(session, surface, frame, forward)
    if (rule.kind === 'pass') return wire.pending.waits(frame) ? forward() : undefined
    const { code, detail } = rule.kind === 'refused' ? rule.refusal : DROPPED
    const withheld: Withheld[] = [{ kind: 'template', name: 'resources', code, detail }]
    settings.emit({ type: 'resources-withheld', withheld })
    if (rule.kind === 'refused')
      wire.answer(frame, refuseListing(frame.id, surface.list, undefined, rule.refusal))
    else wire.answer(frame, answerWith(session, frame, { resources: [] }))
  })
}

const DROPPED: Refusal = { code: 'policy-denied', detail: { name: 'resources' } }

/** Reading, as calling: not of a server that is refused, not what the signed list withholds or the policy drops. */
export async function gateRead(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { wire, settings, calls, verifier } = session
  const call = calls.begin(frame)
  const refusal = await judgeUri(session, call.info.name)
  if (!wire.pending.waits(frame)) return
  if (refusal === undefined || verifier.observing) return forward()
  const uri = call.info.name
  settings.emit({ type: 'resource-refused', call: call.info, uri, ...refusal })
  calls.end(frame.id, { status: 'refused', rpcCode: refusedCode(refusal) })
  wire.answer(frame, refuseResource(frame.id, uri))
}

/** A URI that is on no list may come from a result, and its content is as good as one; what is withheld stays withheld. */
export async function judgeUri(session: Session, uri: string): Promise<Refusal | undefined> {
  const rule = await ruleOf(session)
  if (rule.kind === 'refused') return rule.refusal
  if (rule.kind === 'pass') return undefined
  if (await isTemplated(session, uri)) return undefined
  return rule.kind === 'drop' ? { code: 'policy-denied', detail: { name: uri } } : judgeListed(session, uri)
}

async function judgeListed({ verifier }: Session, uri: string): Promise<Refusal | undefined> {
  const surface = verifier.surface('resources')
  const known = surface.usable ?? (await settle(surface))
  // A server without a list has nothing on it that could be withheld.
  if ('code' in known) return known.detail['reason'] === 'server-error' ? undefined : known
  const refusal = judgeName('resources', known.offer, uri)
  return refusal?.code === 'not-listed' ? undefined : refusal
}

async function isTemplated({ verifier }: Session, uri: string): Promise<boolean> {
  const surface = verifier.surface('resourceTemplates')
  const known = surface.usable ?? (await settle(surface))
  if ('code' in known || known.offer.allowed === undefined) return false
  return [...known.offer.allowed.keys()].some((template) => matchesTemplate(template, uri))
}

export function uriOf(params: JsonObject | undefined): string {
  return textOf(params?.['uri'])
}
