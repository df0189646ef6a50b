import {
  CountersignError,
  decodeBase64,
  encodeBase64,
  equalBytes,
  openTrustRoot,
  parseRevocations,
  refuse,
  revocationRoot,
  sortRevocations,
  utf8Bytes,
  formatRevocations,
  verifyConsistency,
  type RevocationList,
  type TrustRoot,
} from '../core/index.js'
import { hostNow, MAX_CLOCK_SKEW, measureFreshness, type Freshness } from '../freshness.js'
import type { Evidence, LogMemory, Memory, WorldMemory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import { assertRootCurrent, walkRoot } from '../trust.js'
import { asVerdict, atStep } from '../verdict.js'
import { verifyRevocations, verifyStatus, type VerifiedStatus } from '../verify/status.js'

/** What this host knows of one registry, proved and remembered: PROTOCOL 10, steps 1 to 3. */
export interface View {
  readonly root: TrustRoot
  readonly status: VerifiedStatus
  readonly revocations: RevocationList
  /** Every revocation ever seen; a newer list without one of them does not lift it. */
  readonly tombstones: RevocationList
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
}

const MAX_RACES = 16

/**
 * Fetches the registry's status and settles it with what was seen before (PROTOCOL 10.1 to 10.3). The world half of the
 * memory is written as soon as the status is known to extend it, whatever is refused afterwards. When the registry does
 * not answer, the remembered view is returned; how old that may be is for {@link viewFreshness} to say.
 *
 * @throws CountersignError a verdict of steps 1 to 3, `registry-unreachable` when nothing is remembered either
 */
export async function fetchView(ports: ViewPorts): Promise<View> {
  const before = await ports.memory.readWorld(ports.root.identity)
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
    if (!isUnreachable(error) || before?.log === undefined) throw error
    return await lastGoodView(ports)
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'registry-unreachable'
}

/** PROTOCOL 10.4. @throws CountersignError `clock-skew` */
export function viewFreshness(
  view: View,
  now: number,
  offline: { readonly maxSeconds?: number } | undefined,
): Freshness {
  const { freshness } = view.root
  const offlineMaxSeconds = Math.max(freshness.offlineMaxSeconds, offline?.maxSeconds ?? 0)
  return measureFreshness({
    attestedAt: view.status.attestedAt,
    newestAttested: view.newestAttested,
    clock: now / 1000,
    limits: { maxSeconds: freshness.maxSeconds, offlineMaxSeconds },
    offline: offline !== undefined,
  })
}

// ------------------------------------------------------------------------------------------- 1: trust root

function assertNoEvidence(world: WorldMemory | undefined): void {
  const [first] = world?.evidence ?? []
  if (first === undefined) return
  refuse('equivocation', 'this registry showed two histories; it is refused until a person clears it', {
    step: 3,
    notes: [...first.notes],
    conclusive: first.conclusive,
  })
}

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

// ----------------------------------------------------------------------------------------------- 3: memory

interface Settled {
  readonly status: VerifiedStatus
  readonly world: WorldMemory
}

/** PROTOCOL 10.3, and the write: repeated when another process moved the memory meanwhile. */
async function settle(ports: ViewPorts, root: TrustRoot, shown: VerifiedStatus): Promise<Settled> {
  const { memory } = ports
  for (let race = 0; race < MAX_RACES; race++) {
    const old = await memory.readWorld(root.identity)
    assertNoEvidence(old)
    const status = await compareWithMemory(ports, root, old, shown)
    const outcome = { won: false }
    const world = await memory.updateWorld(root.identity, (now) => {
      outcome.won = now?.log?.note === old?.log?.note && (now?.evidence.length ?? 0) === 0
      return outcome.won ? advance(now, root, status, ports.now() / 1000) : now
    })
    if (outcome.won && world !== undefined) return { status, world }
  }
  return refuse('memory-locked', 'the memory moves faster than it can be compared')
}

/** The status to go on with: the shown one, or the remembered one when the shown one lies behind it. */
async function compareWithMemory(
  ports: ViewPorts,
  root: TrustRoot,
  world: WorldMemory | undefined,
  shown: VerifiedStatus,
): Promise<VerifiedStatus> {
  const log = world?.log
  if (log === undefined) return shown
  const { size, root: hash, origin } = shown.checkpoint
  if (origin !== log.origin)
    refuse('rollback', 'another log took the place of the remembered one', { step: 3, origin })
  if (size === log.size) {
    if (!equalBytes(hash, decodeBase64(log.root))) await refuseFork(ports, root, log, shown, true)
    // The same tree signed again: the newest signature tells the age.
    return shown.attestedAt >= log.attestedAt ? shown : reopen(log, root)
  }
  // PROTOCOL 10.3: larger must be consistent; smaller must be a prefix, and the remembered one is used.
  if (size > log.size) {
    await proveConsistent(ports, root, log, shown)
    return shown
  }
  if (shown.attestedAt > log.attestedAt) {
    refuse('rollback', 'the registry attests a smaller log than it did before', {
      step: 3,
      size,
      remembered: log.size,
    })
  }
  await proveConsistent(ports, root, log, shown)
  return reopen(log, root)
}

function reopen(log: LogMemory, root: TrustRoot): VerifiedStatus {
  return verifyStatus(utf8Bytes(log.status), root)
}

async function proveConsistent(
  ports: ViewPorts,
  root: TrustRoot,
  log: LogMemory,
  shown: VerifiedStatus,
): Promise<void> {
  const remembered = { size: log.size, root: decodeBase64(log.root) }
  const [small, large] = [remembered, shown.checkpoint].sort((a, b) => a.size - b.size)
  if (small === undefined || large === undefined) return
  const proof = await fetchProof(ports, small.size, large.size, shown.checkpoint.size < log.size)
  try {
    verifyConsistency(small.size, large.size, proof, small.root, large.root)
  } catch (error) {
    // A proof that leads nowhere is any mirror's nonsense: refused now, but no evidence against the log.
    const isFork = error instanceof CountersignError && error.detail['otherPast'] === true
    if (!isFork) throw asVerdict(error, 3, 'proof-invalid')
    await refuseFork(ports, root, log, shown, false)
  }
}

/** A registry that went back has no tree of the remembered size, and so no proof of it. */
async function fetchProof(
  { api }: ViewPorts,
  from: number,
  to: number,
  backwards: boolean,
): Promise<Uint8Array[]> {
  try {
    return await api.fetchConsistency(from, to)
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'registry-error') throw error
    const code = backwards ? 'rollback' : 'proof-invalid'
    throw new CountersignError(
      code,
      'the registry does not prove that its log only grew',
      { step: 3, from, to },
      {
        cause: error,
      },
    )
  }
}

