import {
  CountersignError,
  digestOf,
  keyInvalidFrom,
  parseServerName,
  parseStrictJson,
  utf8Bytes,
  type Digest,
  type ErrorDetail,
  type ItemKind,
  type JsonObject,
  type Signer,
  type VerdictCode,
} from './core/index.js'
import { acceptVersion, type Judged } from './review/accept.js'
import type { HostEvent } from './review/events.js'
import type { Library } from './resolve/evidence.js'
import type { Freshness } from './freshness.js'
import type { HostPolicy } from './host-policy.js'
import type { ItemSet } from './verify/items.js'
import { judgeItem, type FactSource, type Judgement } from './review/judge.js'
import { readLive, type LiveItem, type LiveList } from './review/live.js'
import { EMPTY_SERVER_MEMORY, type Accepted, type Memory, type ServerMemory } from './memory.js'
import { makePin, openPin, type Pin } from './review/pin.js'
import type { RegistryApi } from './registry-api.js'
import { resolveManifest, type Anchor, type Target } from './resolve.js'
import { isVerdict } from './verdict.js'
import type { VerifiedManifest } from './verify.js'
import type { View } from './resolve/view.js'

/** What a server offers, and which server it is taken to be. */
export interface ReviewInput extends Target {
  /** The configured launch or URL, as text: what the host remembers this server by. */
  readonly slot: string
  readonly tools: readonly unknown[]
  readonly instructions?: string | undefined
  readonly prompts?: readonly unknown[] | undefined
  readonly resourceTemplates?: readonly unknown[] | undefined
}

/** An item that goes on to the host. */
export interface ReviewedItem {
  readonly name: string
  readonly digest: Digest
  /** JSON text of the signed copy, slots filled with the guard's own facts. Parse it anew for each use. */
  readonly signed: string
  /** It differed only in what another SDK release underneath writes by itself (PROTOCOL 3). */
  readonly dialect: boolean
  /** Canonical text of the variant's `when`; absent for the base definition. */
  readonly variant?: string
}

export type ReviewedTool = ReviewedItem

/** An item, or with kind `server` everything, that does not go on, and why. */
export interface Withheld {
  readonly kind: 'tool' | 'instructions' | 'prompt' | 'template' | 'server'
  readonly name: string
  readonly code: VerdictCode
  readonly detail: ErrorDetail
}

/** The outcome of one review. In `observe` nothing is to be held back, and this says what would have been. */
export interface Review {
  readonly allowed: readonly ReviewedTool[]
  readonly prompts: readonly ReviewedItem[]
  readonly resourceTemplates: readonly ReviewedItem[]
  readonly withheld: readonly Withheld[]
  /** The signed text to hand on; absent: remove what the server said. */
  readonly instructions?: string
  /** Who speaks for the server; absent when it is pinned, passed or refused. */
  readonly manifest?: VerifiedManifest
  /** Nobody signed this server: it is held to what it showed the first time. */
  readonly pin?: boolean
  readonly freshness: Freshness
  /** This server was never accepted in this slot before. */
  readonly firstUse: boolean
  /** With 0, the registry could show different hosts different histories. */
  readonly independentWitnesses: number
  readonly mode: HostPolicy['mode']
  /** Of the server as a whole: `verified`; `unknown-server` also when it is pinned or passed; or why all is withheld. */
  readonly verdict: VerdictCode
}

/** What a review needs of the host it runs in. */
export interface ReviewPorts {
  readonly identity: string
  readonly policy: HostPolicy
  readonly api: RegistryApi
  readonly memory: Memory
  readonly library: Library
  readonly view: () => Promise<View>
  readonly freshnessOf: (view: View) => Freshness
  readonly facts: FactSource
  readonly signer: () => Promise<Signer>
  readonly emit: (event: HostEvent) => void
  /** The anchor of the last review of this target, for as long as the view is the same. */
  readonly warm: Map<string, WarmAnchor>
}

export interface WarmAnchor {
  readonly view: View
  readonly anchor: Anchor
}

const MAX_WARM = 256
const UNKNOWN: Freshness = { status: 'unknown', maxSeconds: 0, offline: false }

/**
 * THE HOST'S JOURNEY (PROTOCOL 10): what the registry says and how fresh that is (1 to 4), which manifest speaks for the
 * server (5 to 9), each live item against it (10), memory and policy (11). One bad item never hides the others; when the
 * server as a whole cannot be verified, all of it is withheld.
 *
 * @throws CountersignError `memory-corrupt`, `memory-locked` or `io` when the host's own memory cannot be used
 */
