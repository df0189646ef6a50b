import {
  CountersignError,
  digestOfText,
  formatManifest,
  manifestDigest,
  type Manifest,
} from '../core/index.js'
import { EMPTY_SERVER_MEMORY, type ServerKey, type ServerMemory } from '../memory.js'
import type { View } from '../resolve/view.js'
import type { Judged } from './accept.js'
import { split, withholdBad, type Judgements } from './items.js'
import type { LiveList } from './live.js'
import { judgeBeside, type Beside } from './neighbours.js'
import { draftLive, makePin, openPin, PIN_PARTS, PIN_VERSION, type Pin, type PinPart } from './pin.js'
import { followPin } from './repin.js'
import { frame, type Review, type ReviewInput, type ReviewPorts } from './types.js'

/** PROTOCOL 13: nobody signed this server, and nobody ever did in this slot. */
export async function reviewUnknown(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  switch (ports.policy.unknownServers) {
    case 'block':
      throw new CountersignError('unknown-server', 'nobody signed this server', { step: 8 })
    case 'pass':
      return reviewPassed(input, live, view, ports)
    case 'pin':
      return reviewPinned(input, live, view, ports)
  }
}

/** Where a slot's pin stands, and what is asked about it. */
function slotKey({ identity }: ReviewPorts, { slot }: ReviewInput): ServerKey {
  return { identity, server: '', slot }
}

// -------------------------------------------------------------------------------------------------- passed

async function reviewPassed(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  const beside = unapproved(input, draftLive(input.slot, live, shownParts(input)), undefined, ports)
  const { judged, questions } = await judgeBeside(input, beside, passAll(live), ports)
  return {
    ...split(judged),
    ...frame(view, ports),
    firstUse: false,
    ...(questions.length > 0 && { questions }),
    verdict: 'unknown-server',
  }
}

/** As received, made plain and digested; nothing vouches for it. */
function passAll(live: LiveList): Judgements {
  const held = live.items.map((item): Judged => {
    const digest = digestOfText(item.text)
    return { item, match: { code: 'verified', digest, signed: item.text, dialect: false } }
  })
  return { held, withheld: withholdBad(live) }
}

function unapproved(
  input: ReviewInput,
  manifest: Manifest | undefined,
  since: number | undefined,
  ports: ReviewPorts,
): Beside {
  const digest = manifest === undefined ? '' : manifestDigest(formatManifest(manifest))
  const to = { version: PIN_VERSION, manifest: digest }
  return { approved: false, since, key: slotKey(ports, input), manifest, to }
}

// -------------------------------------------------------------------------------------------------- pinned

async function reviewPinned(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  const kept = await ports.memory.readServer(slotKey(ports, input))
  const shown = shownParts(input)
  const { pin, isNew } = await findPin(input, live, shown, kept, ports)
  const followed = await followPin(input.slot, pin, live, shown, ports)
  const since = isNew ? undefined : (kept?.since ?? 0)
  const beside = await judgeBeside(
    input,
    unapproved(input, followed.pin.manifest, since, ports),
    followed.judged,
    ports,
  )
  // Only what may be used at all is remembered as what is used here.
  const first = isNew ? await keepFirst(input, followed.pin, ports) : undefined
  if (first !== undefined && first !== followed.pin.envelope) return reviewPinned(input, live, view, ports)
  const questions = [...followed.questions, ...beside.questions]
  return {
    ...split(beside.judged),
    pin: true,
    ...frame(view, ports),
    firstUse: isNew,
    ...(questions.length > 0 && { questions }),
    verdict: 'unknown-server',
  }
}

/** Which lists this review is about: one that was not asked for is not one that is empty. */
function shownParts({ prompts, resourceTemplates }: ReviewInput): readonly PinPart[] {
  const given = { tool: true, prompt: prompts !== undefined, template: resourceTemplates !== undefined }
  return PIN_PARTS.filter((part) => given[part])
}

async function findPin(
  { slot }: ReviewInput,
  live: LiveList,
  shown: readonly PinPart[],
  kept: ServerMemory | undefined,
  ports: ReviewPorts,
): Promise<{ readonly pin: Pin; readonly isNew: boolean }> {
  const signer = await ports.signer()
  if (kept?.pin !== undefined) return { pin: openPin(slot, kept.pin, signer), isNew: false }
  return { pin: makePin(slot, live, shown, signer), isNew: true }
}

/** Two processes may see a server for the first time at once: the first pin stays, and both go by it. */
async function keepFirst(input: ReviewInput, pin: Pin, ports: ReviewPorts): Promise<string | undefined> {
  const since = Math.floor(ports.now() / 1000)
  const tools = [...pin.items.tool.keys()]
  const written = await ports.memory.updateServer(slotKey(ports, input), (old) =>
    old?.pin === undefined ? { since, ...(old ?? EMPTY_SERVER_MEMORY), pin: pin.envelope, tools } : old,
  )
  ports.neighbours.clear()
  return written?.pin
}
