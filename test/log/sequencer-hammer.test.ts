import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  decodeBase64,
  formatTilePath,
  leafHash,
  openCheckpoint,
  parseEntryBundle,
  parseEvent,
  parseStatus,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
  type Checkpoint,
} from 'countersign/core'
import { fsck } from '../support/fsck.js'
import {
  plainCandidate,
  scriptWitness,
  startLedger,
  type LedgerFixture,
  type ScriptedWitness,
} from '../support/ledger.js'

const WRITERS = 8
const ENTRIES = 24
const READERS = 3

let fixture: LedgerFixture
let witness: ScriptedWitness
beforeEach(async () => {
  witness = scriptWitness()
  fixture = await startLedger(undefined, { witnesses: witness, people: { policy: witness.policy } })
})
afterEach(() => fixture.remove())

/** One after another, as a publisher would; the promises are kept to be compared with what was read. */
async function write(writer: number, promised: Map<number, string>): Promise<void> {
  for (let n = 0; n < ENTRIES; n++) {
    const name = writer * 1000 + n
    const { index } = await fixture.ledger.submit(plainCandidate(name))
    if (promised.has(index)) throw new Error(`index ${index} was given twice`)
    promised.set(index, `com.example/server-${name}`)
  }
}

/** Believes nothing: each view extends every one it had before, and what is read is in it. */
async function read(isOver: () => boolean, seen: Map<number, string>): Promise<number> {
  const { ledger, keys } = fixture
  const log = { origin: keys.origin, key: keys.log.key }
  const oldest = openCheckpoint(ledger.publishedNote(), log).checkpoint
  let last = oldest
  let rounds = 0
  for (let isLast = false; !isLast; rounds++) {
    isLast = isOver()
    const { checkpoint, snapshot } = parseStatus(ledger.statusDocument())
    const now = openCheckpoint(checkpoint, log).checkpoint
    for (const before of [oldest, last]) await assertConsistent(before, now)
    verifyInclusion(
      now.size - 1,
      now.size,
      leafHash(utf8Bytes(snapshot.event)),
      [...snapshot.proof],
      now.root,
    )
    for (const index of [0, last.size - 1, Math.floor(now.size / 2), now.size - 2]) {
      const entry = await assertEntry(index, now)
      if ((seen.get(index) ?? entry) !== entry) throw new Error(`entry ${index} is another one`)
      seen.set(index, entry)
    }
    last = now
    // Reads of the database come back at once: without a pause, nobody would ever write.
    await setImmediate()
  }
  return rounds
}

async function assertConsistent(before: Checkpoint, now: Checkpoint): Promise<void> {
  expect(now.size).toBeGreaterThanOrEqual(before.size)
  const proof = await fixture.ledger.consistencyProof(before.size, now.size)
  verifyConsistency(before.size, now.size, proof.map(decodeBase64), before.root, now.root)
}

/** Out of the entry bundle a mirror would fetch for this size, proved at this size. */
async function assertEntry(index: number, { size, root }: Checkpoint): Promise<string> {
  const n = Math.floor(index / 256)
  const width = Math.min(256, size - n * 256)
  const bundle = await fixture.ledger.tile(formatTilePath('entries', n, width))
  const entry = parseEntryBundle(bundle ?? new Uint8Array())[index % 256]
  if (entry === undefined) throw new Error(`entry ${index} is not there at size ${size}`)
  const proof = (await fixture.ledger.inclusionProof(index, size)).map(decodeBase64)
  verifyInclusion(index, size, leafHash(entry), proof, root)
  return new TextDecoder().decode(entry)
}

describe('readers beside writers', () => {
  it('prove everything they read, from the first checkpoint they saw on', async () => {
    const promised = new Map<number, string>()
    const seen = new Map<number, string>()
    let isOver = false
    const reading = Array.from({ length: READERS }, () => read(() => isOver, seen))
    const writing = Array.from({ length: WRITERS }, (_, writer) => write(writer, promised))
    const written = Promise.all(writing).finally(() => (isOver = true))
    const rounds = await Promise.all(reading)
    await written
    expect(promised.size).toBe(WRITERS * ENTRIES)
    expect(Math.min(...rounds)).toBeGreaterThan(0)
    const leaves = await fsck(fixture)
    for (const [index, entry] of seen) expect(leaves[index]).toBe(entry)
    for (const [index, name] of promised) expect(parseEvent(leaves[index]!)).toMatchObject({ name })
    expect(witness.asked.at(-1)?.size).toBe(leaves.length)
  })
})
