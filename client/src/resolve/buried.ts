import {
  EMPTY_ROOT,
  formatRevocationLine,
  indexRevocations,
  parseRevocationLine,
  toHex,
  type RevocationLine,
} from '../core/index.js'
import type { DeniedMemory, RevocationMemory, Tombstone, WorldMemory } from '../memory.js'
import { targetName, type Tombstones } from '../verify/revoked.js'

/** A list that was proved, and the position of the snapshot that names it. */
export interface ShownList {
  readonly root: string
  readonly seen: number
  readonly list: Uint8Array
}

const NOTHING: ShownList = { root: toHex(EMPTY_ROOT), seen: 0, list: new Uint8Array() }

/** The lines of a list that was proved. */
export function listLines(list: Uint8Array): string[] {
  return new TextDecoder().decode(list).split('\n').slice(0, -1)
}

/**
 * PROTOCOL 11: the newer list stays as it came; what the older one had and it has not becomes tombstones. The same object
 * when the list is the one that is there.
 */
export function bury(
  old: RevocationMemory | undefined,
  shown: ShownList,
  world: WorldMemory,
): RevocationMemory {
  if (old === undefined) return { ...shown, tombstones: [] }
  if (old.root === shown.root) return old
  const known = { ...old, seen: lastSeen(old, world) }
  // Another process may have seen a newer list meanwhile: nothing goes backwards.
  const [newer, older] = shown.seen >= old.seen ? [shown, known] : [old, shown]
  const fallen = listLines(older.list).map((line) => ({ line, seen: older.seen }))
  const { root, seen, list } = newer
  const lines = listLines(list)
  const tombstones = without(lines, [...old.tombstones, ...fallen])
  return { root, seen, list, tombstones, ...withAbsent(old, relisted(old, lines, known.seen)) }
}

/** Tombstones that the list has again: the list before, which was last seen at `seen`, had them not. */
function relisted({ tombstones }: RevocationMemory, lines: readonly string[], seen: number): Tombstone[] {
  if (tombstones.length === 0) return []
  const current = new Set(lines)
  return tombstones.filter(({ line }) => current.has(line)).map(({ line }) => ({ line, seen }))
}

function withAbsent({ absent = [] }: RevocationMemory, added: readonly Tombstone[]) {
  const all = without([], [...absent, ...added])
  return all.length === 0 ? {} : { absent: all }
}

/** The newest position at which the list was seen. */
function lastSeen({ root, seen }: RevocationMemory, { listSeen }: WorldMemory): number {
  return listSeen?.root === root ? Math.max(seen, listSeen.position) : seen
}

function without(lines: readonly string[], tombstones: readonly Tombstone[]): Tombstone[] {
  const current = new Set(lines)
  const latest = new Map<string, number>()
  for (const { line, seen } of tombstones) {
    if (!current.has(line)) latest.set(line, Math.max(seen, latest.get(line) ?? 0))
  }
  return [...latest].map(([line, seen]) => ({ line, seen }))
}

/** What version 1 of the memory kept with the rest: last seen, for all it says, with the snapshot remembered. */
export function buryOld(
  old: RevocationMemory = { ...NOTHING, tombstones: [] },
  { tombstones = [], log }: WorldMemory,
): RevocationMemory {
  const added = tombstones.map((line) => ({ line, seen: log?.snapshotIndex ?? 0 }))
  return { ...old, tombstones: without(listLines(old.list), [...old.tombstones, ...added]) }
}

/**
 * The trust root cut a log off at this position: positions behind it are counted anew. Whatever was revoked stays so, a key
 * from the cut on at the latest; a reinstatement behind the cut is a later one.
 */
export function cutAt(old: RevocationMemory, position: number, world: WorldMemory): RevocationMemory {
  const seen = lastSeen(old, world)
  const all = [...old.tombstones, ...listLines(old.list).map((line) => ({ line, seen }))]
  const cut = all.map((one) => ({ line: cutLine(one.line, position), seen: Math.min(one.seen, position) }))
  const absent = (old.absent ?? []).filter((one) => one.seen < position)
  return { ...NOTHING, tombstones: without([], cut), ...(absent.length > 0 && { absent }) }
}

function cutLine(text: string, position: number): string {
  const line = parseRevocationLine(text)
  if (line.kind !== 'key' || line.invalidFrom <= position) return text
  return formatRevocationLine({ ...line, invalidFrom: position })
}

/** Takes out what a proved reinstatement lifted: by target, with the position of that. */
export function unbury(old: RevocationMemory, lifted: ReadonlyMap<string, number>): RevocationMemory {
  const tombstones: Tombstone[] = []
  const absent: Tombstone[] = []
  for (const one of old.tombstones) {
    const position = lifted.get(targetOf(one.line)) ?? 0
    if (position <= one.seen) tombstones.push(one)
    else absent.push({ line: one.line, seen: position })
  }
  return absent.length === 0 ? old : { ...old, tombstones, ...withAbsent(old, absent) }
}

/** Tombstones ready for look-ups: those kept, a newer list than the shown one, and what is denied without a quorum. */
export function openTombstones(
  kept: RevocationMemory | undefined,
  shownRoot: string,
  denied: DeniedMemory | undefined,
): Tombstones {
  const newer =
    kept === undefined || kept.root === shownRoot
      ? []
      : listLines(kept.list).map((line) => ({ line, seen: kept.seen }))
  const denials = (denied?.lines ?? []).map((line) => ({ line, seen: Infinity }))
  const all = [...(kept?.tombstones ?? []), ...newer, ...denials]
  const lines = all.map(({ line }) => line)
  return {
    ...indexRevocations(lines, EMPTY_ROOT),
    seen: latestByTarget(all),
    absent: latestByTarget(kept?.absent ?? []),
  }
}

function latestByTarget(tombstones: readonly Tombstone[]): ReadonlyMap<string, number> {
  const latest = new Map<string, number>()
  for (const { line, seen } of tombstones) {
    const target = targetOf(line)
    latest.set(target, Math.max(seen, latest.get(target) ?? 0))
  }
  return latest
}

function targetOf(text: string): string {
  const line: RevocationLine = parseRevocationLine(text)
  if (line.kind === 'key') return text
  return targetName(line.kind, line.kind === 'server' ? line.name : line.digest)
}
