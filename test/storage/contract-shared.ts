import { beforeEach, describe, expect, it } from 'vitest'
import { batchOf, emptyState, freshStore, type StoreFactory } from './contract-support.js'

/** What several processes over one database need of it; an engine of one process gives the same answers. */
export function sharedContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: shared`, () => {
    const { store } = freshStore(open)
    const grow = (size: number, count: number) =>
      store().commitBatch(async (tx) => {
        await tx.putRevocation(`tool\0t${size}`, size)
        await tx.append(batchOf(size, `note ${size}`, count))
      })

    it('has no settled state before there is a log, and the newest one afterwards', async () => {
      expect(await store().readSettledLogState()).toBeUndefined()
      await store().initLog(emptyState)
      expect(await store().readSettledLogState()).toEqual(emptyState)
      await grow(0, 3)
      expect(await store().readSettledLogState()).toMatchObject({ size: 3, note: 'note 3' })
    })

    describe('over a log', () => {
      beforeEach(() => store().initLog(emptyState))

      it('reads everything that a head is made of in one go', async () => {
        const tiles = [{ level: 0, n: 0, data: new Uint8Array(32).fill(1) }]
        await store().commitBatch(async (tx) => {
          await tx.putRevocation('server\0s', 0)
          await tx.putRootNote({ version: 1, note: 'root 1' })
          await tx.append({ ...batchOf(0, 'note 0', 2), tiles })
        })
        const head = await store().readConsistently(async (reads) => ({
          state: await reads.readLogState(),
          tile: await reads.readTile(0, 0),
          entries: await reads.readEntries(0, 2),
          note: await reads.readCheckpoint(2),
          roots: await reads.readRootNotes(),
          lines: await reads.readRevocations(),
          changes: await reads.readRevocationChanges(0),
        }))
        expect(head).toEqual({
          state: await store().readLogState(),
          tile: tiles[0]!.data,
          entries: ['entry 0', 'entry 1'],
          note: 'note 2',
          roots: [{ version: 1, note: 'root 1' }],
          lines: ['server\0s'],
          changes: [{ line: 'server\0s', stands: true }],
        })
      })

      it('gives back what a consistent read rejects with', async () => {
        const failing = store().readConsistently(() => Promise.reject(new RangeError('not this one')))
        await expect(failing).rejects.toBeInstanceOf(RangeError)
        const asked = store().readConsistently((reads) => reads.readEntries(0, 1025))
        await expect(asked).rejects.toMatchObject({ code: 'limit' })
      })

      it('tells which lines of revocation changed since a position', async () => {
        await grow(0, 1)
        await grow(1, 1)
        await store().commitBatch(async (tx) => {
          await tx.deleteRevocation('tool\0t0')
          await tx.append(batchOf(2, 'note 2', 1))
        })
        const since = async (from: number) =>
          (await store().readRevocationChanges(from)).toSorted((a, b) => (a.line < b.line ? -1 : 1))
        const gone = { line: 'tool\0t0', stands: false }
        const stands = { line: 'tool\0t1', stands: true }
        expect(await since(0)).toEqual([gone, stands])
        expect(await since(1)).toEqual([gone, stands])
        expect(await since(2)).toEqual([gone])
        expect(await since(3)).toEqual([])
      })
    })

    it('keeps the first value of a fact, for whoever comes', async () => {
      expect(await store().keepFact('identity', 'registry-a')).toBe('registry-a')
      expect(await store().keepFact('identity', 'registry-b')).toBe('registry-a')
      const values = ['a', 'b', 'c', 'd']
      const kept = await Promise.all(values.map((value) => store().keepFact('key', value)))
      expect(new Set(kept).size).toBe(1)
      expect(values).toContain(kept[0])
    })

    it('ends a watch as often as it is told to', () => {
      const stop = store().watch(() => undefined)
      stop()
      expect(stop).not.toThrow()
    })
  })
}
