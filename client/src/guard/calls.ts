import type { OpenCall } from './call-log.js'
import type { RequestFrame } from './frames.js'
import { judgeCall } from './judge-call.js'
import { judgeName, refuseCall, refusePrompt, refusedCode, type Refusal } from './refusal.js'
import { explains, type Forward, type Session } from './session.js'
import { toVerdict, type Surface, type Verified } from './surface.js'

/** How often a call is judged anew because the list changed while it was judged. */
const MAX_ROUNDS = 3

const FROZEN: Refusal = { code: 'frozen', detail: {} }

/**
 * A call goes through only for a tool that the newest verdict allows. When there is none (nothing listed yet, the
 * server said its list changed, the verdict is old) the guard verifies first and the call waits.
 */
export async function gateCall(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { verifier, calls, wire } = session
  const call = calls.begin(frame)
  let known: Verified | Refusal = FROZEN
  let refusal: Refusal | undefined = FROZEN
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const newest: Verified | Refusal = verifier.tools.usable ?? (await settle(verifier.tools))
    const judged = judgeCall(session, newest, call)
    const reason = judged instanceof Promise ? await judged : judged
    if ('offer' in newest && !verifier.tools.isNewest(newest)) continue
    known = newest
    refusal = reason
    break
  }
  // A host that gave up while the verdict was pending no longer wants the call.
  if (!wire.pending.waits(frame)) return
  if (refusal !== undefined && !verifier.observing) {
    refuseTool(session, frame, call, refusal)
  } else {
    recordCall(session, known, call, refusal)
    await forward()
  }
}

function recordCall(
  { settings }: Session,
  known: Verified | Refusal,
  { info: call }: OpenCall,
  refusal: Refusal | undefined,
): void {
  const tool = call.name
  if (refusal !== undefined) {
    settings.emit({ type: 'call-observed', call, tool, code: refusal.code })
  } else if ('offer' in known) {
    const manifest = known.review.manifest?.digest
    const digest = known.offer.allowed?.get(tool)?.digest ?? ''
    settings.emit({ type: 'call-allowed', call, tool, digest, ...(manifest !== undefined && { manifest }) })
  }
}

function refuseTool(session: Session, frame: RequestFrame, { info: call }: OpenCall, refusal: Refusal): void {
  const { settings, wire, calls } = session
  const explain = explains(session)
  settings.emit({ type: 'call-refused', call, tool: call.name, ...refusal })
  calls.end(frame.id, { status: 'refused', rpcCode: explain ? undefined : refusedCode(refusal) })
  wire.answer(frame, refuseCall(frame.id, call.name, refusal, explain, wire.modern))
}

/** Prompts as tools; where a pinned server signs no prompts every name passes. */
export async function gatePrompt(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { verifier, settings, wire, calls } = session
  const { info: call } = calls.begin(frame)
  const prompts = verifier.surface('prompts')
  const known = prompts.usable ?? (await settle(prompts))
  const refusal = 'code' in known ? known : judgeName('prompts', known.offer, call.name)
  if (!wire.pending.waits(frame)) return
  if (refusal === undefined || verifier.observing) {
    if (refusal) settings.emit({ type: 'call-observed', call, tool: call.name, code: refusal.code })
    await forward()
  } else {
    settings.emit({ type: 'prompt-refused', call, prompt: call.name, ...refusal })
    calls.end(frame.id, { status: 'refused', rpcCode: refusedCode(refusal) })
    wire.answer(frame, refusePrompt(frame.id, call.name))
  }
}

/** A verdict that cannot be had is a refusal, never silence. */
export function settle(surface: Surface): Promise<Verified | Refusal> {
  return surface.settle().catch((error: unknown) => toVerdict(error))
}
