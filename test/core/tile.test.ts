import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  appendLeaf,
  consistencyProof,
  emptyRange,
  formatEntryBundle,
  formatTilePath,
  hashFromTiles,
  inclusionProof,
  leafHash,
  type MerkleRange,
  parseEntryBundle,
  parseHashTile,
  parseTilePath,
  TILE_WIDTH,
  tileHashReader,
  tileOf,
  tileRows,
  tilesBetween,
  tilesForSize,
  toHex,
  treeRoot,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, readerOver } from '../support/tlog.js'

const sumdbFile = vectors('golang+mod/tiles.json')
describe.skipIf(!sumdbFile)('published tile paths of another log', () => {
  interface SumdbTiles {
    paths: { sumdbPath: string; height: number; level: number; n: number; width: number }[]
    invalidPaths: string[]
  }
  const { paths, invalidPaths } = (
    sumdbFile ? readJson(sumdbFile) : { paths: [], invalidPaths: [] }
  ) as SumdbTiles
  // That log writes the height into the path and calls entries `data`; the numbering is the same. Its counts
  // of new tiles are for height 10 and say nothing here: `tilesBetween` is held to the definition below.
  const translate = (path: string): string =>
    path.replace(/^tile\/\d+\//, 'tile/').replace('/data/', '/entries/')

  it.each(paths)('$sumdbPath', ({ sumdbPath, height, level, n, width }) => {
    const isFull = width === 2 ** height
    const tile = { level: level === -1 ? ('entries' as const) : level, n, width: isFull ? TILE_WIDTH : width }
    expect(parseTilePath(translate(sumdbPath))).toEqual(tile)
    expect(formatTilePath(tile.level, tile.n, tile.width)).toBe(translate(sumdbPath))
  })

  it.each(invalidPaths)('refuses %s', (path) => {
    expect(codeOf(() => parseTilePath(translate(path)))).toBe('tile-path-invalid')
  })
})

const specFile = vectors('C2SP+C2SP/spec-examples.json')
describe.skipIf(!specFile)('the examples of the specification', () => {
  interface Examples {
    tileIndexEncoding: Record<string, string>
    tilesForSize: ({ size: number } & Record<string, { full: number; partial: number }>)[]
  }
  const { tileIndexEncoding, tilesForSize: sizes } = (
    specFile ? readJson(specFile) : { tilesForSize: [] }
  ) as Examples

  it('number tiles as printed', () => {
    expect(Object.keys(tileIndexEncoding)).not.toHaveLength(0)
    for (const [n, path] of Object.entries(tileIndexEncoding)) {
      expect(formatTilePath(0, Number(n))).toBe(`tile/0/${path}`)
      expect(parseTilePath(`tile/0/${path}`).n).toBe(Number(n))
    }
  })

  it.each(sizes)('tiles of a tree of $size', ({ size, ...levels }) => {
    const expected = Object.entries(levels).map(([name, row]) => ({ level: Number(name.slice(5)), ...row }))
    expect(tileRows(size)).toEqual(expected)
    const total = expected.reduce((sum, row) => sum + row.full + (row.partial > 0 ? 1 : 0), 0)
    expect([...tilesForSize(size)]).toHaveLength(total)
  })
})

const navigli = vectors('FiloSottile+sunlight/navigli2025h2/tile-0')
describe.skipIf(!navigli)('tiles of a real log', () => {
  const read = (name: string): Uint8Array => readFileSync(join(navigli ?? '', name))

  it.each(['000', '001', '002', '003'])('%s is a full tile', (name) => {
    expect(parseHashTile(read(name), 256)).toHaveLength(256)
    expect(codeOf(() => parseHashTile(read(name), 255))).toBe('proof-malformed')
  })

  it('start with their partial forms', () => {
    const partial = parseHashTile(read('003.p/10'), 10)
    expect(parseHashTile(read('003'), 256).slice(0, 10)).toEqual(partial)
  })

  it('give proofs of every size they reach, from full or partial tiles alike', () => {
    const wide = tileHashReader((level, n) => (level === 0 ? read(`00${n}`) : levelOne))
    const narrow = tileHashReader((level, n) =>
      level > 0 ? levelOne : read(n === 3 ? '003.p/10' : `00${n}`),
    )
    const levelOne = Buffer.concat([0, 1, 2, 3].map((n) => wideRoot(n)))
    function wideRoot(n: number): Uint8Array {
      return treeRoot(256, readerOver(parseHashTile(read(`00${n}`), 256)))
    }
    const root = treeRoot(778, wide)
    expect(treeRoot(778, narrow)).toEqual(root)
    const leaf = parseHashTile(read('003.p/10'), 10)[9]!
    verifyInclusion(777, 778, leaf, inclusionProof(777, 778, narrow), root)
    verifyConsistency(300, 778, consistencyProof(300, 778, narrow), treeRoot(300, wide), root)
    verifyConsistency(778, 1024, consistencyProof(778, 1024, wide), root, treeRoot(1024, wide))
  })
})

describe('tile paths', () => {
  it('have one spelling', () => {
    const accepted: [string, ReturnType<typeof parseTilePath>][] = [
      ['tile/0/000', { level: 0, n: 0, width: 256 }],
      ['tile/0/005', { level: 0, n: 5, width: 256 }],
      ['tile/63/x001/x234/067.p/12', { level: 63, n: 1234067, width: 12 }],
      ['tile/entries/x001/000.p/255', { level: 'entries', n: 1000, width: 255 }],
      ['tile/0/x009/x007/x199/x254/x740/991', { level: 0, n: Number.MAX_SAFE_INTEGER, width: 256 }],
    ]
    for (const [path, tile] of accepted) {
      expect(parseTilePath(path)).toEqual(tile)
      expect(formatTilePath(tile.level, tile.n, tile.width)).toBe(path)
    }
  })

  it.each([
    '',
    'tile/0/5',
    'tile/0/0005',
    'tile/0/x000/005',
    'tile/0/001/234',
    'tile/0/x001/x234',
    'tile/0/x01/234',
    'tile/00/005',
    'tile/01/005',
    'tile/64/005',
    'tile/-1/005',
    'tile/data/005',
    'tile/0/005.p/0',
    'tile/0/005.p/256',
    'tile/0/005.p/01',
    'tile/0/005.p/',
    'tile/0/005.p/1/',
    'tile/0/005.p/1\n',
    'tile/0/005/',
    '/tile/0/005',
    'tile/0/../005',
    'tile/0/٠٠٥',
    'tile/0/005?x',
    'tile/8/0/005',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x001/x009/x007/x199/x254/x740/991',
    'tile/0/x999/x999/x999/x999/x999/999',
  ])('refuse %j', (path) => {
    expect(codeOf(() => parseTilePath(path))).toBe('tile-path-invalid')
  })

  it('refuse to be made of what is no tile', () => {
    for (const level of [-1, 64, 0.5])
      expect(codeOf(() => formatTilePath(level, 0))).toBe('tile-path-invalid')
    for (const n of [-1, 0.5, 2 ** 53]) expect(codeOf(() => formatTilePath(0, n))).toBe('tile-path-invalid')
    for (const width of [0, 257, 1.5])
      expect(codeOf(() => formatTilePath(0, 0, width))).toBe('tile-path-invalid')
  })

  it('come back from any tile', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 }))
    const n = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 2000 }))
    fc.assert(
      fc.property(level, n, fc.integer({ min: 1, max: 256 }), (level, n, width) => {
        expect(parseTilePath(formatTilePath(level, n, width))).toEqual({ level, n, width })
      }),
    )
  })
})

