import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { catalogueContract } from './contract-catalogue.js'
import { logContract } from './contract-log.js'
import { idempotencyContract } from './contract-idempotency.js'
import { peopleContract } from './contract-people.js'
import { reviewContract } from './contract-review.js'
import { machinesContract } from './contract-machines.js'
import { proofsContract } from './contract-proofs.js'
import { sharedContract } from './contract-shared.js'
import { toolsContract } from './contract-tools.js'
import {
  batchOf,
  digest,
  emptyState,
  hash,
  manifestRow,
  published,
  type StoreFactory,
} from './contract-support.js'
import type {
  AuditFilter,
  BatchTx,
  KeyRow,
  ManifestListing,
  ManifestRow,
  NewBatch,
  Store,
} from '../../src/storage/store.js'

export { batchOf, digest, emptyState, manifestRow, published } from './contract-support.js'
export type { StoreFactory } from './contract-support.js'

function listing(row: ManifestRow): ManifestListing {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- taken away from the rest
  const { envelope, toolDigests, lookups, ...rest } = row
  return rest
}

/** What every implementation of the port has to keep; the other halves are in the files beside this one. */
export function storeContract(name: string, open: StoreFactory): void {
  for (const part of [
    logContract,
    peopleContract,
    proofsContract,
    reviewContract,
    machinesContract,
    idempotencyContract,
    sharedContract,
    catalogueContract,
    toolsContract,
  ])
    part(name, open)

  describe(`store contract: ${name}`, () => {
    let store: Store
    let clock = 1_700_000_000_000

    beforeEach(async () => {
      clock = 1_700_000_000_000
      store = await open(() => clock)
    })
    afterEach(() => store.close())

    /** Appends `count` entries and does `also` in the same batch. */
    const grow = async (count: number, also: (tx: BatchTx) => Promise<unknown> = async () => undefined) =>
      store.commitBatch(async (tx) => {
        const state = await tx.readLogState()
        await also(tx)
        await tx.append(batchOf(state.size, state.note, count))
      })

    describe('the log', () => {
      it('has no state before it is created, and is created once', async () => {
        expect(await store.readLogState()).toBeUndefined()
        await expect(store.commitBatch(async () => 1)).rejects.toMatchObject({ code: 'not-initialised' })
        await store.initLog(emptyState)
        expect(await store.readLogState()).toEqual(emptyState)
        const again = store.initLog({ ...emptyState, note: 'another' })
        await expect(again).rejects.toMatchObject({ code: 'already-initialised' })
        expect(await store.readLogState()).toEqual(emptyState)
      })

      it('appends a batch as a whole', async () => {
        await store.initLog(emptyState)
        await grow(3)
        await grow(2)
        expect(await store.readLogState()).toMatchObject({ size: 5, note: 'note 5', publishedSize: 0 })
        expect(await store.readEntries(1, 4)).toEqual(['entry 1', 'entry 2', 'entry 3'])
        expect(await store.readEntries(4, 99)).toEqual(['entry 4'])
        expect(await store.readCheckpoint(3)).toBe('note 3')
        expect(await store.readCheckpoint(4)).toBeUndefined()
      })

      it('refuses a batch that is not built on the newest note, and leaves nothing of it', async () => {
        await store.initLog(emptyState)
        await grow(2)
        for (const expected of [
          { size: 1, note: 'note 2' },
          { size: 2, note: 'note two' },
        ]) {
          const lost = store.commitBatch(async (tx) => {
            await tx.putManifest(manifestRow('weather', '1.0.0', 2))
            await tx.append({ ...batchOf(expected.size, expected.note, 1), expected })
          })
          await expect(lost).rejects.toMatchObject({ code: 'lost-race' })
        }
        expect(await store.readManifest(digest('weather@1.0.0'))).toBeUndefined()
        expect(await store.readLogState()).toMatchObject({ size: 2, note: 'note 2' })
      })

      it('refuses a batch with a gap, without entries, or appended twice', async () => {
        await store.initLog(emptyState)
        const gap = batchOf(0, 'note 0', 2)
        const append = (batch: NewBatch) => store.commitBatch((tx) => tx.append(batch))
        await expect(append({ ...gap, entries: gap.entries.slice(1) })).rejects.toMatchObject({
          code: 'misuse',
        })
        await expect(append(batchOf(0, 'note 0', 0))).rejects.toMatchObject({ code: 'misuse' })
        const twice = store.commitBatch(async (tx) => {
          await tx.append(batchOf(0, 'note 0', 1))
          await tx.append(batchOf(1, 'note 1', 1))
        })
        await expect(twice).rejects.toMatchObject({ code: 'misuse' })
        expect(await store.readLogState()).toEqual(emptyState)
      })

      it('never logs one leaf twice', async () => {
        await store.initLog(emptyState)
        await grow(2)
        const batch = batchOf(2, 'note 2', 1)
        const repeated = { ...batch, entries: [{ index: 2, data: 'entry 0', leafHash: hash('leaf 0') }] }
        await expect(store.commitBatch((tx) => tx.append(repeated))).rejects.toMatchObject({
          code: 'duplicate',
        })
        expect(await store.commitBatch((tx) => tx.isLogged(hash('leaf 1')))).toBe(1)
        expect(await store.commitBatch((tx) => tx.isLogged(hash('leaf 9')))).toBeUndefined()
      })

      it('lets tiles grow in place and never shrink', async () => {
        await store.initLog(emptyState)
        const wide = new Uint8Array(64).fill(7)
        const tile = (data: Uint8Array) => [{ level: 1, n: 4_000_000_000, data }]
        const write = (size: number, data: Uint8Array) =>
          store.commitBatch((tx) => tx.append({ ...batchOf(size, `note ${size}`, 1), tiles: tile(data) }))
        await write(0, wide.slice(0, 32))
        expect(await store.readTile(1, 4_000_000_000)).toEqual(wide.slice(0, 32))
        await write(1, wide)
        await write(2, wide.slice(0, 32))
        expect(await store.readTile(1, 4_000_000_000)).toEqual(wide)
        expect(await store.readTile(0, 4_000_000_000)).toBeUndefined()
      })

      it('leaves nothing of rejected work', async () => {
        await store.initLog(emptyState)
        const failing = grow(1, async (tx) => {
          await tx.putNamespace({ namespace: 'com.example', account: 'author', proof: 'admin', index: 0 })
          await tx.putRevocation('server\0com.example/weather', 0)
          await tx.noteAbout('namespace:com.example', 0)
          throw new RangeError('changed my mind')
        })
        await expect(failing).rejects.toBeInstanceOf(RangeError)
        expect(await store.readNamespace('com.example')).toBeUndefined()
        expect(await store.readRevocations()).toEqual([])
        expect(await store.readEntries(0, 1)).toEqual([])
        await grow(1)
        expect(await store.readLogState()).toMatchObject({ size: 1 })
      })

      it('keeps what a batch wrote hidden until it is committed, and lets the batch itself see it', async () => {
        await store.initLog(emptyState)
        const row = { namespace: 'com.example', account: 'author', proof: 'admin', index: 0 } as const
        await grow(1, async (tx) => {
          await tx.putNamespace(row)
          expect(await tx.readNamespace('com.example')).toEqual(row)
          expect(await store.readNamespace('com.example')).toBeUndefined()
        })
        expect(await store.readNamespace('com.example')).toEqual(row)
      })

      it('runs batches one after another', async () => {
        await store.initLog(emptyState)
        const order: string[] = []
        const slow = grow(1, async () => {
          order.push('slow starts')
          await new Promise((resolve) => setTimeout(resolve, 20))
          order.push('slow ends')
        })
        // Whether this one waits for the batch is the engine's affair.
        const write = store.grantNamespace('com.example', 'author', 'admin')
        const quick = grow(1, async () => order.push('quick'))
        await Promise.all([slow, write, quick])
        expect(order).toEqual(['slow starts', 'slow ends', 'quick'])
        expect(await store.readLogState()).toMatchObject({ size: 2 })
      })

      it('refuses a batch used after its end, also while the next one runs', async () => {
        await store.initLog(emptyState)
        let kept: BatchTx | undefined
        await grow(1, async (tx) => (kept = tx))
        const late = () => kept!.noteAbout('server:com.example/weather', 0)
        await expect(late()).rejects.toMatchObject({ code: 'misuse' })
        await grow(1, () => expect(late()).rejects.toMatchObject({ code: 'misuse' }))
        await expect(kept!.readKeys('com.example')).rejects.toMatchObject({ code: 'misuse' })
      })

      it('moves the published pointer forward only', async () => {
        await store.initLog(emptyState)
        await grow(4)
        await grow(4)
        expect(await store.publishCheckpoint(4, published('cosigned 4'))).toBe(true)
        expect(await store.publishCheckpoint(8, published('cosigned 8'))).toBe(true)
        expect(await store.publishCheckpoint(4, published('cosigned 4 again'))).toBe(false)
        expect(await store.publishCheckpoint(9, published('beyond the log'))).toBe(false)
        expect(await store.publishCheckpoint(8, published('cosigned 8 later'))).toBe(true)
        const state = {
          size: 8,
          note: 'note 8',
          publishedSize: 8,
          publishedNote: published('cosigned 8 later'),
        }
        expect(await store.readLogState()).toMatchObject(state)
      })

      it('is published only by notes that say its origin in their first line', async () => {
        await store.initLog(emptyState)
        await grow(4)
        const before = await store.readLogState()
        for (const note of [
          published('cosigned 4', 'registry-b/log'),
          published('cosigned 4', 'registry-a/log-2'),
          published('cosigned 4', 'registry-a/lo'),
          published('cosigned 4', 'Registry-a/log'),
          `\n${published('cosigned 4')}`,
          'registry-a/log',
          'registry-a/log\r\ncosigned 4\n',
          '',
        ])
          expect(await store.publishCheckpoint(4, note), note).toBe(false)
        expect(await store.readLogState()).toEqual(before)
        expect(await store.publishCheckpoint(4, published('cosigned 4'))).toBe(true)
      })

      it('refuses reads of too many entries', async () => {
        await expect(store.readEntries(0, 1025)).rejects.toMatchObject({ code: 'limit' })
      })

      it('keeps trust root notes, each version once', async () => {
        await store.initLog(emptyState)
        await grow(1, (tx) => tx.putRootNote({ version: 1, note: 'root 1' }))
        await grow(1, (tx) => tx.putRootNote({ version: 2, note: 'root 2' }))
        const second = grow(1, (tx) => tx.putRootNote({ version: 2, note: 'another root 2' }))
        await expect(second).rejects.toMatchObject({ code: 'duplicate' })
        const notes = [
          { version: 1, note: 'root 1' },
          { version: 2, note: 'root 2' },
        ]
        expect(await store.readRootNotes()).toEqual(notes)
      })
    })

    describe('the directory', () => {
      beforeEach(() => store.initLog(emptyState))

      it('keeps keys by role, in log order', async () => {
        const key: KeyRow = { namespace: 'com.example', kid: 'a', x: 'x', role: 'sign', added: 3 }
        const rows: KeyRow[] = [{ ...key, role: 'own', added: 1 }, key, { ...key, kid: 'b', added: 5 }]
        await grow(1, async (tx) => {
          for (const row of rows.toReversed()) await tx.putKey(row)
          await tx.putKey({ ...key, namespace: 'com.example.other' })
        })
        expect(await store.readKeys('com.example')).toEqual(rows)
        const revoked = { ...key, revoked: 9, invalidFrom: 4, reason: 'compromise' } as const
        await grow(1, (tx) => tx.putKey(revoked))
        expect((await store.readKeys('com.example'))[1]).toEqual(revoked)
        const recovered = { ...key, kid: 'c', added: 6, endorser: 'a', usableAt: 1_700_000_000_000 }
        await grow(1, (tx) => tx.putKey(recovered))
        expect((await store.readKeys('com.example'))[3]).toEqual(recovered)
      })

      it('knows the latest event about a target', async () => {
        await grow(1, async (tx) => {
          expect(await tx.latestAbout('server:com.example/weather')).toBeUndefined()
          await tx.noteAbout('server:com.example/weather', 7)
          await tx.noteAbout('server:com.example/weather', 5)
          expect(await tx.latestAbout('server:com.example/weather')).toBe(7)
          // Readers see it with the batch, or not at all.
          expect(await store.latestAbout('server:com.example/weather')).toBeUndefined()
        })
        expect(await store.latestAbout('server:com.example/weather')).toBe(7)
        expect(await store.latestAbout('manifest:com.example/weather')).toBeUndefined()
      })

      it('sorts revocation lines bytewise, NUL and all', async () => {
        const lines = [
          'key\0com.example\0a\x001',
          'key\0com.example-b\0a\x001',
          'manifest\0x',
          'server\0é',
          'tool\0x',
        ]
        await grow(5, async (tx) => {
          for (const line of lines.toReversed()) await tx.putRevocation(line, 0)
          await tx.putRevocation('tool\0x', 4)
        })
        expect(await store.readRevocations()).toEqual(lines)
        expect(await store.isAnyRevoked(['tool\0none', 'server\0é'])).toBe(true)
        expect(await store.isAnyRevoked(['tool\0none', 'server\0'])).toBe(false)
        expect(await store.isAnyRevoked([])).toBe(false)
      })

      it('gives every list that a snapshot named, also after lines were taken away', async () => {
        const roots = ['a', 'b', 'c', 'd'].map((name) => name.repeat(64))
        await grow(2, (tx) => tx.nameRevocationList(roots[0]!, 1))
        await grow(2, async (tx) => {
          await tx.putRevocation('tool\0x', 2)
          await tx.nameRevocationList(roots[1]!, 3)
        })
        await grow(3, async (tx) => {
          await tx.deleteRevocation('tool\0x')
          await tx.putRevocation('server\0s', 5)
          expect(await tx.readRevocations()).toEqual(['server\0s'])
          expect(await tx.isAnyRevoked(['tool\0x'])).toBe(false)
          expect(await tx.isAnyRevoked(['tool\0x', 'server\0s'])).toBe(true)
          await tx.nameRevocationList(roots[2]!, 6)
        })
        await grow(2, async (tx) => {
          await tx.putRevocation('tool\0x', 7)
          await tx.nameRevocationList(roots[3]!, 8)
        })
        expect(await store.readRevocationList(roots[0]!)).toEqual([])
        expect(await store.readRevocationList(roots[1]!)).toEqual(['tool\0x'])
        expect(await store.readRevocationList(roots[2]!)).toEqual(['server\0s'])
        expect(await store.readRevocationList(roots[3]!)).toEqual(['server\0s', 'tool\0x'])
        expect(await store.readRevocationList('e'.repeat(64))).toBeUndefined()
      })

      it('remembers grants and which namespaces an account has', async () => {
        await store.grantNamespace('com.example', 'author', 'admin')
        await store.grantNamespace('com.other', 'outsider', 'admin')
        expect(await store.readGrant('com.example')).toEqual({ account: 'author', by: 'admin' })
        expect(await store.readGrant('com.unknown')).toBeUndefined()
        await grow(1, async (tx) => {
          expect(await tx.readGrant('com.other')).toEqual({ account: 'outsider', by: 'admin' })
          await tx.putNamespace({ namespace: 'com.example', account: 'author', proof: 'admin', index: 0 })
          await tx.putNamespace({ namespace: 'com.also', account: 'author', proof: 'dns', index: 0 })
        })
        expect(await store.readAccountNamespaces('author')).toEqual(['com.also', 'com.example'])
        expect(await store.readAccountNamespaces('third')).toEqual([])
      })
    })

    describe('manifests', () => {
      const first = manifestRow('weather', '1.0.0', 0)
      const second = manifestRow('weather', '1.1.0', 2)
      const other = manifestRow('Maps_100%', '1.0.0', 4)

      beforeEach(async () => {
        await store.initLog(emptyState)
        await grow(5, async (tx) => {
          for (const row of [first, second, other]) await tx.putManifest(row)
        })
      })

      it('finds them by digest, version, server, status and look-up', async () => {
        expect(await store.readManifest(first.manifest)).toEqual(first)
        expect(await store.readManifest(digest('nothing'))).toBeUndefined()
        expect(await store.readVersion('com.example/weather', '1.1.0')).toEqual(second)
        expect(await store.readVersion('com.example/weather', '2.0.0')).toBeUndefined()
        expect(await store.readByStatus('approved', 2)).toEqual([])
      })

      it('lists them without what is large', async () => {
        const both = [listing(first), listing(second)]
        expect(await store.readServer('com.example/weather')).toEqual(both)
        expect(await store.readByLookup('npm:weather')).toEqual(both)
        expect(await store.readByLookup('npm:weather@1.1.0')).toEqual([listing(second)])
        expect(await store.readByStatus('pending', 2)).toEqual(both)
        expect(await store.readByStatus('pending', 2, second.manifest)).toEqual([listing(other)])
      })

      it('tells names, those that are newer than what was read, and the one that folds to a name', async () => {
        const weather = { server: 'com.example/weather', namespace: 'com.example', index: 2 }
        const maps = { server: 'com.example/Maps_100%', namespace: 'com.example', index: 4 }
        expect(await store.readServerNames(-1)).toEqual([weather, maps])
        expect(await store.readServerNames(2)).toEqual([maps])
        expect(await store.readServerNames(4)).toEqual([])
        await grow(1, async (tx) => {
          expect(await tx.readServerNames(2)).toEqual([maps])
          await tx.putManifest(manifestRow('weather', '1.2.0', 5))
          await tx.putManifest(manifestRow('new', '1.0.0', 6))
          const later = [
            { ...weather, index: 5 },
            { ...maps, server: 'com.example/new', index: 6 },
          ]
          expect(await tx.readServerNames(4)).toEqual(later)
          expect(await tx.readServerNames(6)).toEqual([])
          expect(await tx.readServerNamed('com.example/maps_100%')).toBe('com.example/Maps_100%')
          expect(await tx.readServerNamed('com.example/maps')).toBeUndefined()
        })
      })

      it('knows the servers that had an approved version', async () => {
        expect(await store.isServerApproved('com.example/weather')).toBe(false)
        await grow(1, async (tx) => {
          await tx.updateManifest(second.manifest, { status: 'revoked', approveIndex: 5 })
          expect(await tx.isServerApproved('com.example/weather')).toBe(true)
        })
        expect(await store.isServerApproved('com.example/weather')).toBe(true)
        expect(await store.isServerApproved('com.example/Maps_100%')).toBe(false)
      })

      it('gives the version that was approved last and still is', async () => {
        const newest = () => store.readNewestApproved('com.example/weather')
        const approve = (row: ManifestRow, approveIndex: number) => (tx: BatchTx) =>
          tx.updateManifest(row.manifest, { status: 'approved', approveIndex })
        expect(await newest()).toBeUndefined()
        await grow(1, approve(second, 6))
        await grow(1, approve(first, 7))
        const approved = { ...listing(first), status: 'approved', approveIndex: 7 }
        expect(await newest()).toEqual(approved)
        await grow(1, async (tx) => {
          expect(await tx.readNewestApproved('com.example/weather')).toEqual(approved)
          await tx.updateManifest(first.manifest, { status: 'deprecated' })
          const deprecated = { ...approved, status: 'deprecated' }
          expect(await tx.readNewestApproved('com.example/weather')).toEqual(deprecated)
          const before = await tx.readNewestApproved('com.example/weather', 7)
          expect(before).toMatchObject({ version: '1.1.0', approveIndex: 6 })
          expect(await tx.readNewestApproved('com.example/weather', 6)).toBeUndefined()
        })
        for (const { manifest } of [first, second])
          await grow(1, (tx) => tx.updateManifest(manifest, { status: 'revoked' }))
        expect(await newest()).toBeUndefined()
        expect(await store.readNewestApproved('com.example/Maps_100%')).toBeUndefined()
      })

      it('knows the tools of a manifest, and who published a tool', async () => {
        const [one] = first.toolDigests
        const [tool, fresh] = [one?.digest ?? digest('none'), digest('tool of nobody')]
        const theirs = {
          namespace: 'org.other',
          account: 'other',
          server: 'org.other/a',
          folded: 'org.other/a',
        }
        const copy = { ...manifestRow('copy', '1.0.0', 6), ...theirs, toolDigests: first.toolDigests }
        const revoked = { ...copy, manifest: digest('copy 2'), version: '1.0.1', status: 'revoked' } as const
        const mine = { namespace: first.namespace, account: first.account }
        await grow(1, async (tx) => {
          for (const row of [copy, revoked]) await tx.putManifest(row)
          expect(await tx.readToolOwners(tool)).toEqual([mine, { namespace: 'org.other', account: 'other' }])
          expect(await tx.readToolDigests(copy.manifest)).toEqual([tool])
        })
        expect(await store.readToolOwners(tool)).toHaveLength(2)
        expect(await store.readToolOwners(fresh)).toEqual([])
        expect(await store.readToolDigests(digest('nothing'))).toEqual([])
      })

      it('keeps what changed against which version, anew with each publication', async () => {
        const changed = { ...second, changeClass: 'widened', changeBase: first.manifest }
        await grow(1, (tx) => tx.putManifest(changed))
        expect(await store.readManifest(second.manifest)).toEqual(changed)
        expect(await store.readServer('com.example/weather')).toEqual([listing(first), listing(changed)])
        await grow(1, (tx) => tx.putManifest({ ...second, changeClass: 'text' }))
        expect(await store.readManifest(second.manifest)).toEqual({ ...second, changeClass: 'text' })
      })

      it('keeps what catalogues show, and says when a row moved last by its own clock', async () => {
        const named = { ...second, title: 'Weather', description: 'Tomorrow, today: 50 % of it' }
        clock += 1000
        await grow(1, (tx) => tx.putManifest({ ...named, updatedAt: 7 }))
        const put = { ...named, updatedAt: clock }
        expect(await store.readManifest(second.manifest)).toEqual(put)
        expect(await store.readServer('com.example/weather')).toEqual([listing(first), listing(put)])
        clock += 1000
        await grow(1, (tx) => tx.updateManifest(second.manifest, { status: 'rejected' }))
        const moved = { ...put, status: 'rejected', updatedAt: clock }
        expect(await store.readManifest(second.manifest)).toEqual(moved)
        await grow(1, (tx) => tx.putManifest(second))
        expect(await store.readManifest(second.manifest)).toEqual({ ...second, updatedAt: clock })
      })

      it('keeps one manifest a version, for ever', async () => {
        const rival = { ...first, manifest: digest('rival') }
        await expect(grow(1, (tx) => tx.putManifest(rival))).rejects.toMatchObject({ code: 'duplicate' })
        expect(await store.readManifest(rival.manifest)).toBeUndefined()
      })

      it('changes what is said to change, and only existing rows', async () => {
        await grow(1, (tx) => tx.updateManifest(first.manifest, { status: 'approved', approveIndex: 5 }))
        expect(await store.readManifest(first.manifest)).toEqual({
          ...first,
          status: 'approved',
          approveIndex: 5,
        })
        const nobody = grow(1, (tx) => tx.updateManifest(digest('nothing'), { status: 'approved' }))
        await expect(nobody).rejects.toMatchObject({ code: 'constraint' })
      })

      it('lists servers that had an approved version, by page and search', async () => {
        expect(await store.listServers(10)).toEqual([])
        await grow(1, async (tx) => {
          for (const row of [first, second, other]) await tx.updateManifest(row.manifest, { approveIndex: 5 })
        })
        expect(await store.listServers(10)).toEqual(['com.example/Maps_100%', 'com.example/weather'])
        expect(await store.listServers(1)).toEqual(['com.example/Maps_100%'])
        expect(await store.listServers(1, 'com.example/Maps_100%')).toEqual(['com.example/weather'])
        expect(await store.listServers(10, undefined, 'maps_100%')).toEqual(['com.example/Maps_100%'])
        expect(await store.listServers(10, undefined, 'weath_r')).toEqual([])
      })

      it('keeps the first bundle, until the manifest is published or approved anew', async () => {
        await grow(1, (tx) => tx.updateManifest(first.manifest, { status: 'approved', approveIndex: 5 }))
        await store.putBundle(first.manifest, 'stale', 4)
        expect(await store.readBundle(first.manifest)).toBeUndefined()
        await store.putBundle(first.manifest, 'bundle', 5)
        await store.putBundle(first.manifest, 'another', 5)
        expect(await store.readBundle(first.manifest)).toBe('bundle')
        await grow(1, (tx) => tx.updateManifest(first.manifest, { status: 'revoked' }))
        expect(await store.readBundle(first.manifest)).toBe('bundle')
        await grow(1, (tx) => tx.putManifest({ ...first, kid: 'n'.repeat(43), publishIndex: 6 }))
        expect(await store.readBundle(first.manifest)).toBeUndefined()
        expect(await store.readManifest(first.manifest)).toMatchObject({ publishIndex: 6, status: 'pending' })
        expect((await store.readManifest(first.manifest))?.approveIndex).toBeUndefined()
      })

      it('keeps policies by digest', async () => {
        await store.putPolicy(digest('p'), 'p')
        await store.putPolicy(digest('p'), 'p')
        expect(await store.readPolicy(digest('p'))).toBe('p')
        expect(await store.readPolicy(digest('q'))).toBeUndefined()
      })

      it('gives the audit trail newest first, by page', async () => {
        const record = { at: 1, account: 'author', action: 'approve', target: 'x', detail: '{}' }
        await store.addAuditRecord(record)
        await grow(1, (tx) => tx.addAudit({ ...record, action: 'revoke', index: 5 }))
        const [newest, older] = await store.readAudit(10)
        expect(newest).toMatchObject({ action: 'revoke', index: 5 })
        expect(older).toEqual({ ...record, id: older?.id })
        expect(await store.readAudit(10, newest?.id)).toEqual([older])
        expect(await store.readAudit(1)).toEqual([newest])
      })

      it('gives the audit trail of an account, an action and a target, by page', async () => {
        const people = ['author', 'outsider']
        const records = ['approve', 'revoke', 'approve'].flatMap((action, at) =>
          people.map((account) => ({ at, account, action, target: `t${at}`, detail: '{}' })),
        )
        for (const record of records) await store.addAuditRecord(record)
        const read = async (filter: AuditFilter, limit = 10, before?: number) =>
          (await store.readAudit(limit, before, filter)).map(({ at, account }) => `${account} ${at}`)
        expect(await read({ account: 'outsider' })).toEqual(['outsider 2', 'outsider 1', 'outsider 0'])
        expect(await read({ action: 'revoke' })).toEqual(['outsider 1', 'author 1'])
        expect(await read({ target: 't2' })).toEqual(['outsider 2', 'author 2'])
        expect(await read({ account: 'author', action: 'approve' }, 1)).toEqual(['author 2'])
        expect(await read({ account: 'author', action: 'approve', target: 't0' })).toEqual(['author 0'])
        expect(await read({ account: 'author', action: undefined, target: 't9' })).toEqual([])
        const [newest] = await store.readAudit(1, undefined, { account: 'outsider' })
        expect(await read({ account: 'outsider' }, 10, newest?.id)).toEqual(['outsider 1', 'outsider 0'])
      })

      it('gives what came after a record, oldest first', async () => {
        const record = { account: 'author', action: 'approve', target: 'x', detail: '{}' }
        for (const at of [1, 2, 3]) await store.addAuditRecord({ ...record, at })
        const all = await store.readAuditSince(0, 10)
        expect(all.map(({ at }) => at)).toEqual([1, 2, 3])
        expect(await store.readAuditSince(all[0]!.id, 1)).toEqual([all[1]])
        expect(await store.readAuditSince(all[2]!.id, 10)).toEqual([])
      })
    })

    it('answers nothing once it is closed', async () => {
      await store.close()
      await expect(store.readLogState()).rejects.toMatchObject({ code: 'closed' })
      await expect(store.putPolicy(digest('p'), 'p')).rejects.toMatchObject({ code: 'closed' })
      await store.close()
    })
  })
}
