import type { JsonObject } from '../core/index.js'
import { errorFrame, INVALID_PARAMS, resultFrame, type RequestFrame } from './frames.js'
import { refuseListing } from './refusal.js'
import { cleanServerInfo, OWN_META_KEY, withoutOwnMeta } from './rewrite.js'
import { toVerdict, type Surface, type Verified } from './surface.js'
import type { Session } from './session.js'

/**
 * Answers a listing of the host with one page that holds the whole verified list; any cursor is therefore somebody
 * else's. In `observe` what the guard cannot walk itself goes to the server as it came.
 */
export function answerList(
  session: Session,
  surface: Surface,
  frame: RequestFrame,
  passOn: () => Promise<void>,
): void {
  surface.enqueue(() => answerNow(session, surface, frame, passOn))
}

/** {@link answerList} for who has its turn already. */
export async function answerNow(
  session: Session,
  surface: Surface,
  frame: RequestFrame,
  passOn: () => Promise<void>,
): Promise<void> {
  const { wire, verifier } = session
  const foreignCursor = frame.params !== undefined && 'cursor' in frame.params
  const refused = foreignCursor
    ? errorFrame(frame.id, INVALID_PARAMS, 'Unknown cursor')
    : await answerVerified(session, surface, frame)
  if (refused === undefined) return
  if (!verifier.observing) wire.answer(frame, refused)
  else if (wire.pending.waits(frame)) await passOn()
}

/** Undefined when it was answered; else the refusal. */
async function answerVerified(
  session: Session,
  surface: Surface,
  frame: RequestFrame,
): Promise<object | undefined> {
  try {
    const verified = await surface.verify()
    if (verified.walked.meta !== undefined) session.staples.note({ _meta: verified.walked.meta })
    tellResources(session, surface, verified)
    session.wire.answer(
      frame,
      answerWith(session, frame, listResult(surface, verified), verified.walked.ttlMs),
    )
    return undefined
  } catch (error) {
    return refuseListing(frame.id, surface.list, error, toVerdict(error))
  }
}

function listResult({ list }: Surface, { offer, walked }: Verified): JsonObject {
  return {
    ...withMeta(walked.meta, offer.allowed === undefined),
    [list.member]: offer.items() as JsonObject[],
  }
}

/** A listing of the guard's own making, in the words of the host's era: never kept longer than a verdict counts. */
export function answerWith(
  { wire, settings }: Session,
  { id }: RequestFrame,
  listed: JsonObject,
  ttlMs = 0,
): object {
  const cached = { resultType: 'complete', ttlMs: Math.min(ttlMs, settings.recheckMs), cacheScope: 'private' }
  return resultFrame(id, wire.modern ? { ...cached, ...listed } : listed)
}

function tellResources({ settings, verifier }: Session, { list }: Surface, { offer }: Verified): void {
  if (list.kind !== 'resources' || offer.withheld.length === 0 || verifier.observing) return
  settings.emit({ type: 'resources-withheld', withheld: offer.withheld })
}

function withMeta(received: JsonObject | undefined, unsigned: boolean): JsonObject {
  const rest = received === undefined ? {} : cleanServerInfo(withoutOwnMeta({ _meta: received }))
  if (!unsigned) return rest
  return { _meta: { ...(rest['_meta'] as JsonObject | undefined), [OWN_META_KEY]: { unsigned: true } } }
}
