import { copyFileSync, cpSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  formatVerifierKey,
  openCheckpoint,
  parsePolicy,
  parseStatus,
  quorumTime,
  type Cosignature,
  type QuorumPolicy,
} from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { LedgerFatal } from '../../src/log/ledger.js'
import { openOutside } from '../../src/net/open-outside.js'
import {
  PATIENT_MS,
  plainCandidate,
  startLedger,
  type LedgerFixture,
  type LedgerOverrides,
} from '../support/ledger.js'
import { startWitness, type TestWitness } from '../support/real-witness.js'
import { policyOf } from '../support/witness.js'

// A real ledger and real witnesses, two of which must cosign.

let folder: string
let witnesses: TestWitness[]
let policyText: string
let policy: QuorumPolicy
let fixture: LedgerFixture | undefined

const start = async (change: LedgerOverrides = {}): Promise<LedgerFixture> => {
  const outside = openOutside()
  const people = { policy: policyText }
  return (fixture = await startLedger(folder, {
    outside,
    people,
    witnessTimeoutMs: PATIENT_MS,
    publishWaitMs: PATIENT_MS,
    ...change,
  }))
}
const stop = async (): Promise<void> => {
  await fixture?.stop()
  fixture = undefined
}
const down = (...which: number[]): Promise<unknown> => Promise.all(which.map((i) => witnesses[i]!.stop()))
const up = (...which: number[]): Promise<unknown> => Promise.all(which.map((i) => witnesses[i]!.start()))

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-witnessed-'))
  const { origin, log } = await openKeys(join(folder, 'data', 'keys'))
  const vkey = formatVerifierKey(origin, 1, log.key.publicKey)
  witnesses = await Promise.all(['w1', 'w2', 'w3'].map((name) => startWitness(name, [vkey])))
  policyText = policyOf(witnesses, 'group g 2 w1 w2 w3', 'quorum g')
  policy = parsePolicy(policyText)
})
afterEach(async () => {
  await stop()
  await Promise.all(witnesses.map((witness) => witness.remove()))
  await rm(folder, { recursive: true, force: true })
})

const cosignatures = ({ ledger, keys }: LedgerFixture): readonly Cosignature[] => {
  const { checkpoint } = parseStatus(ledger.statusDocument())
  const witnessKeys = policy.witnesses.map(({ key }) => key)
  return openCheckpoint(checkpoint, { origin: keys.origin, key: keys.log.key }, witnessKeys).cosignatures
}
const timeOf = (at: LedgerFixture): number | undefined => quorumTime(policy, cosignatures(at))
const hasSeen =
  (size: number) =>
  ({ events }: TestWitness): boolean =>
    events.some((event) => event.kind === 'cosigned' && event.size === size)
const fatal = (starting: Promise<unknown>): Promise<unknown> => starting.catch((error: unknown) => error)

describe('a log with witnesses', () => {
  it('is published with their cosignatures, from its first entry on', async () => {
    const at = await start()
    expect(at.ledger.publishedSize()).toBe(2)
    expect(timeOf(at)).toBeDefined()
    expect(await at.ledger.submit(plainCandidate(1))).toEqual({ index: 2, size: 4, published: true })
    expect(timeOf(at)).toBeDefined()
    expect(at.ledger.witnessing().failures).toEqual([])
  })

  it('goes on with one of three down, and not with two', async () => {
    const at = await start({ publishWaitMs: 1 })
    await down(0)
    await at.ledger.submit(plainCandidate(1))
    await expect.poll(() => at.ledger.publishedSize()).toBe(4)
    await down(1)
    expect(await at.ledger.submit(plainCandidate(2))).toEqual({ index: 4, size: 6, published: false })
    await expect.poll(() => at.ledger.witnessing().failures.length).toBe(2)
    expect(at.ledger.publishedSize()).toBe(4)
    expect(at.ledger.committed().size).toBe(6)
    await up(0)
    await expect.poll(() => at.ledger.publishedSize()).toBe(6)
    expect(timeOf(at)).toBeDefined()
  })

  it('has an unchanged tree cosigned again, at a newer time', async () => {
    const at = await start({ refreshSeconds: 0.1 })
    const first = timeOf(at)!
    await expect.poll(() => timeOf(at)).toBeGreaterThan(first)
    expect(at.ledger.publishedSize()).toBe(2)
  })

  it('starts without them when it knows by itself what it signed, and shows what it showed', async () => {
    await start()
    await fixture!.ledger.submit(plainCandidate(1))
    const shown = fixture!.ledger.publishedNote()
    await stop()
    await down(0, 1, 2)
    const at = await start({ publishWaitMs: 1 })
    expect(at.ledger.publishedNote()).toBe(shown)
    expect(await at.ledger.submit(plainCandidate(2))).toEqual({ index: 4, size: 6, published: false })
    await up(1, 2)
    await expect.poll(() => at.ledger.publishedSize()).toBe(6)
  })

  it('starts without the rollback file when a witness can say what was signed', async () => {
    const { rollbackFile } = await start()
    await fixture!.ledger.submit(plainCandidate(1))
    await stop()
    rmSync(rollbackFile)
    await down(0, 1)
    const at = await start({ publishWaitMs: 1 })
    expect(await at.ledger.submit(plainCandidate(2))).toMatchObject({ index: 4 })
  })

  it('does not start when nobody can say it', async () => {
    const { rollbackFile } = await start()
    await stop()
    rmSync(rollbackFile)
    await down(0, 1, 2)
    const error = await fatal(start())
    expect(error).toBeInstanceOf(LedgerFatal)
    expect(error).toMatchObject({ code: 'witness-unavailable' })
    await up(2)
    expect((await start()).ledger.publishedSize()).toBe(2)
  })
})

