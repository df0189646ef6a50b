import { isJsonObject } from '../core/index.js'
import { textOf } from './call-log.js'
import { settle } from './calls.js'
import { errorFrame, INVALID_PARAMS, type RequestFrame } from './frames.js'
import { judgeName, shownName, type Refusal } from './refusal.js'
import { judgeUri, uriOf } from './resources.js'
import type { Forward, Session } from './session.js'

/** Completions are offered for what is verified only: their texts go where the prompt's or template's would. */
export async function gateCompletion(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const ref = frame.params?.['ref']
  const { type, name, uri } = isJsonObject(ref) ? ref : {}
  const isPrompt = type === 'ref/prompt'
  const target = textOf(isPrompt ? name : uri)
  const surface = session.verifier.surface(isPrompt ? 'prompts' : 'resourceTemplates')
  const known = surface.usable ?? (await settle(surface))
  const refusal = 'code' in known ? known : judgeName(surface.list.kind, known.offer, target)
  await pass(session, frame, target, refusal, forward)
}

/** News of a resource only where it may be read. */
export async function gateSubscription(
  session: Session,
  frame: RequestFrame,
  forward: Forward,
): Promise<void> {
  const uri = uriOf(frame.params)
  await pass(session, frame, uri, await judgeUri(session, uri), forward)
}

async function pass(
  { wire, verifier, settings }: Session,
  frame: RequestFrame,
  target: string,
  refusal: Refusal | undefined,
  forward: Forward,
): Promise<void> {
  if (!wire.pending.waits(frame)) return
  if (refusal === undefined || verifier.observing) return forward()
  const name = shownName(target)
  settings.emit({ type: 'request-refused', method: frame.method, name, code: refusal.code })
  wire.answer(frame, errorFrame(frame.id, INVALID_PARAMS, `${frame.method}: not available: ${name}`))
}
