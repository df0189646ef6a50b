import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatVerifierKey, leafHash, merkleRoot, utf8Bytes } from 'countersign/core'
import { checkLog } from '../../src/log/fsck.js'
import { signCheckpoint } from '../../src/log/head.js'
import { openKeys } from '../../src/log/keys.js'
import { openOutside } from '../../src/net/open-outside.js'
import { StoreError } from '../../src/storage/errors.js'
import type { BatchTx, Store } from '../../src/storage/store.js'
import { fsck } from '../support/fsck.js'
import { plainCandidate, startLedger, type LedgerFixture } from '../support/ledger.js'
import {
  breaks,
  knows,
  policyOf,
  returns,
  startFakeWitness,
  type FakeWitness,
  type Step,
} from '../support/witness.js'

// The fault table: every step between a submission and its publication fails, and the registry is restarted in that
// state or not. After each: the log is whole, no index was given twice, and every promise ended as it may.

let fixture: LedgerFixture
let witness: FakeWitness

type Work<T> = (tx: BatchTx) => Promise<T>
interface Faults {
  /** Of the next batch. */
  batch?: (<T>(store: Store, work: Work<T>) => Promise<T>) | undefined
  publish?: Store['publishCheckpoint']
}
let faults: Faults

/** The faults are between the ledger and a real database; each batch fault strikes once. */
const faulty = (store: Store): Store => ({
  ...store,
  commitBatch: <T>(work: Work<T>) => {
    const { batch } = faults
    delete faults.batch
    return batch === undefined ? store.commitBatch(work) : batch(store, work)
  },
  publishCheckpoint: (size, note) => (faults.publish ?? store.publishCheckpoint)(size, note),
})

const start = (folder: string, policy: string): Promise<LedgerFixture> =>
  startLedger(folder, {
    ...{ outside: openOutside(), people: { policy }, wrap: faulty, publishWaitMs: 1 },
    witnessTimeoutMs: 20_000,
  })
const policy = (): string => policyOf([witness], `quorum ${witness.name}`)

beforeEach(async () => {
  faults = {}
  const folder = await mkdtemp(join(tmpdir(), 'countersign-faults-'))
  const { origin, log } = await openKeys(join(folder, 'data', 'keys'))
  witness = await startFakeWitness('w1', formatVerifierKey(origin, 1, log.key.publicKey))
  fixture = await start(folder, policy())
  await published()
})
afterEach(async () => {
  await fixture.remove()
  await witness.close()
})

const published = (): Promise<void> =>
  expect
    .poll(() => fixture.ledger.publishedSize() === fixture.ledger.committed().size, { interval: 10 })
    .toBe(true)

const io = (): never => {
  throw new StoreError('io', 'the disk is full')
}
const unknown = (): never => {
  throw new StoreError('commit-unknown', 'the connection broke')
}
const inAppend =
  (append: (tx: BatchTx, batch: Parameters<BatchTx['append']>[0]) => Promise<void>): Faults['batch'] =>
  (store, work) =>
    store.commitBatch((tx) => work({ ...tx, append: (batch) => append(tx, batch) }))

/** The witness does this with everything, however often it is asked. */
const always = (step: Step) => (): void => {
  witness.script.push(...Array.from({ length: 1000 }, () => step))
}
const larger = (note: () => string) => (): void => {
  always(knows(1000))()
  witness.shown = note()
}
const thiefs = (size: number): string =>
  signCheckpoint(fixture.keys, size, merkleRoot([leafHash(utf8Bytes('another history'))]))

/** What becomes of the submissions: refused and not logged; logged; logged, and not published until it is mended. */
type End = 'lost' | 'logged' | 'pending'
interface Fault {
  readonly name: string
  readonly arm: () => void
  readonly end: End
  /** Why a start refuses while it lasts. */
  readonly start?: string
}

