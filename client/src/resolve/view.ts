import {
  CountersignError,
  findLog,
  openTrustRoot,
  refuse,
  type FreshnessLimits,
  type TrustRoot,
} from '../core/index.js'
import { hostNow, measureFreshness, type Freshness } from '../freshness.js'
import type { LogMemory, Memory, WorldMemory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import { assertRootCurrent, walkRoot } from '../trust.js'
import { atStep } from '../verdict.js'
import { verifyStatus, type VerifiedStatus } from '../verify/status.js'
import { buryOld } from './buried.js'
import { loadKnown, type KnownRevocations, type ListCache } from './known.js'
import { assertNoEvidence, reopen, settle } from './settle.js'

/** What this host knows of one registry, proved and remembered: PROTOCOL 10, steps 1 to 3. */
export interface View extends KnownRevocations {
  readonly root: TrustRoot
  readonly status: VerifiedStatus
  /** The newest T this host accepted, POSIX seconds. */
  readonly newestAttested: number
  /** The registry did not answer: this is the last good view. */
  readonly unreachable: boolean
  /** The registry was never seen before. */
  readonly firstSight: boolean
}

export interface ViewPorts {
  readonly api: RegistryApi
  readonly memory: Memory
  /** The pinned root, its signatures verified. */
  readonly root: TrustRoot
  /** POSIX milliseconds. */
  readonly now: () => number
  /** Lists that were proved in this process: whoever asks more than once proves them once. */
  readonly lists?: ListCache
}

/**
 * Fetches the registry's status and settles it with what was seen before (PROTOCOL 10.1 to 10.3). The world half of the
 * memory is written as soon as the status is known to extend it, whatever is refused afterwards. When the registry does
 * not answer, the remembered view is returned; how old that may be is for {@link viewFreshness} to say.
 *
 * @throws CountersignError a verdict of steps 1 to 3, `registry-unreachable` when nothing is remembered either
 */
export async function fetchView(ports: ViewPorts): Promise<View> {
  const before = await readWorld(ports)
  assertNoEvidence(before)
  const known = rememberedRoot(ports.root, before)
  try {
    const { root, status: shown } = await fetchStatus(ports, known, before?.log)
    const { status, world } = await settle(ports, root, shown)
    return await completeView(ports, {
      root,
      status,
      world,
      unreachable: false,
      firstSight: before?.log === undefined,
    })
  } catch (error) {
    reportSeen(ports.api, before?.log, error)
    if (!isUnreachable(error) || before?.log === undefined) throw error
    return await lastGoodView(ports)
  }
}

/** The world half; what version 1 of it held of revocations is moved first, while its size still stands beside it. */
async function readWorld({ memory, root }: ViewPorts): Promise<WorldMemory | undefined> {
  const world = await memory.readWorld(root.identity)
  if (world?.tombstones === undefined) return world
  await memory.updateRevocations(root.identity, (old) => buryOld(old, world))
  return memory.updateWorld(root.identity, (old) => {
    if (old === undefined) return old
    const { tombstones, ...rest } = old
    return tombstones === undefined ? old : rest
  })
}

const SUSPICIOUS: ReadonlySet<string> = new Set(['rollback', 'equivocation'])

/**
 * PROTOCOL 7: a registry that does not know what it signed is shown it, so that it stops signing. Nobody waits for that,
 * and whether it arrives changes no verdict.
 */
function reportSeen(api: RegistryApi, log: LogMemory | undefined, error: unknown): void {
  const isDue = error instanceof CountersignError && SUSPICIOUS.has(error.code) && log !== undefined
  if (isDue) void report(api, log.note).catch(() => undefined)
}

/** Whatever an implementation throws, and when, it rejects. */
async function report(api: RegistryApi, note: string): Promise<void> {
  await api.reportSeen?.(note)
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'registry-unreachable'
}

/** PROTOCOL 10.4. @throws CountersignError `clock-skew` */
export function viewFreshness(view: View, now: number, limits: FreshnessLimits, offline: boolean): Freshness {
  return measureFreshness({
    attestedAt: view.status.attestedAt,
    newestAttested: view.newestAttested,
    clock: now / 1000,
    limits,
    offline,
  })
}

// ------------------------------------------------------------------------------------------- 1: trust root

/** The newer one of what was pinned and what was walked to before. */
function rememberedRoot(pinned: TrustRoot, world: WorldMemory | undefined): TrustRoot {
  if (world === undefined || world.root.version <= pinned.version) return pinned
  const root = atStep(1, 'root-outdated', () => openTrustRoot(world.root.note))
  return root.identity === pinned.identity
    ? root
    : refuse('registry-mismatch', 'the remembered root', { step: 1 })
}

/** What a newer root could explain: other keys, another quorum, a snapshot that knows of it. */
const ROOT_MAY_HELP: ReadonlySet<string> = new Set(['root-outdated', 'checkpoint-invalid', 'quorum-not-met'])
const ROOT_RENEWAL_SECONDS = 60 * 86_400

/** PROTOCOL 10.1 and 10.2: the newest root first where it can matter, then the status under it. */
async function fetchStatus(ports: ViewPorts, known: TrustRoot, log: LogMemory | undefined) {
  const { api } = ports
  const clock = hostNow(ports.now() / 1000, log?.attestedAt)
  const isDue = log === undefined || known.expiresAt <= clock + ROOT_RENEWAL_SECONDS
  let root = isDue ? await walkRoot(api, known) : known
  const bytes = await api.fetchStatus()
  let status: VerifiedStatus
  try {
    status = verifyStatus(bytes, root)
  } catch (error) {
    if (!(error instanceof CountersignError) || !ROOT_MAY_HELP.has(error.code)) throw error
    const walked = await walkRoot(api, root)
    if (walked.version === root.version) throw error
    root = walked
    status = verifyStatus(bytes, root)
  }
  assertRootCurrent(root, clock)
  return { root, status }
}

// ------------------------------------------------------------------------------------------- 3: revocations

interface Draft {
  readonly root: TrustRoot
  readonly status: VerifiedStatus
  readonly world: WorldMemory
  readonly unreachable: boolean
  readonly firstSight: boolean
}

async function completeView(ports: ViewPorts, draft: Draft): Promise<View> {
  const { root, status, world, unreachable, firstSight } = draft
  const known = await loadKnown(ports, root, status, world)
  return { ...known, root, status, newestAttested: world.log?.attestedAt ?? 0, unreachable, firstSight }
}

/** PROTOCOL promise 7: what was seen last, as long as it is fresh. */
async function lastGoodView(ports: ViewPorts): Promise<View> {
  const world = await ports.memory.readWorld(ports.root.identity)
  assertNoEvidence(world)
  const log = world?.log
  if (world === undefined || log === undefined) {
    return refuse('registry-unreachable', 'the registry does not answer, and nothing is known of it', {
      step: 2,
    })
  }
  const root = rememberedRoot(ports.root, world)
  if (findLog(root, log.origin)?.final !== undefined) {
    refuse('registry-unreachable', 'the registry does not answer, and the log that is known has ended', {
      step: 2,
    })
  }
  assertRootCurrent(root, hostNow(ports.now() / 1000, log.attestedAt))
  const status = reopen(log, root)
  return completeView(ports, { root, status, world, unreachable: true, firstSight: false })
}
