import { reactionTo, reactionToAll } from '../consent/reaction.js'
import type { Comparison } from '../change/types.js'
import { answerOf, questionId } from '../consent/question.js'
import type { Answer, Question, Side } from '../consent/types.js'
import { canonicalize, type Manifest, type ManifestItem } from '../core/index.js'
import type { HostPolicy } from '../host-policy.js'
import type { ServerMemory } from '../memory.js'
import type { VerifiedManifest } from '../verify.js'
import type { Judged } from './accept.js'
import { askPerson, detailOf, type Asked } from './asking.js'
import { labelOf } from './changes.js'
import { compareContents } from './compared.js'
import { holdBack } from './consent.js'
import type { Judgements } from './items.js'
import { seenVariants } from './known.js'
import type { ReviewInput, ReviewPorts } from './types.js'

/** A step from one variant to another, and the live items that made it. */
interface Switch {
  readonly from: string
  readonly to: string
  readonly items: readonly Judged[]
}

interface Followed {
  readonly judged: Judgements
  readonly questions: readonly Question[]
}

/**
 * PROTOCOL 10.10: which variant is live is the server's to choose. Another one than was seen here is a change like any
 * other; one that was accepted here before is none.
 */
export async function judgeVariants(
  input: ReviewInput,
  verified: VerifiedManifest,
  judged: Judgements,
  remembered: ServerMemory,
  ports: ReviewPorts,
): Promise<Followed> {
  let left = judged
  const questions: Question[] = []
  const steps = openSteps(input, verified, switchesOf(verified, judged, remembered), remembered)
  for (const step of steps.slice(0, MAX_STEPS)) {
    const asked = await askAboutSwitch(input, verified, step, ports)
    if (asked === undefined || asked.answer === 'agreed') continue
    const labels = new Set(asked.question.items)
    const waits = step.items.filter(
      ({ item }) => labels.size === 0 || labels.has(labelOf(item.kind, item.name)),
    )
    left = holdBack(left, waits, detailOf(asked))
    questions.push(asked.question)
  }
  const late = steps.slice(MAX_STEPS).flatMap((step) => step.items)
  return { judged: late.length === 0 ? left : holdBack(left, late, { reason: 'variant' }), questions }
}

/**
 * As many as questions are kept: each of a thousand items may switch in its own way, each step compares two whole manifests,
 * and a question more would push another one out. The others wait unasked for their turn.
 */
const MAX_STEPS = 16

/** What nobody agreed to yet; what was refused comes last, so that it does not keep others from being asked about. */
function openSteps(
  input: ReviewInput,
  verified: VerifiedManifest,
  steps: readonly Switch[],
  remembered: ServerMemory,
): readonly Switch[] {
  const answers = steps.map((step) => {
    const draft = { ...aboutSwitch(input, verified, step), class: 'none' as const, items: [] }
    return { step, answer: answerOf(remembered, questionId(draft)) }
  })
  const of = (wanted: Answer): Switch[] =>
    answers.filter(({ answer }) => answer === wanted).map(({ step }) => step)
  return [...of('waiting'), ...of('refused')]
}

function aboutSwitch(
  { slot }: ReviewInput,
  { server, version, digest }: VerifiedManifest,
  { from, to }: Switch,
) {
  const side = (variant: string): Side => ({ version, manifest: digest, variant })
  return { reason: 'variant' as const, server, slot, from: side(from), to: side(to) }
}

function switchesOf(verified: VerifiedManifest, { held }: Judgements, remembered: ServerMemory): Switch[] {
  const steps = new Map<string, { from: string; to: string; items: Judged[] }>()
  for (const one of held) {
    const { kind, name } = one.item
    if ((verified.items[kind].get(name)?.forms.length ?? 1) < 2) continue
    const to = one.match.variant ?? ''
    const seen = seenVariants(remembered, `${kind} ${name}`)
    if (seen === undefined || seen.includes(to)) continue
    const from = remembered.variants[`${kind} ${name}`] ?? ''
    const key = JSON.stringify([from, to])
    const step = steps.get(key) ?? { from, to, items: [] }
    step.items.push(one)
    steps.set(key, step)
  }
  return [...steps.values()]
}

/** Undefined where the policy wants no consent for what the other variant says. */
async function askAboutSwitch(
  input: ReviewInput,
  verified: VerifiedManifest,
  step: Switch,
  ports: ReviewPorts,
): Promise<Asked | undefined> {
  const { server, manifest } = verified
  const [before, after] = [inVariant(manifest, step.from), inVariant(manifest, step.to)]
  const comparison = compareContents(before, after)
  if (reactionToAll(comparison, ports.policy) !== 'consent') return undefined
  const items = waitingLabels(comparison, ports.policy)
  const draft = aboutSwitch(input, verified, step)
  const key = { identity: ports.identity, server, slot: input.slot }
  const asked = await askPerson(ports, key, { ...draft, class: comparison.class, items }, { after: manifest })
  return { ...asked, question: { ...asked.question, items } }
}

/** Of the items that wait; empty, which is all of them, where not every change is listed. */
function waitingLabels({ changes, more }: Comparison, policy: HostPolicy): string[] {
  if (more > 0) return []
  return [
    ...new Set(changes.filter((one) => reactionTo(one.class, policy) === 'consent').map((one) => one.item)),
  ]
}

/** The manifest as it is where a variant holds: each item in that form, and no other. */
export function inVariant(manifest: Manifest, variant: string): Manifest {
  const { instructions, prompts, resourceTemplates, resources, tools, ...rest } = manifest
  const turn = <T extends ManifestItem>(items: readonly T[]): T[] => items.map((one) => formIn(one, variant))
  return {
    ...rest,
    tools: turn(tools),
    ...(instructions && { instructions: formIn(instructions, variant) }),
    ...(prompts && { prompts: turn(prompts) }),
    ...(resourceTemplates && { resourceTemplates: turn(resourceTemplates) }),
    ...(resources && {
      resources: { ...resources, ...(resources.items && { items: turn(resources.items) }) },
    }),
  }
}

function formIn<T extends ManifestItem>(item: T, variant: string): T {
  const { variants, slots, ...rest } = item
  const form = variant === '' ? item : variants?.find(({ when }) => canonicalize(when) === variant)
  const { definition, slots: own } = form ?? { definition: item.definition, slots }
  return { ...rest, definition, ...(own !== undefined && { slots: own }) } as unknown as T
}
