import { beforeEach, describe, expect, it } from 'vitest'
import { CATALOGUE_DESCRIBED, type CatalogueQuery } from '../../src/storage/store/catalogue.js'
import type { CatalogueRow, ManifestRow } from '../../src/storage/store.js'
import { digest, emptyState, freshStore, manifestRow, START, type StoreFactory } from './contract-support.js'

const ALL: CatalogueQuery = { limit: 100, before: 1000, deleted: true }

/** What catalogues list and search. */
export function catalogueContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: catalogue`, () => {
    const at = freshStore(open)
    const { store } = at

    const put = (...rows: ManifestRow[]): Promise<void> =>
      store().commitBatch(async (tx) => {
        for (const row of rows) await tx.putManifest(row)
      })
    const approved = (server: string, version: string, index: number, more: Partial<ManifestRow> = {}) =>
      ({
        ...manifestRow(server, version, index),
        status: 'approved',
        approveIndex: index + 1,
        ...more,
      }) as const
    const named = (rows: readonly CatalogueRow[]): string[] =>
      rows.map(({ server, version }) => `${server.replace('com.example/', '')}@${version}`)
    const list = async (query: Partial<CatalogueQuery> = {}): Promise<string[]> =>
      named(await store().listVersions({ ...ALL, ...query }))
    const servers = (query: Partial<CatalogueQuery> = {}): Promise<string[]> =>
      store().listVersionedServers({ ...ALL, ...query })

    beforeEach(async () => {
      await store().initLog(emptyState)
      await put(
        approved('maps', '1.0.0', 2, { title: 'Maps', description: 'Rivers and ZEPPELINS' }),
        approved('maps', '1.0.0-beta', 4),
        approved('Weather', '2.0.0', 6, { status: 'deprecated' }),
        approved('aerial', '1.0.0', 8, { status: 'revoked' }),
        manifestRow('maps', '3.0.0', 10),
        { ...manifestRow('waiting', '1.0.0', 12), status: 'revoked' },
        approved('later', '1.0.0', 14, { status: 'pending' }),
      )
    })

    it('lists what was approved, by the bytes of name and version', async () => {
      expect(await list()).toEqual(['Weather@2.0.0', 'aerial@1.0.0', 'maps@1.0.0', 'maps@1.0.0-beta'])
      expect(await list({ deleted: false })).toEqual(['Weather@2.0.0', 'maps@1.0.0', 'maps@1.0.0-beta'])
      expect(await servers()).toEqual(['com.example/Weather', 'com.example/aerial', 'com.example/maps'])
      expect(await servers({ deleted: false })).toEqual(['com.example/Weather', 'com.example/maps'])
    })

    it('gives rows whole', async () => {
      const [row] = await store().listVersions({ ...ALL, search: 'zeppelin' })
      expect(row).toEqual({
        manifest: digest('maps@1.0.0'),
        server: 'com.example/maps',
        version: '1.0.0',
        role: 'publisher',
        status: 'approved',
        publishIndex: 2,
        approveIndex: 3,
        submittedAt: START,
        updatedAt: START,
        title: 'Maps',
        description: 'Rivers and ZEPPELINS',
      })
    })

    it('leaves out what is approved beyond what is published', async () => {
      expect(await list({ before: 5 })).toEqual(['maps@1.0.0'])
      expect(await servers({ before: 3 })).toEqual([])
      expect(named(await store().readVersionsOf(['com.example/maps'], 5))).toEqual(['maps@1.0.0'])
    })

    it('goes on behind a version, or behind all of a server', async () => {
      const after = { server: 'com.example/maps', version: '1.0.0' }
      expect(await list({ after })).toEqual(['maps@1.0.0-beta'])
      expect(await list({ after: { server: 'com.example/aerial' } })).toEqual([
        'maps@1.0.0',
        'maps@1.0.0-beta',
      ])
      expect(await list({ after: { server: 'com.example/maps' } })).toEqual([])
      expect(await list({ limit: 2, after: { server: 'com.example/Weather' } })).toEqual([
        'aerial@1.0.0',
        'maps@1.0.0',
      ])
      expect(await servers({ limit: 1, after: { server: 'com.example/Weather' } })).toEqual([
        'com.example/aerial',
      ])
    })

    it('searches names, titles and descriptions, and knows no wildcard', async () => {
      expect(await list({ search: 'weatHER' })).toEqual(['Weather@2.0.0'])
      expect(await list({ search: 'MAPS' })).toEqual(['maps@1.0.0', 'maps@1.0.0-beta'])
      expect(await servers({ search: 'rivers' })).toEqual(['com.example/maps'])
      for (const search of ['%', '_', "'", '\\', 'È']) expect(await list({ search })).toEqual([])
    })

    it('treats letters beyond ASCII as they are written', async () => {
      await put(approved('umlaut', '1.0.0', 20, { title: 'Übersicht' }))
      expect(await list({ search: 'ÜBERSICHT' })).toEqual(['umlaut@1.0.0'])
      expect(await list({ search: 'übersicht' })).toEqual([])
    })

    it('lists one version, and what moved since a time', async () => {
      expect(await list({ version: '1.0.0' })).toEqual(['aerial@1.0.0', 'maps@1.0.0'])
      expect(await list({ version: '1.0' })).toEqual([])
      at.clock = START + 5000
      await store().commitBatch((tx) => tx.updateManifest(digest('maps@1.0.0'), { status: 'revoked' }))
      expect(await list({ since: START + 5000 })).toEqual(['maps@1.0.0'])
      expect(await servers({ since: START + 5000 })).toEqual(['com.example/maps'])
      expect(await list({ since: START + 5001 })).toEqual([])
      expect(await list({ since: START })).toHaveLength(4)
    })

    it('gives every version of several servers', async () => {
      const both = ['com.example/maps', 'com.example/aerial', 'com.example/nothing']
      expect(named(await store().readVersionsOf(both, 1000))).toEqual([
        'aerial@1.0.0',
        'maps@1.0.0',
        'maps@1.0.0-beta',
      ])
      expect(await store().readVersionsOf([], 1000)).toEqual([])
    })

    it('names the rows without texts, until all of them have theirs', async () => {
      const all = await store().readUndescribed(100)
      expect(all).toHaveLength(6)
      expect(all.map(({ manifest }) => manifest)).toEqual(all.map(({ manifest }) => manifest).sort())
      expect(all.find(({ manifest }) => manifest === digest('Weather@2.0.0'))?.envelope).toBe(
        'header.Weather.2.0.0',
      )
      const [first, second] = await store().readUndescribed(2)
      expect(await store().readUndescribed(1, first?.manifest)).toEqual([second])
      await store().describeManifest(digest('Weather@2.0.0'), { title: 'Sun and rain' })
      expect(await list({ search: 'sun AND' })).toEqual(['Weather@2.0.0'])
      expect(await store().readUndescribed(100)).toHaveLength(5)
      await store().keepFact(CATALOGUE_DESCRIBED, 'yes')
      expect(await store().readUndescribed(100)).toEqual([])
    })

    it('takes a text with NUL as well, and is not stopped by it', async () => {
      await store().describeManifest(digest('Weather@2.0.0'), { title: 'Sun\0', description: 'and rain' })
      expect(await list({ search: 'and RAIN' })).toEqual(['Weather@2.0.0'])
    })

    it('replaces no text, and moves nothing by it', async () => {
      at.clock = START + 1
      await store().describeManifest(digest('maps@1.0.0'), { title: 'Other', description: 'Other' })
      await store().describeManifest(digest('Weather@2.0.0'), { description: 'Sun and rain' })
      expect(await list({ search: 'other' })).toEqual([])
      expect(await store().readManifest(digest('Weather@2.0.0'))).toMatchObject({
        description: 'Sun and rain',
        updatedAt: START,
      })
    })
  })
}
