import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  decodeBase64,
  leafHash,
  openCheckpoint,
  parseEvent,
  parseStatus,
  utf8Bytes,
  verifyConsistency,
  verifyInclusion,
} from 'countersign/core'
import { LedgerRefusal } from '../../src/log/ledger.js'
import { fsck } from '../support/fsck.js'
import { plainCandidate, startLedger, type LedgerFixture } from '../support/ledger.js'

let fixture: LedgerFixture
beforeEach(async () => {
  fixture = await startLedger()
})
afterEach(() => fixture.remove())

const checkpoint = () =>
  openCheckpoint(fixture.ledger.publishedNote(), { origin: fixture.keys.origin, key: fixture.keys.log.key })
    .checkpoint
const submitMany = (from: number, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => fixture.ledger.submit(plainCandidate(from + i))))

describe('batches', () => {
  it('starts with the root and its snapshot', async () => {
    const leaves = await fsck(fixture)
    expect(leaves.map((leaf) => parseEvent(leaf).t)).toEqual(['root', 'snapshot'])
    expect(parseEvent(leaves[1]!)).toMatchObject({ asOf: 1, count: 0, rootVersion: 1 })
  })

  it('logs one event with its snapshot behind it, and answers when both are published', async () => {
    const logged = await fixture.ledger.submit(plainCandidate(0))
    expect(logged).toEqual({ index: 2, size: 4, published: true })
    expect(fixture.ledger.publishedSize()).toBe(4)
    expect((await fsck(fixture)).map((leaf) => parseEvent(leaf).t).slice(2)).toEqual([
      'deprecate',
      'snapshot',
    ])
  })

  it('puts what comes together into one batch, in order, at most 256 a batch', async () => {
    const logged = await submitMany(0, 300)
    const indexes = logged.map(({ index }) => index)
    expect(indexes).toEqual([
      ...Array.from({ length: 256 }, (_, i) => 2 + i),
      ...Array.from({ length: 44 }, (_, i) => 259 + i),
    ])
    expect(logged[0]?.size).toBe(259)
    expect(logged[299]?.size).toBe(304)
    const leaves = await fsck(fixture)
    expect(parseEvent(leaves[258]!).t).toBe('snapshot')
    expect(parseEvent(leaves[303]!).t).toBe('snapshot')
  })

  it.each([250, 251, 252, 253, 254, 255])('crosses a tile with a batch of %i', async (count) => {
    await submitMany(0, count)
    expect(await fsck(fixture)).toHaveLength(count + 3)
    await submitMany(1000, 2)
    await submitMany(2000, 1)
    await fsck(fixture)
  })

  it('crosses two levels', async () => {
    for (let round = 0; round < 4; round++) await submitMany(round * 256, 256)
    const leaves = await fsck(fixture)
    expect(leaves).toHaveLength(2 + 4 * 257)
    expect(await fixture.ledger.tile('tile/1/000.p/4')).toHaveLength(4 * 32)
  })

  it('proves every entry at the published checkpoint and every earlier checkpoint a prefix of it', async () => {
    await submitMany(0, 20)
    await submitMany(100, 30)
    const leaves = await fsck(fixture)
    const { size, root } = checkpoint()
    for (const [index, leaf] of leaves.entries()) {
      const proof = (await fixture.ledger.inclusionProof(index, size)).map(decodeBase64)
      verifyInclusion(index, size, leafHash(utf8Bytes(leaf)), proof, root)
      const note = await fixture.store.readCheckpoint(index + 1)
      if (note === undefined) continue
      const earlier = openCheckpoint(note, {
        origin: fixture.keys.origin,
        key: fixture.keys.log.key,
      }).checkpoint
      const consistency = (await fixture.ledger.consistencyProof(index + 1, size)).map(decodeBase64)
      verifyConsistency(index + 1, size, consistency, earlier.root, root)
    }
  })

  it('gives a status whose snapshot is the last entry', async () => {
    await submitMany(0, 5)
    const status = parseStatus(fixture.ledger.statusDocument())
    expect(status.registry).toBe(fixture.keys.identity)
    expect(status.checkpoint).toBe(fixture.ledger.publishedNote())
    const { size, root } = checkpoint()
    expect(parseEvent(status.snapshot.event)).toMatchObject({ t: 'snapshot', asOf: size - 1 })
    verifyInclusion(
      size - 1,
      size,
      leafHash(utf8Bytes(status.snapshot.event)),
      [...status.snapshot.proof],
      root,
    )
  })

  it('remembers what is the latest about a target', async () => {
    await fixture.ledger.submit(plainCandidate(7))
    const latest = await fixture.store.commitBatch((tx) => tx.latestAbout('server:com.example/server-7'))
    expect(latest).toBe(2)
  })
})

