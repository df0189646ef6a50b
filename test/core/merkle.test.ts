import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  appendLeaf,
  consistencyCoords,
  consistencyProof,
  consistencyProofAsync,
  EMPTY_ROOT,
  emptyRange,
  type HashReader,
  inclusionCoords,
  inclusionProof,
  inclusionProofAsync,
  leafHash,
  type MerkleRange,
  merkleRoot,
  nodeHash,
  rangeRoot,
  readRange,
  sha256,
  toHex,
  fromHex,
  treeCoords,
  treeRoot,
  treeRootAsync,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, flipped, readerOver, sparseLeaf, sparseReader } from '../support/tlog.js'

// Sub-tree proofs (start != 0) are not part of the protocol: the probe folders `subtreeinclusion` and
// `subtreeconsistency` and the third published digest are not run. The other two published digests are: a
// subtree [start, end) is the tree over those leaves.

const MAX = Number.MAX_SAFE_INTEGER
const REFUSED = /^proof-(malformed|mismatch)$/

function jsonFilesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name))
}

const decode = (text: string): Uint8Array => Buffer.from(text, 'base64')

interface InclusionProbe {
  leafIdx: number
  treeSize: number
  root: string
  leafHash: string
  proof: string[] | null
  wantErr: boolean
}

interface ConsistencyProbe {
  size1: number
  size2: number
  root1: string
  root2: string
  proof: string[] | null
  wantErr: boolean
}

const inclusionProbes = vectors('transparency-dev+merkle/inclusion')
describe.skipIf(!inclusionProbes)('published inclusion probes', () => {
  const files = inclusionProbes ? jsonFilesBelow(inclusionProbes) : []

  it('are all there', () => expect(files).toHaveLength(98))

  it.each(files.map((file) => [file.slice(inclusionProbes?.length), file]))('%s', (_, file) => {
    const probe = readJson(file) as InclusionProbe
    const proof = (probe.proof ?? []).map(decode)
    const verify = () =>
      verifyInclusion(probe.leafIdx, probe.treeSize, decode(probe.leafHash), proof, decode(probe.root))
    expect(codeOf(verify)).toMatch(probe.wantErr ? REFUSED : /^accepted$/)
  })
})

const consistencyProbes = vectors('transparency-dev+merkle/consistency')
describe.skipIf(!consistencyProbes)('published consistency probes', () => {
  const files = consistencyProbes ? jsonFilesBelow(consistencyProbes) : []
  // Its equal roots have 12 bytes. A verifier that asks for 32-byte hashes refuses it, and should.
  const stricter = '/additional/sizes-are-equal-one-and-proof-is-empty.json'

  it('are all there, and the stricter one among them', () => {
    expect(files).toHaveLength(98)
    expect(files.filter((file) => file.endsWith(stricter))).toHaveLength(1)
  })

  it.each(files.map((file) => [file.slice(consistencyProbes?.length), file]))('%s', (name, file) => {
    const probe = readJson(file) as ConsistencyProbe
    const proof = (probe.proof ?? []).map(decode)
    const verify = () =>
      verifyConsistency(probe.size1, probe.size2, proof, decode(probe.root1), decode(probe.root2))
    if (name === stricter) expect(codeOf(verify)).toBe('proof-malformed')
    else expect(codeOf(verify)).toMatch(probe.wantErr ? REFUSED : /^accepted$/)
  })
})

