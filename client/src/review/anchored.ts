import { CountersignError, type Digest } from '../core/index.js'
import type { ServerMemory } from '../memory.js'
import type { Anchor } from '../resolve.js'
import { namesArtifacts, speaksFor } from '../resolve/artifact.js'
import type { View } from '../resolve/view.js'
import { isVerdict } from '../verdict.js'
import type { VerifiedManifest } from '../verify.js'
import { admitVersion, mayStepAside, type Admitted } from './consent.js'
import { judgeItems, refineBy, split } from './items.js'
import { countHeld, isInUse, isVoid, readServer } from './known.js'
import type { LiveList } from './live.js'
import { judgeBeside, type Beside } from './neighbours.js'
import { rememberServer } from './remember.js'
import { judgeSincePin, type SincePin } from './since-pin.js'
import { standingOf, type Standing } from './standing.js'
import { frame, type Review, type ReviewInput, type ReviewPorts } from './types.js'
import { judgeVariants } from './variants.js'

/**
 * PROTOCOL 10.10 and 10.11: each item, then what the version as a whole means for somebody who used another one. Undefined,
 * and nothing is remembered, when the anchor was chosen by what is outdated now.
 */
export async function reviewAnchored(
  input: ReviewInput,
  live: LiveList,
  view: View,
  found: Anchor,
  ports: ReviewPorts,
): Promise<Review | undefined> {
  const { server } = found.verified
  // Read anew: another process, or a person, may have decided since the anchor was chosen.
  const remembered = await readServer(ports, server, input.slot)
  if (isOvertaken(found, remembered)) return undefined
  const { anchor, standing } = await chooseStanding(input, live, view, { ...found, remembered }, ports)
  const { verified } = anchor
  const all = judgeItems(verified.items, live, ports.facts, refineBy(anchor, ports.facts))
  const admitted = await admitVersion(input, verified, all, standing, remembered, ports)
  const isFirst = remembered.accepted.length === 0
  const since = isFirst ? await judgeSincePin(input, verified, admitted.judged, ports) : untouched(admitted)
  const followed = await judgeVariants(input, verified, since.judged, remembered, ports)
  const beside = await judgeBeside(input, besideOf(input, anchor, ports), followed.judged, ports)
  const kept = { ...anchor, settled: anchor.settled && since.accept }
  const isKept = await rememberServer(input, kept, standing, beside.judged, admitted.accept, ports)
  if (!isKept) return undefined
  const questions = [...admitted.questions, ...since.questions, ...followed.questions, ...beside.questions]
  return {
    ...split(beside.judged),
    manifest: verified,
    ...frame(view, ports),
    firstUse: remembered.accepted.length === 0,
    ...(questions.length > 0 && { questions }),
    verdict: 'verified',
  }
}

/** Something else was accepted since: that this version lies above the floor, and goes on from it, is to be shown again. */
function isOvertaken({ verified, remembered: before }: Anchor, now: ServerMemory): boolean {
  if (now.accepted.some(({ manifest }) => manifest === verified.digest)) return false
  const known = new Set(before.accepted.map(({ manifest }) => manifest))
  return now.accepted.length !== known.size || now.accepted.some(({ manifest }) => !known.has(manifest))
}

function besideOf(
  { slot }: ReviewInput,
  { verified, remembered }: Anchor,
  { identity }: ReviewPorts,
): Beside {
  const { server, version, digest, manifest } = verified
  const since = remembered.since ?? (isInUse(remembered) ? 0 : undefined)
  const key = { identity, server, slot }
  return { server, approved: true, since, key, manifest, to: { version, manifest: digest } }
}

function untouched({ judged }: Pick<Admitted, 'judged'>): SincePin {
  return { judged, accept: true, questions: [] }
}

interface Chosen {
  readonly anchor: Anchor
  readonly standing: Standing
}

/**
 * Where the newest version would need a person, and one that is in use here already explains everything that is live, that
 * one goes on speaking, unless what changed would show in no list.
 */
async function chooseStanding(
  input: ReviewInput,
  live: LiveList,
  view: View,
  found: Anchor,
  ports: ReviewPorts,
): Promise<Chosen> {
  const { verified, remembered, agreed } = found
  if (agreed) return { anchor: found, standing: KNOWN }
  const standing = await standingOf(verified, remembered, (one) => isVoid(verified.server, one, view), ports)
  if (standing.kind === 'known' || standing.reaction !== 'consent') return { anchor: found, standing }
  const isFree = mayStepAside(input, verified, standing, remembered, ports)
  const used = isFree ? await findUsed(input, live, view, found, ports) : undefined
  return used === undefined ? { anchor: found, standing } : { anchor: used, standing: KNOWN }
}

const KNOWN: Standing = { kind: 'known' }

/** A version in use here that holds everything live and speaks for what is launched; the newest of them. */
async function findUsed(
  input: ReviewInput,
  live: LiveList,
  view: View,
  found: Anchor,
  ports: ReviewPorts,
): Promise<Anchor | undefined> {
  if (input.version !== undefined || live.items.length === 0) return undefined
  const { server } = found.verified
  const valid = found.remembered.accepted.filter((one) => !isVoid(server, one, view))
  for (const { manifest, version } of [...valid].reverse()) {
    const verified = await openQuietly(manifest as Digest, { server, version }, ports)
    const holds = verified !== undefined && countHeld(verified.items, live, ports.facts) === live.items.length
    if (!holds || (namesArtifacts(verified.manifest, input) && !speaksFor(verified.manifest, input))) continue
    return { ...found, verified, settled: true, others: [found.verified, ...found.others] }
  }
  return undefined
}

/** What cannot be proved any more explains nothing. */
async function openQuietly(
  digest: Digest,
  about: { readonly server: string; readonly version: string },
  { library }: ReviewPorts,
): Promise<VerifiedManifest | undefined> {
  try {
    return await library.open(digest, about)
  } catch (error) {
    if (error instanceof CountersignError && isVerdict(error.code)) return undefined
    throw error
  }
}
