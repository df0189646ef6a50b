import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { formatManifest, type Manifest } from 'countersign/core'
import { openDetails } from '../../src/http/mcp-registry/details.js'
import type { ManifestRow } from '../../src/storage/store.js'
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
