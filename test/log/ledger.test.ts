import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  openCheckpoint,
  openTrustRoot,
  parseEvent,
  parseStatus,
  rootFingerprint,
  rootNoteDigest,
  type Cosignature,
} from 'countersign/core'
import { LedgerFatal } from '../../src/log/ledger.js'
import { StoreError } from '../../src/storage/errors.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { BatchTx, Store } from '../../src/storage/store.js'
import { fsck } from '../support/fsck.js'
import { plainCandidate, startLedger, type LedgerFixture, type LedgerOverrides } from '../support/ledger.js'

let fixture: LedgerFixture
beforeEach(async () => {
  fixture = await startLedger()
})
afterEach(() => fixture.remove())

const restart = async (overrides: LedgerOverrides = {}): Promise<void> => {
  await fixture.stop()
  fixture = await startLedger(fixture.folder, overrides)
}
const cosignatures = ({ ledger, keys }: LedgerFixture): readonly Cosignature[] =>
  openCheckpoint(ledger.publishedNote(), { origin: keys.origin, key: keys.log.key }, [keys.timestamper.key])
    .cosignatures

describe('a first start', () => {
  it('pins itself in trust root version 1 and logs it as entry 0', async () => {
    const { ledger, keys, store } = fixture
    const note = ledger.rootNote(1)!
    const root = openTrustRoot(note)
    expect(root).toMatchObject({ identity: keys.identity, version: 1, threshold: 1, policy: 'quorum none\n' })
    expect(root.freshness).toEqual({ refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 })
    expect(root.logs).toMatchObject([{ origin: `${keys.identity}/log`, status: 'active' }])
    expect(root.timestamperKey.publicKey).toEqual(keys.timestamper.key.publicKey)
    expect(ledger.rootNote('latest')).toBe(note)
    expect(ledger.rootNote(2)).toBeUndefined()
    expect(ledger.fingerprint).toBe(rootFingerprint(root.text))
    const [leaf] = await store.readEntries(0, 1)
    expect(parseEvent(leaf!)).toEqual({ v: 1, t: 'root', version: 1, digest: rootNoteDigest(note) })
  })

  it('makes the root last a year', async () => {
    await fixture.remove()
    const now = Date.parse('2030-01-01T00:00:00Z')
    fixture = await startLedger(undefined, { now: () => now })
    expect(openTrustRoot(fixture.ledger.rootNote(1)!).expires).toBe('2031-01-01T00:00:00Z')
    expect(cosignatures(fixture)).toMatchObject([{ timestamp: now / 1000 }])
  })
})

describe('a restart', () => {
  it('continues where it was', async () => {
    await Promise.all(Array.from({ length: 300 }, (_, n) => fixture.ledger.submit(plainCandidate(n))))
    const { fingerprint, identity } = fixture.ledger
    await restart()
    expect(fixture.ledger).toMatchObject({ fingerprint, identity })
    expect(fixture.ledger.publishedSize()).toBe(304)
    expect(await fixture.ledger.submit(plainCandidate(7))).toMatchObject({ index: 9 })
    expect(await fixture.ledger.submit(plainCandidate(300))).toMatchObject({ index: 304 })
    await fsck(fixture)
  })

  it('publishes what was committed but not yet published', async () => {
    const held: LedgerOverrides = {
      publishWaitMs: 1,
      wrap: (store) => ({ ...store, publishCheckpoint: publishOnly(store, 2) }),
    }
    await restart(held)
    expect(await fixture.ledger.submit(plainCandidate(1))).toEqual({ index: 2, size: 4, published: false })
    expect(fixture.ledger.publishedSize()).toBe(2)
    expect(await fixture.ledger.tile('tile/0/000.p/3')).toBeUndefined()
    await restart()
    expect(fixture.ledger.publishedSize()).toBe(4)
    expect(await fixture.ledger.submit(plainCandidate(1))).toEqual({ index: 2, size: 4, published: true })
  })

  it('cosigns again at once', async () => {
    await restart({ now: () => 4_000_000_000_000 })
    expect(cosignatures(fixture)).toMatchObject([{ timestamp: 4_000_000_000 }])
  })
})

const publishOnly =
  (store: Store, size: number): Store['publishCheckpoint'] =>
  (at, note) =>
    at === size ? store.publishCheckpoint(at, note) : Promise.reject(new StoreError('io', 'the disk is full'))

describe('refreshing', () => {
  it('keeps the status of an unchanged tree fresh', async () => {
    let seconds = 2_000_000_000
    await restart({ now: () => seconds++ * 1000, refreshSeconds: 0.02 })
    await expect.poll(() => cosignatures(fixture)[0]!.timestamp).toBeGreaterThan(2_000_000_003)
    expect(fixture.ledger.publishedSize()).toBe(2)
    const { checkpoint } = parseStatus(fixture.ledger.statusDocument())
    expect(checkpoint).toBe(fixture.ledger.publishedNote())
    const state = await fixture.store.readLogState()
    expect(state!.publishedNote).not.toBe(state!.note)
  })
})

