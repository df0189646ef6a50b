import { countClasses } from '../consent/reaction.js'
import { answerOf, questionId } from '../consent/question.js'
import type { Question, QuestionDraft, QuestionReason, Side } from '../consent/types.js'
import type { Comparison } from '../change/types.js'
import type { Reaction } from '../change/class.js'
import { CountersignError, type ErrorDetail } from '../core/index.js'
import type { ServerMemory } from '../memory.js'
import type { VerifiedManifest } from '../verify.js'
import { askPerson, detailOf, type Asked } from './asking.js'
import { heldBack, type HeldBack } from './changes.js'
import { withhold, type Judgements } from './items.js'
import type { Changed, Standing } from './standing.js'
import type { ReviewInput, ReviewPorts } from './types.js'

/** What goes on of a version, and whether it is in use from now on. */
export interface Admitted {
  readonly judged: Judgements
  readonly accept: boolean
  readonly questions: readonly Question[]
}

/**
 * PROTOCOL 10.11 and 12: a version that means more than the one that was accepted last is not accepted before a person
 * agreed to these two digests; until then go on what was in use already and what changed without need of consent.
 *
 * @throws CountersignError `consent-required` when what changed belongs to no item
 */
export async function admitVersion(
  input: ReviewInput,
  verified: VerifiedManifest,
  judged: Judgements,
  standing: Standing,
  remembered: ServerMemory,
  ports: ReviewPorts,
): Promise<Admitted> {
  if (standing.kind === 'known' || standing.reaction !== 'consent') {
    return { judged, accept: true, questions: [] }
  }
  const held = heldBack(standing.compared, verified.manifest, remembered, ports.policy)
  const asked = await askAboutVersion(input, verified, standing, held, ports)
  if (asked.answer === 'agreed') return { judged, accept: true, questions: [] }
  if (held.all) {
    throw new CountersignError('consent-required', 'what this server is or may do is another than before', {
      step: 11,
      server: verified.server,
      ...detailOf(asked),
    })
  }
  return { judged: withoutHeld(judged, held, asked), accept: false, questions: [asked.question] }
}

/**
 * Whether another version may go on speaking instead: where all that changed would show in the live list, and nothing of it
 * does, or where a person refused this one.
 */
export function mayStepAside(
  input: ReviewInput,
  verified: VerifiedManifest,
  standing: Changed,
  remembered: ServerMemory,
  { policy }: ReviewPorts,
): boolean {
  const held = heldBack(standing.compared, verified.manifest, remembered, policy)
  const draft = draftQuestion(input, verified, standing, held)
  return !held.unseen || answerOf(remembered, questionId(draft)) === 'refused'
}

async function askAboutVersion(
  input: ReviewInput,
  verified: VerifiedManifest,
  standing: Changed,
  held: HeldBack,
  ports: ReviewPorts,
): Promise<Asked> {
  const key = { identity: ports.identity, server: verified.server, slot: input.slot }
  const draft = draftQuestion(input, verified, standing, held)
  const { question, answer } = await askPerson(ports, key, draft, { after: verified.manifest })
  return { question: { ...question, items: draft.items }, answer }
}

function draftQuestion(
  { slot }: ReviewInput,
  { server, digest, version }: VerifiedManifest,
  { from, compared }: Changed,
  held: HeldBack,
): QuestionDraft {
  return {
    reason: 'changed',
    server,
    slot,
    from,
    to: { version, manifest: digest },
    class: compared.comparison.class,
    items: held.all ? [] : [...held.labels],
  }
}

/** Moves what waits from one side to the other. */
function withoutHeld(judged: Judgements, held: HeldBack, asked: Asked): Judgements {
  const waits = judged.held.filter(({ item, match }) => held.isHeld(item.kind, item.name, match.digest))
  return holdBack(judged, waits, detailOf(asked))
}

/** The same judgements with these items withheld until a person agrees. */
export function holdBack(judged: Judgements, waits: Judgements['held'], why: ErrorDetail): Judgements {
  const detail = { step: 11, ...why }
  const waiting = new Set(waits)
  return {
    held: judged.held.filter((one) => !waiting.has(one)),
    withheld: [
      ...judged.withheld,
      ...waits.map(({ item }) => withhold(item.kind, item.name, 'consent-required', detail)),
    ],
  }
}

/** What a report says of a change that is in use from now on. */
export function tellChanged(
  ports: ReviewPorts,
  about: {
    readonly slot: string
    readonly server: string
    readonly reason: QuestionReason
    readonly from: Side
    readonly to: Side
  },
  comparison: Comparison,
  reaction: Reaction,
): void {
  const counts = countClasses(comparison)
  ports.emit({ type: 'changed', ...about, class: comparison.class, reaction, counts })
}
