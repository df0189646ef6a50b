import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  concatBytes,
  consistencyProof,
  formatEntryBundle,
  formatTilePath,
  tilesForSize,
  treeRoot,
} from 'countersign/core'
import { memoryInProcess } from 'countersign'
import { pruneTiles } from '../../client/src/mirror/documents.js'
import { openFolder, type Folder } from '../../client/src/mirror/folder.js'
import type { MirrorPorts } from '../../client/src/mirror/ports.js'
import { copyLog, isThere } from '../../client/src/mirror/tree.js'
import { staticApi, type ReadDocument } from '../../client/src/static-api.js'
import { codeOfAsync } from '../client/support.js'
import { failingFolder, listFiles } from '../support/mirror.js'
import { byteLeaves, readerOver } from '../support/tlog.js'

const ALL = 4500
const hashes = readerOver(byteLeaves(ALL))

let out: string
let folder: Folder
let asked: string[]

beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), 'countersign-tree-'))
  writeFileSync(join(out, '.mirror.json'), '{}')
  folder = await openFolder(out)
  asked = []
})
afterEach(() => rmSync(out, { recursive: true, force: true }))

/** A log whose entry number i is one byte, as a registry serves it. */
const read: ReadDocument = (path) => {
  asked.push(path)
  const [, digits = '', width = '256'] =
    /^log\/tile\/entries\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path) ?? []
  const first = Number(digits.replace(/[x/]/g, '')) * 256
  const entries = Array.from({ length: Number(width) }, (_, i) => Uint8Array.of((first + i) % 256))
  return Promise.resolve(formatEntryBundle(entries))
}

function ports(change: Partial<MirrorPorts> = {}): MirrorPorts {
  const prove = (from: number, to: number) => Promise.resolve(consistencyProof(from, to, hashes))
  return {
    api: { ...staticApi(read), fetchConsistency: prove },
    read,
    folder,
    trust: { identity: 'x', rootNote: '' },
    memory: memoryInProcess(),
    servers: 'all',
    now: () => 0,
    assertHeld: () => Promise.resolve(),
    progress: () => undefined,
    ...change,
  }
}

/** Copies up to a size, and says after which pieces it could be ended. */
async function copy(size: number, copied = 0, change: Partial<MirrorPorts> = {}): Promise<number[]> {
  const stops: number[] = []
  await copyLog(ports(change), {
    origin: 'test/log',
    isFrozen: false,
    from: 'log/',
    to: 'log/',
    copied,
    size,
    root: treeRoot(size, hashes),
    onCopied: (now) => Promise.resolve(void stops.push(now)),
  })
  return stops
}

async function expectTiles(size: number): Promise<void> {
  for (const { level, n, width } of tilesForSize(size)) {
    const expected = Array.from({ length: width }, (_, i) => hashes(level * 8, n * 256 + i))
    const bytes = await folder.read(`log/${formatTilePath(level, n, width)}`, 8192)
    expect(Buffer.compare(bytes ?? new Uint8Array(), concatBytes(...expected)), `${level} ${n}`).toBe(0)
  }
}

describe('copying a log', () => {
  it('grows by what is new, over every edge of tiles', async () => {
    let before = 0
    for (const size of [1, 2, 255, 256, 257, 511, 512, 700]) {
      asked.length = 0
      expect(await copy(size, before)).toEqual([size])
      expect(asked).toHaveLength(Math.ceil(size / 256) - Math.floor(before / 256))
      await expectTiles(size)
      before = size
    }
    asked.length = 0
    expect(await copy(700, 700)).toEqual([])
    expect(asked).toEqual([])
  })

  it('of more than a piece is proved piece by piece, and goes on after the last one', async () => {
    expect(await copy(ALL)).toEqual([4096, ALL])
    await expectTiles(ALL)
    rmSync(join(out, 'log'), { recursive: true })
    // The second piece is never installed.
    folder = await openFolder(out)
    const failing = failingFolder(folder, 2 * (16 * 2 + 1), () => new Error('killed'))
    await expect(copy(ALL, 0, { folder: failing })).rejects.toThrow('killed')
    expect(await isThere(folder, { to: 'log/', size: 4096, root: treeRoot(4096, hashes) })).toBe(true)
    asked.length = 0
    expect(await copy(ALL, 4096)).toEqual([ALL])
    expect(asked).toHaveLength(Math.ceil(ALL / 256) - 16)
    await expectTiles(ALL)
  })

  it('whose entries are others writes nothing', async () => {
    const lies: ReadDocument = async (path, maxBytes) => {
      const bytes = await read(path, maxBytes)
      if (bytes !== undefined && path.endsWith('/001.p/44')) bytes[2] = 7
      return bytes
    }
    expect(await codeOfAsync(() => copy(300, 0, { read: lies }))).toBe('proof-invalid')
    expect(listFiles(out)).toEqual([])
    const cut: ReadDocument = async (path, maxBytes) => (await read(path, maxBytes))?.subarray(1)
    expect(await codeOfAsync(() => copy(300, 0, { read: cut }))).toBe('proof-invalid')
    const none: ReadDocument = () => Promise.resolve(undefined)
    expect(await codeOfAsync(() => copy(300, 0, { read: none }))).toBe('registry-error')
    expect(listFiles(out)).toEqual([])
  })

  it('begins anew where what was there is damaged or gone', async () => {
    await copy(300)
    rmSync(join(out, 'log/tile/1'), { recursive: true })
    folder = await openFolder(out)
    expect(await copy(310, 300)).toEqual([310])
    await expectTiles(310)
    rmSync(join(out, 'log/tile/0'), { recursive: true })
    folder = await openFolder(out)
    expect(await copy(310, 310)).toEqual([310])
    await expectTiles(310)
  })

  it('keeps the narrow tiles of the trees that are read', async () => {
    for (const [size, before] of [
      [257, 0],
      [258, 257],
      [259, 258],
      [512, 259],
    ] as const)
      await copy(size, before)
    await pruneTiles(folder, 'log/', [257, 258, 259, 512], [259, 512])
    const narrow = listFiles(out).filter((path) => path.includes('.p/'))
    expect(narrow).toEqual([
      'log/tile/0/001.p/3',
      'log/tile/1/000.p/1',
      'log/tile/1/000.p/2',
      'log/tile/entries/001.p/3',
    ])
  })
})
