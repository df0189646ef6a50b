import {
  appendLeaf,
  emptyRange,
  equalBytes,
  formatEntryBundle,
  formatTilePath,
  leafHash,
  openCheckpoint,
  parseEvent,
  parseHashTile,
  rangeRoot,
  tilesForSize,
  utf8Bytes,
} from 'countersign/core'
import type { LedgerFixture } from './ledger.js'

/**
 * Rebuilds the whole tree from the entries and compares every published tile and entry bundle, every checkpoint and
 * the place of every snapshot with it. Returns the leaves.
 */
export async function fsck({ ledger, store, keys }: LedgerFixture): Promise<string[]> {
  const log = { origin: keys.origin, key: keys.log.key }
  const { checkpoint } = openCheckpoint(ledger.publishedNote(), log, [keys.timestamper.key])
  const leaves: string[] = []
  while (leaves.length < checkpoint.size) {
    const more = await store.readEntries(leaves.length, Math.min(leaves.length + 1024, checkpoint.size))
    if (more.length === 0) throw new Error(`entry ${leaves.length} is missing`)
    leaves.push(...more)
  }
  const nodes = new Map<string, Uint8Array>()
  let range = emptyRange()
  let batchStart = 0
  for (const [index, leaf] of leaves.entries()) {
    range = appendLeaf(range, leafHash(utf8Bytes(leaf)), (level, n, hash) => nodes.set(`${level}/${n}`, hash))
    const note = await store.readCheckpoint(index + 1)
    const event = parseEvent(leaf)
    if ((event.t === 'snapshot') !== (note !== undefined))
      throw new Error(`entry ${index}: a snapshot ends each batch`)
    if (event.t !== 'snapshot' || note === undefined) continue
    if (event.asOf !== index) throw new Error(`snapshot ${index} says ${event.asOf}`)
    if (index === batchStart) throw new Error(`the batch of snapshot ${index} holds nothing else`)
    batchStart = index + 1
    const signed = openCheckpoint(note, log).checkpoint
    if (signed.size !== index + 1 || !equalBytes(signed.root, rangeRoot(range))) {
      throw new Error(`the checkpoint of size ${index + 1} has another root`)
    }
  }
  if (!equalBytes(rangeRoot(range), checkpoint.root)) throw new Error('the published root is another one')
  await compareTiles(ledger, checkpoint.size, leaves, nodes)
  return leaves
}

async function compareTiles(
  ledger: LedgerFixture['ledger'],
  size: number,
  leaves: readonly string[],
  nodes: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  for (const { level, n, width } of tilesForSize(size)) {
    const tile = await ledger.tile(formatTilePath(level, n, width))
    if (tile === undefined) throw new Error(`tile ${level}/${n} is missing`)
    for (const [slot, hash] of parseHashTile(tile, width).entries()) {
      const expected = nodes.get(`${level * 8}/${n * 256 + slot}`)
      if (expected === undefined || !equalBytes(hash, expected))
        throw new Error(`tile ${level}/${n} slot ${slot}`)
    }
    if (level > 0) continue
    const entries = leaves.slice(n * 256, n * 256 + width).map(utf8Bytes)
    const bundle = await ledger.tile(formatTilePath('entries', n, width))
    if (bundle === undefined || !equalBytes(bundle, formatEntryBundle(entries)))
      throw new Error(`entries ${n}`)
  }
}