/** Both notes are kept before anything is said; from here on only a person can clear it. */
async function refuseFork(
  { memory, now }: ViewPorts,
  root: TrustRoot,
  log: LogMemory,
  shown: VerifiedStatus,
  conclusive: boolean,
): Promise<never> {
  const evidence: Evidence = { notes: [log.note, shown.note], conclusive, seenAt: Math.floor(now() / 1000) }
  await memory.keepEvidence(root.identity, evidence)
  return refuse('equivocation', 'the registry shows a history that excludes the one this host saw', {
    step: 3,
    notes: [...evidence.notes],
    conclusive,
  })
}

/**
 * The next world half: nothing in it goes backwards (PROTOCOL 11). The same object when nothing is new, so that nothing is
 * written. `clock` in POSIX seconds.
 */
function advance(
  old: WorldMemory | undefined,
  root: TrustRoot,
  status: VerifiedStatus,
  clock: number,
): WorldMemory {
  if (old?.log?.status === status.text && old.root.version >= root.version) return old
  const known = old?.log?.attestedAt ?? 0
  // A time from the future is remembered by nobody: it would make everything after it look stale.
  const believable = status.attestedAt <= hostNow(clock, known) + MAX_CLOCK_SKEW
  return {
    v: 1,
    root:
      old !== undefined && old.root.version > root.version
        ? old.root
        : { version: root.version, note: root.note },
    log: {
      origin: status.checkpoint.origin,
      size: status.checkpoint.size,
      root: encodeBase64(status.checkpoint.root),
      note: status.note,
      status: status.text,
      attestedAt: believable ? Math.max(known, status.attestedAt) : known,
      snapshotIndex: status.snapshotIndex,
    },
    tombstones: old?.tombstones ?? [],
    evidence: old?.evidence ?? [],
  }
}

// ------------------------------------------------------------------------------------- 3: revocation list

interface Draft {
  readonly root: TrustRoot
  readonly status: VerifiedStatus
  readonly world: WorldMemory
  readonly unreachable: boolean
  readonly firstSight: boolean
}

/** The list the snapshot names, and the tombstones with everything it adds: remembered before anything else happens. */
async function completeView(ports: ViewPorts, draft: Draft): Promise<View> {
  const { root, status, world } = draft
  const { list, lines } = await loadRevocations(ports, status)
  const buried = new Set(world.tombstones)
  const added = lines.filter((line) => !buried.has(line))
  const kept = added.length === 0 ? world : await bury(ports, root.identity, added, world)
  return {
    root,
    status,
    revocations: list,
    // Usually nothing was ever lifted, and the two lists are one.
    tombstones: kept.tombstones.length === lines.length ? list : indexLines(kept.tombstones),
    newestAttested: kept.log?.attestedAt ?? 0,
    unreachable: draft.unreachable,
    firstSight: draft.firstSight,
  }
}

async function bury(
  { memory }: ViewPorts,
  identity: string,
  added: readonly string[],
  world: WorldMemory,
): Promise<WorldMemory> {
  const next = await memory.updateWorld(identity, (now) => {
    const base = now ?? world
    return { ...base, tombstones: sortRevocations([...base.tombstones, ...added]) }
  })
  return next ?? world
}

function indexLines(lines: readonly string[]): RevocationList {
  const expected = { root: revocationRoot(lines), count: lines.length }
  return atStep(3, 'proof-invalid', () => parseRevocations(formatRevocations(lines), expected))
}

/** From the cache when that verifies; a cache that lies is as good as none. */
async function loadRevocations({ api, memory, root }: ViewPorts, status: VerifiedStatus) {
  if (status.snapshot.count === 0) return { list: verifyRevocations(new Uint8Array(), status), lines: [] }
  const name = `revocations-${status.revocationsHex}`
  const kept = await memory.readBlob(root.identity, name)
  if (kept !== undefined) {
    try {
      return readList(kept, status)
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
    }
  }
  const bytes = await api.fetchRevocations(status.revocationsHex)
  const read = readList(bytes, status)
  await memory.writeBlob(root.identity, name, bytes)
  return read
}

function readList(
  bytes: Uint8Array,
  status: VerifiedStatus,
): { list: RevocationList; lines: readonly string[] } {
  const list = verifyRevocations(bytes, status)
  return { list, lines: new TextDecoder().decode(bytes).split('\n').slice(0, -1) }
}

/** PROTOCOL promise 7: what was seen last, as long as it is fresh. Nothing is written. */
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
  assertRootCurrent(root, hostNow(ports.now() / 1000, log.attestedAt))
  const status = reopen(log, root)
  return completeView(ports, { root, status, world, unreachable: true, firstSight: false })
}