/** Breaks the `n`th batch (0: the first one after the start). */
const breakBatch = (
  break_: (store: Store, work: (tx: BatchTx) => Promise<unknown>) => Promise<unknown>,
  times = 1,
): LedgerOverrides => {
  let left = times
  return {
    wrap: (store) => ({
      ...store,
      commitBatch: <T>(work: (tx: BatchTx) => Promise<T>) =>
        left-- > 0 ? (break_(store, work) as Promise<T>) : store.commitBatch(work),
    }),
  }
}
const loseRace = breakBatchBy((tx) => ({
  ...tx,
  append: (batch) => tx.append({ ...batch, expected: { ...batch.expected, note: 'another' } }),
}))
function breakBatchBy(change: (tx: BatchTx) => BatchTx) {
  return (store: Store, work: (tx: BatchTx) => Promise<unknown>) =>
    store.commitBatch((tx) => work(change(tx)))
}
const codeOf = (result: PromiseSettledResult<unknown>): unknown =>
  result.status === 'rejected' ? (result.reason as { code?: unknown }).code : undefined
const unknownOutcome = new StoreError('commit-unknown', 'the connection broke')

describe('when a batch fails', () => {
  it('builds it again after a lost race, and nothing of the lost one stays', async () => {
    await restart(breakBatch(loseRace, 2))
    const applied: number[] = []
    const candidate = plainCandidate(1, {
      apply: async (tx, index) => {
        applied.push(index)
        await tx.putRevocation(`server\0com.example/try-${applied.length}`, index)
      },
    })
    expect(await fixture.ledger.submit(candidate)).toEqual({ index: 2, size: 4, published: true })
    expect(applied).toEqual([2, 2, 2])
    expect(await fixture.store.readRevocations()).toEqual(['server\0com.example/try-3'])
    await fsck(fixture)
  })

  it('gives up on a race it always loses, and goes on', async () => {
    await restart(breakBatch(loseRace, 4))
    await expect(fixture.ledger.submit(plainCandidate(1))).rejects.toMatchObject({ code: 'not-committed' })
    expect(await fixture.ledger.submit(plainCandidate(2))).toEqual({ index: 2, size: 4, published: true })
    await fsck(fixture)
  })

  it('finds out that a COMMIT without an answer had happened', async () => {
    const commitThenFail = async (store: Store, work: (tx: BatchTx) => Promise<unknown>) => {
      await store.commitBatch(work)
      throw unknownOutcome
    }
    await restart(breakBatch(commitThenFail))
    const both = await Promise.all(
      [plainCandidate(1), plainCandidate(2)].map((c) => fixture.ledger.submit(c)),
    )
    expect(both.map(({ index }) => index)).toEqual([2, 3])
    expect(await fixture.ledger.submit(plainCandidate(3))).toMatchObject({ index: 5 })
    await fsck(fixture)
  })

  it('finds out that it had not', async () => {
    const failInstead = (store: Store, work: (tx: BatchTx) => Promise<unknown>) =>
      store.commitBatch(async (tx) => {
        await work(tx)
        throw unknownOutcome
      })
    await restart(breakBatch(failInstead))
    const results = await Promise.allSettled([1, 2].map((n) => fixture.ledger.submit(plainCandidate(n))))
    expect(results.map((result) => codeOf(result))).toEqual([...['not-committed', 'not-committed']])
    expect(await fixture.ledger.submit(plainCandidate(2))).toMatchObject({ index: 2 })
    await fsck(fixture)
  })

  it.each(['commit-unknown', 'lost-race'] as const)(
    'stops for good when, after %s, the database is not the one it signed',
    async (code) => {
      const fatal: LedgerFatal[] = []
      const earlier = await fixture.store.readLogState()
      await fixture.ledger.submit(plainCandidate(0))
      let rolledBack = false
      await restart({
        onFatal: (error) => void fatal.push(error),
        wrap: (store) => ({
          ...store,
          readLogState: () => (rolledBack ? Promise.resolve(earlier) : store.readLogState()),
          commitBatch: () => Promise.reject(new StoreError(code, 'gone')),
        }),
      })
      rolledBack = true
      const results = await Promise.allSettled(
        Array.from({ length: 300 }, (_, n) => fixture.ledger.submit(plainCandidate(n))),
      )
      expect(new Set(results.map((result) => codeOf(result)))).toEqual(new Set(['outcome-unknown']))
      await expect(fixture.ledger.submit(plainCandidate(1))).rejects.toBeInstanceOf(LedgerFatal)
      expect(fatal).toHaveLength(1)
      expect(fixture.ledger.publishedSize()).toBe(4)
    },
  )
})

