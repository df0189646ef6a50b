import type { ChangeClass } from '../change/class.js'
import type { Comparison } from '../change/types.js'
import { reactionTo } from '../consent/reaction.js'
import type { Question, Side } from '../consent/types.js'
import {
  CountersignError,
  formatManifest,
  manifestDigest,
  MAX_MANIFEST_BYTES,
  type Manifest,
} from '../core/index.js'
import { askPerson, detailOf, type Asked } from './asking.js'
import { labelOf } from './changes.js'
import { comparePins } from './compared.js'
import { tellChanged } from './consent.js'
import { judgeItems, type Judgements } from './items.js'
import type { LiveItem, LiveList } from './live.js'
import {
  isPinnable,
  mergePin,
  openPin,
  partOf,
  partOfPin,
  partsOf,
  PIN_VERSION,
  pinName,
  signPin,
  type Pin,
  type PinPart,
} from './pin.js'
import type { ReviewPorts } from './types.js'

interface Followed {
  /** What the server is held to from now on. */
  readonly pin: Pin
  readonly judged: Judgements
  readonly questions: readonly Question[]
}

/**
 * PROTOCOL 13: a server that nobody signed, against what it showed before. A list it never showed begins now; what only
 * means less, or the same, takes the place of what was; everything else waits for a person, words included, for nobody
 * reviewed them. Whoever agrees, agrees to exactly the list that was asked about.
 */
export async function followPin(
  slot: string,
  pin: Pin,
  live: LiveList,
  shown: readonly PinPart[],
  ports: ReviewPorts,
): Promise<Followed> {
  let current = pin
  const open = new Map<PinPart, Asked>()
  for (const part of shown) {
    const step = await followPart(slot, current, live, part, ports)
    current = step.pin
    if (step.asked !== undefined) open.set(part, step.asked)
  }
  const questions = [...open.values()].map((one) => one.question)
  return { pin: current, judged: judgeLive(slot, current, live, open, ports), questions }
}

/** Whether the pin holds anything of a kind tells a list that was never shown before from one that changed. */
function judgeLive(
  slot: string,
  pin: Pin,
  live: LiveList,
  open: ReadonlyMap<PinPart, Asked>,
  { facts }: ReviewPorts,
): Judgements {
  return judgeItems(pin.items, live, facts, (item, one) => {
    if (one.code === 'verified') return one
    const asked = open.get(partOf(item.kind))
    const pinned = pin.items[item.kind].size > 0
    return { code: one.code, detail: { pinned, ...(asked && isPinnable(slot, item) && detailOf(asked)) } }
  })
}

interface Step {
  readonly pin: Pin
  readonly asked?: Asked
}

async function followPart(
  slot: string,
  pin: Pin,
  live: LiveList,
  part: PinPart,
  ports: ReviewPorts,
): Promise<Step> {
  const changed = changedItems(slot, pin, live, part, ports)
  if (!partsOf(pin.manifest).includes(part))
    return { pin: await replacePin(slot, pin, changed, [part], ports) }
  if (changed.length === 0) return { pin }
  const light = lightItems(slot, pin, changed, ports)
  const lighter = light.length === 0 ? pin : await adopt(slot, pin, light, part, ports)
  const rest = changed.filter((one) => !light.includes(one))
  return rest.length === 0 ? { pin: lighter } : askAboutPin(slot, lighter, rest, part, ports)
}

/** What of a part is not what the pin holds, and could be. */
function changedItems(
  slot: string,
  pin: Pin,
  live: LiveList,
  part: PinPart,
  { facts }: ReviewPorts,
): LiveItem[] {
  const items = live.items.filter((item) => partOf(item.kind) === part)
  const { held } = judgeItems(pin.items, { ...live, items, bad: [] }, facts, (_, one) =>
    one.code === 'verified' ? one : { code: one.code, detail: {} },
  )
  const same = new Set(held.map(({ item }) => item))
  return items.filter((item) => !same.has(item) && isPinnable(slot, item))
}

const LIGHT: ReadonlySet<ChangeClass> = new Set(['none', 'cosmetic', 'narrowed'])

