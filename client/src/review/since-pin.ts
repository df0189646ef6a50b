import { reactionTo, reactionToAll } from '../consent/reaction.js'
import type { Comparison } from '../change/types.js'
import type { Question } from '../consent/types.js'
import { canonicalize } from '../core/index.js'
import type { HostPolicy } from '../host-policy.js'
import type { ItemSet } from '../verify/items.js'
import type { VerifiedManifest } from '../verify.js'
import { askPerson, detailOf } from './asking.js'
import { labelOf } from './changes.js'
import { comparePins } from './compared.js'
import { holdBack } from './consent.js'
import { judgeItem } from './judge.js'
import type { Judgements } from './items.js'
import type { LiveItem } from './live.js'
import { openPin, partOf, partsOf, type Pin } from './pin.js'
import { mergedPin, sideOfPin } from './repin.js'
import type { ReviewInput, ReviewPorts } from './types.js'

/** What goes on of the list, and whether the version may be accepted. */
export interface SincePin {
  readonly judged: Judgements
  readonly accept: boolean
  readonly questions: readonly Question[]
}

/**
 * PROTOCOL 12.1: the first manifest that speaks in a slot which was pinned until now is no first use. Approval says that
 * somebody looked at it, and not that it is what this host was used to: it is compared with the pin, by the table for signed
 * servers. Also what is not live yet, or nothing that is accepted now would be asked about when it comes; until a person
 * agreed, what is the same goes on, and nothing is accepted.
 */
export async function judgeSincePin(
  input: ReviewInput,
  { server, items }: VerifiedManifest,
  judged: Judgements,
  ports: ReviewPorts,
): Promise<SincePin> {
  const { slot } = input
  const passed = { judged, accept: true, questions: [] }
  const envelope = await findPin(slot, server, ports)
  if (envelope === undefined) return passed
  const pin = openPin(slot, envelope, await ports.signer())
  const live = judged.held.map(({ item }) => item)
  const changed = [
    ...live.filter((item) => isOther(pin, item, ports)),
    ...hiddenItems(pin, items, live, ports),
  ]
  if (changed.length === 0) return passed
  const whole = mergedPin(slot, pin, changed)
  const others = new Set(changed)
  const late = judged.held.filter(({ item }) => others.has(item))
  if (whole === undefined) return { judged: holdBack(judged, late, {}), accept: false, questions: [] }
  const comparison = comparePins(pin.manifest, whole, ports)
  if (reactionToAll(comparison, ports.policy) !== 'consent') return passed
  const labels = waitingLabels(comparison, changed, ports.policy)
  const [from, to] = [sideOfPin(pin.manifest), sideOfPin(whole)]
  const about = { reason: 'pin-changed' as const, server, slot, from, to }
  const draft = { ...about, class: comparison.class, items: [...labels] }
  const key = { identity: ports.identity, server: '', slot }
  const asked = await askPerson(ports, key, draft, { before: pin.manifest, after: whole })
  if (asked.answer === 'agreed') return passed
  const waits = late.filter(({ item }) => labels.has(labelOf(item.kind, item.name)))
  return { judged: holdBack(judged, waits, detailOf(asked)), accept: false, questions: [asked.question] }
}

/** With several registries a slot is pinned beside one of them, and another one may begin to speak for it. */
async function findPin(
  slot: string,
  server: string,
  { memory, identities }: ReviewPorts,
): Promise<string | undefined> {
  for (const identity of identities) {
    const kept = await memory.readServer({ identity, server: '', slot })
    if (kept?.pin !== undefined && (kept.resolved ?? server) === server) return kept.pin
  }
  return undefined
}

/** Of a list that the pin holds, and not what it holds of it. A list that was never shown begins now. */
function isOther({ manifest, items }: Pin, item: LiveItem, { facts }: ReviewPorts): boolean {
  if (item.kind === 'resource' || !partsOf(manifest).includes(partOf(item.kind))) return false
  const pinned = items[item.kind].get(item.name)
  return pinned === undefined || judgeItem(pinned, item.text, facts).code !== 'verified'
}

/** What is signed besides: the base definition of each item of which no form is what the pin holds. */
function hiddenItems(
  { manifest, items: pinned }: Pin,
  signed: ItemSet,
  live: readonly LiveItem[],
  { facts }: ReviewPorts,
): LiveItem[] {
  const shown = new Set(live.map(({ kind, name }) => `${kind} ${name}`))
  const parts = partsOf(manifest)
  return KINDS.filter((kind) => parts.includes(partOf(kind))).flatMap((kind) =>
    [...signed[kind]].flatMap(([name, item]) => {
      const [base] = item.forms
      const [old] = pinned[kind].get(name)?.forms ?? []
      const isSame = old !== undefined && judgeItem(item, old.text, facts).code === 'verified'
      if (base === undefined || isSame || shown.has(`${kind} ${name}`)) return []
      return [{ kind, name, text: canonicalize(base.definition) }]
    }),
  )
}

const KINDS = ['instructions', 'tool', 'prompt', 'template'] as const

function waitingLabels(
  { changes, more }: Comparison,
  changed: readonly LiveItem[],
  policy: HostPolicy,
): ReadonlySet<string> {
  if (more > 0) return new Set(changed.map(({ kind, name }) => labelOf(kind, name)))
  return new Set(changes.filter((one) => reactionTo(one.class, policy) === 'consent').map((one) => one.item))
}
