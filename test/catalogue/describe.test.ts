import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openDescriptions } from '../../src/publish/describe.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { ManifestRow, Store } from '../../src/storage/store.js'
import { emptyState, manifestRow } from '../storage/contract-support.js'

// Rows from before titles and descriptions were kept get them from their envelopes.

const rowOf = (name: string, index: number, payload: object): ManifestRow => {
  const body = Buffer.from(JSON.stringify(payload)).toString('base64url')
  return { ...manifestRow(name, '1.0.0', index), envelope: `header.${body}.signature` }
}

async function storeWith(rows: readonly ManifestRow[]): Promise<Store> {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-describe-'))
  const store = await openSqliteStore(join(dir, 'registry.db'))
  onTestFinished(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })
  await store.initLog(emptyState)
  await store.commitBatch(async (tx) => {
    for (const row of rows) await tx.putManifest(row)
  })
  return store
}

const errors: unknown[] = []
const log = { error: (fields: { err: unknown }) => void errors.push(fields.err) }

describe('older manifests', () => {
  it('get their texts, once in the life of a database', async () => {
    const many = Array.from({ length: 30 }, (_, i) => rowOf(`s${i}`, i * 2, { title: `Title ${i}` }))
    const bare = rowOf('bare', 100, {})
    const store = await storeWith([...many, rowOf('told', 102, { description: 'Rain' }), bare])
    await openDescriptions({ store, log }).done
    const titles = await Promise.all(
      many.map(async ({ manifest }) => (await store.readManifest(manifest))?.title),
    )
    expect(titles).toEqual(many.map((_, i) => `Title ${i}`))
    expect((await store.readVersion('com.example/told', '1.0.0'))?.description).toBe('Rain')
    expect(await store.readManifest(bare.manifest)).not.toHaveProperty('title')
    expect(await store.readUndescribed(10)).toEqual([])
    expect(errors).toEqual([])
  })

  it('wait for the next start when this one ends, or one of them cannot be read', async () => {
    const store = await storeWith([rowOf('a', 1, { title: 'A' }), rowOf('b', 2, { title: 'B' })])
    const ended = openDescriptions({ store, log })
    await ended.close()
    expect(await store.readUndescribed(10)).not.toEqual([])
    const broken = { ...store, readUndescribed: () => Promise.reject(new Error('gone')) }
    await openDescriptions({ store: broken, log }).done
    expect(errors).toHaveLength(1)
    await openDescriptions({ store, log }).done
    expect((await store.readVersion('com.example/b', '1.0.0'))?.title).toBe('B')
  })
})
