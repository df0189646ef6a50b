import {
  consistencyProofAsync,
  formatTilePath,
  hashFromTiles,
  HASH_BYTES,
  MAX_NOTE_BYTES,
  MAX_STATUS_BYTES,
  parseCheckpointBody,
  parseNote,
  parseStatus,
  parseText,
  refuse,
  tileOf,
  TILE_WIDTH,
  type AsyncHashReader,
  type Checkpoint,
  type TileSlice,
} from '../core/index.js'
import { answer } from './answers.js'
import type { ReadDocument } from './api.js'
import { logPrefix, STATUS_PATH } from './paths.js'

// Proofs made of tiles, so that a server of files can prove what a registry proves. Nothing here is authenticated: a
// proof of wrong hashes leads to no signed root.

/** Most frozen logs of an identity (PROTOCOL 8). */
const MAX_LOGS = 32

/** A tree whose tiles stand below a prefix. */
export interface TreePlace {
  readonly prefix: string
  readonly size: number
}

/**
 * The consistency proof between two sizes of a log: the active one, or the one that `log` names by its origin.
 * @throws CountersignError `registry-error` when the tiles do not hold it
 */
export async function proveFromTiles(
  read: ReadDocument,
  from: number,
  to: number,
  log?: string,
): Promise<Uint8Array[]> {
  return proveAt(read, await findTree(read, log), from, to)
}

/** The same in a tree whose place is known. @throws CountersignError `registry-error` */
export async function proveAt(
  read: ReadDocument,
  place: TreePlace,
  from: number,
  to: number,
): Promise<Uint8Array[]> {
  const isRange = Number.isSafeInteger(from) && from >= 1 && from <= to && to <= place.size
  if (!isRange) refuse('registry-error', 'there is no proof between these sizes', { from, to, ...place })
  return consistencyProofAsync(from, to, tileHashes(read, place))
}

/** PROTOCOL 9: the status says which log is active, and how large. */
async function findTree(read: ReadDocument, log: string | undefined): Promise<TreePlace> {
  const status = await read(STATUS_PATH, MAX_STATUS_BYTES)
  const active = status && answer(() => readCheckpoint(parseStatus(status).checkpoint))
  if (active !== undefined && (log === undefined || log === active.origin)) {
    return { prefix: logPrefix(), size: active.size }
  }
  for (let number = 1; log !== undefined && number <= MAX_LOGS; number++) {
    const prefix = logPrefix(number)
    const note = await read(`${prefix}checkpoint`, MAX_NOTE_BYTES)
    if (note === undefined) break
    const { origin, size } = answer(() => readCheckpoint(parseText(note, MAX_NOTE_BYTES)))
    if (origin === log) return { prefix, size }
  }
  return refuse('registry-error', 'there is no such log', { log: log ?? '' })
}

function readCheckpoint(note: string): Checkpoint {
  return parseCheckpointBody(parseNote(note).text)
}

/** The hashes of a tree from its tiles; each tile is read once a call. @throws CountersignError `registry-error` */
export function tileHashes(read: ReadDocument, place: TreePlace): AsyncHashReader {
  return async (coords) => {
    const slices = new Map<string, TileSlice>()
    for (const slice of coords.map(tileOf)) {
      const widest = slices.get(tileName(slice))
      if (widest === undefined || widthOf(widest) < widthOf(slice)) slices.set(tileName(slice), slice)
    }
    const tiles = new Map<string, Uint8Array>()
    const load = async ([name, slice]: [string, TileSlice]): Promise<void> => {
      tiles.set(name, await readTile(read, place, slice))
    }
    await Promise.all([...slices].map(load))
    return coords.map(({ level, index }) =>
      answer(() =>
        hashFromTiles(level, index, (l, n) => tiles.get(tileName({ level: l, n })) ?? new Uint8Array()),
      ),
    )
  }
}

function tileName({ level, n }: Pick<TileSlice, 'level' | 'n'>): string {
  return `${level} ${n}`
}

function widthOf({ first, count }: TileSlice): number {
  return first + count
}

/** The tile as wide as the tree has it; who keeps files may have thrown away the narrow ones once a tile is full. */
async function readTile(read: ReadDocument, { prefix, size }: TreePlace, slice: TileSlice) {
  const { level, n } = slice
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - n * TILE_WIDTH)
  if (width < widthOf(slice)) refuse('registry-error', 'the tree is too small for this', { level, n, size })
  const path = (wide: number): string => prefix + formatTilePath(level, n, wide)
  const bytes =
    (await read(path(width), TILE_WIDTH * HASH_BYTES)) ??
    (width < TILE_WIDTH ? await read(path(TILE_WIDTH), TILE_WIDTH * HASH_BYTES) : undefined)
  return bytes ?? refuse('registry-error', 'a tile is missing', { path: path(width) })
}