export async function reviewServer(input: ReviewInput, ports: ReviewPorts): Promise<Review> {
  const live = readLive(input)
  let view: View | undefined
  try {
    view = await ports.view()
    assertFresh(view, ports)
    if (live.tooMuch)
      throw new CountersignError('limit-exceeded', 'the listing is larger than a host takes in')
    const anchor = await findAnchor(input, live, view, ports)
    const review =
      anchor === undefined
        ? await reviewUnknown(input, live, view, ports)
        : await reviewAnchored(input, live, view, anchor, ports)
    return tell(review, input, ports)
  } catch (error) {
    return tell(refuseAll(error, input, live, view, ports), input, ports)
  }
}

/** PROTOCOL 10.4: what is known of revocations must be fresh; there is no other way to be right about them. */
function assertFresh(view: View, ports: ReviewPorts): Freshness {
  const freshness = ports.freshnessOf(view)
  if (freshness.status === 'ok') return freshness
  throw new CountersignError('stale', 'what is known of the registry is too old', {
    step: 4,
    attestedAt: freshness.attestedAt ?? null,
    maxSeconds: freshness.maxSeconds,
    unreachable: view.unreachable,
  })
}

// -------------------------------------------------------------------------------- 5 to 9: who speaks for it

async function findAnchor(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Anchor | undefined> {
  const countMatches = (manifest: VerifiedManifest): number => countHeld(manifest.items, live, ports.facts)
  const key = JSON.stringify([input.server, input.version, input.package, input.url, input.slot])
  const warm = ports.warm.get(key)
  if (warm?.view === view && countMatches(warm.anchor.verified) === live.items.length) {
    // The anchor was chosen under this very view: only what the list holds can have changed.
    return openAgain(warm.anchor, ports)
  }
  const slot = await readServer(ports, '', input.slot)
  const anchor = await resolveManifest(input, {
    api: ports.api,
    library: ports.library,
    policy: ports.policy,
    identity: ports.identity,
    unreachable: view.unreachable,
    slot,
    readServer: (server) => readServer(ports, server, input.slot),
    isVoid: (server, accepted) => isVoid(server, accepted, view),
    countMatches,
    live: live.items.length,
  })
  ports.warm.delete(key)
  if (ports.warm.size >= MAX_WARM) ports.warm.clear()
  if (anchor?.settled === true) ports.warm.set(key, { view, anchor })
  return anchor
}

/** By the revocations alone that this host saw, and what it remembers itself: nothing the registry could show instead. */
function isVoid(server: string, { manifest, signed }: Accepted, { tombstones }: View): boolean {
  if (tombstones.manifests.has(manifest)) return true
  if (signed === undefined) return false
  const end = keyInvalidFrom(tombstones, parseServerName(server).namespace, signed.kid)
  return end !== undefined && signed.index >= end
}

/** A manifest can expire under an unchanged view. */
async function openAgain(anchor: Anchor, { library }: ReviewPorts): Promise<Anchor> {
  const { digest, server, version } = anchor.verified
  return { ...anchor, verified: await library.open(digest, { server, version }) }
}

async function readServer(
  { memory, identity }: ReviewPorts,
  server: string,
  slot: string,
): Promise<ServerMemory> {
  return (await memory.readServer({ identity, server, slot })) ?? EMPTY_SERVER_MEMORY
}

function countHeld(items: ItemSet, live: LiveList, facts: FactSource): number {
  let held = 0
  for (const item of live.items) {
    const signed = items[item.kind].get(item.name)
    if (signed !== undefined && judgeItem(signed, item.text, facts).code === 'verified') held += 1
  }
  return held
}

// ------------------------------------------------------------------------------------------- 10: the items

interface Judgements {
  readonly held: readonly Judged[]
  readonly withheld: readonly Withheld[]
}

/** PROTOCOL 10.10: each item by itself. */
function judgeItems(items: ItemSet, live: LiveList, facts: FactSource, refine: Refine): Judgements {
  const held: Judged[] = []
  const withheld = withholdBad(live)
  for (const item of live.items) {
    const signed = items[item.kind].get(item.name)
    const judged = signed === undefined ? { code: ABSENT[item.kind] } : judgeItem(signed, item.text, facts)
    const refined = refine(item, judged)
    if (refined.code === 'verified') held.push({ item, match: refined })
    else
      withheld.push(withhold(item.kind, item.name, refined.code, 'detail' in refined ? refined.detail : {}))
  }
  return { held, withheld }
}

function withholdBad({ bad }: LiveList): Withheld[] {
  return bad.map((one) =>
    withhold(one.kind, one.name, one.code, one.why === undefined ? {} : { why: one.why }),
  )
}

type Refined = Judgement | { readonly code: Exclude<VerdictCode, 'verified'>; readonly detail: ErrorDetail }
type Refine = (item: LiveItem, judged: Judgement) => Refined

const ABSENT = {
  tool: 'unlisted-tool',
  instructions: 'instructions-changed',
  prompt: 'prompt-changed',
  template: 'prompt-changed',
  resource: 'unlisted-tool',
} as const satisfies Record<ItemKind, VerdictCode>

/** Revoked definitions are withheld wherever they stand; what another approved version holds is a mixture (A21). */
function refineBy(anchor: Anchor, facts: FactSource): Refine {
  const { verified, others } = anchor
  return (item, judged) => {
    if (judged.code === 'verified') {
      return verified.revokedTools.has(judged.digest)
        ? { code: 'revoked', detail: { digest: judged.digest, step: 7 } }
        : judged
    }
    const other = others.find((one) => {
      const signed = one.items[item.kind].get(item.name)
      return signed !== undefined && judgeItem(signed, item.text, facts).code === 'verified'
    })
    if (other === undefined) return { code: judged.code, detail: { step: 10, version: verified.version } }
    return {
      code: 'version-mismatch',
      detail: { step: 8, version: verified.version, belongsTo: other.version },
    }
  }
}

function withhold(kind: ItemKind, name: string, code: VerdictCode, detail: ErrorDetail): Withheld {
  return { kind: kind === 'resource' ? 'template' : kind, name, code, detail: { name, ...detail } }
}

async function reviewAnchored(
  input: ReviewInput,
  live: LiveList,
  view: View,
  anchor: Anchor,
  ports: ReviewPorts,
): Promise<Review> {
  const { verified, remembered } = anchor
  const judged = judgeItems(verified.items, live, ports.facts, refineBy(anchor, ports.facts))
  await rememberServer(input, anchor, judged, ports)
  return {
    ...split(judged),
    manifest: verified,
    ...frame(view, ports),
    firstUse: remembered.accepted.length === 0,
    verdict: 'verified',
  }
}

/** Groups what is held by where it goes. */
function split({ held, withheld }: Judgements) {
  const of = (kind: ItemKind): ReviewedItem[] => held.filter((one) => one.item.kind === kind).map(toReviewed)
  const [instructions] = of('instructions')
  const text = instructions && (parseStrictJson(instructions.signed) as JsonObject)['text']
  return {
    allowed: of('tool'),
    prompts: of('prompt'),
    resourceTemplates: of('template'),
    withheld,
    ...(typeof text === 'string' && { instructions: text }),
  }
}

function toReviewed({ item, match }: Judged): ReviewedItem {
  const { digest, signed, dialect, variant } = match
  return { name: item.name, digest, signed, dialect, ...(variant !== undefined && { variant }) }
}

function frame(view: View, ports: ReviewPorts) {
  return {
    freshness: ports.freshnessOf(view),
    independentWitnesses: view.status.independentWitnesses,
    mode: ports.policy.mode,
  }
}

// ------------------------------------------------------------------------------------------- 11: the memory

/** PROTOCOL 10.11: what was accepted raises the floor; that a manifest was verified here is never forgotten. */
async function rememberServer(
  input: ReviewInput,
  anchor: Anchor,
  judged: Judgements,
  { memory, identity }: ReviewPorts,
): Promise<void> {
  const { verified, settled, remembered } = anchor
  const { server } = verified
  const slotKey = { identity, server: '', slot: input.slot }
  const slot = await memory.readServer(slotKey)
  if (slot?.resolved !== server) {
    await memory.updateServer(slotKey, (old) => ({ ...(old ?? EMPTY_SERVER_MEMORY), resolved: server }))
  }
  if (!settled) return
  const next = acceptVersion(remembered, verified, judged.held)
  if (next === remembered) return
  await memory.updateServer({ identity, server, slot: input.slot }, (old) =>
    acceptVersion(old ?? EMPTY_SERVER_MEMORY, verified, judged.held),
  )
}

// ------------------------------------------------------------------------------------------ unknown servers

/** PROTOCOL 13: nobody signed this server, and nobody ever did in this slot. */
async function reviewUnknown(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  switch (ports.policy.unknownServers) {
    case 'block':
      throw new CountersignError('unknown-server', 'nobody signed this server', { step: 8 })
    case 'pass':
      return { ...split(passAll(live)), ...frame(view, ports), firstUse: false, verdict: 'unknown-server' }
    case 'pin':
      return reviewPinned(input, live, view, ports)
  }
}

/** As received, made plain and digested; nothing vouches for it. */
function passAll(live: LiveList): Judgements {
  const held = live.items.map((item): Judged => {
    const digest = digestOf(utf8Bytes(item.text))
    return { item, match: { code: 'verified', digest, signed: item.text, dialect: false } }
  })
  return { held, withheld: withholdBad(live) }
}

async function reviewPinned(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  const { pin, isNew } = await readPin(input.slot, live, ports)
  // Whether the pin holds anything of a kind tells a list that was never shown before from one that changed.
  const judged = judgeItems(pin.items, live, ports.facts, (item, one) =>
    one.code === 'verified' ? one : { code: one.code, detail: { pinned: pin.items[item.kind].size > 0 } },
  )
  return { ...split(judged), pin: true, ...frame(view, ports), firstUse: isNew, verdict: 'unknown-server' }
}

/** Two processes may see a server for the first time at once: the first pin stays. */
async function readPin(
  slot: string,
  live: LiveList,
  ports: ReviewPorts,
): Promise<{ pin: Pin; isNew: boolean }> {
  const key = { identity: ports.identity, server: '', slot }
  const signer = await ports.signer()
  const kept = (await ports.memory.readServer(key))?.pin
  if (kept !== undefined) return { pin: openPin(slot, kept, signer), isNew: false }
  const pin = makePin(slot, live, signer)
  const written = await ports.memory.updateServer(key, (old) =>
    old?.pin === undefined ? { ...(old ?? EMPTY_SERVER_MEMORY), pin: pin.envelope } : old,
  )
  const first = written?.pin ?? pin.envelope
  return first === pin.envelope ? { pin, isNew: true } : { pin: openPin(slot, first, signer), isNew: false }
}

// ------------------------------------------------------------------------------------------------- refusals

/** The server as a whole cannot be verified: every item is withheld with the same reason, which comes first. */
function refuseAll(
  error: unknown,
  input: ReviewInput,
  live: LiveList,
  view: View | undefined,
  ports: ReviewPorts,
): Review {
  const { code, detail } = verdictOf(error)
  const name = input.server ?? input.package ?? input.url ?? input.slot
  const everything: Withheld = { kind: 'server', name, code, detail: { name, ...detail } }
  const items = live.items.map((item) => withhold(item.kind, item.name, code, detail))
  return {
    allowed: [],
    prompts: [],
    resourceTemplates: [],
    withheld: [everything, ...withholdBad(live), ...items],
    freshness: freshnessOrUnknown(view, ports),
    firstUse: false,
    independentWitnesses: view?.status.independentWitnesses ?? 0,
    mode: ports.policy.mode,
    verdict: code,
  }
}

/** Verdicts are reported; a registry that talks nonsense is as good as none; our own faults are thrown. */
function verdictOf(error: unknown): { readonly code: VerdictCode; readonly detail: ErrorDetail } {
  if (!(error instanceof CountersignError)) throw error
  if (isVerdict(error.code)) return { code: error.code, detail: error.detail }
  if (error.code === 'registry-error') {
    return { code: 'registry-unreachable', detail: { ...error.detail, reason: error.code } }
  }
  throw error
}

function freshnessOrUnknown(view: View | undefined, ports: ReviewPorts): Freshness {
  try {
    return view === undefined ? UNKNOWN : ports.freshnessOf(view)
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'clock-skew') return UNKNOWN
    throw error
  }
}

function tell(review: Review, input: ReviewInput, { emit }: ReviewPorts): Review {
  const { manifest } = review
  emit({
    type: 'reviewed',
    slot: input.slot,
    ...(manifest && { server: manifest.server, version: manifest.version, manifest: manifest.digest }),
    verdict: review.verdict,
    allowed: review.allowed.length,
    withheld: review.withheld.length,
    pin: review.pin === true,
    firstUse: review.firstUse,
    mode: review.mode,
    freshness: review.freshness,
  })
  for (const one of review.withheld) emit({ type: 'withheld', slot: input.slot, ...one })
  return review
}
