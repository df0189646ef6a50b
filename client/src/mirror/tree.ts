import {
  appendLeaf,
  emptyRange,
  concatBytes,
  CountersignError,
  equalBytes,
  formatTilePath,
  leafHash,
  MAX_EVENT_BYTES,
  parseEntryBundle,
  rangeRoot,
  refuse,
  treeCoords,
  treeRootAsync,
  verifyConsistency,
  TILE_WIDTH,
  type MerkleRange,
  type NodeVisitor,
} from '../core/index.js'
import { tileHashes } from '../static-api/tiles.js'
import type { Draft, Folder } from './folder.js'
import type { MirrorPorts } from './ports.js'
import { inOrder } from './source.js'

/** A bundle of entries, in bytes: an event has at most 4 KiB (PROTOCOL 6). */
export const MAX_ENTRIES_BYTES = TILE_WIDTH * (2 + MAX_EVENT_BYTES)
/** Entry bundles that are proved at once: so much is lost when a run is killed. */
const CHUNK = 16 * TILE_WIDTH

/** One log to be copied, up to a tree that somebody signed. */
export interface LogCopy {
  readonly origin: string
  readonly isFrozen: boolean
  /** Where the registry has it, and where it goes. */
  readonly from: string
  readonly to: string
  /** How much of it is there already. */
  readonly copied: number
  readonly size: number
  readonly root: Uint8Array
  /** Told what is there now, whenever more is. */
  readonly onCopied: (size: number) => Promise<void>
}

/**
 * Copies a log's entries and makes its tiles of them: what is written is proved to be part of the signed tree first.
 * @throws CountersignError `proof-invalid` when the entries are not those of the tree
 */
export async function copyLog(ports: MirrorPorts, log: LogCopy): Promise<void> {
  if (log.copied >= log.size && (await isThere(ports.folder, log))) return
  const copied = log.copied < log.size ? log.copied : 0
  try {
    await copyFrom(ports, log, copied)
  } catch (error) {
    // What stood in the folder may be damaged: once more, from nothing.
    if (copied === 0 || !isDamage(error)) throw error
    await copyFrom(ports, log, 0)
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof CountersignError && ['proof-invalid', 'registry-error'].includes(error.code)
}

/** Whether the tiles in the folder lead to this root. */
export async function isThere(folder: Folder, log: Pick<LogCopy, 'to' | 'size' | 'root'>): Promise<boolean> {
  try {
    const read = tileHashes(folder.read, { prefix: log.to, size: log.size })
    return equalBytes(await treeRootAsync(log.size, read), log.root)
  } catch (error) {
    if (error instanceof CountersignError) return false
    throw error
  }
}

async function copyFrom(ports: MirrorPorts, log: LogCopy, copied: number): Promise<void> {
  for (let known = copied; known < log.size;) {
    ports.progress(`entry ${known} of ${log.size} in ${log.origin}`)
    // The last, narrow bundle is copied again as a whole.
    const start = known - (known % TILE_WIDTH)
    const end = Math.min(start + CHUNK, log.size)
    await copyChunk(ports, log, { start, known, end })
    await log.onCopied(end)
    known = end
  }
}

interface Chunk {
  readonly start: number
  /** Size of the tree whose tiles are in the folder. */
  readonly known: number
  readonly end: number
}

async function copyChunk(ports: MirrorPorts, log: LogCopy, { start, known, end }: Chunk): Promise<void> {
  const { folder } = ports
  const tiles = await openTiles(folder, log.to, start, known)
  let range = tiles.range
  const drafts: Draft[] = []
  for await (const { n, width, bytes } of inOrder(bundlesOf(start, end), fetchEntries(ports, log))) {
    for (const leaf of asProof(() => parseEntryBundle(bytes, width))) {
      range = appendLeaf(range, leafHash(leaf), tiles.visit)
    }
    drafts.push(await folder.draft(log.to + formatTilePath('entries', n, width), bytes))
  }
  await assertPartOf(ports, log, range)
  for (const { path, bytes } of tiles.all()) drafts.push(await folder.draft(log.to + path, bytes))
  for (const draft of drafts) await draft.install()
}

/** Entries that are cut off or too many are not those of the tree. */
function asProof<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('proof-invalid', 'the entries are malformed', {}, { cause })
  }
}

interface Bundle {
  readonly n: number
  readonly width: number
}

function* bundlesOf(start: number, end: number): Generator<Bundle> {
  for (let n = start / TILE_WIDTH; n * TILE_WIDTH < end; n++) {
    yield { n, width: Math.min(TILE_WIDTH, end - n * TILE_WIDTH) }
  }
}

function fetchEntries({ read }: MirrorPorts, { from }: LogCopy) {
  return async ({ n, width }: Bundle): Promise<Bundle & { bytes: Uint8Array }> => {
    const path = from + formatTilePath('entries', n, width)
    const bytes = await read(path, MAX_ENTRIES_BYTES)
    return { n, width, bytes: bytes ?? refuse('registry-error', 'the registry lacks entries', { path }) }
  }
}

/** The tree so far is the signed one, or a prefix of it. */
async function assertPartOf({ api }: MirrorPorts, log: LogCopy, range: MerkleRange): Promise<void> {
  const root = rangeRoot(range)
  const detail = { origin: log.origin, size: range.size }
  if (range.size === log.size) {
    if (equalBytes(root, log.root)) return
    refuse('proof-invalid', 'the entries are not those of the signed tree', detail)
  }
  const proof = await api.fetchConsistency(range.size, log.size, log.isFrozen ? log.origin : undefined)
  try {
    verifyConsistency(range.size, log.size, proof, root, log.root)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('proof-invalid', 'the entries are not those of the signed tree', detail, {
      cause,
    })
  }
}

// ------------------------------------------------------------------------------------------------------ tiles

interface OpenTiles {
  readonly range: MerkleRange
  readonly visit: NodeVisitor
  /** Every tile that got a hash, as wide as it is now. */
  all(): Generator<{ path: string; bytes: Uint8Array }>
}

/** The right edge of the tree at `start`, read from the tiles of the tree at `known`; hashes gather in the tiles above it. */
async function openTiles(folder: Folder, prefix: string, start: number, known: number): Promise<OpenTiles> {
  const read = tileHashes(folder.read, { prefix, size: known })
  const range = start === 0 ? emptyRange() : { size: start, hashes: await read(treeCoords(start)) }
  const tiles = new Map<string, { level: number; n: number; hashes: Uint8Array[] }>()
  for (
    let level = 1, count = start / TILE_WIDTH;
    count >= 1;
    level++, count = Math.floor(count / TILE_WIDTH)
  ) {
    const n = Math.floor(count / TILE_WIDTH)
    const coords = Array.from({ length: count % TILE_WIDTH }, (_, i) => ({
      level: level * 8,
      index: n * TILE_WIDTH + i,
    }))
    if (coords.length > 0) tiles.set(`${level} ${n}`, { level, n, hashes: [...(await read(coords))] })
  }
  return {
    range,
    visit: (height, index, hash) => {
      if (height % 8 !== 0) return
      const [level, n] = [height / 8, Math.floor(index / TILE_WIDTH)]
      const tile = tiles.get(`${level} ${n}`) ?? { level, n, hashes: [] }
      tile.hashes.push(hash)
      tiles.set(`${level} ${n}`, tile)
    },
    *all() {
      for (const { level, n, hashes } of tiles.values()) {
        yield { path: formatTilePath(level, n, hashes.length), bytes: concatBytes(...hashes) }
      }
    },
  }
}
