import { refuse } from './errors.js'
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from './merkle-hash.js'
import { type HashReader, treeCoords } from './merkle-tree.js'

/** The right edge of a tree: all that is needed to append to it. A value: appending returns another one. */
export interface MerkleRange {
  readonly size: number
  /** Hashes of the complete subtrees that make up the tree, largest first: {@link treeCoords} of the size. */
  readonly hashes: readonly Uint8Array[]
}

/** Told of each complete subtree that an appended leaf finishes: the leaf itself first, then upwards. */
export type NodeVisitor = (level: number, index: number, hash: Uint8Array) => void

/** The range of the tree without entries. */
export function emptyRange(): MerkleRange {
  return { size: 0, hashes: [] }
}

/** The range of an existing tree, read from its stored hashes. */
export function readRange(size: number, read: HashReader): MerkleRange {
  return { size, hashes: treeCoords(size).map(({ level, index }) => read(level, index)) }
}

/**
 * The range with one more leaf. Amortised one hash a leaf. `visit` sees every subtree that becomes complete,
 * which is what a store of tiles has to keep. Throws `proof-malformed` for a leaf hash of another length or a
 * full tree (2^53 - 1).
 */
export function appendLeaf(range: MerkleRange, leaf: Uint8Array, visit?: NodeVisitor): MerkleRange {
  if (leaf.length !== HASH_BYTES || range.size >= Number.MAX_SAFE_INTEGER) {
    refuse('proof-malformed', 'the leaf cannot be appended', { size: range.size, bytes: leaf.length })
  }
  const hashes = range.hashes.slice()
  let hash = leaf
  let level = 0
  let index = range.size
  visit?.(level, index, hash)
  // A complete left neighbour of the same height joins, like a carry.
  for (; index % 2 === 1; level++) {
    hash = nodeHash(hashes.pop() ?? EMPTY_ROOT, hash)
    index = (index - 1) / 2
    visit?.(level + 1, index, hash)
  }
  hashes.push(hash)
  return { size: range.size + 1, hashes }
}

/** Root of the tree of this range. */
export function rangeRoot(range: MerkleRange): Uint8Array {
  const { hashes } = range
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right))
}
