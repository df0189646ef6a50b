import { refuse } from './errors.js'
import { formatDecimal } from './lexical.js'
import {
  assertPrefixSizes,
  assertTreeSize,
  HASH_BYTES,
  type HashReader,
  merkleRoot,
  type SubtreeCoord,
} from './merkle.js'
import { recode } from './recode.js'

// C2SP tlog-tiles v0.1.0. A tile of level L holds up to 256 hashes, each the root of 256^L entries; a level
// above 0 holds hashes of full tiles only. The narrower tile is a prefix of the wider one.

/** Levels of the Merkle tree a tile covers. */
export const TILE_HEIGHT = 8

/** Hashes (or entries) of a full tile. */
export const TILE_WIDTH = 256

/** Highest tile level a path can name. */
const MAX_TILE_LEVEL = 63

/** Longest entry of a bundle: its length is written in two bytes. */
export const MAX_ENTRY_BYTES = 65535

/** A tile of hashes (`level` 0 to 63) or a bundle of entries. */
export type TileLevel = number | 'entries'

/** One tile of a tree: `width` is 256 when it is full. */
export interface Tile {
  readonly level: TileLevel
  readonly n: number
  readonly width: number
}

/** A tile of hashes. */
export type HashTile = Tile & { readonly level: number }

/**
 * The path of a tile below the prefix of its log: `tile/0/x001/x234/067.p/12`, without `.p/…` when it is
 * full. Throws `tile-path-invalid` for a level, number or width outside its range.
 */
export function formatTilePath(level: TileLevel, n: number, width: number = TILE_WIDTH): string {
  const isLevel = level === 'entries' || (Number.isInteger(level) && level >= 0 && level <= MAX_TILE_LEVEL)
  if (!isLevel || !Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
    refuse('tile-path-invalid', 'not a tile', { level, width })
  }
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`
  return `tile/${level}/${formatTileNumber(n)}${partial}`
}

function formatTileNumber(n: number): string {
  const digits = recode('tile-path-invalid', 'the number of a tile', () => formatDecimal(n))
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? []
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
}

const TILE_PATH = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/

/**
 * Inverse of {@link formatTilePath}. Throws `tile-path-invalid` for every other spelling: leading zeros, a
 * group too many, `.p/256`.
 */
export function parseTilePath(path: string): Tile {
  const [, level, number, width] = TILE_PATH.exec(path) ?? []
  if (level === undefined || number === undefined) refuse('tile-path-invalid', 'not the path of a tile')
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    // Leading zeros are padding here; a number with the wrong padding does not format to the same path.
    n: Number(number.replace(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  }
  if (formatTilePath(tile.level, tile.n, tile.width) !== path) {
    refuse('tile-path-invalid', 'not the one spelling of a tile path', { path: path.slice(0, 80) })
  }
  return tile
}

/**
 * The tiles of one level of a tree: how many are full, and how wide the one after them is (0: there is none).
 */
export interface TileRow {
  readonly level: number
  readonly full: number
  readonly partial: number
}

/** The rows of hash tiles of a tree of this size, lowest level first. Entry bundles are as row 0. */
export function tileRows(size: number): TileRow[] {
  assertTreeSize(size)
  const rows: TileRow[] = []
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
    rows.push({ level, full: Math.floor(hashes / TILE_WIDTH), partial: hashes % TILE_WIDTH })
  }
  return rows
}

/**
 * Every hash tile of a tree of this size, lowest level first. Lazy: a large tree has as many as it has
 * entries / 255.
 */
export function tilesForSize(size: number): Generator<HashTile> {
  return tilesBetween(0, size)
}

/**
 * The hash tiles that are new or wider in the tree of `to` entries than in that of `from`, lowest level
 * first.
 */
export function* tilesBetween(from: number, to: number): Generator<HashTile> {
  assertPrefixSizes(from, to)
  let before = from
  for (const { level, full, partial } of tileRows(to)) {
    if (before < full * TILE_WIDTH + partial) {
      for (let n = Math.floor(before / TILE_WIDTH); n < full; n++) yield { level, n, width: TILE_WIDTH }
      if (partial > 0) yield { level, n: full, width: partial }
    }
    before = Math.floor(before / TILE_WIDTH)
  }
}

/** Where the hash of a complete subtree is found: fold `count` hashes of the tile from `first` on. */
export interface TileSlice {
  readonly level: number
  readonly n: number
  readonly first: number
  readonly count: number
}

/**
 * The one tile that holds the hashes below a complete subtree. It needs a width of at least `first + count`.
 */
export function tileOf({ level, index }: SubtreeCoord): TileSlice {
  const count = 2 ** (level % TILE_HEIGHT)
  const perTile = TILE_WIDTH / count
  return {
    level: Math.floor(level / TILE_HEIGHT),
    n: Math.floor(index / perTile),
    first: (index % perTile) * count,
    count,
  }
}

/**
 * The hash of the complete subtree (`level`, `index`), folded from one tile. `readTile` returns the bytes of
 * a tile that is at least `width` hashes wide. The tile is not authenticated by this: a proof made of such
 * hashes is, by its root. Throws `proof-malformed` when the tile is narrower.
 */
export function hashFromTiles(
  level: number,
  index: number,
  readTile: (level: number, n: number, width: number) => Uint8Array,
): Uint8Array {
  const slice = tileOf({ level, index })
  const width = slice.first + slice.count
  const tile = readTile(slice.level, slice.n, width)
  if (tile.length < width * HASH_BYTES) refuse('proof-malformed', 'the tile is too narrow', { width })
  return merkleRoot(splitHashes(tile.subarray(slice.first * HASH_BYTES, width * HASH_BYTES)))
}

/** {@link hashFromTiles} as the reader that proofs and roots are made with. */
export function tileHashReader(
  readTile: (level: number, n: number, width: number) => Uint8Array,
): HashReader {
  return (level, index) => hashFromTiles(level, index, readTile)
}

/** The hashes of a tile of exactly this width. Throws `proof-malformed` for any other number of bytes. */
export function parseHashTile(bytes: Uint8Array, width: number): Uint8Array[] {
  if (width < 1 || width > TILE_WIDTH || bytes.length !== width * HASH_BYTES) {
    refuse('proof-malformed', 'not a tile of this width', { width, bytes: bytes.length })
  }
  return splitHashes(bytes)
}

function splitHashes(bytes: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += HASH_BYTES) hashes.push(bytes.subarray(at, at + HASH_BYTES))
  return hashes
}

/**
 * Entries as a bundle: each with its length before it in two bytes. Throws `input-too-large` over 65535
 * bytes.
 */
export function formatEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((length, entry) => length + 2 + entry.length, 0))
  let at = 0
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) refuse('input-too-large', 'an entry has at most 65535 bytes')
    bytes[at] = entry.length >> 8
    bytes[at + 1] = entry.length & 0xff
    bytes.set(entry, at + 2)
    at += 2 + entry.length
  }
  return bytes
}

/**
 * Inverse of {@link formatEntryBundle}; the entries are views of `bytes`. Throws `proof-malformed` for a
 * cut-off entry, for more than 256 of them, or for another number than `width` when that is given.
 */
export function parseEntryBundle(bytes: Uint8Array, width?: number): Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
    if (at + 2 > bytes.length || end > bytes.length || entries.length === TILE_WIDTH) {
      refuse('proof-malformed', 'the entry bundle is cut off or too wide', { entries: entries.length })
    }
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  if (width !== undefined && entries.length !== width) {
    refuse('proof-malformed', 'the entry bundle has another width', { width, entries: entries.length })
  }
  return entries
}
