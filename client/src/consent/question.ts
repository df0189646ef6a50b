import { canonicalize, digestOfText, type Digest } from '../core/index.js'
import type { ServerMemory } from '../memory.js'
import type { Answer, Consent, Question, QuestionDraft, Side } from './types.js'

const MAX_QUESTIONS = 16
const MAX_CONSENTS = 64
/** Of one question, as it is kept: whoever is asked about more is asked about very much indeed. */
const MAX_LABELS = 300

/** What a person agrees to, as one digest: another version on either side is another question. */
export function questionId({ reason, server, slot, from, to, binding }: QuestionDraft): Digest {
  const about = {
    reason,
    server,
    slot,
    ...(from !== undefined && { from }),
    ...(binding === undefined ? { to } : { binding }),
  }
  return digestOfText(canonicalize(about))
}

/** The question as it is kept. `askedAt` in POSIX seconds. */
export function openQuestion(draft: QuestionDraft, askedAt: number): Question {
  const { reason, server, slot, from, to, class: change, items } = draft
  const about = { reason, server, slot, ...(from && { from }), to, class: change, items }
  return { id: questionId(draft), ...about, askedAt }
}

/** What a person said to it here, as far as that is remembered. */
export function answerOf(memory: ServerMemory | undefined, id: string): Answer {
  return memory?.consents?.find(({ question }) => question === id)?.decision ?? 'waiting'
}

/** Whether a question is kept, answered or not. */
export function knownQuestion(memory: ServerMemory | undefined, id: string): Question | undefined {
  return memory?.questions?.find((one) => one.id === id)
}

/** The same object when it is kept already. At most 16 stay: answered ones go first, then the oldest. */
export function withQuestion(memory: ServerMemory, question: Question): ServerMemory {
  if (knownQuestion(memory, question.id) !== undefined) return memory
  const others = (memory.questions ?? []).filter((one) => !isReplaced(one, question, memory))
  const kept = { ...question, items: question.items.slice(0, MAX_LABELS) }
  return { ...memory, questions: dropOld([...others, kept], memory) }
}

/** A list that nobody signed can be another one each time it is asked for: only the newest waits. */
function isReplaced(old: Question, { reason, items }: Question, memory: ServerMemory): boolean {
  if (old.reason !== 'pin-changed' || reason !== 'pin-changed') return false
  return kindOf(old.items) === kindOf(items) && answerOf(memory, old.id) === 'waiting'
}

/** Instructions are judged with the tools, prompts and templates each by themselves. */
function kindOf(items: readonly string[]): string {
  const kind = items[0]?.split(' ', 1)[0]
  return kind === 'prompt' || kind === 'template' ? kind : 'tool'
}

function dropOld(questions: readonly Question[], memory: ServerMemory): readonly Question[] {
  if (questions.length <= MAX_QUESTIONS) return questions
  const victim = questions.find((one) => answerOf(memory, one.id) !== 'waiting') ?? questions[0]
  return questions.filter((one) => one !== victim)
}

/** Remembers an answer; another one to the same question takes its place. At most 64 stay, the newest. */
export function withConsent(memory: ServerMemory, consent: Consent): ServerMemory {
  const others = (memory.consents ?? []).filter(({ question }) => question !== consent.question)
  return { ...memory, consents: [...others, consent].slice(-MAX_CONSENTS) }
}

/**
 * What is left of the questions when a version is in use: what was asked about it, and how it differs from what was in
 * use until now, is settled. Refused questions stay known, and so does what is asked about a step from a version that was
 * accepted later: two versions in turn, while a third one waits, are one service that is being rolled out.
 */
export function settledQuestions(
  memory: ServerMemory,
  manifest: string,
): Pick<ServerMemory, 'questions'> | undefined {
  const { questions, accepted } = memory
  const at = (one: string | undefined): number => accepted.findIndex((known) => known.manifest === one)
  const isNew = at(manifest) < 0
  const isPast = ({ reason, from, to }: Question): boolean => {
    if (reason === 'variant') return isNew && to.manifest !== manifest
    if (from?.manifest === manifest || !ABOUT_VERSIONS.has(reason)) return false
    return isNew || (reason !== 'lower-version' && at(from?.manifest) < at(manifest))
  }
  const isSettled = (one: Question): boolean =>
    (ABOUT_VERSIONS.has(one.reason) && one.to.manifest === manifest) ||
    (answerOf(memory, one.id) === 'waiting' && isPast(one))
  const left = questions?.filter((one) => !isSettled(one))
  return left === undefined || left.length === questions?.length ? undefined : { questions: left }
}

const ABOUT_VERSIONS: ReadonlySet<string> = new Set([
  'changed',
  'lower-version',
  'other-server',
  'other-publisher',
])

/** A side without what only tells it apart from the other one. */
export function sideOf({ version, manifest }: { readonly version: string; readonly manifest: string }): Side {
  return { version, manifest }
}