describe('the rollback file', () => {
  const backup = () => `${fixture.database}.backup`
  const restore = async (): Promise<void> => {
    await fixture.stop()
    for (const end of ['-wal', '-shm']) rmSync(fixture.database + end, { force: true })
    copyFileSync(backup(), fixture.database)
  }
  const begin = () => startLedger(fixture.folder)

  it('holds the newest checkpoint before anything is answered', async () => {
    const answers = Array.from({ length: 5 }, async (_, n) => {
      const { size } = await fixture.ledger.submit(plainCandidate(n))
      const log = { origin: fixture.keys.origin, key: fixture.keys.log.key }
      expect(openCheckpoint(readFileSync(fixture.rollbackFile), log).checkpoint.size).toBeGreaterThanOrEqual(
        size,
      )
    })
    await Promise.all(answers)
  })

  it('refuses an older database, and changes nothing in it', async () => {
    await fixture.ledger.submit(plainCandidate(0))
    await fixture.stop()
    copyFileSync(fixture.database, backup())
    fixture = await begin()
    await fixture.ledger.submit(plainCandidate(1))
    await restore()
    await expect(begin()).rejects.toMatchObject({ code: 'rollback', detail: { remembered: 6, database: 4 } })
    expect(readFileSync(fixture.database).equals(readFileSync(backup()))).toBe(true)
    rmSync(fixture.rollbackFile)
    fixture = await begin()
  })

  it('refuses a database that was lost as a whole', async () => {
    await fixture.stop()
    for (const end of ['', '-wal', '-shm']) rmSync(fixture.database + end, { force: true })
    await expect(begin()).rejects.toMatchObject({ code: 'rollback' })
    const store = await openSqliteStore(fixture.database)
    expect(await store.readLogState()).toBeUndefined()
    await store.close()
    rmSync(fixture.rollbackFile)
    fixture = await begin()
  })

  it('refuses another log of the same or a larger size', async () => {
    await fixture.stop()
    copyFileSync(fixture.database, backup())
    fixture = await begin()
    await fixture.ledger.submit(plainCandidate(1))
    const seen = readFileSync(fixture.rollbackFile)
    await restore()
    rmSync(fixture.rollbackFile)
    fixture = await begin()
    await fixture.ledger.submit(plainCandidate(2))
    for (const more of [0, 1]) {
      if (more === 1) {
        fixture = await begin()
        await fixture.ledger.submit(plainCandidate(3))
      }
      await fixture.stop()
      const own = readFileSync(fixture.rollbackFile)
      writeFileSync(fixture.rollbackFile, seen)
      await expect(begin()).rejects.toMatchObject({ code: 'rollback' })
      writeFileSync(fixture.rollbackFile, own)
    }
    fixture = await begin()
  })

  it('does not take an unreadable file for an absent one', async () => {
    await fixture.stop()
    const good = readFileSync(fixture.rollbackFile, 'utf8')
    for (const bad of ['', 'nonsense', good.replace(/\n[0-9]+\n/, '\n9\n')]) {
      writeFileSync(fixture.rollbackFile, bad)
      await expect(begin()).rejects.toMatchObject({ code: 'rollback-file-unusable' })
    }
    writeFileSync(fixture.rollbackFile, good)
    fixture = await begin()
  })

  it('may be a link to another disk: the link stays, and one that leads nowhere is no absent file', async () => {
    await fixture.stop()
    const { rollbackFile, folder } = fixture
    const [disk, away] = [`${folder}/disk.rollback`, `${folder}/away.rollback`]
    renameSync(rollbackFile, disk)
    symlinkSync(disk, rollbackFile)
    fixture = await begin()
    await fixture.ledger.submit(plainCandidate(1))
    expect([readlinkSync(rollbackFile), readFileSync(disk, 'utf8')]).toEqual([
      disk,
      (await fixture.store.readLogState())?.note,
    ])
    await fixture.stop()
    renameSync(disk, away)
    await expect(begin()).rejects.toMatchObject({ code: 'rollback-file-unusable' })
    renameSync(away, disk)
    fixture = await begin()
  })

  it('stops the log when it cannot be written: nobody is given an index', async () => {
    const fatal: LedgerFatal[] = []
    await restart({ onFatal: (error) => void fatal.push(error) })
    rmSync(fixture.rollbackFile)
    mkdirSync(fixture.rollbackFile)
    await expect(fixture.ledger.submit(plainCandidate(1))).rejects.toMatchObject({ code: 'not-published' })
    await expect(fixture.ledger.submit(plainCandidate(2))).rejects.toMatchObject({
      code: 'rollback-file-unusable',
    })
    expect(fatal.map(({ code }) => code)).toEqual(['rollback-file-unusable'])
    await fixture.stop()
    rmSync(fixture.rollbackFile, { recursive: true })
    fixture = await begin()
    expect(await fixture.ledger.submit(plainCandidate(1))).toMatchObject({ index: 2, size: 4 })
  })

  it('accepts a database that is ahead of it', async () => {
    const older = readFileSync(fixture.rollbackFile)
    await fixture.ledger.submit(plainCandidate(1))
    await fixture.stop()
    writeFileSync(fixture.rollbackFile, older)
    fixture = await begin()
    expect(fixture.ledger.publishedSize()).toBe(4)
  })
})

