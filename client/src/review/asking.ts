import { answerOf, knownQuestion, openQuestion, withQuestion } from '../consent/question.js'
import type { Answer, Question, QuestionDraft } from '../consent/types.js'
import type { ErrorDetail, Manifest } from '../core/index.js'
import { EMPTY_SERVER_MEMORY, type ServerKey } from '../memory.js'
import { keepManifest } from './contents.js'
import type { ReviewPorts } from './types.js'

/** A question with what a person said to it so far. */
export interface Asked {
  readonly question: Question
  readonly answer: Answer
}

/** What a person is to see of both sides. */
interface Shown {
  readonly before?: Manifest
  readonly after: Manifest
}

/**
 * Puts a question to whoever sits before this host, once: it is remembered under `key` until it is answered, and the
 * answer binds the digests on both sides, whose contents are kept so that they can be shown.
 */
export async function askPerson(
  ports: ReviewPorts,
  key: ServerKey,
  draft: QuestionDraft,
  shown: Shown,
): Promise<Asked> {
  const { memory, emit, now } = ports
  const question = openQuestion(draft, Math.floor(now() / 1000))
  const kept = await memory.readServer(key)
  const answer = answerOf(kept, question.id)
  const known = knownQuestion(kept, question.id)
  // Also when it is known already: the cache may have lost what nobody but this server can show again.
  if (answer === 'waiting') await keepSides(ports, draft, shown)
  if (answer !== 'waiting' || known !== undefined) {
    return { question: { ...question, askedAt: known?.askedAt ?? question.askedAt }, answer }
  }
  const written = await memory.updateServer(key, (old) => withQuestion(old ?? EMPTY_SERVER_MEMORY, question))
  emit({ type: 'asked', slot: draft.slot, server: draft.server, question })
  return { question, answer: answerOf(written, question.id) }
}

async function keepSides(
  ports: ReviewPorts,
  { from, to }: Pick<QuestionDraft, 'from' | 'to'>,
  { before, after }: Shown,
): Promise<void> {
  await keepManifest(ports, to.manifest, after)
  if (from !== undefined && before !== undefined) await keepManifest(ports, from.manifest, before)
}

/** What a withheld item says of the question behind it. */
export function detailOf({ question, answer }: Asked): ErrorDetail {
  const { id, reason, class: change, from, to } = question
  return {
    reason,
    class: change,
    question: id,
    ...(from !== undefined && { from: from.version }),
    to: to.version,
    ...(answer === 'refused' && { refused: true }),
  }
}