describe('an old copy of the database', () => {
  /** Goes on for two batches behind a copy that was made before them, and puts the copy back. */
  const restoreOldCopy = async (): Promise<string> => {
    const { database, rollbackFile } = await start()
    await fixture!.ledger.submit(plainCandidate(1))
    await stop()
    copyFileSync(database, `${database}.old`)
    await start()
    await fixture!.ledger.submit(plainCandidate(2))
    await fixture!.ledger.submit(plainCandidate(3))
    // Also the one that came behind the quorum has seen it.
    await expect.poll(() => witnesses.every(hasSeen(8))).toBe(true)
    await stop()
    for (const suffix of ['-wal', '-shm']) rmSync(`${database}${suffix}`, { force: true })
    copyFileSync(`${database}.old`, database)
    return rollbackFile
  }

  it('signs nothing: one witness is enough to know', async () => {
    rmSync(await restoreOldCopy())
    await down(0)
    const error = await fatal(start())
    expect(error).toBeInstanceOf(LedgerFatal)
    expect(error).toMatchObject({ code: 'rollback', detail: { database: 4, claimed: 8, isProved: true } })
  })

  it('signs nothing: the rollback file knows it without them', async () => {
    await restoreOldCopy()
    await down(0, 1, 2)
    expect(await fatal(start())).toMatchObject({ code: 'rollback', detail: { database: 4, remembered: 8 } })
  })

  it('stops as soon as a witness is back that knows more', async () => {
    const rollbackFile = await restoreOldCopy()
    rmSync(rollbackFile)
    await down(0, 1)
    // The only one that answers was restored as well: it never saw the last two batches.
    await witnesses[2]!.forget()
    const stopped: LedgerFatal[] = []
    const at = await start({ publishWaitMs: 1, onFatal: (error) => stopped.push(error) })
    expect(at.ledger.publishedSize()).toBe(4)
    const { size } = at.ledger.committed()
    await up(0)
    await expect.poll(() => stopped.map(({ code }) => code)).toEqual(['rollback'])
    await expect(at.ledger.submit(plainCandidate(4))).rejects.toMatchObject({ code: 'rollback' })
    expect(at.ledger.committed().size).toBe(size)
  })

  it('is one registry among two with one key: the witnesses cosign one history', async () => {
    const { rollbackFile } = await start()
    await stop()
    const twin = `${folder}-twin`
    cpSync(folder, twin, { recursive: true })
    try {
      await start()
      await fixture!.ledger.submit(plainCandidate(1))
      const ours = fixture!.ledger.publishedNote()
      rmSync(rollbackFile)
      const error = await fatal(startLedger(twin, { outside: openOutside(), witnessTimeoutMs: PATIENT_MS }))
      expect(error).toMatchObject({ code: 'rollback', detail: { database: 2, claimed: 4 } })
      expect(ours).toBe(fixture!.ledger.publishedNote())
    } finally {
      await rm(twin, { recursive: true, force: true })
    }
  })
})
