import { inclusionProofAsync, type AsyncHashReader, type ProvenLeaf } from 'countersign/core'
import type { FrozenLog, LogState, LogStore } from '../storage/store.js'
import { LedgerRefusal } from './errors.js'
import type { LogHashes } from './folded.js'

export type PlaceReads = Pick<
  LogStore,
  'readLogState' | 'readEntries' | 'readFrozenLogs' | 'readFrozenEntries'
>

/** One of the identity's logs: where it begins, how much of it may be shown, and how to read it. */
interface Place {
  /** Its origin where it is frozen; absent for the active log. */
  readonly log?: string
  readonly base: number
  /** Leaves are proved in the tree of this size: the final one of a frozen log, the published one of the active log. */
  readonly size: number
  readonly hashes: AsyncHashReader
  readonly readLeaf: (index: number) => Promise<string | undefined>
}

/** Reads leaves by their positions over all logs of the identity. */
export interface Places {
  /** The first position that is not published yet. */
  readonly end: number
  readLeaf(position: number): Promise<string>
  /** With its inclusion proof. Throws LedgerRefusal `out-of-range` beyond the end. */
  proveLeaf(position: number): Promise<ProvenLeaf>
}

/** The logs as they stand; `size` is how much of the active one is published. */
export async function readPlaces(store: PlaceReads, hashes: LogHashes, size: number): Promise<Places> {
  const frozen = await store.readFrozenLogs()
  const state = await store.readLogState()
  const places = [
    ...frozen.map((log) => frozenPlace(store, hashes, log)),
    activePlace(store, hashes, state, size),
  ]
  const find = (position: number): Place => {
    const place = places.findLast(({ base }) => base <= position)
    if (place === undefined || position >= place.base + place.size) throw outOfRange(position)
    return place
  }
  const readLeaf = async (position: number): Promise<string> => {
    const { base, readLeaf: read } = find(position)
    return (await read(position - base)) ?? Promise.reject(outOfRange(position))
  }
  return {
    end: (state?.base ?? 0) + size,
    readLeaf,
    proveLeaf: async (position) => {
      const { log, base, size: end, hashes: read } = find(position)
      const index = position - base
      const proof = await inclusionProofAsync(index, end, read)
      return { ...(log === undefined ? {} : { log }), index, event: await readLeaf(position), proof }
    },
  }
}

function frozenPlace(store: PlaceReads, hashes: LogHashes, { number, origin, base, size }: FrozenLog): Place {
  return {
    ...{ log: origin, base, size },
    hashes: hashes.frozen({ number }),
    readLeaf: async (index) => (await store.readFrozenEntries(number, index, index + 1))[0],
  }
}

function activePlace(
  store: PlaceReads,
  { active }: LogHashes,
  state: LogState | undefined,
  size: number,
): Place {
  return {
    ...{ base: state?.base ?? 0, size },
    hashes: active,
    readLeaf: async (index) => (await store.readEntries(index, index + 1))[0],
  }
}

function outOfRange(index: number): LedgerRefusal {
  return new LedgerRefusal('out-of-range', 'there is no such entry', { index })
}
