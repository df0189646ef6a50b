import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  cosigner,
  EMPTY_ROOT,
  formatCheckpointBody,
  formatNote,
  leafHash,
  merkleRoot,
  noteSigner,
  openCheckpoint,
  parseNote,
  utf8Bytes,
} from 'countersign/core'
import { signCheckpoint } from '../../src/log/head.js'
import type { LedgerFatal } from '../../src/log/ledger.js'
import { MAX_SEEN_BYTES } from '../../src/log/seen.js'
import { StoreError } from '../../src/storage/errors.js'
import type { BatchTx, Store } from '../../src/storage/store.js'
import { fsck } from '../support/fsck.js'
import {
  plainCandidate,
  scriptWitness,
  startLedger,
  withLine,
  type LedgerFixture,
  type LedgerOverrides,
} from '../support/ledger.js'
import { testSigner } from '../support/tlog.js'

let fixture: LedgerFixture
beforeEach(async () => {
  fixture = await startLedger()
  for (const n of [1, 2, 3]) await fixture.ledger.submit(plainCandidate(n))
})
afterEach(() => fixture.remove())

const restart = async (overrides: LedgerOverrides = {}): Promise<void> => {
  await fixture.stop()
  fixture = await startLedger(fixture.folder, overrides)
}
const seen = (note: string): Promise<void> => fixture.ledger.seen(utf8Bytes(note))
const notes = async (): Promise<string[]> => {
  const all = await Promise.all(Array.from({ length: 9 }, (_, size) => fixture.store.readCheckpoint(size)))
  return all.filter((note) => note !== undefined)
}
const anotherRoot = merkleRoot([leafHash(utf8Bytes('another history'))])
/** What a thief of the log key, or an older copy of this registry, would have signed. */
const forked = (size: number): string => signCheckpoint(fixture.keys, size, anotherRoot)
const file = (): string => readFileSync(fixture.rollbackFile, 'utf8')

