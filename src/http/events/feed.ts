import { setTimeout as wait } from 'node:timers/promises'
import type { Ledger } from '../../log/ledger.js'
import type { Store } from '../../storage/store.js'
import { readRange } from '../log-range.js'
import { readPublicEvent, type PublicEvent } from './public-event.js'

export interface FeedRooms {
  readonly ledger: Ledger
  readonly store: Store
}

/** What is told of some positions in a row, and the position where the next ones begin. */
export interface Stretch {
  readonly events: readonly PublicEvent[]
  readonly next: number
}

/** What is published, in order. */
export interface Feed {
  /** From this position on, as far as one look goes; `next` is `from` where nothing more is published. */
  read(from: number): Promise<Stretch>
}

/** Streams that follow the end are all at the same position. */
const MOST_KEPT = 16
/** Whoever follows the end is behind by this many entries at most, or waits until others have read theirs. */
const SHORT = 64
/** Whoever reads the whole log from its beginning leaves some of the machine to others. */
const PAUSE_MS = 10

/**
 * Each stretch is read once, however many wait for it. Long ones are read one after another, so that no number of
 * streams that begin at the beginning keeps the registry from its work.
 */
export function openFeed(rooms: FeedRooms): Feed {
  const kept = new Map<number, Promise<Stretch>>()
  let lane: Promise<unknown> = Promise.resolve()

  const inLane = (from: number, end: number): Promise<Stretch> => {
    const stretch = lane.then(() => readStretch(rooms, from, end))
    lane = stretch.then(() => wait(PAUSE_MS)).catch(() => wait(PAUSE_MS))
    return stretch
  }
  return {
    read(from) {
      const end = rooms.ledger.publishedEnd()
      if (from >= end) return Promise.resolve({ events: [], next: from })
      const known = kept.get(from)
      if (known !== undefined) return known
      const reading = end - from <= SHORT ? readStretch(rooms, from, end) : inLane(from, end)
      kept.set(from, reading)
      reading.catch(() => kept.delete(from))
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST_KEPT) break
        kept.delete(oldest)
      }
      return reading
    },
  }
}

async function readStretch(rooms: FeedRooms, from: number, end: number): Promise<Stretch> {
  const leaves = await readRange(rooms, from, end)
  if (leaves.length === 0) throw new Error('the published log ends too early')
  const events: PublicEvent[] = []
  for (const [i, leaf] of leaves.entries()) {
    const event = await readPublicEvent(rooms, leaf, from + i)
    if (event !== undefined) events.push(event)
  }
  return { events, next: from + leaves.length }
}
