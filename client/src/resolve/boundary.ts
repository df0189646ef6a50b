import { sideOf } from '../consent/question.js'
import type { Answer, QuestionReason, Side } from '../consent/types.js'
import { compareVersions, parseVersion, refuse, type Digest } from '../core/index.js'
import type { Accepted, ServerMemory } from '../memory.js'
import { activeKey } from '../verify/key-chain.js'
import type { VerifiedManifest } from '../verify.js'

/** A step that no remembered floor, key or server explains (PROTOCOL 10.9). */
export interface Boundary {
  readonly reason: Extract<QuestionReason, 'lower-version' | 'other-server' | 'other-publisher'>
  /** What was in use until now. */
  readonly from: Side
  /** Exactly this one, signed by exactly this key. */
  readonly to: VerifiedManifest
}

export interface BoundaryPorts {
  /** What is remembered of the slot itself. */
  readonly slot: ServerMemory
  readonly readServer: (server: string) => Promise<ServerMemory>
  /** Asks a person whether this manifest may be used although what was known here does not lead to it. */
  readonly ask: (about: Boundary) => Promise<{ readonly answer: Answer; readonly id: Digest }>
}

/** What is remembered of the server that is meant. */
export interface Remembered {
  readonly memory: ServerMemory
  /** What was accepted of it and still counts. */
  readonly valid: readonly Accepted[]
  /** It was named, and not found by what is launched. */
  readonly isNamed: boolean
}

/**
 * PROTOCOL 10.9: what no memory of this host leads to is for a person to decide, for exactly that manifest. True when there
 * was something to agree to.
 * @throws CountersignError `consent-required`
 */
export async function assertContinuity(
  to: VerifiedManifest,
  { memory, valid, isNamed }: Remembered,
  ports: BoundaryPorts,
): Promise<boolean> {
  const boundaries = [
    ...crossesFloor(to, valid),
    ...(isNamed ? [] : await crossesServers(to, ports)),
    ...crossesPublishers(to, memory),
  ]
  for (const boundary of boundaries) await assertAgreed(boundary, ports)
  return boundaries.length > 0
}

/** The highest version accepted here that still counts. */
function floorOf(valid: readonly Accepted[]): Accepted | undefined {
  return [...valid].sort((a, b) => byVersion(a.version, b.version)).at(-1)
}

/**
 * The floor keeps out what was never accepted here: what was, and still counts, may come back, for a service that is
 * being rolled out shows two versions in turn.
 */
export function isAbove(one: VerifiedManifest, valid: readonly Accepted[]): boolean {
  const floor = floorOf(valid)
  const isBack = valid.some(({ manifest }) => manifest === one.digest)
  return floor === undefined || isBack || byVersion(one.version, floor.version) >= 0
}

/** A version that is lower than one in use here, and was never in use itself. */
function crossesFloor(to: VerifiedManifest, valid: readonly Accepted[]): Boundary[] {
  const floor = floorOf(valid)
  if (floor === undefined || isAbove(to, valid)) return []
  return [{ reason: 'lower-version', from: sideOf(floor), to }]
}

/** Another server in the slot than before, where none was named. */
async function crossesServers(to: VerifiedManifest, ports: BoundaryPorts): Promise<Boundary[]> {
  const { resolved } = ports.slot
  if (resolved === undefined || resolved === to.server) return []
  const last = lastOf(await ports.readServer(resolved))
  const from = { version: last?.version ?? '', manifest: last?.manifest ?? '', server: resolved }
  return [{ reason: 'other-server', from, to }]
}

/** What was in use last: accepted, or, of lists that no version held whole, used. */
function lastOf({ accepted, used }: ServerMemory): Accepted | undefined {
  return accepted.at(-1) ?? used?.at(-1)
}

/**
 * A key nobody remembered endorsed. Endorsed is what a remembered own key stands behind, one endorsement after the other:
 * to stand beside one in the chain is nothing.
 */
function crossesPublishers(to: VerifiedManifest, remembered: ServerMemory): Boundary[] {
  const { kid, endorsers } = activeKey(to.keyChain, to.kid, 'sign', to.publishIndex)
  const isEndorsed = endorsers.some((one) => remembered.ownKids.includes(one))
  if (remembered.ownKids.length === 0 || isEndorsed || remembered.signKids.includes(kid)) return []
  const last = lastOf(remembered)
  const from = { version: last?.version ?? '', manifest: last?.manifest ?? '' }
  return [{ reason: 'other-publisher', from, to }]
}

const BOUNDARIES: Readonly<Record<Boundary['reason'], string>> = {
  'lower-version': 'this is a lower version than was used here before',
  'other-server': 'another server speaks for this slot than before',
  'other-publisher': 'no key that was known here endorsed the keys of this version',
}

async function assertAgreed(boundary: Boundary, ports: BoundaryPorts): Promise<void> {
  const { reason, from, to } = boundary
  const { answer, id } = await ports.ask(boundary)
  if (answer === 'agreed') return
  refuse('consent-required', BOUNDARIES[reason], {
    step: 9,
    reason,
    question: id,
    server: to.server,
    version: to.version,
    kid: to.kid,
    from: from.server ?? from.version,
    ...(answer === 'refused' && { refused: true }),
  })
}

function byVersion(a: string, b: string): number {
  return compareVersions(parseVersion(a), parseVersion(b))
}
