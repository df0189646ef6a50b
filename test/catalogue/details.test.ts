import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { formatManifest, type Digest, type Manifest } from 'countersign/core'
import { openDetails, type Budget } from '../../src/http/mcp-registry/details.js'
import { pageOf, type CatalogueRooms, type Listed } from '../../src/http/mcp-registry/entries.js'
import type { CatalogueRow, ManifestRow } from '../../src/storage/store.js'
import { sampleManifest } from '../support/registry.js'
import { digest, manifestRow } from '../storage/contract-support.js'

const DIGEST = digest('weather@1.0.0')

function storeOf(change: Partial<Manifest> = {}) {
  const manifest = sampleManifest('registry-a', { server: 'com.example/weather', ...change })
  const payload = Buffer.from(formatManifest(manifest)).toString('base64url')
  const row: ManifestRow = { ...manifestRow('weather', '1.0.0', 1), envelope: `header.${payload}.signature` }
  let reads = 0
  const readManifest = (asked: string): Promise<ManifestRow | undefined> => {
    reads += 1
    return Promise.resolve(asked === DIGEST ? row : undefined)
  }
  return { readManifest, reads: () => reads, size: row.envelope.length }
}

const lines: { leftOut: number; manifest: string; places: string[] }[] = []
const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) })

describe('server.json of what is listed', () => {
  it('is made once, on the account of who asked first', async () => {
    const store = storeOf()
    const details = openDetails(store, log)
    const budget = { bytes: store.size + 1 }
    expect(await details.of(DIGEST, budget)).toMatchObject({ name: 'com.example/weather' })
    expect(budget.bytes).toBe(1)
    expect(await details.of(DIGEST, { bytes: 0 })).toMatchObject({ name: 'com.example/weather' })
    expect(store.reads()).toBe(1)
  })

  it('is not made for who has read enough', async () => {
    const store = storeOf()
    const details = openDetails(store, log)
    expect(await details.of(DIGEST, { bytes: 0 })).toBe('spent')
    expect(store.reads()).toBe(0)
    expect(await details.of(DIGEST, { bytes: 1 })).toMatchObject({ version: '1.0.0' })
  })

  it('counts for who asks for it again as well: it is sent once more', async () => {
    const details = openDetails(storeOf(), log)
    await details.of(DIGEST, { bytes: 1 })
    const budget = { bytes: 1 }
    await details.of(DIGEST, budget)
    expect(budget.bytes).toBeLessThan(0)
  })

  it('fills a page that ends early, and goes on behind what it has', async () => {
    const details = openDetails(storeOf(), log)
    const detail = await details.of(DIGEST, { bytes: 1 })
    const rooms = {
      context: { store: {}, ledger: { identity: 'i', origin: 'o', publishedSize: () => 1 } },
      // As large as manifests may be, and all of them in memory.
      details: {
        of: (_: Digest, budget: Budget) => {
          budget.bytes -= 3 * 1024 * 1024
          return Promise.resolve(detail)
        },
      },
      publicUrl: 'https://registry.example.com',
    } as unknown as CatalogueRooms
    const row = { ...manifestRow('weather', '1.0.0', 1), approveIndex: 1 } as unknown as CatalogueRow
    const listed = Array.from({ length: 100 }, (_, i): Listed => ({
      row,
      isLatest: false,
      place: { server: row.server, version: `1.0.${i}` },
    }))
    const page = await pageOf(rooms, listed, undefined, ({ version = '' }) => version)
    expect([page.metadata.count, page.metadata.nextCursor]).toEqual([3, '1.0.2'])
    const all = await pageOf(rooms, listed.slice(0, 3), undefined, ({ version = '' }) => version)
    expect([all.metadata.count, all.metadata.nextCursor]).toEqual([3, undefined])
  })

  it('is none where it has another shape, which is logged once with its place', async () => {
    lines.length = 0
    const store = storeOf({
      packages: [{ registryType: 'npm', identifier: 'x', transport: { type: 'pigeon' } }],
    })
    const details = openDetails(store, log)
    for (let i = 0; i < 3; i++) expect(await details.of(DIGEST, { bytes: 1 })).toBeUndefined()
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ manifest: DIGEST, leftOut: 1 })
    expect(lines[0]?.places[0]).toMatch(/^packages\/0\/transport/)
    expect(store.reads()).toBe(1)
  })

  it('is none of what is gone', async () => {
    expect(await openDetails(storeOf(), log).of(digest('nothing'), { bytes: 1 })).toBeUndefined()
  })
})
