import {
  CountersignError,
  digestOfText,
  MAX_REVOCATIONS_BYTES,
  refuse,
  type RevocationList,
  type TrustRoot,
} from '../core/index.js'
import type { DeniedMemory, RevocationMemory, WorldMemory } from '../memory.js'
import { asVerdict } from '../verdict.js'
import type { Tombstones } from '../verify/revoked.js'
import { verifyRevocations, type ProvedSnapshot, type VerifiedStatus } from '../verify/status.js'
import { bury, listLines, openTombstones } from './buried.js'
import { positionOf } from './settle.js'
import type { ViewPorts } from './view.js'

/** Everything that counts as revoked, as of one status and of what was seen before. */
export interface KnownRevocations {
  /** The list the status names. */
  readonly revocations: RevocationList
  /** The list its denials name. */
  readonly denials?: RevocationList
  /** Earlier lists' lines, and what was denied before. */
  readonly tombstones: Tombstones
  /** Another text for other knowledge. */
  readonly standing: string
}

/** A list as it came, and parsed: both or neither, for what is remembered are the bytes. */
export interface LoadedList {
  readonly bytes: Uint8Array
  readonly list: RevocationList
}

/** Proved lists by their roots: one of 100 000 lines is proved once, not at each refresh. */
export type ListCache = Map<string, LoadedList>
const MAX_LISTS = 3

/**
 * PROTOCOL 10.3: the list the snapshot names, that of the denials, and the tombstones with everything they add: remembered
 * before anything else happens.
 * @throws CountersignError `proof-invalid`, `registry-unreachable`, or what the memory throws
 */
export async function loadKnown(
  ports: ViewPorts,
  root: TrustRoot,
  status: VerifiedStatus,
  world: WorldMemory,
): Promise<KnownRevocations> {
  const kept = await ports.memory.readRevocations(root.identity)
  const shown = await loadList(ports, status, kept)
  const memory = await remember(ports, root, status, { kept, shown: shown.bytes, world })
  const denials = await loadDenials(ports, status)
  const denied = await rememberDenied(ports, status, shown.bytes, denials, world)
  return {
    revocations: shown.list,
    ...(denials && { denials: denials.list }),
    tombstones: openTombstones(memory, status.revocationsHex, denied),
    standing: digestOfText(
      JSON.stringify([status.revocationsHex, status.denials?.revocationsHex, memory.tombstones, denied]),
    ),
  }
}

/** What was proved before, or is remembered; else from the registry. */
async function loadList(
  ports: ViewPorts,
  of: ProvedSnapshot,
  kept: RevocationMemory | undefined,
): Promise<LoadedList> {
  const proved = ports.lists?.get(of.revocationsHex)
  if (proved?.list.count === of.snapshot.count) return proved
  if (of.snapshot.count === 0) return prove(ports, new Uint8Array(), of)
  if (kept?.root === of.revocationsHex) {
    try {
      return prove(ports, kept.list, of)
    } catch (cause) {
      throw new CountersignError('memory-corrupt', 'the remembered list has another root', {}, { cause })
    }
  }
  const name = `revocations-${of.revocationsHex}`
  const cached = await ports.memory.readBlob(ports.root.identity, name)
  if (cached !== undefined) {
    try {
      return prove(ports, cached, of)
    } catch (error) {
      // A cache that lies is as good as none.
      if (!(error instanceof CountersignError)) throw error
    }
  }
  return prove(ports, await ports.api.fetchRevocations(of.revocationsHex), of)
}

function prove({ lists = new Map() }: ViewPorts, bytes: Uint8Array, of: ProvedSnapshot): LoadedList {
  const loaded = { bytes, list: verifyRevocations(bytes, of) }
  if (lists.size >= MAX_LISTS) lists.clear()
  lists.set(of.revocationsHex, loaded)
  return loaded
}

/** Writes only when the list is another one than before; where it was last seen stands in the world half. */
async function remember(
  { memory }: ViewPorts,
  root: TrustRoot,
  status: VerifiedStatus,
  { kept, shown, world }: { kept: RevocationMemory | undefined; shown: Uint8Array; world: WorldMemory },
): Promise<RevocationMemory> {
  const { revocationsHex } = status
  const seen = positionOf(status, root)
  let now = kept
  if (kept?.root !== revocationsHex) {
    const next = { root: revocationsHex, seen, list: shown }
    now = await memory.updateRevocations(root.identity, (old) => bury(old, next, world))
  }
  if (now?.root === revocationsHex && world.listSeen?.root !== revocationsHex) {
    const listSeen = { root: revocationsHex, position: seen }
    await memory.updateWorld(root.identity, (old) => old && { ...old, listSeen })
  }
  return now ?? refuse('memory-corrupt', 'the memory does not keep what it is given')
}

// ------------------------------------------------------------------------------------------------ denials

/** PROTOCOL 7: a list that cannot be had could hold anything, so nothing is allowed without it. */
async function loadDenials(ports: ViewPorts, { denials }: VerifiedStatus): Promise<LoadedList | undefined> {
  if (denials === undefined) return undefined
  const isKept = ports.lists?.has(denials.revocationsHex) === true
  try {
    const loaded = await loadList(ports, denials, undefined)
    const name = `revocations-${denials.revocationsHex}`
    if (!isKept) await ports.memory.writeBlob(ports.root.identity, name, loaded.bytes)
    return loaded
  } catch (error) {
    const isMissing = error instanceof CountersignError && UNAVAILABLE.has(error.code)
    if (!isMissing) throw asVerdict(error, 3, 'proof-invalid')
    throw new CountersignError(
      'proof-invalid',
      'what is being revoked cannot be read',
      { step: 3, revocations: denials.revocationsHex },
      { cause: error },
    )
  }
}

const UNAVAILABLE: ReadonlySet<string> = new Set(['registry-error', 'registry-unreachable'])

/** A later status may leave its denials out: what they said counts until a quorum stands behind a tree of that size. */
async function rememberDenied(
  { memory, root }: ViewPorts,
  { denials, checkpoint }: VerifiedStatus,
  shown: Uint8Array,
  loaded: LoadedList | undefined,
  world: WorldMemory,
): Promise<WorldMemory['denied']> {
  if (denials === undefined || loaded === undefined) return world.denied
  const standing = new Set(listLines(shown))
  const lines = listLines(loaded.bytes).filter((line) => !standing.has(line))
  const found = { origin: checkpoint.origin, size: denials.checkpoint.size, lines }
  const now = await memory.updateWorld(root.identity, (old) => old && withDenied(old, found))
  return now?.denied
}

/**
 * Adds what is denied to what this or another process found denied before, unless a quorum has settled it meanwhile.
 * @throws CountersignError `proof-invalid` for more than a list may hold: whoever has the log's key alone fills no disk
 */
export function withDenied(world: WorldMemory, found: DeniedMemory): WorldMemory {
  const { log, denied } = world
  if (log !== undefined && (log.origin !== found.origin || log.size >= found.size)) return world
  const known = denied?.origin === found.origin ? denied : undefined
  const before = new Set(known?.lines)
  const added = found.lines.filter((line) => !before.has(line))
  const size = Math.max(found.size, known?.size ?? 0)
  if (added.length === 0 && size === (known?.size ?? size)) return world
  const lines = [...before, ...added]
  if (lines.reduce((sum, line) => sum + line.length + 1, 0) > MAX_REVOCATIONS_BYTES) {
    refuse('proof-invalid', 'the log denies more than a list may hold', { step: 3, lines: lines.length })
  }
  return { ...world, denied: { origin: found.origin, size, lines } }
}
