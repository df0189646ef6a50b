import { answerOf, knownQuestion, withConsent } from '../consent/question.js'
import type { Consent, ExplainedQuestion, Question } from '../consent/types.js'
import { refuse, type Manifest } from '../core/index.js'
import type { RememberedServer } from '../memory.js'
import { compareContents } from './compared.js'
import { readManifest } from './contents.js'
import type { ReviewPorts } from './types.js'
import { inVariant } from './variants.js'

type WaitingPorts = Pick<ReviewPorts, 'memory' | 'identity' | 'api' | 'emit' | 'now'>

/** What nobody answered yet, oldest first. */
export async function listWaiting({ memory, identity }: WaitingPorts): Promise<readonly Question[]> {
  const waiting: Question[] = []
  for (const { memory: kept } of await memory.listServers(identity)) {
    for (const one of kept.questions ?? []) if (answerOf(kept, one.id) === 'waiting') waiting.push(one)
  }
  return waiting.sort((a, b) => a.askedAt - b.askedAt || (a.id < b.id ? -1 : 1))
}

/** A question with both sides, read by their digests. */
export async function explainQuestion(id: string, ports: WaitingPorts): Promise<ExplainedQuestion> {
  const { question } = await findQuestion(id, ports)
  const { from, to } = question
  const after = await readManifest(ports, to.manifest)
  if (after === undefined)
    return refuse('registry-unreachable', 'nobody has the text that this question is about', { question: id })
  const before = from === undefined ? undefined : await readManifest(ports, from.manifest)
  if (before === undefined) {
    return {
      question,
      comparison: { class: question.class, changes: [], more: 0 },
      after: inForm(after, to.variant),
    }
  }
  const sides = { before: inForm(before, from?.variant), after: inForm(after, to.variant) }
  return { question, comparison: compareContents(sides.before, sides.after), ...sides }
}

function inForm(manifest: Manifest, variant: string | undefined): Manifest {
  return variant === undefined ? manifest : inVariant(manifest, variant)
}

/** Whatever a caller without types passes: another word would make the memory unreadable. */
const DECISIONS: ReadonlySet<string> = new Set(['agreed', 'refused'])

/** Remembers a person's decision; every process that shares the memory goes by it from its next review on. */
export async function answerQuestion(
  id: string,
  decision: Consent['decision'],
  ports: WaitingPorts,
): Promise<void> {
  if (!DECISIONS.has(decision)) refuse('usage', 'a decision is agreed or refused')
  const { question, key } = await findQuestion(id, ports)
  const at = Math.floor(ports.now() / 1000)
  const written = await ports.memory.updateServer(key, (old) =>
    // Another process may have settled it in between.
    old === undefined || knownQuestion(old, id) === undefined
      ? old
      : withConsent(old, { question: question.id, decision, at }),
  )
  if (answerOf(written, id) !== decision) unknownQuestion(id)
  ports.emit({ type: 'consented', slot: question.slot, server: question.server, question, decision })
}

async function findQuestion(
  id: string,
  { memory, identity }: WaitingPorts,
): Promise<{ readonly question: Question; readonly key: RememberedServer['key'] }> {
  for (const { key, memory: kept } of await memory.listServers(identity)) {
    const question = knownQuestion(kept, id)
    if (question !== undefined) return { question, key }
  }
  return unknownQuestion(id)
}

function unknownQuestion(id: string): never {
  return refuse('usage', 'no such question waits here, or not any more', { question: id.slice(0, 80) })
}