const accumulatedFile = vectors('transparency-dev+merkle/accumulated.json')
describe.skipIf(!accumulatedFile)('accumulated digests over all trees to 130 entries', () => {
  interface Accumulated {
    subtreeHash: { sha256: string }
    subtreeInclusion: { sha256: string }
    derivedHere: Record<'roots' | 'inclusion' | 'consistency', { sha256: string }>
  }
  const expected = (accumulatedFile ? readJson(accumulatedFile) : {}) as Accumulated
  const leaves = byteLeaves(130)
  const read = readerOver(leaves)
  const line = (head: string, hashes: readonly Uint8Array[]): string =>
    `${[head, ...hashes.map(toHex)].join(' ')}\n`

  function digest(lines: Iterable<string>): string {
    const hash = createHash('sha256')
    for (const text of lines) hash.update(text)
    return hash.digest('hex')
  }

  function* validSubtrees(): Generator<[number, number]> {
    for (let end = 0; end <= 130; end++) {
      for (let start = 0; start <= end; start++) {
        let power = 1
        while (power < end - start) power *= 2
        if (start === 0 || start === end || start % power === 0) yield [start, end]
      }
    }
  }

  it('subtree hashes (published)', () => {
    function* lines() {
      for (const [start, end] of validSubtrees()) {
        yield line(`[${start}, ${end})`, [merkleRoot(leaves.slice(start, end))])
      }
    }
    expect(digest(lines())).toBe(expected.subtreeHash.sha256)
  })

  it('inclusion proofs in subtrees (published)', () => {
    function* lines() {
      for (const [start, end] of validSubtrees()) {
        const below = readerOver(leaves.slice(start, end))
        for (let index = start; index < end; index++) {
          yield line(`${index} [${start}, ${end})`, inclusionProof(index - start, end - start, below))
        }
      }
    }
    expect(digest(lines())).toBe(expected.subtreeInclusion.sha256)
  })

  it('roots', () => {
    function* lines() {
      for (let n = 0; n <= 130; n++) yield line(`${n}`, [treeRoot(n, read)])
    }
    expect(digest(lines())).toBe(expected.derivedHere.roots.sha256)
  })

  it('inclusion proofs', () => {
    function* lines() {
      for (let n = 1; n <= 130; n++) {
        for (let i = 0; i < n; i++) yield line(`${i} ${n}`, inclusionProof(i, n, read))
      }
    }
    expect(digest(lines())).toBe(expected.derivedHere.inclusion.sha256)
  })

  it('consistency proofs', () => {
    function* lines() {
      for (let n = 1; n <= 130; n++) {
        for (let m = 1; m <= n; m++) yield line(`${m} ${n}`, consistencyProof(m, n, read))
      }
    }
    expect(digest(lines())).toBe(expected.derivedHere.consistency.sha256)
  })
})

const treeFile = vectors('transparency-dev+merkle/rfc6962-tree8.json')
describe.skipIf(!treeFile)('the reference tree of RFC 6962', () => {
  const { leafInputsHex, rootHashesHexBySize } = (treeFile ? readJson(treeFile) : {}) as {
    leafInputsHex: string[]
    rootHashesHexBySize: string[]
  }

  it('has the published root at each of its sizes, by rows, by range and by stored hashes', () => {
    const leaves = leafInputsHex.map((hex) => leafHash(fromHex(hex)))
    expect(rootHashesHexBySize).toHaveLength(9)
    rootHashesHexBySize.forEach((root, size) => {
      const some = leaves.slice(0, size)
      const range = some.reduce((before, leaf) => appendLeaf(before, leaf), emptyRange())
      expect(toHex(merkleRoot(some))).toBe(root)
      expect(toHex(rangeRoot(range))).toBe(root)
      expect(toHex(treeRoot(size, readerOver(leaves)))).toBe(root)
    })
  })
})

describe('proofs of every small tree', () => {
  const leaves = byteLeaves(130)
  const read = readerOver(leaves)
  const roots = Array.from({ length: 131 }, (_, n) => merkleRoot(leaves.slice(0, n)))

  it('verify for the entry they were made for, and for no neighbour', () => {
    for (let n = 1; n <= 130; n++) {
      for (let i = 0; i < n; i++) {
        const proof = inclusionProof(i, n, read)
        verifyInclusion(i, n, leaves[i]!, proof, roots[n]!)
        if (i + 1 < n) {
          expect(codeOf(() => verifyInclusion(i + 1, n, leaves[i]!, proof, roots[n]!))).toMatch(REFUSED)
        }
      }
    }
  })

  it('verify from every prefix, and from no other root', () => {
    for (let n = 0; n <= 130; n++) {
      for (let m = 0; m <= n; m++) {
        const proof = consistencyProof(m, n, read)
        verifyConsistency(m, n, proof, roots[m]!, roots[n]!)
        const other = flipped(roots[m]!)
        expect(codeOf(() => verifyConsistency(m, n, proof, other, roots[n]!))).toBe('proof-mismatch')
      }
    }
  })

  it('fail with any bit of any hash changed, one hash more, or one less', () => {
    const n = 117
    const proof = inclusionProof(70, n, read)
    const growth = consistencyProof(70, n, read)
    for (let k = 0; k < proof.length; k++) {
      const bad = proof.with(k, flipped(proof[k]!, k))
      expect(codeOf(() => verifyInclusion(70, n, leaves[70]!, bad, roots[n]!))).toBe('proof-mismatch')
    }
    for (let k = 0; k < growth.length; k++) {
      const bad = growth.with(k, flipped(growth[k]!, k))
      expect(codeOf(() => verifyConsistency(70, n, bad, roots[70]!, roots[n]!))).toBe('proof-mismatch')
    }
    for (const bad of [proof.slice(1), proof.slice(0, -1), [...proof, EMPTY_ROOT], []]) {
      expect(codeOf(() => verifyInclusion(70, n, leaves[70]!, bad, roots[n]!))).toBe('proof-malformed')
    }
    for (const bad of [growth.slice(1), growth.slice(0, -1), [...growth, EMPTY_ROOT], []]) {
      expect(codeOf(() => verifyConsistency(70, n, bad, roots[70]!, roots[n]!))).toBe('proof-malformed')
    }
  })

  it('are the same when the store answers later', async () => {
    const later = async (coords: readonly { level: number; index: number }[]) =>
      coords.map(({ level, index }) => read(level, index))
    for (const [m, n] of [
      [0, 0],
      [0, 5],
      [1, 130],
      [64, 129],
      [99, 100],
      [100, 100],
    ] as const) {
      expect(await treeRootAsync(n, later)).toEqual(roots[n])
      expect(await consistencyProofAsync(m, n, later)).toEqual(consistencyProof(m, n, read))
      if (m < n) expect(await inclusionProofAsync(m, n, later)).toEqual(inclusionProof(m, n, read))
    }
    await expect(inclusionProofAsync(3, 100, async () => [])).rejects.toMatchObject({
      code: 'proof-malformed',
    })
  })
})

