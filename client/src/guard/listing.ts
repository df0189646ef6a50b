import type { JsonObject } from '../core/index.js'
import { errorFrame, INVALID_PARAMS, resultFrame, type RequestFrame } from './frames.js'
import { refuseListing } from './refusal.js'
import { OWN_META_KEY, withoutOwnMeta } from './rewrite.js'
import { toVerdict, type Surface, type Verified } from './surface.js'
import type { Session } from './verifier.js'

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
  const { wire, verifier } = session
  const foreignCursor = frame.params !== undefined && 'cursor' in frame.params
  surface.enqueue(async () => {
    const refused = foreignCursor
      ? errorFrame(frame.id, INVALID_PARAMS, 'Unknown cursor')
      : await answerVerified(session, surface, frame)
    if (refused === undefined) return
    if (verifier.observing) await passOn()
    else wire.answer(frame, refused)
  })
}

/** Undefined when it was answered; else the refusal. */
async function answerVerified(
  session: Session,
  surface: Surface,
  frame: RequestFrame,
): Promise<object | undefined> {
  try {
    const verified = await surface.verify()
    session.wire.answer(frame, resultFrame(frame.id, listResult(session, surface, verified)))
    return undefined
  } catch (error) {
    return refuseListing(frame.id, surface.list, error, toVerdict(error))
  }
}

function listResult({ wire, settings }: Session, { list }: Surface, { offer, walked }: Verified): JsonObject {
  return {
    ...withMeta(walked.meta, offer.allowed === undefined),
    ...(wire.modern && {
      resultType: 'complete',
      ttlMs: Math.min(walked.ttlMs ?? 0, settings.recheckMs),
      cacheScope: 'private',
    }),
    [list.member]: offer.items() as JsonObject[],
  }
}

function withMeta(received: JsonObject | undefined, unsigned: boolean): JsonObject {
  const rest = received === undefined ? {} : withoutOwnMeta({ _meta: received })
  if (!unsigned) return rest
  return { _meta: { ...(rest['_meta'] as JsonObject | undefined), [OWN_META_KEY]: { unsigned: true } } }
}
