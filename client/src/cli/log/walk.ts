import { equalBytes, leafHash, TILE_WIDTH, verifyConsistency, encodeBase64 } from '../../core/index.js'
import { attempt, type Findings } from './findings.js'
import { lieAt, type Documents } from './lie.js'
import type { OwnTile, OwnTree } from './own-tree.js'
import type { Replay, Replayed } from './replay.js'
import { isAboutServed, type LogPlace, type LogSource } from './source.js'

/** One log of the identity, as far as it is to be read. */
export interface LogRange extends LogPlace {
  /** Position of its entry 0. */
  readonly base: number
  /** The signed tree it is read to. */
  readonly end: { readonly size: number; readonly root: Uint8Array; readonly note: string }
}

/** What was found at the sizes somebody asked about: our own root there, and the trust root in force. */
export type Landmarks = Map<number, Landmark | undefined>

export interface Landmark {
  readonly root: Uint8Array
  readonly rootVersion?: number
}

export interface Walk {
  readonly source: LogSource
  readonly tree: OwnTree
  /** Absent: the entries are hashed and not looked into. */
  readonly replay?: Replay
  readonly landmarks: Landmarks
  readonly findings: Findings
  onLeaf(replayed: Replayed): void
  /** After each full tile of entries, and at the end; whether to read on. */
  onTile(): Promise<boolean>
}

/**
 * Reads the entries of a log into a tree of our own, and into the replay from where that stands; compares every tile that
 * became wider with what was hashed here. What cannot be read ends it.
 * @returns whether every entry was read; the caller compares the root
 */
export async function walkLog(walk: Walk, log: LogRange): Promise<boolean> {
  const { tree, source } = walk
  const { size } = log.end
  const begin = tree.size
  land(walk, log)
  let next = fetchAhead(source, log, begin, size)
  while (tree.size < size) {
    const first = tree.size - (tree.size % TILE_WIDTH)
    const entries = await readEntries(walk, log, next)
    if (entries === undefined) return false
    next = fetchAhead(source, log, first + TILE_WIDTH, size)
    compareKnown(walk, log, entries)
    for (const leaf of entries.slice(tree.size - first)) {
      for (const tile of take(walk, log, leaf)) await compareTile(walk, log, tile)
    }
    if (!(await walk.onTile())) return false
  }
  if (begin < size) for (const tile of tree.edge()) await compareTile(walk, log, tile)
  return true
}

/** While a tile of entries is replayed the next one is on its way. */
function fetchAhead(
  source: LogSource,
  log: LogRange,
  at: number,
  size: number,
): Promise<Uint8Array[]> | undefined {
  if (at >= size) return undefined
  const n = Math.floor(at / TILE_WIDTH)
  const entries = source.entries(log, n, Math.min(TILE_WIDTH, size - n * TILE_WIDTH))
  // Whoever waits for it hears of it; nobody may.
  entries.catch(() => undefined)
  return entries
}

async function readEntries(
  { tree, findings }: Walk,
  log: LogRange,
  next: Promise<Uint8Array[]> | undefined,
): Promise<Uint8Array[] | undefined> {
  return attempt(
    findings,
    log.base + tree.size,
    () => next ?? [],
    () => ({ notes: [log.end.note] }),
  )
}

/** Entries that were read before, in the same tile, are the same ones still. */
function compareKnown({ tree, findings }: Walk, log: LogRange, entries: readonly Uint8Array[]): void {
  const known = tree.edge().find(({ level }) => level === 0)
  if (known === undefined) return
  const at = known.hashes.findIndex((hash, i) => !equalBytes(leafHash(entries[i] ?? EMPTY), hash))
  if (at < 0) return
  const leaf = Buffer.from(entries[at] ?? EMPTY).toString('utf8')
  const index = log.base + known.n * TILE_WIDTH + at
  findings.lie({ index, code: 'proof-invalid', said: 'this entry was another one before', leaf })
}

const EMPTY = new Uint8Array(0)

function take(walk: Walk, log: LogRange, leaf: Uint8Array): readonly OwnTile[] {
  const { tree, replay } = walk
  if (replay?.state.position === log.base + tree.size) walk.onLeaf(replay.add(leaf))
  const full = tree.append(leafHash(leaf))
  land(walk, log)
  return full
}

/** Notes the root of our own tree where somebody wants to compare another with it. */
function land({ tree, replay, landmarks }: Walk, { base }: LogRange): void {
  if (!landmarks.has(tree.size)) return
  const { position, rootVersion = 0 } = replay?.state ?? {}
  const isHere = position === base + tree.size
  landmarks.set(tree.size, { root: tree.root(), ...(isHere && { rootVersion }) })
}

async function compareTile({ source, findings }: Walk, log: LogRange, own: OwnTile): Promise<void> {
  const { level, n, hashes } = own
  const index = log.base + n * TILE_WIDTH ** (level + 1)
  const served = await attempt(findings, index, () => source.tile(log, level, n, hashes.length))
  const same = served?.every((hash, i) => equalBytes(hash, hashes[i] ?? EMPTY))
  if (same !== false) return
  const said = `tile ${level}/${n} does not hold the hashes of its entries`
  const documents = { served: base64(served), computed: base64(hashes), notes: [log.end.note] }
  findings.lie(lieAt(index, 'proof-invalid', said, documents))
}

function base64(hashes: readonly Uint8Array[] = []): string[] {
  return hashes.map(encodeBase64)
}

/**
 * Asks for a proof that one tree is a prefix of another, both as we know them.
 * @returns `unproved` where nobody computes proofs
 * @throws CountersignError `proof-mismatch`, `proof-malformed`
 */
export async function checkConsistency(
  source: LogSource,
  place: LogPlace,
  from: { readonly size: number; readonly root: Uint8Array },
  to: { readonly size: number; readonly root: Uint8Array },
): Promise<'proved' | 'unproved'> {
  if (from.size === 0) return 'proved'
  const proof = from.size === to.size ? [] : await source.consistency(place, from.size, to.size)
  if (proof === undefined) return 'unproved'
  verifyConsistency(from.size, to.size, proof, from.root, to.root)
  return 'proved'
}

/** The same as a value: a proof that leads nowhere says nothing. */
export async function isConsistent(
  ...[source, place, from, to]: Parameters<typeof checkConsistency>
): Promise<boolean> {
  try {
    return (await checkConsistency(source, place, from, to)) === 'proved'
  } catch (error) {
    if (!isAboutServed(error)) throw error
    return false
  }
}

export function notesOf(...trees: readonly { readonly note: string }[]): Documents {
  return { notes: trees.map(({ note }) => note) }
}