describe('tiles of a growing tree', () => {
  /** Tiles as a log stores them: bytes by level and number, appended to as subtrees become complete. */
  function storeOf(size: number): Map<string, Uint8Array[]> {
    const tiles = new Map<string, Uint8Array[]>()
    let range: MerkleRange = emptyRange()
    for (const leaf of byteLeaves(size)) {
      range = appendLeaf(range, leaf, (level, index, hash) => {
        if (level % 8 !== 0) return
        const key = `${level / 8}/${Math.floor(index / 256)}`
        tiles.set(key, [...(tiles.get(key) ?? []), hash])
      })
    }
    return tiles
  }

  it('are exactly what the rows say, and hold every hash a root needs', () => {
    const size = 66_000
    const tiles = storeOf(size)
    const listed = [...tilesForSize(size)].map(({ level, n, width }) => [`${level}/${n}`, width])
    expect(listed).toHaveLength(tiles.size)
    for (const [key, width] of listed) expect(tiles.get(String(key))).toHaveLength(Number(width))
    const read = tileHashReader((level, n) => Buffer.concat(tiles.get(`${level}/${n}`) ?? []))
    const root = treeRoot(size, read)
    const proof = inclusionProof(65_999, size, read)
    verifyInclusion(65_999, size, leafHash(Uint8Array.of(65_999 % 256)), proof, root)
    verifyConsistency(65_535, size, consistencyProof(65_535, size, read), treeRoot(65_535, read), root)
  })

  it('are new or wider between two sizes, by definition', () => {
    const key = (tile: { level: unknown; n: number }): string => `${String(tile.level)}/${tile.n}`
    fc.assert(
      fc.property(fc.nat({ max: 70_000 }), fc.nat({ max: 3000 }), (from, by) => {
        const before = new Map([...tilesForSize(from)].map((tile) => [key(tile), tile.width]))
        const after = [...tilesForSize(from + by)].filter((tile) => before.get(key(tile)) !== tile.width)
        expect([...tilesBetween(from, from + by)]).toEqual(after)
      }),
      { numRuns: 40 },
    )
  })

  it('count past 2^32 without listing them all', () => {
    expect(tileRows(2 ** 52).map(({ full, partial }) => [full, partial])).toEqual([
      [2 ** 44, 0],
      [2 ** 36, 0],
      [2 ** 28, 0],
      [2 ** 20, 0],
      [2 ** 12, 0],
      [2 ** 4, 0],
      [0, 16],
    ])
    expect([...tilesBetween(2 ** 52 - 1, 2 ** 52)]).toEqual([
      { level: 0, n: 2 ** 44 - 1, width: 256 },
      { level: 1, n: 2 ** 36 - 1, width: 256 },
      { level: 2, n: 2 ** 28 - 1, width: 256 },
      { level: 3, n: 2 ** 20 - 1, width: 256 },
      { level: 4, n: 2 ** 12 - 1, width: 256 },
      { level: 5, n: 2 ** 4 - 1, width: 256 },
      { level: 6, n: 0, width: 16 },
    ])
    expect(tileOf({ level: 51, index: 1 })).toEqual({ level: 6, n: 0, first: 8, count: 8 })
  })

  it('refuse a tile narrower than asked', () => {
    const narrow = () => Buffer.concat(byteLeaves(3))
    expect(toHex(hashFromTiles(0, 2, narrow))).toBe(toHex(byteLeaves(3)[2]!))
    expect(codeOf(() => hashFromTiles(0, 3, narrow))).toBe('proof-malformed')
    expect(codeOf(() => hashFromTiles(2, 0, narrow))).toBe('proof-malformed')
    expect(codeOf(() => [...tilesBetween(2, 1)])).toBe('proof-malformed')
  })
})

