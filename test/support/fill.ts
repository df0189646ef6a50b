import {
  formatEvent,
  leafHash,
  rangeRoot,
  utf8Bytes,
  type LogEvent,
  type SnapshotEvent,
} from 'countersign/core'
import { readHead, signCheckpoint } from '../../src/log/head.js'
import type { RegistryKeys } from '../../src/log/keys.js'
import { extendEdge } from '../../src/log/tiles.js'
import type { Store } from '../../src/storage/store.js'

/** Entries of one append: far larger than a batch of the sequencer, so that a million take seconds. */
const CHUNK = 16_384
const SERVERS = 64

/**
 * Grows a log that has its first batch to `size` entries by appending directly, without the sequencer: real events, real
 * tiles, real checkpoints, each append with its snapshot. Nothing is published.
 */
export async function fillLog(store: Store, keys: RegistryKeys, size: number): Promise<void> {
  let head = await readHead(store, keys)
  while (head.size < size) {
    const count = Math.min(CHUNK, size - head.size)
    const before = head
    const events = Array.from({ length: count - 1 }, (_, i) => plainEvent(before.size + i))
    const snapshot = nextSnapshot(before.snapshot?.event, before.size + count - 1)
    const entries = [...events, snapshot].map((event, i) => entryOf(before.size + i, event))
    const { edge, tiles } = extendEdge(
      before.edge,
      entries.map((entry) => entry.leafHash),
    )
    const root = rangeRoot(edge.range)
    const end = before.size + count
    const note = signCheckpoint(keys, end, root)
    await store.commitBatch(async (tx) => {
      const expected = { size: before.size, note: before.note }
      await tx.append({ expected, entries, tiles, size: end, root, note })
      for (let i = Math.max(0, events.length - SERVERS); i < events.length; i++)
        await tx.noteAbout(`server:${serverOf(before.size + i)}`, before.base + before.size + i)
    })
    const leaf = entries.at(-1)?.data ?? ''
    head = { ...before, size: end, root, note, edge, snapshot: { leaf, event: snapshot } }
  }
}

function serverOf(n: number): string {
  return `com.example/server-${n % SERVERS}`
}

function plainEvent(n: number): LogEvent {
  return {
    ...{ v: 1, t: 'deprecate', target: 'server', name: serverOf(n) },
    ...{ reason: `entry ${n} of a large log`, deciders: ['holder'] },
  }
}

function nextSnapshot(before: SnapshotEvent | undefined, asOf: number): SnapshotEvent {
  if (before === undefined) throw new Error('the log to fill has no first batch')
  return { ...before, asOf }
}

function entryOf(index: number, event: LogEvent) {
  const data = formatEvent(event)
  return { index, data, leafHash: leafHash(utf8Bytes(data)) }
}
