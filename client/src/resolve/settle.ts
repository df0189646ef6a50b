import {
  CountersignError,
  decodeBase64,
  encodeBase64,
  findLog,
  refuse,
  utf8Bytes,
  type TrustRoot,
} from '../core/index.js'
import { hostNow, MAX_CLOCK_SKEW } from '../freshness.js'
import type { Evidence, LogMemory, WorldMemory } from '../memory.js'
import { verifyStatus, type VerifiedStatus } from '../verify/status.js'
import { cutAt } from './buried.js'
import { relateTrees, type SignedTree } from './forks.js'
import type { ViewPorts } from './view.js'

const MAX_RACES = 16

/** A status that goes with everything seen before, and the memory that knows it. */
export interface Settled {
  readonly status: VerifiedStatus
  readonly world: WorldMemory
}

/** PROTOCOL 10.3, and the write: repeated when another process moved the memory meanwhile. */
export async function settle(ports: ViewPorts, root: TrustRoot, shown: VerifiedStatus): Promise<Settled> {
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

/** Evidence that is kept refuses the registry until a person clears it. */
export function assertNoEvidence(world: WorldMemory | undefined): void {
  const [first] = world?.evidence ?? []
  if (first === undefined) return
  refuse('equivocation', 'this registry showed two histories; it is refused until a person clears it', {
    step: 3,
    notes: [...first.notes],
    conclusive: first.conclusive,
  })
}

/** The remembered status, verified again under a root that may have changed. */
export function reopen(log: LogMemory, root: TrustRoot): VerifiedStatus {
  return verifyStatus(utf8Bytes(log.status), root)
}

/** The position of a status's snapshot over all logs (PROTOCOL 6). */
export function positionOf({ checkpoint, snapshotIndex }: VerifiedStatus, root: TrustRoot): number {
  return (findLog(root, checkpoint.origin)?.base ?? 0) + snapshotIndex
}

/** The status to go on with: the shown one, or the remembered one when the shown one lies behind it. */
async function compareWithMemory(
  ports: ViewPorts,
  root: TrustRoot,
  world: WorldMemory | undefined,
  shown: VerifiedStatus,
): Promise<VerifiedStatus> {
  const log = world?.log
  if (world === undefined || log === undefined) return shown
  const { size, origin } = shown.checkpoint
  if (origin !== log.origin) {
    await followSuccessor(ports, root, world, log)
    return shown
  }
  if (size < log.size && shown.attestedAt > log.attestedAt) {
    refuse('rollback', 'the registry attests a smaller log than it did before', {
      step: 3,
      size,
      remembered: log.size,
    })
  }
  // PROTOCOL 10.3: larger must be consistent; smaller must be a prefix, and the remembered one is used.
  await proveConsistent(ports, root, log, shown)
  if (size > log.size) return shown
  // The same tree signed again: the newest signature tells the age.
  return size === log.size && shown.attestedAt >= log.attestedAt ? shown : reopen(log, root)
}

async function proveConsistent(
  ports: ViewPorts,
  root: TrustRoot,
  log: LogMemory,
  shown: VerifiedStatus,
): Promise<void> {
  const now: SignedTree = { ...shown.checkpoint, status: shown.text }
  const code = now.size < log.size ? 'rollback' : 'proof-invalid'
  const relation = await relateTrees({ api: ports.api, step: 3 }, treeOf(log), now).catch(
    unprovable(code, { from: log.size, to: now.size }),
  )
  if (relation === 'fork') await refuseFork(ports, root, log, shown.note, now.size === log.size)
}

function treeOf(log: LogMemory): SignedTree {
  return { size: log.size, root: decodeBase64(log.root), status: log.status }
}

/** A registry that went back has no tree of the remembered size, and so no proof of it. */
function unprovable(code: 'rollback' | 'proof-invalid', sizes: { from: number; to: number }, isCut = false) {
  return (cause: unknown): never => {
    if (!(cause instanceof CountersignError) || cause.code !== 'registry-error') throw cause
    const message = isCut
      ? 'the trust root ends the log before what this host saw of it: update the pinned root to agree'
      : 'the registry does not prove that its log only grew'
    throw new CountersignError(code, message, { step: 3, ...sizes }, { cause })
  }
}

/**
 * PROTOCOL 10.3: the root froze the remembered log, and one of the two trees is a prefix of the other. A root may cut off
 * what a thief of the log's key appended.
 */
async function followSuccessor(
  ports: ViewPorts,
  root: TrustRoot,
  world: WorldMemory,
  log: LogMemory,
): Promise<void> {
  const { base = 0, final } = findLog(root, log.origin) ?? {}
  if (final === undefined) {
    refuse('rollback', 'another log took the place of the remembered one', { step: 3, origin: log.origin })
  }
  const isCut = final.size < log.size
  const source = { api: ports.api, log: log.origin, step: 3 }
  const relation = await relateTrees(source, treeOf(log), final).catch((error: unknown) =>
    // Nobody may have the entries that were cut off any more. Whoever pinned the root that says so has agreed.
    isCut && findLog(ports.root, log.origin)?.final !== undefined && isAbsent(error)
      ? 'prefix'
      : unprovable(isCut ? 'rollback' : 'proof-invalid', { from: log.size, to: final.size }, isCut)(error),
  )
  // Before evidence is kept, too: when a person clears that, nothing is left to cut by.
  if (isCut) await cutOff(ports, root.identity, base + final.size, world)
  if (relation === 'fork') await refuseFork(ports, root, log, root.note, final.size === log.size)
}

/** Also where there is no network at all: an offline bundle holds no proof of what its registry has lost. */
function isAbsent(error: unknown): boolean {
  return error instanceof CountersignError && ABSENT.has(error.code)
}

const ABSENT: ReadonlySet<string> = new Set(['registry-error', 'registry-unreachable'])

/** Before the successor is remembered: afterwards nobody could tell which positions were meant. */
async function cutOff(
  { memory }: ViewPorts,
  identity: string,
  position: number,
  world: WorldMemory,
): Promise<void> {
  await memory.updateRevocations(identity, (old) => old && cutAt(old, position, world))
}

/** Both notes are kept before anything is said; from here on only a person can clear it. */
async function refuseFork(
  { memory, now }: ViewPorts,
  root: TrustRoot,
  log: LogMemory,
  shown: string,
  conclusive: boolean,
): Promise<never> {
  const evidence: Evidence = { notes: [log.note, shown], conclusive, seenAt: Math.floor(now() / 1000) }
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
  const { origin, size } = status.checkpoint
  const { denied, listSeen, ...rest } = old ?? {}
  // A denial ends where a quorum stands behind a tree of its size; a frozen log denies nothing any more.
  const isDenied = denied !== undefined && denied.origin === origin && denied.size > size
  return {
    ...rest,
    v: 2,
    root:
      old !== undefined && old.root.version > root.version
        ? old.root
        : { version: root.version, note: root.note },
    log: {
      origin,
      size,
      root: encodeBase64(status.checkpoint.root),
      note: status.note,
      status: status.text,
      attestedAt: believable ? Math.max(known, status.attestedAt) : known,
      snapshotIndex: status.snapshotIndex,
    },
    ...(listSeen && { listSeen: seenNow(listSeen, status, root) }),
    ...(isDenied && { denied }),
    evidence: old?.evidence ?? [],
  }
}

/** The same list once more, or another one, which is not remembered yet. */
function seenNow(
  listSeen: NonNullable<WorldMemory['listSeen']>,
  status: VerifiedStatus,
  root: TrustRoot,
): NonNullable<WorldMemory['listSeen']> {
  if (listSeen.root !== status.revocationsHex) return listSeen
  return { root: listSeen.root, position: positionOf(status, root) }
}
