import {
  CountersignError,
  type HashReader,
  leafHash,
  nodeHash,
  signerFromSeed,
  type Signer,
} from 'countersign/core'

/** The code `step` refuses with, or `accepted`. Anything but a refusal is a fault of the code under test. */
export function codeOf(step: () => unknown): string {
  try {
    step()
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
  return 'accepted'
}

/** A signer whose seed is this byte 32 times. */
export function testSigner(byte: number): Signer {
  return signerFromSeed(new Uint8Array(32).fill(byte))
}

/** Leaf hashes of the entries `0`, `1`, … each of one byte (modulo 256) unless they are given. */
export function byteLeaves(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i % 256)))
}

/** Reads complete subtrees of a small tree, hashed from its leaves. */
export function readerOver(leaves: readonly Uint8Array[]): HashReader {
  const rows = [leaves]
  const read: HashReader = (level, index) => {
    for (let below = rows.at(-1) ?? []; rows.length <= level; below = rows.at(-1) ?? []) {
      rows.push(
        Array.from({ length: Math.floor(below.length / 2) }, (_, i) =>
          nodeHash(below[2 * i]!, below[2 * i + 1]!),
        ),
      )
    }
    const hash = rows[level]?.[index]
    if (hash === undefined) throw new RangeError(`no complete subtree ${level}/${index}`)
    return hash
  }
  return read
}

/**
 * A tree of any size whose entries are all alike, but for some: nothing is stored, every hash can be read.
 */
export function sparseReader(special: readonly number[]): HashReader {
  const plain: Uint8Array[] = [leafHash(Uint8Array.of(0))]
  for (let level = 1; level <= 53; level++) plain.push(nodeHash(plain[level - 1]!, plain[level - 1]!))
  const read: HashReader = (level, index) => {
    const start = index * 2 ** level
    if (!special.some((at) => at >= start && at - start < 2 ** level)) return plain[level]!
    if (level === 0) return sparseLeaf(index)
    return nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
  }
  return read
}

/** The leaf hash of a special entry of {@link sparseReader}. */
export function sparseLeaf(index: number): Uint8Array {
  return leafHash(new TextEncoder().encode(`special ${index}`))
}

/** A copy with one bit of one byte changed. */
export function flipped(bytes: Uint8Array, at = 0): Uint8Array {
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}