describe('candidates', () => {
  it('gives the same leaf the same index, in one batch and later', async () => {
    const [first, twin, other] = await Promise.all(
      [1, 1, 2].map((n) => fixture.ledger.submit(plainCandidate(n))),
    )
    expect([first?.index, twin?.index, other?.index]).toEqual([2, 2, 3])
    const size = fixture.ledger.publishedSize()
    expect(await fixture.ledger.submit(plainCandidate(1))).toEqual({ index: 2, size, published: true })
    const existing = plainCandidate(9, { authorise: async () => ({ existing: 3 }) })
    expect(await fixture.ledger.submit(existing)).toEqual({ index: 3, size, published: true })
    expect(fixture.ledger.publishedSize()).toBe(size)
    await fsck(fixture)
  })

  it('loses only the refused one', async () => {
    const refused = plainCandidate(1, {
      authorise: () => Promise.reject(new LedgerRefusal('version-taken', 'taken', { server: 'x' })),
    })
    const results = await Promise.allSettled(
      [plainCandidate(0), refused, plainCandidate(2)].map((candidate) => fixture.ledger.submit(candidate)),
    )
    expect(results[0]).toMatchObject({ value: { index: 2, size: 5 } })
    expect(results[1]).toMatchObject({ reason: { name: 'LedgerRefusal', code: 'version-taken' } })
    expect(results[2]).toMatchObject({ value: { index: 3, size: 5 } })
    await fsck(fixture)
  })

  it('logs nothing when all are refused', async () => {
    const refused = plainCandidate(1, {
      authorise: () => Promise.reject(new LedgerRefusal('key-inactive', 'no', {})),
    })
    await expect(fixture.ledger.submit(refused)).rejects.toMatchObject({ code: 'key-inactive' })
    expect(fixture.ledger.publishedSize()).toBe(2)
  })

  it.each(['authorise', 'event', 'apply'] as const)(
    'takes back all that a candidate failing in %s wrote',
    async (step) => {
      const failing = plainCandidate(1, {
        authorise: async (tx) => {
          await tx.noteAbout('tool:half-written', 1)
          if (step === 'authorise') throw new RangeError('broken')
        },
        event: (index) => {
          if (step === 'event') throw new RangeError('broken')
          return plainCandidate(1).event(index)
        },
        apply: async (tx, index) => {
          await tx.putRevocation('server\0com.example/half', index)
          throw new RangeError('broken')
        },
      })
      const all = [plainCandidate(0), failing, plainCandidate(2), failing, plainCandidate(3)]
      const results = await Promise.allSettled(all.map((candidate) => fixture.ledger.submit(candidate)))
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ])
      expect(results[1]).toMatchObject({ reason: { name: 'RangeError' } })
      expect(results[4]).toMatchObject({ value: { index: 4, size: 6 } })
      expect(await fixture.store.readRevocations()).toEqual([])
      const latest = await fixture.store.commitBatch((tx) => tx.latestAbout('tool:half-written'))
      expect(latest).toBeUndefined()
      await fsck(fixture)
    },
  )

  it('refuses an event that is none', async () => {
    const wrong = plainCandidate(1, { event: () => ({ ...plainCandidate(1).event(0), reason: '' }) as never })
    await expect(fixture.ledger.submit(wrong)).rejects.toMatchObject({ code: 'event-invalid' })
    expect(fixture.ledger.publishedSize()).toBe(2)
  })

  it('sees what the candidates before it in the same batch wrote', async () => {
    const seen: unknown[] = []
    const look = plainCandidate(2, {
      authorise: async (tx) => void seen.push(await tx.latestAbout('server:com.example/server-1')),
    })
    await Promise.all([plainCandidate(1), look].map((candidate) => fixture.ledger.submit(candidate)))
    expect(seen).toEqual([2])
  })
})

