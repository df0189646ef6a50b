import {
  consistencyProofAsync,
  CountersignError,
  encodeBase64,
  formatEntryBundle,
  formatRevocations,
  HASH_BYTES,
  inclusionProofAsync,
  parseTilePath,
  TILE_WIDTH,
  tileRows,
  utf8Bytes,
  type Tile,
} from 'countersign/core'
import type { Store } from '../storage/store.js'
import { LedgerRefusal } from './errors.js'
import { storedHashes } from './tiles.js'

/**
 * A tile or entry bundle by its C2SP path below the log's prefix; undefined when there is none in the published tree,
 * or the path is not the one spelling of a tile's path.
 */
export async function readPublicTile(
  store: Store,
  path: string,
  publishedSize: number,
): Promise<Uint8Array | undefined> {
  const tile = parseTile(path)
  if (tile === undefined || !isPublished(tile, publishedSize)) return undefined
  return tile.level === 'entries' ? readEntryBundle(store, tile) : readHashTile(store, tile.level, tile)
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
function isPublished({ level, n, width }: Tile, size: number): boolean {
  const row = tileRows(size)[level === 'entries' ? 0 : level]
  if (row === undefined || n > row.full) return false
  return n < row.full || width <= row.partial
}

async function readHashTile(
  store: Store,
  level: number,
  { n, width }: Tile,
): Promise<Uint8Array | undefined> {
  const stored = await store.readTile(level, n)
  return stored?.slice(0, width * HASH_BYTES)
}

async function readEntryBundle(store: Store, { n, width }: Tile): Promise<Uint8Array> {
  const first = n * TILE_WIDTH
  return formatEntryBundle((await store.readEntries(first, first + width)).map(utf8Bytes))
}

/** Inclusion proof of an entry at a published size, hashes in base64. Throws LedgerRefusal `out-of-range`. */
export async function readInclusion(
  store: Store,
  index: number,
  size: number,
  published: number,
): Promise<string[]> {
  assertPublished(size, published)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) outOfRange({ index, size })
  return (await inclusionProofAsync(index, size, hashes(store))).map(encodeBase64)
}

/** Consistency proof between two published sizes, hashes in base64. Throws LedgerRefusal `out-of-range`. */
export async function readConsistency(
  store: Store,
  from: number,
  to: number,
  published: number,
): Promise<string[]> {
  assertPublished(to, published)
  if (!Number.isSafeInteger(from) || from < 0 || from > to) outOfRange({ from, to })
  return (await consistencyProofAsync(from, to, hashes(store))).map(encodeBase64)
}

/** The document of a revocation list that a snapshot named. */
export async function readRevocations(store: Store, rootHex: string): Promise<Uint8Array | undefined> {
  if (!/^[0-9a-f]{64}$/.test(rootHex)) return undefined
  const lines = await store.readRevocationList(rootHex)
  return lines === undefined ? undefined : formatRevocations(lines)
}

function hashes(store: Store) {
  return storedHashes((level, n) => store.readTile(level, n))
}

function assertPublished(size: number, published: number): void {
  if (!Number.isSafeInteger(size) || size < 0 || size > published) outOfRange({ size, published })
}

function outOfRange(detail: Readonly<Record<string, number>>): never {
  throw new LedgerRefusal('out-of-range', 'the log has no such entry or size', detail)
}