describe('what does not belong together', () => {
  it('refuses an identity that the keys do not have', async () => {
    await fixture.stop()
    const other = startLedger(fixture.folder, { identity: 'another.example' })
    await expect(other).rejects.toMatchObject({ code: 'identity-mismatch' })
    fixture = await startLedger(fixture.folder, { identity: fixture.keys.identity })
  })

  it('refuses the keys of another registry, and its database', async () => {
    const other = await startLedger()
    await other.stop()
    await fixture.stop()
    const keys = (folder: string) => `${folder}/data/keys`
    for (const key of ['root.key', 'timestamper.key', 'log.key']) {
      copyFileSync(`${keys(other.folder)}/${key}`, `${keys(fixture.folder)}/${key}`)
    }
    const file = `${fixture.folder}/other.rollback`
    await expect(startLedger(fixture.folder, { rollbackFile: file })).rejects.toMatchObject({
      code: 'identity-mismatch',
    })
    expect(existsSync(file)).toBe(false)
    fixture = other
    fixture = await startLedger(other.folder)
  })

  it('refuses damaged tiles before it signs on top of them', async () => {
    await fixture.ledger.submit(plainCandidate(1))
    await fixture.stop()
    const damage = (store: Store): Store => ({
      ...store,
      readTile: async (level, n) =>
        (await store.readTile(level, n))?.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    })
    await expect(startLedger(fixture.folder, { wrap: damage })).rejects.toMatchObject({
      code: 'state-invalid',
    })
    fixture = await startLedger(fixture.folder)
  })

  it('refuses a second process on the same folder', async () => {
    await fixture.stop()
    const child = spawn(process.execPath, [
      '-e',
      `const Database = require('better-sqlite3')
       const lock = new Database(process.argv[1] + '.lock')
       lock.exec('BEGIN EXCLUSIVE')
       console.log('held')
       setInterval(() => lock, 1000)`,
      fixture.database,
    ])
    await once(child.stdout, 'data')
    await expect(startLedger(fixture.folder)).rejects.toMatchObject({ code: 'locked' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    fixture = await startLedger(fixture.folder)
    await expect(startLedger(fixture.folder)).rejects.toMatchObject({ code: 'locked' })
  })
})

describe('reads', () => {
  beforeEach(async () => {
    await Promise.all(Array.from({ length: 256 }, (_, n) => fixture.ledger.submit(plainCandidate(n))))
  })

  it('serves tiles and every narrower form of them, up to the published size', async () => {
    const tile = (path: string) => fixture.ledger.tile(path)
    const full = (await tile('tile/0/000'))!
    expect(full).toHaveLength(8192)
    expect(await tile('tile/0/000.p/255')).toEqual(full.slice(0, 255 * 32))
    expect(await tile('tile/0/001.p/3')).toHaveLength(96)
    expect(await tile('tile/entries/001.p/3')).toBeDefined()
    const absent = [
      'tile/0/001',
      'tile/0/001.p/4',
      'tile/0/002.p/1',
      'tile/1/000',
      'tile/1/000.p/2',
      'tile/2/000.p/1',
    ]
    const malformed = [
      'tile/0/0',
      'tile/0/000.p/0',
      'tile/0/000.p/256',
      'tile/00/000',
      'checkpoint',
      '',
      '../keys',
    ]
    for (const path of [...absent, ...malformed, 'tile/entries/001']) expect(await tile(path)).toBeUndefined()
  })

  it('refuses proofs beyond what is published', async () => {
    const { ledger } = fixture
    const out = { code: 'out-of-range' }
    for (const [index, size] of [
      [0, 260],
      [259, 259],
      [-1, 5],
      [0.5, 5],
      [0, -1],
      [0, 1e300],
    ] as const) {
      await expect(ledger.inclusionProof(index, size)).rejects.toMatchObject(out)
    }
    for (const [from, to] of [
      [5, 4],
      [-1, 4],
      [0, 260],
      [1.5, 4],
    ] as const) {
      await expect(ledger.consistencyProof(from, to)).rejects.toMatchObject(out)
    }
    expect(await ledger.consistencyProof(0, 259)).toEqual([])
    expect(await ledger.consistencyProof(259, 259)).toEqual([])
  })
})