describe('trees past what 32-bit operators can count', () => {
  const edges = [2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53 - 64]
  const near = fc
    .tuple(fc.constantFrom(...edges), fc.integer({ min: -40, max: 40 }))
    .map(([edge, by]) => edge + by)
  const anySize = fc.oneof(near, fc.integer({ min: 1, max: MAX }), fc.integer({ min: 1, max: 5000 }))

  function provesEntry(index: number, size: number): void {
    const read = sparseReader([index])
    const root = treeRoot(size, read)
    const proof = inclusionProof(index, size, read)
    verifyInclusion(index, size, sparseLeaf(index), proof, root)
    const other = index === 0 ? size - 1 : index - 1
    if (size > 1)
      expect(codeOf(() => verifyInclusion(other, size, sparseLeaf(index), proof, root))).toMatch(REFUSED)
  }

  function provesPrefix(from: number, to: number): void {
    const read = sparseReader([0, from - 1, to - 1])
    const proof = consistencyProof(from, to, read)
    const [rootFrom, rootTo] = [treeRoot(from, read), treeRoot(to, read)]
    verifyConsistency(from, to, proof, rootFrom, rootTo)
    if (from === to) return
    // A tree of the same size that rewrote the entries they had in common.
    const forked = treeRoot(to, sparseReader([to - 1]))
    expect(codeOf(() => verifyConsistency(from, to, proof, rootFrom, forked))).toBe('proof-mismatch')
  }

  it.each(edges.flatMap((edge) => [edge - 1, edge, edge + 1]))('entries of a tree of %d', (size) => {
    for (const index of [0, 1, size / 2 - 1, size / 2, size - 2, size - 1].map(Math.floor))
      provesEntry(index, size)
  })

  it.each(edges.flatMap((edge) => [edge - 1, edge, edge + 1]))('prefixes of a tree of %d', (size) => {
    for (const from of [1, 2, 3, size / 2 - 1, size / 2, size / 2 + 1, size - 1, size].map(Math.floor)) {
      provesPrefix(from, size)
    }
  })

  it('any entry of any tree', () => {
    const cases = anySize.chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)))
    fc.assert(fc.property(cases, ([index, size]) => provesEntry(index, size)))
  })

  it('any prefix of any tree', () => {
    const cases = anySize.chain((size) => fc.tuple(fc.integer({ min: 1, max: size }), fc.constant(size)))
    fc.assert(fc.property(cases, ([from, to]) => provesPrefix(from, to)))
  })

  it('asks for complete subtrees inside the tree only', () => {
    const cases = anySize.chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)))
    fc.assert(
      fc.property(cases, ([index, size]) => {
        const asked = [
          ...inclusionCoords(index, size),
          ...consistencyCoords(index, size),
          treeCoords(size),
        ].flat()
        expect(
          asked.every((at) => Number.isInteger(at.index) && (at.index + 1) * 2 ** at.level <= size),
        ).toBe(true)
      }),
    )
  })

  it('refuses sizes it cannot count', () => {
    const h = EMPTY_ROOT
    for (const size of [-1, 1.5, 2 ** 53, 2 ** 64, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(codeOf(() => verifyInclusion(0, size, h, [], h))).toBe('proof-malformed')
      expect(codeOf(() => verifyConsistency(0, size, [], h, h))).toBe('proof-malformed')
      expect(codeOf(() => treeCoords(size))).toBe('proof-malformed')
    }
    for (const index of [-1, 0.5, 4, Number.NaN]) {
      expect(codeOf(() => verifyInclusion(index, 4, h, [h, h], h))).toBe('proof-malformed')
      expect(codeOf(() => inclusionCoords(index, 4))).toBe('proof-malformed')
    }
  })
})

