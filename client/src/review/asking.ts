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

/**
 * Puts a question to whoever sits before this host, once: it is remembered under `key` until it is answered, and the
 * answer binds the digests on both sides, whose contents are kept so that they can be shown.
 */
export async function askPerson(
  ports: ReviewPorts,
  key: ServerKey,
  draft: QuestionDraft,
  shown: { readonly before?: Manifest; readonly after: Manifest },
): Promise<Asked> {
  const { memory, emit, now } = ports
  const question = openQuestion(draft, Math.floor(now() / 1000))
  const kept = await memory.readServer(key)
  const answer = answerOf(kept, question.id)
  const known = knownQuestion(kept, question.id)
  if (answer !== 'waiting' || known !== undefined) {
    return { question: { ...question, askedAt: known?.askedAt ?? question.askedAt }, answer }
  }
  await keepManifest(ports, draft.to.manifest, shown.after)
  if (draft.from !== undefined && shown.before !== undefined) {
    await keepManifest(ports, draft.from.manifest, shown.before)
  }
  const written = await memory.updateServer(key, (old) => withQuestion(old ?? EMPTY_SERVER_MEMORY, question))
  emit({ type: 'asked', slot: draft.slot, server: draft.server, question })
  return { question, answer: answerOf(written, question.id) }
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
