import { refuse } from './errors.js'
import { assertIndex, assertPrefixSizes, assertTreeSize, EMPTY_ROOT, nodeHash } from './merkle-hash.js'

// Which stored hashes make up a root or a proof. Plans are computed apart from reading, so that one plan
// serves a store that answers now and one that answers later.

/** The complete subtree over the entries `[index * 2^level, (index + 1) * 2^level)`. */
export interface SubtreeCoord {
  readonly level: number
  readonly index: number
}

/** Reads the hash of a complete subtree. */
export type HashReader = (level: number, index: number) => Uint8Array

/** Reads many hashes at once, in the order asked. */
export type AsyncHashReader = (coords: readonly SubtreeCoord[]) => Promise<readonly Uint8Array[]>

/**
 * What a proof is made of: one group for each of its hashes, leaf side first. A group of several coordinates
 * is the right edge of the tree, whose complete subtrees (largest first) are folded into one hash by
 * {@link foldProof}.
 */
export type ProofCoords = readonly (readonly SubtreeCoord[])[]

/** Largest power of two smaller than `n` (n >= 2): where the RFC splits a tree. */
function splitPoint(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** The complete subtrees, largest first, that make up `[start, end)` where `start` is aligned to them. */
function completeSubtrees(start: number, end: number): SubtreeCoord[] {
  const coords: SubtreeCoord[] = []
  let level = 53
  let at = start
  for (let power = 2 ** 53; at < end; power /= 2, level--) {
    if (power > end - at) continue
    coords.push({ level, index: at / power })
    at += power
  }
  return coords
}

/** The complete subtrees, largest first, that make up a whole tree. */
export function treeCoords(size: number): readonly SubtreeCoord[] {
  assertTreeSize(size)
  return completeSubtrees(0, size)
}

/**
 * Which hashes prove entry `index` in the tree of this size. Throws `proof-malformed` when it is not in the
 * tree.
 */
export function inclusionCoords(index: number, size: number): ProofCoords {
  assertIndex(index, size)
  const groups: SubtreeCoord[][] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + splitPoint(end - start)
    groups.push(index < middle ? completeSubtrees(middle, end) : completeSubtrees(start, middle))
    if (index < middle) end = middle
    else start = middle
  }
  return groups.reverse()
}

/**
 * Which hashes prove the tree of `from` entries a prefix of the tree of `to`. Throws `proof-malformed` if
 * from > to.
 */
export function consistencyCoords(from: number, to: number): ProofCoords {
  assertPrefixSizes(from, to)
  if (from === 0) return []
  const groups: SubtreeCoord[][] = []
  let start = 0
  let end = to
  while (end !== from) {
    const middle = start + splitPoint(end - start)
    groups.push(from <= middle ? completeSubtrees(middle, end) : completeSubtrees(start, middle))
    if (from <= middle) end = middle
    else start = middle
  }
  // From the first entry on, the node is the smaller tree itself, whose root the verifier has.
  if (start > 0) groups.push(completeSubtrees(start, end))
  return groups.reverse()
}

/** The hashes of a proof, each group of coordinates folded from the right. */
export function foldProof(coords: ProofCoords, read: HashReader): Uint8Array[] {
  return coords.map((group) => foldSubtrees(group.map(({ level, index }) => read(level, index))))
}

function foldSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return EMPTY_ROOT
  return hashes.reduceRight((right, left) => nodeHash(left, right))
}

/** Inclusion proof of entry `index` in the tree of this size. `read` is asked for complete subtrees only. */
export function inclusionProof(index: number, size: number, read: HashReader): Uint8Array[] {
  return foldProof(inclusionCoords(index, size), read)
}

/** Consistency proof between two sizes of one tree. `read` is asked for complete subtrees only. */
export function consistencyProof(from: number, to: number, read: HashReader): Uint8Array[] {
  return foldProof(consistencyCoords(from, to), read)
}

/** Root of the tree of this size. */
export function treeRoot(size: number, read: HashReader): Uint8Array {
  return foldSubtrees(treeCoords(size).map(({ level, index }) => read(level, index)))
}

/** {@link foldProof} over a store that answers later: one read for all hashes. */
export async function foldProofAsync(coords: ProofCoords, read: AsyncHashReader): Promise<Uint8Array[]> {
  const hashes = await read(coords.flat())
  let next = 0
  return foldProof(
    coords,
    () => hashes[next++] ?? refuse('proof-malformed', 'the reader returned too few hashes'),
  )
}

/** {@link inclusionProof} over a store that answers later. */
export async function inclusionProofAsync(
  index: number,
  size: number,
  read: AsyncHashReader,
): Promise<Uint8Array[]> {
  return foldProofAsync(inclusionCoords(index, size), read)
}

/** {@link consistencyProof} over a store that answers later. */
export async function consistencyProofAsync(
  from: number,
  to: number,
  read: AsyncHashReader,
): Promise<Uint8Array[]> {
  return foldProofAsync(consistencyCoords(from, to), read)
}

/** {@link treeRoot} over a store that answers later. */
export async function treeRootAsync(size: number, read: AsyncHashReader): Promise<Uint8Array> {
  const [root] = await foldProofAsync([treeCoords(size)], read)
  return root ?? EMPTY_ROOT
}