describe('revocations', () => {
  const revoke = (n: number, line: string) =>
    plainCandidate(n, { apply: async (tx, index) => tx.putRevocation(line, index) })

  it('stand in the snapshot of their own batch, and each list stays readable by its root', async () => {
    const roots: string[] = []
    const currentRoot = (): string => {
      const event = parseEvent(parseStatus(fixture.ledger.statusDocument()).snapshot.event)
      if (event.t !== 'snapshot') throw new Error('no snapshot')
      roots.push(Buffer.from(event.revocations, 'base64').toString('hex'))
      return roots.at(-1)!
    }
    expect(Buffer.from((await fixture.ledger.revocationList(currentRoot()))!).toString()).toBe('')
    await fixture.ledger.submit(revoke(1, 'server\0com.example/b'))
    expect(Buffer.from((await fixture.ledger.revocationList(currentRoot()))!).toString()).toBe(
      'server\0com.example/b\n',
    )
    await fixture.ledger.submit(plainCandidate(2))
    expect(currentRoot()).toBe(roots[1])
    await fixture.ledger.submit(revoke(3, 'server\0com.example/a'))
    const both = 'server\0com.example/a\nserver\0com.example/b\n'
    expect(Buffer.from((await fixture.ledger.revocationList(currentRoot()))!).toString()).toBe(both)
    await fixture.ledger.submit(
      plainCandidate(4, { apply: (tx) => tx.deleteRevocation('server\0com.example/b') }),
    )
    expect(Buffer.from((await fixture.ledger.revocationList(currentRoot()))!).toString()).toBe(
      'server\0com.example/a\n',
    )
    expect(Buffer.from((await fixture.ledger.revocationList(roots[0]!))!).toString()).toBe('')
    expect(Buffer.from((await fixture.ledger.revocationList(roots[3]!))!).toString()).toBe(both)
    expect(await fixture.ledger.revocationList('f'.repeat(64))).toBeUndefined()
    expect(await fixture.ledger.revocationList('../../etc')).toBeUndefined()
    await fsck(fixture)
  })
})

describe('limits', () => {
  it('tells who comes when the queue is full to come again', async () => {
    await fixture.stop()
    fixture = await startLedger(fixture.folder, { queueLimit: 3 })
    const results = await Promise.allSettled(
      [0, 1, 2, 3, 4].map((n) => fixture.ledger.submit(plainCandidate(n))),
    )
    expect(results.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'fulfilled'],
      ...['rejected', 'rejected'],
    ])
    expect(results[4]).toMatchObject({ reason: { code: 'ledger-busy' } })
    expect(await fixture.ledger.submit(plainCandidate(4))).toMatchObject({ index: 6 })
  })

  it('finishes what was submitted before it closes, and takes nothing after', async () => {
    const waiting = submitMany(0, 300)
    const closing = fixture.ledger.close()
    await expect(fixture.ledger.submit(plainCandidate(999))).rejects.toMatchObject({ code: 'ledger-closed' })
    await closing
    expect((await waiting).at(-1)).toEqual({ index: 302, size: 304, published: true })
    await fsck(fixture)
  })
})