const FAULTS: readonly Fault[] = [
  { name: 'before the transaction', arm: () => (faults.batch = async () => io()), end: 'lost' },
  {
    name: 'before the first candidate',
    arm: () => (faults.batch = (store) => store.commitBatch(async () => io())),
    end: 'lost',
  },
  {
    name: 'before the compare-and-swap',
    arm: () => (faults.batch = inAppend(async () => io())),
    end: 'lost',
  },
  {
    name: 'after the entries',
    arm: () =>
      (faults.batch = inAppend(async (tx, batch) => {
        await tx.append({ ...batch, tiles: [] })
        io()
      })),
    end: 'lost',
  },
  {
    name: 'after the tiles',
    arm: () =>
      (faults.batch = inAppend(async (tx, batch) => {
        await tx.append(batch)
        io()
      })),
    end: 'lost',
  },
  {
    name: 'COMMIT, which fails',
    arm: () =>
      (faults.batch = (store, work) =>
        store.commitBatch(async (tx) => {
          await work(tx)
          return unknown()
        })),
    end: 'lost',
  },
  {
    name: 'COMMIT, whose answer is lost',
    arm: () =>
      (faults.batch = async (store, work) => {
        await store.commitBatch(work)
        return unknown()
      }),
    end: 'logged',
  },
  { name: 'the witness, which is down', arm: () => (witness.isDown = true), end: 'pending' },
  { name: 'the witness, which breaks every answer off', arm: always(breaks), end: 'pending' },
  {
    name: 'the witness, which claims a larger tree and shows none',
    arm: larger(() => fixture.ledger.publishedNote()),
    ...{ end: 'pending', start: 'rollback' },
  },
  {
    name: 'the witness, which returns a line that is none',
    arm: always(returns(() => '\u2014 w1 AAAA\n')),
    end: 'pending',
  },
  {
    name: 'the witness, which returns a line over another tree',
    arm: () => {
      const before = witness.cosign(fixture.ledger.publishedNote())
      always(returns(() => `${before}\n`))()
    },
    end: 'pending',
  },
  {
    name: 'the published pointer, which cannot be moved',
    arm: () => (faults.publish = async () => io()),
    end: 'pending',
  },
]

const mend = (): void => {
  faults = {}
  witness.isDown = false
  witness.script.length = 0
  witness.shown = undefined
}

/** Who was promised which index; nobody is promised two, and no index is promised twice. */
const promised = new Map<number, number>()
const promise = (n: number, index: number): void => {
  expect([n, promised.get(n) ?? index]).toEqual([n, index])
  promised.set(n, index)
  const holders = [...promised].filter(([, given]) => given === index).map(([holder]) => holder)
  expect(holders).toEqual([n])
}

async function submitAll(numbers: readonly number[]): Promise<string[]> {
  const results = await Promise.allSettled(numbers.map((n) => fixture.ledger.submit(plainCandidate(n))))
  return results.map((result, i) => {
    if (result.status === 'rejected') return (result.reason as { code?: string }).code ?? 'no code'
    promise(numbers[i]!, result.value.index)
    return result.value.published ? 'published' : 'pending'
  })
}

const assertEnded = (ends: readonly string[], end: End): void => {
  const may = { lost: ['not-committed'], logged: ['published', 'pending'], pending: ['pending'] }[end]
  for (const one of ends) expect(may).toContain(one)
}

describe.each(FAULTS)('$name', ({ arm, end, start: refusal }) => {
  it.each([false, true])('fails: restarted %s', async (isRestarted) => {
    promised.clear()
    await submitAll([1, 2])
    await published()
    const before = fixture.ledger.publishedSize()
    arm()
    assertEnded(await submitAll([3, 4, 5]), end)
    if (end === 'pending') expect(fixture.ledger.publishedSize()).toBe(before)
    if (isRestarted) await restartInThisState(refusal)
    mend()
    const again = await submitAll([5, 3, 6, 4, 1, 2])
    assertEnded(again, 'logged')
    await published()
    expect(await submitAll([1, 2, 3, 4, 5, 6])).toEqual(Array.from({ length: 6 }, () => 'published'))
    expect(await fsck(fixture)).toHaveLength(fixture.ledger.committed().size)
    expect((await checkLog(fixture.store, fixture.keys)).faults).toEqual([])
  })
})

async function restartInThisState(refusal: string | undefined): Promise<void> {
  const { folder } = fixture
  await fixture.stop()
  if (refusal !== undefined) {
    await expect(start(folder, policy())).rejects.toMatchObject({ code: refusal })
    mend()
  }
  fixture = await start(folder, policy())
}

describe('the witness, which shows a larger tree that our key signed', () => {
  it('ends the log: whoever waits is told, and no start goes on while it is known', async () => {
    larger(() => thiefs(1000))()
    const { ledger, folder, store } = fixture
    const shown = ledger.publishedNote()
    const first = await ledger.submit(plainCandidate(1)).catch((error: unknown) => error)
    // Its answer may come before the time of waiting is up or after; both are true.
    if (first instanceof Error) expect(first).toMatchObject({ code: 'not-published' })
    else expect(first).toEqual({ index: 2, size: 4, published: false })
    await expect
      .poll(
        () => ledger.submit(plainCandidate(2)).catch((error: unknown) => (error as { code?: string }).code),
        { interval: 10 },
      )
      .toBe('rollback')
    expect(ledger.publishedNote()).toBe(shown)
    const { size } = (await store.readLogState())!
    await fixture.stop()
    await expect(start(folder, policy())).rejects.toMatchObject({ code: 'rollback' })
    mend()
    // It was proved once, and is remembered when nobody proves it any more; only a person may forget it.
    await expect(start(folder, policy())).rejects.toMatchObject({ code: 'rollback' })
    rmSync(fixture.rollbackFile)
    fixture = await start(folder, policy())
    await published()
    expect(fixture.ledger.publishedSize()).toBe(size)
    await fsck(fixture)
  })
})
