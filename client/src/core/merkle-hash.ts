import { equalBytes, sha256 } from './bytes.js'
import { refuse } from './errors.js'

// RFC 6962 section 2.1 / RFC 9162 section 2.1. Sizes go up to 2^53 - 1, where the 32-bit operators of the
// language are wrong: positions are halved and doubled as numbers, never shifted.

/** Bytes of every hash here. */
export const HASH_BYTES = 32

/** Most hashes a proof can have, whatever the size of the tree. */
export const MAX_PROOF_HASHES = 63

/** Root of the tree without entries: SHA-256 of nothing. Shared by all callers: never write to it. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0))

/** Hash of an entry: SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(data.length + 1)
  input.set(data, 1)
  return sha256(input)
}

// One buffer for all interior nodes: hashing is synchronous and nothing keeps a reference to it.
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES)
nodeInput[0] = 1

/**
 * Hash of an interior node: SHA-256(0x01 || left || right). Throws `proof-malformed` unless both have 32
 * bytes.
 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  assertHash(left)
  assertHash(right)
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + HASH_BYTES)
  return sha256(nodeInput)
}

function assertHash(hash: Uint8Array): void {
  if (hash.length !== HASH_BYTES) refuse('proof-malformed', 'a hash has 32 bytes', { bytes: hash.length })
}

/** A tree size this package can count: an integer up to 2^53 - 1. Throws `proof-malformed`. */
export function assertTreeSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) refuse('proof-malformed', 'not a tree size')
}

/** `index` is that of an entry of the tree. Throws `proof-malformed`. */
export function assertIndex(index: number, size: number): void {
  assertTreeSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    refuse('proof-malformed', 'the index is not in the tree', { size })
  }
}

const half = (n: number): number => Math.floor(n / 2)
const isOdd = (n: number): boolean => n % 2 === 1

/** Root of the tree over these leaf hashes. */
export function merkleRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  let row = leafHashes
  // Pairing row by row and carrying a lone last node up gives the tree of the RFC.
  while (row.length > 1) row = pairUp(row)
  const [root] = row
  if (root === undefined) return EMPTY_ROOT
  assertHash(root)
  return root
}

function pairUp(row: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = []
  for (let i = 0; i < row.length; i += 2) {
    const left = row[i]
    const right = row[i + 1]
    if (left) above.push(right ? nodeHash(left, right) : left)
  }
  return above
}

/**
 * Proves that the entry with `leaf` is number `index` of the tree with this size and root. Throws
 * `proof-malformed` for an index outside the tree or a proof of another shape, `proof-mismatch` when it leads
 * to another root.
 */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  assertIndex(index, size)
  assertHash(root)
  const { inner, border } = pathShape(index, size - 1)
  assertProof(proof, inner + border)
  let node = index
  let hash = leaf
  assertHash(leaf)
  proof.forEach((sibling, level) => {
    hash = level >= inner || isOdd(node) ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
    node = half(node)
  })
  if (!equalBytes(hash, root))
    refuse('proof-mismatch', 'the inclusion proof leads to another root', { index, size })
}

/**
 * Proves that the tree (`from`, `rootFrom`) is a prefix of the tree (`to`, `rootTo`). The empty tree is a
 * prefix of every tree and needs no hashes. Throws `proof-malformed` for sizes or a proof of another shape,
 * `proof-mismatch` when it does not lead to both roots. With both checkpoints signed it is evidence of a
 * split view when `otherPast` is true in its detail: the proof builds `rootTo`, upon another tree of size
 * `from` than the one with `rootFrom`. Otherwise it leads nowhere and says nothing about the log.
 */
export function verifyConsistency(
  from: number,
  to: number,
  proof: readonly Uint8Array[],
  rootFrom: Uint8Array,
  rootTo: Uint8Array,
): void {
  assertPrefixSizes(from, to)
  assertHash(rootFrom)
  assertHash(rootTo)
  if (from === 0 || from === to) {
    assertProof(proof, 0)
    const expected = from === 0 ? EMPTY_ROOT : rootTo
    if (!equalBytes(rootFrom, expected) || (to === 0 && !equalBytes(rootTo, EMPTY_ROOT)))
      mismatch(from, to, from !== 0)
    return
  }
  const walked = walkConsistency(from, to, proof, rootFrom)
  if (!equalBytes(walked.to, rootTo)) mismatch(from, to, false)
  if (!equalBytes(walked.from, rootFrom)) mismatch(from, to, true)
}

function mismatch(from: number, to: number, otherPast: boolean): never {
  refuse('proof-mismatch', 'the consistency proof does not lead to both roots', { from, to, otherPast })
}

function walkConsistency(from: number, to: number, proof: readonly Uint8Array[], rootFrom: Uint8Array) {
  let node = from - 1
  let last = to - 1
  // Up to the largest complete subtree that ends where the smaller tree ends.
  while (isOdd(node)) {
    node = half(node)
    last = half(last)
  }
  const isPowerOfTwo = node === 0
  const { inner, border } = pathShape(node, last)
  const start = isPowerOfTwo ? 0 : 1
  assertProof(proof, inner + border + start)
  // A power of two: the smaller tree is itself the first node, and the proof leaves it out.
  const seed = (isPowerOfTwo ? rootFrom : proof[0]) ?? rootFrom
  const hashes = { from: seed, to: seed }
  for (let i = start; i < proof.length; i++, node = half(node)) {
    const sibling = proof[i] ?? seed
    if (i - start >= inner || isOdd(node)) {
      hashes.from = nodeHash(sibling, hashes.from)
      hashes.to = nodeHash(sibling, hashes.to)
    } else {
      hashes.to = nodeHash(hashes.to, sibling)
    }
  }
  return hashes
}

/** Levels until the paths of `node` and of the last node meet, and the left siblings above that. */
function pathShape(node: number, last: number): { inner: number; border: number } {
  let inner = 0
  let at = node
  for (let end = last; at !== end; end = half(end)) {
    at = half(at)
    inner++
  }
  let border = 0
  for (; at > 0; at = half(at)) if (isOdd(at)) border++
  return { inner, border }
}

function assertProof(proof: readonly Uint8Array[], length: number): void {
  if (proof.length !== length || proof.length > MAX_PROOF_HASHES) {
    refuse('proof-malformed', 'the proof has another number of hashes', {
      expected: length,
      found: proof.length,
    })
  }
  proof.forEach(assertHash)
}

/** Sizes in the order a consistency proof has them. Throws `proof-malformed`. */
export function assertPrefixSizes(from: number, to: number): void {
  assertTreeSize(from)
  assertTreeSize(to)
  if (from > to) refuse('proof-malformed', 'the first tree is the larger one', { from, to })
}
