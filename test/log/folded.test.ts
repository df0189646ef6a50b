import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  consistencyProofAsync,
  HASH_BYTES,
  inclusionProofAsync,
  leafHash,
  rangeRoot,
  toHex,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
  type AsyncHashReader,
  type SubtreeCoord,
} from 'countersign/core'
import { openHashes } from '../../src/log/folded.js'
import { EMPTY_EDGE, extendEdge, storedHashes, type TreeEdge } from '../../src/log/tiles.js'

const texts = (hashes: readonly Uint8Array[]): string[] => hashes.map(toHex)

/** A log of tiles alone that grows between reads, as a store's does. */
function growing(name: string) {
  const tiles = new Map<string, Uint8Array>()
  const roots = new Map<number, Uint8Array>()
  let edge: TreeEdge = EMPTY_EDGE
  return {
    tiles,
    roots,
    size: () => edge.range.size,
    leaf: (index: number) => leafHash(utf8Bytes(`${name} ${index}`)),
    read: (level: number, n: number) => Promise.resolve(tiles.get(`${level}/${n}`)),
    grow(count: number) {
      const first = edge.range.size
      const leaves = Array.from({ length: count }, (_, i) => this.leaf(first + i))
      const grown = extendEdge(edge, leaves)
      for (const { level, n, data } of grown.tiles) tiles.set(`${level}/${n}`, data)
      edge = grown.edge
      roots.set(edge.range.size, rangeRoot(edge.range))
    },
  }
}

function opened(maxTiles?: number) {
  const active = growing('active')
  const first = growing('first')
  const store = {
    readTile: active.read,
    readFrozenTile: (_: number, level: number, n: number) => first.read(level, n),
  }
  return { active, first, hashes: openHashes(store, maxTiles) }
}

/** Every complete subtree of a tree of this size. */
function subtreesOf(size: number): SubtreeCoord[] {
  const coords: SubtreeCoord[] = []
  for (let level = 0; 2 ** level <= size; level++)
    for (let index = 0; (index + 1) * 2 ** level <= size; index++) coords.push({ level, index })
  return coords
}

describe('folded tiles', () => {
  it.each([1, 2, 4096])(
    'say what the tiles say, however they grow, with room for %d of them',
    async (room) => {
      const { active, hashes } = opened(room)
      for (const count of [1, 6, 1, 9, 200, 39, 1, 300]) {
        active.grow(count)
        const coords = subtreesOf(active.size())
        const expected = await storedHashes(active.read)(coords)
        expect(await hashes.active(coords)).toEqual(expected)
        expect(await hashes.active(coords.toReversed())).toEqual(expected.toReversed())
      }
    },
  )

  it('say it for any coordinates in any order', async () => {
    const { active, hashes } = opened(3)
    active.grow(70_000)
    const coords = fc
      .tuple(fc.nat(16), fc.nat(69_999))
      .map(([level, at]) => ({ level, index: Math.floor(at / 2 ** level) }))
      .filter(({ level, index }) => (index + 1) * 2 ** level <= 70_000)
    const plain = storedHashes(active.read)
    await fc.assert(
      fc.asyncProperty(fc.array(coords, { maxLength: 20 }), async (some) => {
        expect(texts(await hashes.active(some))).toEqual(texts(await plain(some)))
      }),
      { numRuns: 200 },
    )
  })

  it('prove what they are asked for', async () => {
    const { active, hashes } = opened()
    for (const count of [100, 156, 1, 300]) active.grow(count)
    for (const [size, root] of active.roots) {
      const index = size - 2
      verifyInclusion(
        index,
        size,
        active.leaf(index),
        await inclusionProofAsync(index, size, hashes.active),
        root,
      )
      const proof = await consistencyProofAsync(100, size, hashes.active)
      verifyConsistency(100, size, proof, active.roots.get(100) ?? root, root)
    }
  })

  it('keep each log apart from the others', async () => {
    const { active, first, hashes } = opened()
    active.grow(300)
    first.grow(300)
    const coords = subtreesOf(300)
    const frozen = hashes.frozen({ number: 1 })
    const said = async (read: AsyncHashReader) => texts(await read(coords))
    expect(await said(hashes.active)).toEqual(await said(storedHashes(active.read)))
    expect(await said(frozen)).toEqual(await said(storedHashes(first.read)))
    expect(await said(frozen)).not.toEqual(await said(hashes.active))
  })

  it('are folded once: a row that is known is not read from its tile again', async () => {
    const { active, hashes } = opened()
    active.grow(256)
    const half = { level: 7, index: 1 }
    const before = await hashes.active([half])
    active.tiles.set('0/0', new Uint8Array(256 * HASH_BYTES))
    expect(await hashes.active([half])).toEqual(before)
  })

  it('forget the tile that was used least lately', async () => {
    const { active, hashes } = opened(2)
    active.grow(768)
    const halves = [0, 2, 4].map((index) => ({ level: 7, index }))
    const [first, second, third] = halves as [SubtreeCoord, SubtreeCoord, SubtreeCoord]
    const before = await hashes.active([first])
    await hashes.active([second])
    await hashes.active([first])
    const lost = await hashes.active([second])
    for (const one of [first, third]) await hashes.active([one])
    for (const n of [0, 1]) active.tiles.set(`0/${n}`, new Uint8Array(256 * HASH_BYTES))
    expect(await hashes.active([first])).toEqual(before)
    expect(await hashes.active([second])).not.toEqual(lost)
  })

  it('refuse a tile that is missing or too narrow', async () => {
    const { active, hashes } = opened()
    const refused = { code: 'proof-malformed' }
    await expect(hashes.active([{ level: 0, index: 0 }])).rejects.toMatchObject(refused)
    active.grow(12)
    await expect(hashes.active([{ level: 0, index: 12 }])).rejects.toMatchObject(refused)
    await expect(hashes.active([{ level: 3, index: 1 }])).rejects.toMatchObject(refused)
    active.grow(4)
    expect(await hashes.active([{ level: 3, index: 1 }])).toEqual(
      await storedHashes(active.read)([{ level: 3, index: 1 }]),
    )
  })
})