describe('a checkpoint that somebody saw', () => {
  it('is known when it is ours, of any size, with or without cosignatures', async () => {
    const ours = [...(await notes()), fixture.ledger.publishedNote()]
    expect(ours).toHaveLength(5)
    const empty = signCheckpoint(fixture.keys, 0, EMPTY_ROOT)
    const stranger = cosigner('stranger.example', testSigner(9))
    const more = ours.map((note) => withLine(note, stranger.cosign(parseNote(note).text, 1)))
    for (const note of [empty, ...ours, ...more]) await seen(note)
    expect(await fixture.ledger.submit(plainCandidate(4))).toMatchObject({ index: 8, published: true })
  })

  it('is known when it is committed and not yet published', async () => {
    const witness = scriptWitness()
    await fixture.remove()
    fixture = await startLedger(undefined, {
      ...{ witnesses: witness, people: { policy: witness.policy }, publishWaitMs: 1 },
    })
    witness.mode = 'down'
    await fixture.ledger.submit(plainCandidate(1))
    await seen(fixture.ledger.committed().note)
    witness.mode = 'cosigns'
    expect(await fixture.ledger.submit(plainCandidate(2))).toMatchObject({ index: 4 })
  })

  it('is nothing to us when our log key did not sign it', async () => {
    const kept = file()
    const { keys, ledger } = fixture
    const own = ledger.publishedNote()
    const body = formatCheckpointBody({ origin: keys.origin, size: 99, root: anotherRoot })
    const elsewhere = formatCheckpointBody({ origin: `${keys.origin}-9`, size: 99, root: anotherRoot })
    const wrong = [
      '',
      'nonsense',
      own.replace('\n8\n', '\n9\n'),
      formatNote(body, [noteSigner(keys.origin, testSigner(5)).sign(body)]),
      formatNote(body, [keys.timestamper.cosign(body, 1)]),
      formatNote(elsewhere, [keys.log.sign(elsewhere)]),
      formatNote(`${body}extension\n`, [keys.log.sign(`${body}extension\n`)]),
      ledger.rootNote(1)!,
      `${own}${'x'.repeat(MAX_SEEN_BYTES)}`,
    ]
    for (const note of wrong) await expect(seen(note)).rejects.toMatchObject({ code: 'note-invalid' })
    await expect(ledger.seen(Uint8Array.of(0xff, 0x0a))).rejects.toMatchObject({ code: 'note-invalid' })
    expect(file()).toBe(kept)
    expect(await ledger.submit(plainCandidate(4))).toMatchObject({ index: 8, published: true })
    await fsck(fixture)
  })

  it.each([
    ['larger', 9],
    ['as large, with another root', 8],
    ['smaller, with another root', 5],
  ])('ends the log when we signed it and do not hold it: %s', async (_, size) => {
    const fatal: LedgerFatal[] = []
    await restart({ onFatal: (error) => void fatal.push(error), refreshSeconds: 0.01 })
    const note = forked(size)
    const stranger = cosigner('stranger.example', testSigner(9))
    await expect(seen(withLine(note, stranger.cosign(parseNote(note).text, 1)))).rejects.toMatchObject({
      ...{ code: 'log-forked', detail: { reported: size, database: 8 } },
    })
    expect(fatal).toMatchObject([{ code: 'rollback', detail: { note } }])
    expect(file()).toBe(note)
    const shown = fixture.ledger.publishedNote()
    await expect(fixture.ledger.submit(plainCandidate(4))).rejects.toMatchObject({ code: 'rollback' })
    expect((await fixture.store.readLogState())?.size).toBe(8)
    expect([fixture.ledger.publishedNote(), file()]).toEqual([shown, note])
    await fixture.stop()
    await expect(startLedger(fixture.folder)).rejects.toMatchObject({ code: 'rollback' })
    fixture = await startLedger()
  })

  it('is kept in place of ours, even of one that is being written', async () => {
    const [first, second] = [forked(9), forked(11)]
    const working = Promise.allSettled([4, 5, 6].map((n) => fixture.ledger.submit(plainCandidate(n))))
    await expect(seen(first)).rejects.toMatchObject({ code: 'log-forked' })
    await working
    expect(file()).toBe(first)
    await expect(seen(second)).rejects.toMatchObject({ code: 'log-forked' })
    await seen((await notes())[0]!)
    expect(openCheckpoint(file(), { origin: fixture.keys.origin, key: fixture.keys.log.key })).toBeDefined()
  })

  it('stops a batch that was begun before it, unsigned', async () => {
    let begun = (): void => undefined
    let go = (): void => undefined
    const isBegun = new Promise<void>((resolve) => (begun = resolve))
    const mayGo = new Promise<void>((resolve) => (go = resolve))
    await restart()
    const held = plainCandidate(4, {
      authorise: async () => {
        begun()
        await mayGo
      },
    })
    const submitted = fixture.ledger.submit(held)
    const refused = expect(submitted).rejects.toMatchObject({ code: 'not-committed' })
    await isBegun
    const report = expect(seen(forked(9))).rejects.toMatchObject({ code: 'log-forked' })
    await report
    go()
    await refused
    expect((await fixture.store.readLogState())?.size).toBe(8)
  })

  it('is not judged by a database that cannot be read', async () => {
    let isBroken = false
    const wrap = (store: Store): Store => ({
      ...store,
      readTile: (level, n) =>
        isBroken ? Promise.reject(new StoreError('io', 'the disk is gone')) : store.readTile(level, n),
      commitBatch: <T>(work: (tx: BatchTx) => Promise<T>) => store.commitBatch(work),
    })
    await restart({ wrap })
    isBroken = true
    await expect(seen((await notes())[1]!)).rejects.toMatchObject({ code: 'io' })
    isBroken = false
    expect(await fixture.ledger.submit(plainCandidate(4))).toMatchObject({ index: 8, published: true })
  })
})
