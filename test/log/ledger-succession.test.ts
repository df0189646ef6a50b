import { rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  decodeBase64,
  encodeBase64,
  noteSigner,
  openCheckpoint,
  parseEvent,
  parseTrustRoot,
  rootNoteDigest,
  verifyConsistency,
  type LogEvent,
} from 'countersign/core'
import { draftBatch } from '../../src/log/batch.js'
import { emptyState, readHead, signCheckpoint } from '../../src/log/head.js'
import type { RegistryKeys } from '../../src/log/keys.js'
import { openLedger, type Candidate, type Ledger } from '../../src/log/ledger.js'
import { bodyOf, signRoot, vkeyOf } from '../../src/log/root.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { LogState, Store } from '../../src/storage/store.js'
import { plainCandidate, silent, startLedger, type LedgerFixture } from '../support/ledger.js'
import { testSigner } from '../support/tlog.js'

// A log that was frozen at six entries, and its successor.

let first: LedgerFixture
let store: Store
let ledger: Ledger
let frozen: LogState
let older: string
let keys: RegistryKeys

const entry = (event: LogEvent, apply: Candidate['apply'] = () => Promise.resolve()): Candidate => ({
  authorise: () => Promise.resolve(),
  event: () => event,
  apply,
})

beforeEach(async () => {
  first = await startLedger()
  for (const n of [1, 2]) await first.ledger.submit(plainCandidate(n))
  frozen = (await first.store.readLogState())!
  older = (await first.store.readCheckpoint(4))!
  const root = first.ledger.trustRoot()
  await first.stop()
  const origin = `${first.keys.identity}/log-2`
  keys = { ...first.keys, origin, log: noteSigner(origin, testSigner(3)) }
  store = await openSqliteStore(first.database)
  const final = { size: frozen.size, root: encodeBase64(frozen.root) }
  const next = signRoot(
    {
      ...{ identity: root.identity, version: 2 },
      body: {
        ...bodyOf(parseTrustRoot(root.note)),
        logs: [
          { origin: frozen.origin, vkey: vkeyOf(first.keys.log.key), status: 'frozen', final },
          { origin, vkey: vkeyOf(keys.log.key), status: 'active' },
        ],
      },
    },
    [first.keys.root!],
  )
  const candidates = [
    entry({ v: 1, t: 'continue', origin: frozen.origin, ...final }),
    entry({ v: 1, t: 'root', version: 2, digest: rootNoteDigest(next) }, (tx) =>
      tx.putRootNote({ version: 2, note: next }),
    ),
  ]
  await store.commitBatch(async (tx) => {
    await tx.succeed(emptyState(keys, frozen.size))
    const sign = (size: number, hash: Uint8Array): string => signCheckpoint(keys, size, hash)
    await draftBatch(tx, await readHead(tx, keys), candidates, sign)
  })
  const rollbackFile = `${first.folder}/state/second.rollback`
  ledger = await openLedger({ log: silent, store, keys, rollbackFile })
})
afterEach(async () => {
  await ledger.close()
  await store.close()
  rmSync(first.folder, { recursive: true, force: true })
})

describe('a successor', () => {
  it('goes on in positions, and counts sizes within its log', async () => {
    expect([ledger.base, ledger.origin, ledger.publishedSize(), ledger.publishedEnd()]).toEqual([
      ...[6, keys.origin, 3, 9],
    ])
    expect(ledger.committed().size).toBe(3)
    expect(await ledger.submit(plainCandidate(3))).toEqual({ index: 9, size: 5, published: true })
    expect(await ledger.submit(plainCandidate(1))).toEqual({ index: 2, size: 5, published: true })
    expect([5, 6, 10, 11].map((position) => ledger.isPublished(position))).toEqual([true, true, true, false])
    const at = async (position: number) => parseEvent((await ledger.entryAt(position)) ?? '{}')
    expect([(await at(0)).t, (await at(2)).t, (await at(6)).t, (await at(9)).t]).toEqual([
      ...['root', 'deprecate', 'continue', 'deprecate'],
    ])
    for (const none of [-1, 0.5, 11]) expect(await ledger.entryAt(none)).toBeUndefined()
    expect([ledger.trustRoot().version, ledger.fingerprint]).toEqual([2, first.ledger.fingerprint])
  })

  it('serves the frozen log as a whole, for ever, and proves it by its origin', async () => {
    expect(ledger.frozenNote(1)).toBe(frozen.note)
    for (const none of [0, 2]) expect(ledger.frozenNote(none)).toBeUndefined()
    expect(await ledger.tile('tile/0/000.p/6', 1)).toHaveLength(6 * 32)
    expect(await ledger.tile('tile/entries/000.p/6', 1)).toBeDefined()
    expect(await ledger.tile('tile/0/000.p/7', 1)).toBeUndefined()
    expect(await ledger.tile('tile/0/000.p/6')).toBeUndefined()
    expect(await ledger.tile('tile/0/000.p/1', 2)).toBeUndefined()
    const { checkpoint } = openCheckpoint(older, { origin: frozen.origin, key: first.keys.log.key })
    const proof = await ledger.consistencyProof(checkpoint.size, 6, frozen.origin)
    verifyConsistency(checkpoint.size, 6, proof.map(decodeBase64), checkpoint.root, frozen.root)
    expect(await ledger.inclusionProof(2, 6, frozen.origin)).toHaveLength(3)
    const out = { code: 'out-of-range' }
    await expect(ledger.consistencyProof(1, 7, frozen.origin)).rejects.toMatchObject(out)
    await expect(ledger.consistencyProof(1, 4)).rejects.toMatchObject(out)
    await expect(ledger.inclusionProof(0, 1, 'another.example/log')).rejects.toMatchObject(out)
  })

  it('takes no report of the frozen log: its key says nothing any more', async () => {
    const report = ledger.seen(Buffer.from(frozen.note))
    await expect(report).rejects.toMatchObject({ code: 'note-invalid' })
    expect(await ledger.submit(plainCandidate(3))).toMatchObject({ index: 9 })
  })
})
