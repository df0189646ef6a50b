import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  decodeBase64,
  formatTilePath,
  leafHash,
  openCheckpoint,
  tileRows,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { fillLog } from '../support/fill.js'
import { plainCandidate, startLedger, type LedgerFixture } from '../support/ledger.js'

/** A tree that was published. */
interface Seen {
  readonly size: number
  readonly root: Uint8Array
}

function seenOf({ ledger, keys }: LedgerFixture): Seen {
  const log = { origin: keys.origin, key: keys.log.key }
  return openCheckpoint(ledger.publishedNote(), log, [keys.timestamper.key]).checkpoint
}

/** Everything that a host could ask around this size holds, from every tree that was shown before. */
async function expectProved({ ledger, store }: LedgerFixture, seen: readonly Seen[], around: number) {
  const { size, root } = seen.at(-1)!
  for (const index of [0, 1, around - 2, around - 1, around, around + 1, size - 1]) {
    if (index >= size) continue
    const [entry = ''] = await store.readEntries(index, index + 1)
    const proof = await ledger.inclusionProof(index, size)
    verifyInclusion(index, size, leafHash(utf8Bytes(entry)), proof.map(decodeBase64), root)
  }
  for (const { size: from, root: before } of seen) {
    const proof = await ledger.consistencyProof(from, size)
    verifyConsistency(from, size, proof.map(decodeBase64), before, root)
  }
}

/** Each partial tile of this size is served with its width, the first hashes of whatever it grew to. */
async function expectTiles({ ledger }: LedgerFixture, size: number): Promise<void> {
  for (const { level, full, partial } of tileRows(size)) {
    const [narrow, last] = await Promise.all([
      partial === 0 ? undefined : ledger.tile(formatTilePath(level, full, partial)),
      full === 0 ? undefined : ledger.tile(formatTilePath(level, full - 1)),
    ])
    expect(narrow?.length, `level ${level} of ${size}`).toBe(partial === 0 ? undefined : partial * 32)
    expect(last?.length, `level ${level} of ${size}`).toBe(full === 0 ? undefined : 8192)
  }
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-crossings-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each([256, 65_536])('crossing %i entries', (boundary) => {
  const filled = (): string => join(folder, `filled-${boundary}`)
  beforeAll(async () => {
    const fixture = await startLedger(filled())
    await fixture.ledger.close()
    await fillLog(fixture.store, fixture.keys, boundary - 4)
    await fixture.store.close()
  })

  // A batch is its candidates and the snapshot after them.
  it.each([
    ['by one entry less and one more', [2, 1], [boundary - 1, boundary + 1]],
    ['exactly', [1, 1, 1], [boundary - 2, boundary, boundary + 2]],
    ['from two before to one after', [1, 2, 1], [boundary - 2, boundary + 1, boundary + 3]],
    ['in one batch', [9, 1], [boundary + 6, boundary + 8]],
  ] as const)('%s, with a restart at each size, gives one tree', async (name, batches, sizes) => {
    const at = join(folder, `${boundary} ${name}`)
    cpSync(filled(), at, { recursive: true })
    let fixture = await startLedger(at)
    const seen = [seenOf(fixture)]
    let n = 0
    for (const [i, candidates] of batches.entries()) {
      const submitted = Array.from({ length: candidates }, () => fixture.ledger.submit(plainCandidate(++n)))
      const first = seen.at(-1)!.size
      const given = (await Promise.all(submitted)).map(({ index }) => index)
      expect(given).toEqual(submitted.map((_, place) => first + place))
      seen.push(seenOf(fixture))
      expect(seen.at(-1)?.size).toBe(sizes[i])
      await expectProved(fixture, seen, boundary)
      await fixture.stop()
      fixture = await startLedger(at)
      expect(seenOf(fixture)).toEqual(seen.at(-1))
    }
    await expectProved(fixture, seen, boundary)
    for (const { size } of seen) await expectTiles(fixture, size)
    // The large one is read back as a whole once: it takes a second.
    if (boundary === 256 || name === 'exactly')
      expect((await checkLog(fixture.store, fixture.keys)).faults).toEqual([])
    await fixture.remove()
  })
})