describe('entry bundles', () => {
  const entries = ['', 'a', 'two words', 'x'.repeat(65_535)].map(utf8Bytes)

  it('come back as they went in', () => {
    const bytes = formatEntryBundle(entries)
    expect(parseEntryBundle(bytes).map((entry) => Buffer.from(entry).toString())).toEqual(
      entries.map((entry) => Buffer.from(entry).toString()),
    )
    expect(parseEntryBundle(bytes, 4)).toHaveLength(4)
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 256 }), (some) => {
        expect(parseEntryBundle(formatEntryBundle(some), some.length)).toEqual(some)
      }),
    )
  })

  it('refuse a cut-off entry, a 257th one, another width, and an entry too long to be counted', () => {
    const bytes = formatEntryBundle(entries.slice(0, 3))
    const cuts = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(0, at))
    const whole = new Set([0, 2, 5])
    cuts.forEach((cut, at) => {
      expect(codeOf(() => parseEntryBundle(cut))).toBe(whole.has(at) ? 'accepted' : 'proof-malformed')
      expect(codeOf(() => parseEntryBundle(cut, 3))).toBe('proof-malformed')
    })
    const many = formatEntryBundle(Array.from({ length: 257 }, () => utf8Bytes('e')))
    expect(codeOf(() => parseEntryBundle(many))).toBe('proof-malformed')
    expect(codeOf(() => formatEntryBundle([new Uint8Array(65_536)]))).toBe('input-too-large')
  })
})
