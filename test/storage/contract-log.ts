import { beforeEach, describe, expect, it } from 'vitest'
import type { BatchTx, DerivedRow, DerivedTable, LogState, NewBatch } from '../../src/storage/store.js'
import {
  batchOf,
  emptyState,
  freshStore,
  hash,
  manifestRow,
  published,
  type StoreFactory,
} from './contract-support.js'

/** Entries, tiles and checkpoints beside their successors', and what a check of the whole log reads. */
export function logContract(name: string, open: StoreFactory): void {
  describe(`store contract, logs: ${name}`, () => {
    const { store } = freshStore(open)
    beforeEach(() => store().initLog(emptyState))

    /** Appends `count` entries named after the log, with a tile, and does `also` in the same batch. */
    const grow = (count: number, also: (tx: BatchTx) => Promise<unknown> = async () => undefined) =>
      store().commitBatch(async (tx) => {
        const state = await tx.readLogState()
        await also(tx)
        await tx.append(entriesOf(state, count))
      })
    const succeed = (origin: string, also?: (tx: BatchTx) => Promise<unknown>) =>
      store().commitBatch(async (tx) => {
        const before = await tx.readLogState()
        await tx.succeed(successorOf(before, origin))
        await also?.(tx)
      })
    const state = async (): Promise<LogState> => (await store().readLogState())!

    describe('succession', () => {
      it('freezes a log as it stands, and goes on with an empty one at the next position', async () => {
        await grow(3)
        await grow(2)
        await store().publishCheckpoint(5, published('cosigned 5'))
        const before = await state()
        await succeed('registry-a/log-2')
        const { base, size, origin, note, publishedSize } = await state()
        expect([base, size, origin, note, publishedSize]).toEqual([
          5,
          0,
          'registry-a/log-2',
          'note of registry-a/log-2',
          0,
        ])
        const { root } = before
        expect(await store().readFrozenLogs()).toEqual([
          { number: 1, origin: 'registry-a/log', base: 0, size: 5, root, note: before.note },
        ])
        expect(await store().readEntries(0, 10)).toEqual([])
        expect(await store().readTile(0, 0)).toBeUndefined()
        expect(await store().readCheckpoint(5)).toBeUndefined()
        expect(await store().readCheckpoints(0, 10)).toEqual([])
      })

      it('keeps every entry, leaf hash, tile and checkpoint of the frozen log', async () => {
        await grow(3)
        await grow(2)
        const [entries, hashes, checkpoints, tile] = await Promise.all([
          store().readEntries(0, 5),
          store().readLeafHashes(0, 5),
          store().readCheckpoints(0, 5),
          store().readTile(0, 0),
        ])
        await succeed('registry-a/log-2')
        await grow(4)
        expect(await store().readFrozenEntries(1, 0, 99)).toEqual(entries)
        expect(await store().readFrozenEntries(1, 1, 3)).toEqual(entries.slice(1, 3))
        expect(await store().readLeafHashes(0, 5, 1)).toEqual(hashes)
        expect(await store().readCheckpoints(0, 5, 1)).toEqual(checkpoints)
        expect(await store().readCheckpoints(3, 5, 1)).toEqual(checkpoints.slice(1))
        expect(tile).toHaveLength(160)
        expect(await store().readFrozenTile(1, 0, 0)).toEqual(tile)
        expect(await store().readFrozenTile(1, 0, 1)).toBeUndefined()
        expect(await store().readFrozenTile(2, 0, 0)).toBeUndefined()
        expect(await store().readFrozenEntries(2, 0, 5)).toEqual([])
        await expect(store().readFrozenEntries(1, 0, 1025)).rejects.toMatchObject({ code: 'limit' })
      })

      it('is not undone by whoever still publishes the log that was ended', async () => {
        await grow(3)
        await succeed('registry-a/log-2')
        await grow(3)
        const late = published('cosigned 3')
        expect(await store().publishCheckpoint(3, late)).toBe(false)
        expect(await store().publishCheckpoint(0, late)).toBe(false)
        expect((await state()).publishedNote).toBe('note of registry-a/log-2')
        const own = published('cosigned 3', 'registry-a/log-2')
        expect(await store().publishCheckpoint(3, own)).toBe(true)
        expect(await state()).toMatchObject({ publishedSize: 3, publishedNote: own })
      })

      it('can happen again and again, and positions go on counting', async () => {
        await grow(3)
        await succeed('registry-a/log-2')
        await grow(2)
        await succeed('registry-a/log-3')
        await grow(4)
        const logs = await store().readFrozenLogs()
        expect(logs.map(({ number, base, size }) => [number, base, size])).toEqual([
          [1, 0, 3],
          [2, 3, 2],
        ])
        expect(await state()).toMatchObject({ base: 5, size: 4 })
        const leaves = await Promise.all(Array.from({ length: 10 }, (_, i) => store().readLeaf(i)))
        expect(leaves.map((leaf) => leaf?.replace('registry-a/', ''))).toEqual([
          ...['log 0', 'log 1', 'log 2', 'log-2 0', 'log-2 1'],
          ...['log-3 0', 'log-3 1', 'log-3 2', 'log-3 3', undefined],
        ])
        expect(await store().readLeaf(-1)).toBeUndefined()
      })

      it('finds an entry by its leaf hash in whichever log it stands, at its position', async () => {
        await grow(3)
        await succeed('registry-a/log-2')
        await grow(2)
        await succeed('registry-a/log-3')
        await grow(1, async (tx) => {
          expect(await tx.isLogged(hash('leaf registry-a/log 2'))).toBe(2)
          expect(await tx.isLogged(hash('leaf registry-a/log-2 1'))).toBe(4)
          expect(await tx.isLogged(hash('leaf registry-a/log-3 0'))).toBeUndefined()
          expect(await tx.readLeaf(4)).toBe('registry-a/log-2 1')
        })
        expect(await store().commitBatch((tx) => tx.isLogged(hash('leaf registry-a/log-3 0')))).toBe(5)
      })

      it('and the first entries of the successor are one batch', async () => {
        await grow(3)
        await succeed('registry-a/log-2', async (tx) => {
          expect(await tx.readLogState()).toMatchObject({ base: 3, size: 0 })
          expect(await tx.isLogged(hash('leaf registry-a/log 1'))).toBe(1)
          await tx.append(entriesOf(await tx.readLogState(), 2))
        })
        expect(await state()).toMatchObject({ base: 3, size: 2, note: 'note registry-a/log-2 2' })
        expect(await store().readLeaf(3)).toBe('registry-a/log-2 0')
      })

      it('is refused unless the successor is empty and begins where the log ends', async () => {
        await grow(3)
        const before = await state()
        const next = successorOf(before, 'registry-a/log-2')
        for (const wrong of [
          { ...next, base: 2 },
          { ...next, base: 4 },
          { ...next, base: 0 },
          { ...next, size: 1 },
          { ...next, publishedSize: 1 },
        ]) {
          const trying = store().commitBatch((tx) => tx.succeed(wrong))
          await expect(trying).rejects.toMatchObject({ code: 'misuse' })
        }
        expect(await state()).toEqual(before)
        expect(await store().readFrozenLogs()).toEqual([])
      })

      it('never takes the same origin twice, and never freezes an empty log', async () => {
        await grow(3)
        await succeed('registry-a/log-2')
        const before = await state()
        await expect(succeed('registry-a/log-3')).rejects.toMatchObject({ code: 'constraint' })
        await grow(1)
        await succeed('registry-a/log')
        await grow(1)
        await expect(succeed('registry-a/log-4')).rejects.toMatchObject({ code: 'duplicate' })
        expect(before).toMatchObject({ base: 3, size: 0 })
        expect(await state()).toMatchObject({ origin: 'registry-a/log', base: 4, size: 1 })
      })

      it('leaves nothing of it when the batch fails', async () => {
        await grow(3)
        const before = await state()
        const failing = succeed('registry-a/log-2', async () => {
          throw new RangeError('changed my mind')
        })
        await expect(failing).rejects.toBeInstanceOf(RangeError)
        expect(await state()).toEqual(before)
        expect(await store().readFrozenLogs()).toEqual([])
        expect(await store().readEntries(0, 3)).toHaveLength(3)
        await grow(1)
        expect(await state()).toMatchObject({ base: 0, size: 4 })
      })

      it('keeps what was derived, in positions: revocation lists of either log, and the latest about a target', async () => {
        const [first, second, third] = ['a', 'b', 'c'].map((root) => root.repeat(64)) as [
          string,
          string,
          string,
        ]
        await grow(3, async (tx) => {
          await tx.putRevocation('server\0s', 0)
          await tx.putRevocation('tool\0x', 1)
          await tx.noteAbout('server:s', 1)
          await tx.nameRevocationList(first, 2)
        })
        await succeed('registry-a/log-2')
        await grow(2, async (tx) => {
          await tx.deleteRevocation('tool\0x')
          await tx.nameRevocationList(second, 4)
        })
        await grow(2, async (tx) => {
          await tx.putRevocation('tool\0x', 5)
          await tx.noteAbout('server:s', 5)
          await tx.nameRevocationList(third, 6)
        })
        expect(await store().readRevocationList(first)).toEqual(['server\0s', 'tool\0x'])
        expect(await store().readRevocationList(second)).toEqual(['server\0s'])
        expect(await store().readRevocationList(third)).toEqual(['server\0s', 'tool\0x'])
        expect(await store().latestAbout('server:s')).toBe(5)
        expect(
          await Promise.all([first, second, third].map((root) => store().readListPosition(root))),
        ).toEqual([2, 4, 6])
        expect(await store().readListPosition('d'.repeat(64))).toBeUndefined()
      })

      it('a line that is taken away in the batch that starts a log still stands in every list before it', async () => {
        const [before, after] = ['a'.repeat(64), 'b'.repeat(64)] as const
        await grow(3, async (tx) => {
          await tx.putRevocation('tool\0x', 0)
          await tx.nameRevocationList(before, 2)
        })
        await succeed('registry-a/log-2', async (tx) => {
          await tx.deleteRevocation('tool\0x')
          await tx.putRevocation('tool\0y', 3)
          await tx.nameRevocationList(after, 4)
          await tx.append(entriesOf(await tx.readLogState(), 2))
        })
        expect(await store().readRevocationList(before)).toEqual(['tool\0x'])
        expect(await store().readRevocationList(after)).toEqual(['tool\0y'])
        expect(await store().readRevocations()).toEqual(['tool\0y'])
      })
    })

    describe('a list of revocations', () => {
      it('of many lines is whole and in order', async () => {
        const lines = Array.from({ length: 5000 }, (_, n) => `tool\0${String(n).padStart(6, '0')}`)
        const root = 'a'.repeat(64)
        await grow(2, async (tx) => {
          await Promise.all(lines.toReversed().map((line) => tx.putRevocation(line, 0)))
          await tx.nameRevocationList(root, 1)
        })
        await grow(2, async (tx) => {
          await Promise.all(lines.filter((_, n) => n % 3 === 0).map((line) => tx.deleteRevocation(line)))
        })
        expect(await store().readRevocationList(root)).toEqual(lines)
        expect(await store().readRevocations()).toEqual(lines.filter((_, n) => n % 3 !== 0))
      })
    })

    describe('what a check of the log reads', () => {
      it('leaf hashes and checkpoints, by page', async () => {
        await grow(3)
        await grow(2)
        expect(await store().readLeafHashes(1, 4)).toEqual(
          [1, 2, 3].map((n) => hash(`leaf registry-a/log ${n}`)),
        )
        await expect(store().readLeafHashes(0, 1025)).rejects.toMatchObject({ code: 'limit' })
        const rows = await store().readCheckpoints(0, 10)
        expect(rows.map(({ size, note }) => [size, note])).toEqual([
          [3, 'note registry-a/log 3'],
          [5, 'note registry-a/log 5'],
        ])
        expect(rows[0]?.root).toEqual(hash('root 3'))
        expect(await store().readCheckpoints(0, 1)).toEqual(rows.slice(0, 1))
        expect(await store().readCheckpoints(5, 10)).toEqual([])
      })

      it('every derived row once, whatever the size of a page', async () => {
        const namespaces = ['com.a', 'com.b', 'com.c']
        const manifests = ['1.0.0', '1.1.0', '1.2.0'].map((version, n) => manifestRow('weather', version, n))
        await grow(9, async (tx) => {
          for (const [n, namespace] of namespaces.entries()) {
            await tx.putNamespace({ namespace, account: 'author', proof: 'admin', index: n })
            for (const role of ['own', 'sign'] as const)
              await tx.putKey({ namespace, kid: 'k', x: 'x', role, added: n, ...(n === 1 && ENDED) })
            await tx.noteAbout(`namespace:${namespace}`, n)
            await tx.putRevocation(`server\0${namespace}/s`, n)
            await tx.nameRevocationList(String(n).repeat(64), n)
          }
          for (const row of manifests) await tx.putManifest(row)
          await tx.updateManifest(manifests[2]!.manifest, { approveIndex: 7 })
          await tx.deleteRevocation('server\0com.b/s')
        })
        const keys = (namespace: string, position: number) =>
          ['own', 'sign'].map((role) => ({ namespace, kid: 'k', role, position }))
        const expected: Readonly<Record<DerivedTable, object[]>> = {
          namespace: namespaces.map((namespace, position) => ({ namespace, position })),
          'key-added': namespaces.flatMap(keys),
          'key-ended': keys('com.b', 8),
          publication: manifests.map(({ manifest, server, version, kid, envelopeDigest }, position) => ({
            ...{ manifest, server, version, kid, envelope: envelopeDigest, position },
          })),
          approval: [{ manifest: manifests[2]!.manifest, position: 7 }],
          target: namespaces.map((name, position) => ({ target: `namespace:${name}`, position })),
          revocation: namespaces.map((name, position) => ({ line: `server\0${name}/s`, position })),
          list: namespaces.map((_, n) => ({ root: String(n).repeat(64), position: n })),
        }
        for (const [table, rows] of Object.entries(expected) as [DerivedTable, object[]][]) {
          const wanted = rows.map((row) => ({ ...row, table }))
          for (const limit of [1, 2, 3, 100]) {
            const found = await readAll((after) => store().readDerived(table, limit, after))
            expect(found, table).toHaveLength(wanted.length)
            expect(found, table).toEqual(expect.arrayContaining(wanted))
          }
        }
      })
    })
  })
}

const ENDED = { revoked: 8, invalidFrom: 8, reason: 'superseded' } as const

async function readAll(read: (after?: DerivedRow) => Promise<DerivedRow[]>): Promise<DerivedRow[]> {
  const found: DerivedRow[] = []
  for (let page = await read(); page.length > 0; page = await read(found.at(-1))) found.push(...page)
  return found
}

function entriesOf({ origin, size, note }: LogState, count: number): NewBatch {
  const batch = batchOf(size, note, count)
  const entries = batch.entries.map(({ index }) => ({
    index,
    data: `${origin} ${index}`,
    leafHash: hash(`leaf ${origin} ${index}`),
  }))
  const data = new Uint8Array(32 * (size + count)).fill(size)
  return { ...batch, entries, tiles: [{ level: 0, n: 0, data }], note: `note ${origin} ${batch.size}` }
}

function successorOf({ base, size, identity }: LogState, origin: string): LogState {
  const note = `note of ${origin}`
  return {
    ...{ identity, origin, base: base + size, size: 0, root: hash(''), note },
    ...{ publishedSize: 0, publishedNote: note },
  }
}
