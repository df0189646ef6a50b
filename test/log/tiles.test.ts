import { describe, expect, it } from 'vitest'
import {
  appendLeaf,
  consistencyProofAsync,
  emptyRange,
  inclusionProofAsync,
  leafHash,
  rangeRoot,
  tilesForSize,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import { EMPTY_EDGE, extendEdge, readEdge, storedHashes, type TreeEdge } from '../../src/log/tiles.js'

const leaf = (index: number): Uint8Array => leafHash(utf8Bytes(`entry ${index}`))

/** A log of tiles alone, grown in batches of the sizes given. */
function grow(batches: readonly number[]) {
  const tiles = new Map<string, Uint8Array>()
  const roots = new Map<number, Uint8Array>()
  let edge: TreeEdge = EMPTY_EDGE
  for (const count of batches) {
    const first = edge.range.size
    const grown = extendEdge(
      edge,
      Array.from({ length: count }, (_, i) => leaf(first + i)),
    )
    for (const { level, n, data } of grown.tiles) tiles.set(`${level}/${n}`, data)
    edge = grown.edge
    roots.set(edge.range.size, rangeRoot(edge.range))
  }
  const read = (level: number, n: number) => Promise.resolve(tiles.get(`${level}/${n}`))
  return { tiles, roots, edge, read }
}

describe('the right edge', () => {
  it.each([
    [[1]],
    [[255, 1, 1]],
    [[256]],
    [[257, 254, 1, 1]],
    [[65_535, 1, 1]],
    [[65_536]],
    [[65_000, 1000, 70_000]],
  ])('grows by %j to the tree of those leaves', async (batches) => {
    const { tiles, edge, read } = grow(batches)
    const size = batches.reduce((a, b) => a + b)
    let expected = emptyRange()
    for (let i = 0; i < size; i++) expected = appendLeaf(expected, leaf(i))
    expect(edge.range).toEqual(expected)
    const widths = [...tilesForSize(size)].map(({ level, n, width }) => [`${level}/${n}`, width * 32])
    expect([...tiles].map(([name, { length }]) => [name, length]).sort()).toEqual(widths.sort())
    expect(await readEdge(size, read)).toEqual(edge)
  })

  it('can be read again for any earlier size, from wider tiles', async () => {
    const { roots, read } = grow([3, 250, 3, 1, 300, 2])
    for (const [size, root] of roots) expect(rangeRoot((await readEdge(size, read)).range)).toEqual(root)
  })

  it('is a value: a batch that fails leaves it as it was', () => {
    const before = grow([200]).edge
    const copy = structuredClone(before.partials)
    extendEdge(before, [leaf(1000)])
    expect(before.partials).toEqual(copy)
    expect(extendEdge(before, [leaf(200)]).edge).toEqual(grow([201]).edge)
  })

  it('refuses missing tiles', async () => {
    await expect(readEdge(5, () => Promise.resolve(undefined))).rejects.toMatchObject({
      code: 'proof-malformed',
    })
  })
})

describe('proofs from stored tiles', () => {
  it('hold for every index and size across a tile', async () => {
    const { roots, read } = grow([1, 1, 3, 200, 50, 1, 1, 10, 300])
    const hashes = storedHashes(read)
    for (const [size, root] of roots) {
      for (const index of [0, 1, Math.floor(size / 2), size - 1]) {
        if (index >= size) continue
        verifyInclusion(index, size, leaf(index), await inclusionProofAsync(index, size, hashes), root)
      }
      for (const [from, fromRoot] of roots) {
        if (from > size) continue
        verifyConsistency(from, size, await consistencyProofAsync(from, size, hashes), fromRoot, root)
      }
    }
  })
})
