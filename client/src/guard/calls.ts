import { isJsonObject } from '../core/index.js'
import type { CallInfo } from './events.js'
import type { RequestFrame } from './frames.js'
import { judgeName, refuseCall, refusePrompt, type Refusal } from './refusal.js'
import { toVerdict, type Surface, type Verified } from './surface.js'
import type { Session } from './verifier.js'

type Forward = () => Promise<void>

/**
 * A call goes through only for a tool that the newest verdict allows. When there is none (nothing listed yet, the
 * server said its list changed, the verdict is old) the guard verifies first and the call waits.
 */
export async function gateCall(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { wire, verifier, settings } = session
  const known = verifier.tools.usable ?? (await settle(verifier.tools))
  const tool = nameOf(frame)
  const call = callOf(frame)
  const refusal = 'code' in known ? known : judgeName('tools', known.offer, tool)
  // A host that gave up while the verdict was pending no longer wants the call.
  if (!wire.pending.has(frame.id)) return
  if (refusal !== undefined && !verifier.observing) {
    refuseTool(session, frame, call, refusal)
  } else {
    if (refusal !== undefined) settings.emit({ type: 'call-observed', call, tool, code: refusal.code })
    else if ('offer' in known) recordCall(session, known, call)
    await forward()
  }
}

function recordCall({ settings }: Session, { offer, review }: Verified, call: CallInfo): void {
  const tool = call.name
  const manifest = review.manifest?.digest
  const digest = offer.allowed?.get(tool)?.digest ?? ''
  settings.emit({ type: 'call-allowed', call, tool, digest, ...(manifest !== undefined && { manifest }) })
}

function refuseTool(
  { settings, wire }: Session,
  frame: RequestFrame,
  call: CallInfo,
  refusal: Refusal,
): void {
  const tool = call.name
  settings.emit({ type: 'call-refused', call, tool, code: refusal.code, detail: refusal.detail })
  wire.answer(frame, refuseCall(frame.id, tool, refusal, settings.explain, wire.modern))
}

/** Prompts as tools; where the manifest signs no prompts every name passes. */
export async function gatePrompt(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { verifier, settings, wire } = session
  const prompts = verifier.surface('prompts')
  const known = prompts.usable ?? (await settle(prompts))
  const prompt = nameOf(frame)
  const refusal = 'code' in known ? known : judgeName('prompts', known.offer, prompt)
  if (!wire.pending.has(frame.id)) return
  if (refusal === undefined || verifier.observing) {
    await forward()
  } else {
    settings.emit({ type: 'prompt-refused', prompt, code: refusal.code })
    wire.answer(frame, refusePrompt(frame.id, prompt))
  }
}

/** A verdict that cannot be had is a refusal, never silence. */
function settle(surface: Surface): Promise<Verified | Refusal> {
  return surface.settle().catch((error: unknown) => toVerdict(error))
}

function nameOf(frame: RequestFrame): string {
  const name = frame.params?.['name']
  return typeof name === 'string' ? name : ''
}

let calls = 0

function callOf({ method, params }: RequestFrame): CallInfo {
  const [args, meta] = [params?.['arguments'], params?.['_meta']]
  return {
    n: ++calls,
    method,
    name: nameOf({ params } as RequestFrame),
    arguments: isJsonObject(args) ? args : undefined,
    meta: isJsonObject(meta) ? meta : undefined,
  }
}
