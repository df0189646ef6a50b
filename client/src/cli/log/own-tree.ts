import {
  appendLeaf,
  concatBytes,
  emptyRange,
  encodeBase64,
  decodeBase64,
  rangeRoot,
  readRange,
  refuse,
  tileHashReader,
  TILE_HEIGHT,
  TILE_WIDTH,
  type MerkleRange,
} from '../../core/index.js'

/** A tile of a tree that was hashed here. */
export interface OwnTile {
  readonly level: number
  readonly n: number
  readonly hashes: readonly Uint8Array[]
}

/** The right edge of a tree: its size, and by level the hashes of the tile that is not full, base64 in a row. */
export interface TreeDocument {
  readonly size: number
  readonly edge: readonly string[]
}

/** A tree of our own over the entries as they were served. Memory is that of its right edge. */
export interface OwnTree {
  readonly size: number
  root(): Uint8Array
  /** Appends a leaf; the tiles that it made full, lowest level first. */
  append(leafHash: Uint8Array): readonly OwnTile[]
  /** The tiles that are not full at this size. */
  edge(): readonly OwnTile[]
  document(): TreeDocument
}

/** An empty tree, or one that goes on from its right edge. */
export function openOwnTree(from: TreeDocument = { size: 0, edge: [] }): OwnTree {
  const edge = from.edge.map((row) => splitHashes(decodeBase64(row)))
  let range = rangeOf(from.size, edge)
  const full: OwnTile[] = []

  const visit = (level: number, index: number, hash: Uint8Array): void => {
    if (level % TILE_HEIGHT !== 0) return
    const at = level / TILE_HEIGHT
    const tile = (edge[at] ??= [])
    tile.push(hash)
    if (tile.length < TILE_WIDTH) return
    full.push({ level: at, n: Math.floor(index / TILE_WIDTH), hashes: tile })
    edge[at] = []
  }
  return {
    get size() {
      return range.size
    },
    root: () => rangeRoot(range),
    append(hash) {
      full.length = 0
      range = appendLeaf(range, hash, visit)
      return full.length === 0 ? NONE : [...full]
    },
    edge: () =>
      edge.flatMap((hashes, level) => {
        const n = Math.floor(range.size / TILE_WIDTH ** (level + 1))
        return hashes.length === 0 ? [] : [{ level, n, hashes: [...hashes] }]
      }),
    document: () => ({
      size: range.size,
      edge: edge.map((hashes) => encodeBase64(concatBytes(...hashes))),
    }),
  }
}

const NONE: readonly OwnTile[] = []

/** @throws CountersignError `proof-malformed` when the edge is not that of a tree of this size */
function rangeOf(size: number, edge: readonly (readonly Uint8Array[])[]): MerkleRange {
  if (size === 0) return emptyRange()
  const isWhole = edge.every(
    (hashes, level) => hashes.length === Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH,
  )
  if (!isWhole) refuse('proof-malformed', 'the edge is of another size', { size })
  const read = tileHashReader((level) => concatBytes(...(edge[level] ?? [])))
  return readRange(size, read)
}

function splitHashes(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / 32) }, (_, i) => bytes.slice(i * 32, i * 32 + 32))
}