describe('hashes and edges', () => {
  it('tells leaves from nodes', () => {
    const [a, b] = byteLeaves(2)
    const node = nodeHash(a!, b!)
    expect(node).not.toEqual(leafHash(Buffer.concat([a!, b!])))
    expect(node).toEqual(sha256(Uint8Array.of(1), a!, b!))
    expect(leafHash(new Uint8Array(0))).toEqual(sha256(Uint8Array.of(0)))
  })

  it('takes hashes of 32 bytes only', () => {
    const h = EMPTY_ROOT
    const short = h.subarray(1)
    const long = Buffer.concat([h, h])
    for (const bad of [short, long, new Uint8Array(0)]) {
      expect(codeOf(() => nodeHash(bad, h))).toBe('proof-malformed')
      expect(codeOf(() => nodeHash(h, bad))).toBe('proof-malformed')
      expect(codeOf(() => merkleRoot([bad]))).toBe('proof-malformed')
      expect(codeOf(() => appendLeaf(emptyRange(), bad))).toBe('proof-malformed')
      expect(codeOf(() => verifyInclusion(0, 1, bad, [], bad))).toBe('proof-malformed')
      expect(codeOf(() => verifyInclusion(0, 2, h, [bad], h))).toBe('proof-malformed')
      expect(codeOf(() => verifyConsistency(1, 1, [], bad, bad))).toBe('proof-malformed')
      expect(codeOf(() => verifyConsistency(1, 2, [bad], h, h))).toBe('proof-malformed')
    }
  })

  it('has no proof of more than 63 hashes', () => {
    const proof = Array.from({ length: 64 }, () => EMPTY_ROOT)
    expect(codeOf(() => verifyInclusion(0, MAX, EMPTY_ROOT, proof, EMPTY_ROOT))).toBe('proof-malformed')
    expect(inclusionCoords(MAX - 2, MAX).length).toBeLessThanOrEqual(63)
  })

  it('takes the empty tree as a prefix of every tree, with its one root and no hashes', () => {
    const root = merkleRoot(byteLeaves(3))
    verifyConsistency(0, 3, [], EMPTY_ROOT, root)
    expect(codeOf(() => verifyConsistency(0, 3, [], root, root))).toBe('proof-mismatch')
    expect(codeOf(() => verifyConsistency(0, 3, [root], EMPTY_ROOT, root))).toBe('proof-malformed')
    expect(codeOf(() => verifyConsistency(3, 0, [], root, EMPTY_ROOT))).toBe('proof-malformed')
    expect(codeOf(() => verifyConsistency(0, 0, [], root, root))).toBe('proof-mismatch')
  })
})

describe('ranges', () => {
  it('grow to the same roots as whole trees, and show every finished subtree once', () => {
    const leaves = byteLeaves(300)
    const read = readerOver(leaves)
    const seen = new Map<string, string>()
    let range: MerkleRange = emptyRange()
    leaves.forEach((leaf, i) => {
      range = appendLeaf(range, leaf, (level, index, hash) => {
        expect(seen.has(`${level}/${index}`)).toBe(false)
        seen.set(`${level}/${index}`, toHex(hash))
      })
      expect(range.size).toBe(i + 1)
      expect(rangeRoot(range)).toEqual(treeRoot(i + 1, read))
    })
    const fromSeen: HashReader = (level, index) => fromHex(seen.get(`${level}/${index}`)!)
    expect(treeRoot(300, fromSeen)).toEqual(rangeRoot(range))
    expect(readRange(300, fromSeen)).toEqual(range)
  })

  it('are values: appending leaves the old one as it was', () => {
    const [a, b, c] = byteLeaves(3)
    const one = appendLeaf(emptyRange(), a!)
    const two = appendLeaf(one, b!)
    expect(rangeRoot(one)).toEqual(a)
    expect(rangeRoot(appendLeaf(one, c!))).toEqual(nodeHash(a!, c!))
    expect(rangeRoot(two)).toEqual(nodeHash(a!, b!))
  })

  it('continue a tree past 2^32', () => {
    const size = 2 ** 32 + 2 ** 20 - 1
    const read = sparseReader([size])
    const grown = appendLeaf(readRange(size, read), sparseLeaf(size))
    expect(rangeRoot(grown)).toEqual(treeRoot(size + 1, read))
    expect(codeOf(() => appendLeaf({ size: MAX, hashes: [] }, sparseLeaf(0)))).toBe('proof-malformed')
  })
})
