import { CountersignError, type ErrorDetail, type VerdictCode } from './core/index.js'
import type { Freshness } from './freshness.js'
import { resolveManifest, type Anchor } from './resolve.js'
import type { View } from './resolve/view.js'
import { reviewAnchored } from './review/anchored.js'
import { askAboutBoundary } from './review/boundary.js'
import { withhold, withholdBad } from './review/items.js'
import { countHeld, isVoid, readServer } from './review/known.js'
import { readLive, type LiveList } from './review/live.js'
import type { Review, ReviewInput, ReviewPorts, Withheld } from './review/types.js'
import { reviewUnknown } from './review/unknown.js'
import { isVerdict } from './verdict.js'
import type { VerifiedManifest } from './verify.js'

export type {
  Review,
  ReviewedItem,
  ReviewedTool,
  ReviewInput,
  ReviewPorts,
  Withheld,
} from './review/types.js'

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
    return tell(await reviewFound(input, live, view, ports), input, ports)
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

/** Each process over a memory accepts a version once: no review is overtaken as often as this. */
const MAX_ROUNDS = 100

/**
 * Floor and continuity are judged by what was accepted when the anchor was chosen: when another process accepted something
 * since, it is chosen anew.
 */
async function reviewFound(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const anchor = await findAnchor(input, live, view, ports)
    if (anchor === undefined) return reviewUnknown(input, live, view, ports)
    const review = await reviewAnchored(input, live, view, anchor, ports)
    if (review !== undefined) return review
    ports.warm.delete(warmKey(input))
  }
  throw new CountersignError('memory-locked', 'what was accepted here changes faster than it can be read')
}

function warmKey({ server, version, package: text, url, slot }: ReviewInput): string {
  return JSON.stringify([server, version, text, url, slot])
}

async function findAnchor(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Anchor | undefined> {
  const countMatches = (manifest: VerifiedManifest): number => countHeld(manifest.items, live, ports.facts)
  const key = warmKey(input)
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
    ask: (boundary) => askAboutBoundary(input, boundary, ports),
  })
  ports.warm.delete(key)
  if (ports.warm.size >= MAX_WARM) ports.warm.clear()
  if (anchor?.settled === true) ports.warm.set(key, { view, anchor })
  return anchor
}

/** A manifest can expire under an unchanged view. */
async function openAgain(anchor: Anchor, { library }: ReviewPorts): Promise<Anchor> {
  const { digest, server, version } = anchor.verified
  return { ...anchor, verified: await library.open(digest, { server, version }) }
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
