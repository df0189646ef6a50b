import { HASH_BYTES, nodeHash, refuse, TILE_HEIGHT, tileOf, type AsyncHashReader } from 'countersign/core'
import type { FrozenLog, Store } from '../storage/store.js'
import { missingTile, type ReadTile } from './tiles.js'

/** Hashes of complete subtrees of every log there is, as proofs are made of them. */
export interface LogHashes {
  readonly active: AsyncHashReader
  frozen(log: Pick<FrozenLog, 'number'>): AsyncHashReader
}

/** Tiles whose rows are remembered: 2 KiB each, and together they cover a million entries. */
const MAX_TILES = 4096

/** Rows below this one are folded from the tile each time: three hashes, against seven eighths of the memory. */
const LOWEST_KEPT = 3

/** Rows 3 to 7 of a tile, numbered as a heap: 2 and 3 are the two halves, 32 to 63 its runs of eight. */
const PLACES = 64

/**
 * Reads tiles, and folds each of their rows once: a subtree that is complete and committed never changes, however wide
 * its tile becomes. For proofs alone, which whoever gets them verifies; what checks the database itself reads it anew
 * with `storedHashes`.
 */
export function openHashes(
  store: Pick<Store, 'readTile' | 'readFrozenTile'>,
  maxTiles = MAX_TILES,
): LogHashes {
  const kept = new Map<string, Uint8Array>()
  const rowsOf = (name: string): Uint8Array => {
    const rows = kept.get(name) ?? new Uint8Array(PLACES * HASH_BYTES)
    // Last in the order of insertion is the one used last.
    kept.delete(name)
    kept.set(name, rows)
    if (kept.size > maxTiles) kept.delete(kept.keys().next().value ?? '')
    return rows
  }
  const reader = (log: string, readTile: ReadTile): AsyncHashReader =>
    foldingReader(readTile, (level, n) => rowsOf(`${log}/${level}/${n}`))
  return {
    active: reader('active', (level, n) => store.readTile(level, n)),
    frozen: ({ number }) => reader(String(number), (level, n) => store.readFrozenTile(number, level, n)),
  }
}

function foldingReader(
  readTile: ReadTile,
  rowsOf: (level: number, n: number) => Uint8Array,
): AsyncHashReader {
  return async (coords) => {
    const open = new Map<string, OpenTile>()
    for (const { level, n } of coords.map(tileOf)) {
      const name = `${level}/${n}`
      if (open.has(name)) continue
      const bytes = (await readTile(level, n)) ?? missingTile(level, n)
      open.set(name, { bytes, rows: rowsOf(level, n) })
    }
    return coords.map((coord) => {
      const { level, n, first, count } = tileOf(coord)
      const tile = open.get(`${level}/${n}`) ?? missingTile(level, n)
      return fold(tile, coord.level % TILE_HEIGHT, first / count)
    })
  }
}

interface OpenTile {
  readonly bytes: Uint8Array
  /** Hashes by their places in the heap. Places 0 and 1 are nobody's: there stands, byte by byte, which are known. */
  readonly rows: Uint8Array
}

function fold(tile: OpenTile, row: number, index: number): Uint8Array {
  if (row === 0) return hashAt(tile.bytes, index)
  if (row < LOWEST_KEPT) return foldBelow(tile, row, index)
  const place = 2 ** (TILE_HEIGHT - row) + index
  if (tile.rows[place] === 0) {
    tile.rows.set(foldBelow(tile, row, index), place * HASH_BYTES)
    tile.rows[place] = 1
  }
  return hashAt(tile.rows, place)
}

function foldBelow(tile: OpenTile, row: number, index: number): Uint8Array {
  return nodeHash(fold(tile, row - 1, 2 * index), fold(tile, row - 1, 2 * index + 1))
}

function hashAt(bytes: Uint8Array, index: number): Uint8Array {
  const end = (index + 1) * HASH_BYTES
  if (end > bytes.length) refuse('proof-malformed', 'the tile is too narrow', { width: index + 1 })
  return bytes.subarray(index * HASH_BYTES, end)
}
