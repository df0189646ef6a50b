import {
  appendLeaf,
  emptyRange,
  hashFromTiles,
  HASH_BYTES,
  readRange,
  refuse,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileHashReader,
  tileOf,
  tileRows,
  type AsyncHashReader,
  type MerkleRange,
} from 'countersign/core'
import type { TileRow } from '../storage/store.js'

export type ReadTile = (level: number, n: number) => Promise<Uint8Array | undefined>

/** The right edge of the tree: all that appending needs. A value; extending it gives another one. */
export interface TreeEdge {
  readonly range: MerkleRange
  /** The tile of each level that is not full, by level. */
  readonly partials: ReadonlyMap<number, Uint8Array>
}

export const EMPTY_EDGE: TreeEdge = { range: emptyRange(), partials: new Map() }

/** Reads the edge of a tree of this size. Nothing proves it yet: the caller compares its root. */
export async function readEdge(size: number, readTile: ReadTile): Promise<TreeEdge> {
  const partials = new Map<number, Uint8Array>()
  for (const { level, full, partial } of tileRows(size)) {
    if (partial === 0) continue
    const tile = await readTile(level, full)
    partials.set(level, (tile ?? missingTile(level, full)).slice(0, partial * HASH_BYTES))
  }
  const range = readRange(
    size,
    tileHashReader((level, n) => partials.get(level) ?? missingTile(level, n)),
  )
  return { range, partials }
}

export function missingTile(level: number, n: number): never {
  refuse('proof-malformed', 'a tile of the log is missing', { level, n })
}

interface OpenTile {
  readonly level: number
  readonly n: number
  readonly bytes: Uint8Array
  width: number
}

/** The edge with these leaves appended, and every tile that is new or wider because of them. */
export function extendEdge(
  edge: TreeEdge,
  leafHashes: readonly Uint8Array[],
): { edge: TreeEdge; tiles: TileRow[] } {
  const touched: OpenTile[] = []
  const open = new Map<number, OpenTile>()
  const visit = (height: number, index: number, hash: Uint8Array): void => {
    // Tiles keep the hashes of every eighth row; the rows between are folded from them.
    if (height % TILE_HEIGHT !== 0) return
    const level = height / TILE_HEIGHT
    const slot = index % TILE_WIDTH
    let tile = open.get(level)
    if (tile === undefined || slot === 0) {
      tile = openTile(
        level,
        Math.floor(index / TILE_WIDTH),
        slot === 0 ? undefined : edge.partials.get(level),
      )
      open.set(level, tile)
      touched.push(tile)
    }
    tile.bytes.set(hash, slot * HASH_BYTES)
    tile.width = slot + 1
  }
  const range = leafHashes.reduce((before, hash) => appendLeaf(before, hash, visit), edge.range)
  const tiles = touched.map(({ level, n, bytes, width }) => ({
    level,
    n,
    data: bytes.slice(0, width * HASH_BYTES),
  }))
  return { edge: { range, partials: nextPartials(edge.partials, tiles) }, tiles }
}

function openTile(level: number, n: number, begun: Uint8Array | undefined): OpenTile {
  const bytes = new Uint8Array(TILE_WIDTH * HASH_BYTES)
  if (begun !== undefined) bytes.set(begun)
  return { level, n, bytes, width: 0 }
}

function nextPartials(
  before: ReadonlyMap<number, Uint8Array>,
  tiles: readonly TileRow[],
): Map<number, Uint8Array> {
  const partials = new Map(before)
  for (const { level, data } of tiles) {
    if (data.length === TILE_WIDTH * HASH_BYTES) partials.delete(level)
    else partials.set(level, data)
  }
  return partials
}

/** Hashes of complete subtrees out of stored tiles, each tile read once. */
export function storedHashes(readTile: ReadTile): AsyncHashReader {
  return async (coords) => {
    const tiles = new Map<string, Uint8Array>()
    for (const { level, n } of coords.map(tileOf)) {
      const name = `${level}/${n}`
      if (!tiles.has(name)) tiles.set(name, (await readTile(level, n)) ?? missingTile(level, n))
    }
    const read = (level: number, n: number): Uint8Array => tiles.get(`${level}/${n}`) ?? missingTile(level, n)
    return coords.map(({ level, index }) => hashFromTiles(level, index, read))
  }
}
