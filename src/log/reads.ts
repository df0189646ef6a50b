import {
  consistencyProofAsync,
  CountersignError,
  encodeBase64,
  formatEntryBundle,
  HASH_BYTES,
  inclusionProofAsync,
  parseTilePath,
  TILE_WIDTH,
  tileRows,
  utf8Bytes,
  type AsyncHashReader,
  type Tile,
} from 'countersign/core'
import type { FrozenLog, Store } from '../storage/store.js'
import { LedgerRefusal } from './errors.js'
import type { LogHashes } from './folded.js'

/** One tree that can be read and proved: the published part of the active log, or a frozen log as a whole. */
export interface TreeReads {
  readonly size: number
  readTile(level: number, n: number): Promise<Uint8Array | undefined>
  readonly hashes: AsyncHashReader
  /** Entries `from <= index < to`, at most 1024. */
  readEntries(from: number, to: number): Promise<string[]>
}

export function activeTree(store: Store, { active: hashes }: LogHashes, publishedSize: number): TreeReads {
  return {
    size: publishedSize,
    hashes,
    readTile: (level, n) => store.readTile(level, n),
    readEntries: (from, to) => store.readEntries(from, to),
  }
}

export function frozenTree(store: Store, hashes: LogHashes, { number, size }: FrozenLog): TreeReads {
  return {
    size,
    hashes: hashes.frozen({ number }),
    readTile: (level, n) => store.readFrozenTile(number, level, n),
    readEntries: (from, to) => store.readFrozenEntries(number, from, to),
  }
}

/**
 * A tile or entry bundle by its C2SP path below the log's prefix; undefined when there is none in the tree, or the path
 * is not the one spelling of a tile's path.
 */
export async function readPublicTile(tree: TreeReads, path: string): Promise<Uint8Array | undefined> {
  const tile = parseTile(path)
  if (tile === undefined || !isWithin(tile, tree.size)) return undefined
  return tile.level === 'entries' ? readEntryBundle(tree, tile) : readHashTile(tree, tile.level, tile)
}

function parseTile(path: string): Tile | undefined {
  try {
    return parseTilePath(path)
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** A wider tile begins with the narrower one, so every width up to the published one can be served for ever. */
function isWithin({ level, n, width }: Tile, size: number): boolean {
  const row = tileRows(size)[level === 'entries' ? 0 : level]
  if (row === undefined || n > row.full) return false
  return n < row.full || width <= row.partial
}

async function readHashTile(
  tree: TreeReads,
  level: number,
  { n, width }: Tile,
): Promise<Uint8Array | undefined> {
  const stored = await tree.readTile(level, n)
  return stored?.slice(0, width * HASH_BYTES)
}

async function readEntryBundle(tree: TreeReads, { n, width }: Tile): Promise<Uint8Array> {
  const first = n * TILE_WIDTH
  return formatEntryBundle((await tree.readEntries(first, first + width)).map(utf8Bytes))
}

/** Inclusion proof of an entry at a published size, hashes in base64. Throws LedgerRefusal `out-of-range`. */
export async function readInclusion(tree: TreeReads, index: number, size: number): Promise<string[]> {
  assertWithin(size, tree)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) outOfRange({ index, size })
  return (await inclusionProofAsync(index, size, tree.hashes)).map(encodeBase64)
}

/** Consistency proof between two published sizes, hashes in base64. Throws LedgerRefusal `out-of-range`. */
export async function readConsistency(tree: TreeReads, from: number, to: number): Promise<string[]> {
  assertWithin(to, tree)
  if (!Number.isSafeInteger(from) || from < 0 || from > to) outOfRange({ from, to })
  return (await consistencyProofAsync(from, to, tree.hashes)).map(encodeBase64)
}

/** The entry at a position over all logs of the identity. */
export async function readEntryAt(
  store: Store,
  frozen: readonly FrozenLog[],
  position: number,
): Promise<string | undefined> {
  if (!Number.isSafeInteger(position) || position < 0) return undefined
  const log = frozen.find(({ base, size }) => position >= base && position < base + size)
  if (log !== undefined) {
    const index = position - log.base
    return (await store.readFrozenEntries(log.number, index, index + 1))[0]
  }
  const last = frozen.at(-1)
  const index = position - (last === undefined ? 0 : last.base + last.size)
  return (await store.readEntries(index, index + 1))[0]
}

function assertWithin(size: number, tree: TreeReads): void {
  if (!Number.isSafeInteger(size) || size < 0 || size > tree.size) outOfRange({ size, published: tree.size })
}

function outOfRange(detail: Readonly<Record<string, number>>): never {
  throw new LedgerRefusal('out-of-range', 'the log has no such entry or size', detail)
}