/** Those of which every change only means less, or the same, and which the policy asks nobody about. */
function lightItems(
  slot: string,
  pin: Pin,
  changed: readonly LiveItem[],
  ports: ReviewPorts,
): readonly LiveItem[] {
  const comparison = comparePin(slot, pin, changed, ports)
  if (comparison === undefined || comparison.more > 0) return []
  const isLight = (one: ChangeClass): boolean => LIGHT.has(one) && reactionTo(one, ports.policy) !== 'consent'
  const heavy = new Set(comparison.changes.filter((one) => !isLight(one.class)).map((one) => one.item))
  if (heavy.has('server')) return []
  return changed.filter(({ kind, name }) => !heavy.has(labelOf(kind, name)))
}

function comparePin(
  slot: string,
  pin: Pin,
  changed: readonly LiveItem[],
  ports: ReviewPorts,
): Comparison | undefined {
  const after = mergedPin(slot, pin, changed)
  return after && comparePins(pin.manifest, after, ports)
}

/** Undefined when so much is shown now that no manifest holds it. */
export function mergedPin(slot: string, pin: Pin, changed: readonly LiveItem[]): Manifest | undefined {
  try {
    const manifest = mergePin(slot, pin, changed)
    return formatManifest(manifest).length <= MAX_MANIFEST_BYTES ? manifest : undefined
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}

async function adopt(
  slot: string,
  pin: Pin,
  items: readonly LiveItem[],
  part: PinPart,
  ports: ReviewPorts,
): Promise<Pin> {
  const next = await replacePin(slot, pin, items, [], ports)
  const comparison = comparePin(slot, pin, items, ports)
  if (comparison !== undefined) {
    const [from, to] = [sideOfPart(slot, pin.manifest, part), sideOfPart(slot, next.manifest, part)]
    const about = { slot, server: pinName(slot), reason: 'pin-changed' as const, from, to }
    tellChanged(ports, about, comparison, 'recorded')
  }
  return next
}

/** What another process pinned meanwhile stays: it is followed by the next review. */
async function replacePin(
  slot: string,
  pin: Pin,
  items: readonly LiveItem[],
  parts: readonly PinPart[],
  ports: ReviewPorts,
): Promise<Pin> {
  const signer = await ports.signer()
  const next = signPin(slot, mergePin(slot, pin, items, parts), signer)
  const key = { identity: ports.identity, server: '', slot }
  const written = await ports.memory.updateServer(key, (old) =>
    old?.pin === pin.envelope ? { ...old, pin: next.envelope, tools: [...next.items.tool.keys()] } : old,
  )
  return written?.pin === undefined || written.pin === next.envelope
    ? next
    : openPin(slot, written.pin, signer)
}

async function askAboutPin(
  slot: string,
  pin: Pin,
  changed: readonly LiveItem[],
  part: PinPart,
  ports: ReviewPorts,
): Promise<Step> {
  const whole = mergedPin(slot, pin, changed)
  if (whole === undefined) return { pin }
  const [before, after] = [partOfPin(slot, pin.manifest, part), partOfPin(slot, whole, part)]
  const comparison = comparePins(before, after, ports)
  const server = pinName(slot)
  const [from, to] = [sideOfPin(before), sideOfPin(after)]
  const about = { reason: 'pin-changed' as const, server, slot, from, to }
  const items = changed.map(({ kind, name }) => labelOf(kind, name))
  const key = { identity: ports.identity, server: '', slot }
  const asked = await askPerson(ports, key, { ...about, class: comparison.class, items }, { before, after })
  if (asked.answer !== 'agreed') return { pin, asked }
  const next = await replacePin(slot, pin, changed, [], ports)
  tellChanged(ports, about, comparison, 'consent')
  return { pin: next }
}

function sideOfPart(slot: string, manifest: Manifest, part: PinPart): Side {
  return sideOfPin(partOfPin(slot, manifest, part))
}

/** The list as one side of a question. */
export function sideOfPin(manifest: Manifest): Side {
  return { version: PIN_VERSION, manifest: manifestDigest(formatManifest(manifest)) }
}
