import {
  appendLeaf,
  emptyRange,
  equalBytes,
  HASH_BYTES,
  rangeRoot,
  TILE_HEIGHT,
  TILE_WIDTH,
  type MerkleRange,
} from 'countersign/core'
import type { ReadTile } from '../tiles.js'
import type { CheckReport } from './report.js'

/** A tile as it has to be. */
interface MadeTile {
  readonly level: number
  readonly n: number
  readonly bytes: Uint8Array
  width: number
}

/** A tree that is made again from its leaves, and the tiles it has to have. */
export interface Rebuilt {
  append(leafHash: Uint8Array): void
  root(): Uint8Array
  /** Compares the tiles that became full since the last call. */
  compareFull(): Promise<void>
  /** Compares those that did not, and that there are no more. Returns how many tiles there are. */
  compareRest(): Promise<number>
}

export function openRebuilt(origin: string, readTile: ReadTile, report: CheckReport): Rebuilt {
  const open = new Map<number, MadeTile>()
  const full: MadeTile[] = []
  let range: MerkleRange = emptyRange()
  let compared = 0
  const visit = (height: number, index: number, hash: Uint8Array): void => {
    if (height % TILE_HEIGHT !== 0) return
    const [level, slot] = [height / TILE_HEIGHT, index % TILE_WIDTH]
    const tile = open.get(level) ?? emptyTile(level, Math.floor(index / TILE_WIDTH))
    tile.bytes.set(hash, slot * HASH_BYTES)
    tile.width = slot + 1
    if (tile.width < TILE_WIDTH) open.set(level, tile)
    else if (open.delete(level)) full.push(tile)
  }
  const compare = async ({ level, n, bytes, width }: MadeTile): Promise<void> => {
    compared++
    const stored = await readTile(level, n)
    if (stored === undefined) report.fault('tile-missing', { origin, level, n })
    else if (!equalBytes(stored, bytes.subarray(0, width * HASH_BYTES)))
      report.fault('tile-mismatch', { origin, level, n })
  }
  const compareSurplus = async (level: number, n: number): Promise<void> => {
    if ((await readTile(level, n)) !== undefined) report.fault('tile-mismatch', { origin, level, n })
  }
  return {
    append: (leafHash) => void (range = appendLeaf(range, leafHash, visit)),
    root: () => rangeRoot(range),
    compareFull: async () => {
      for (const tile of full.splice(0)) await compare(tile)
    },
    compareRest: async () => {
      for (const tile of open.values()) await compare(tile)
      let hashes = range.size
      for (let level = 0; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
        await compareSurplus(level, Math.ceil(hashes / TILE_WIDTH))
        if (hashes < TILE_WIDTH) await compareSurplus(level + 1, 0)
      }
      return compared
    },
  }
}

function emptyTile(level: number, n: number): MadeTile {
  return { level, n, bytes: new Uint8Array(TILE_WIDTH * HASH_BYTES), width: 0 }
}
