import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeNew } from '../../src/registry/root/files.js'
import { openDumpSource } from '../../src/storage/dump/open.js'
import { assertWhole } from '../../src/storage/dump/read.js'
import { writeDump } from '../../src/storage/dump/write.js'
import { openStore } from '../../src/storage/open.js'
import { emptyState } from '../storage/contract-support.js'

// As a stick that is carried to the signers: it knows no hard links.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' })),
}))

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-files-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('a new file where there are no hard links', () => {
  it('is written, and takes the place of none', async () => {
    const file = join(dir, 'draft')
    await writeNew(file, 'first')
    await expect(writeNew(file, 'second')).rejects.toMatchObject({ code: 'file-exists' })
    expect(readFileSync(file, 'utf8')).toBe('first')
    expect(readdirSync(dir)).toEqual(['draft'])
    await expect(writeNew(join(dir, 'nowhere', 'draft'), 'x')).rejects.toMatchObject({
      code: 'file-unusable',
    })
    expect(existsSync(join(dir, 'nowhere'))).toBe(false)
  })
})

describe('an export where there are no hard links', () => {
  it('is written whole, and takes the place of none', async () => {
    const place = { engine: 'sqlite', file: join(dir, 'registry.sqlite') } as const
    const store = await openStore(place)
    await store.initLog(emptyState)
    await store.close()
    const file = join(dir, 'registry.export')
    const write = async (to: string): Promise<void> => {
      const source = await openDumpSource(place)
      await writeDump(source, to, () => undefined).finally(() => source.close())
    }
    await write(file)
    await assertWhole(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    writeFileSync(join(dir, 'theirs'), 'theirs')
    await expect(write(join(dir, 'theirs'))).rejects.toMatchObject({ code: 'export-unwritable' })
    expect(readFileSync(join(dir, 'theirs'), 'utf8')).toBe('theirs')
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('takes the place of none that came while it was written', async () => {
    const file = join(dir, 'registry.export')
    const rows = async function* (): AsyncGenerator<never> {
      await Promise.resolve()
      if (!existsSync(file)) writeFileSync(file, 'theirs')
    }
    const state = () => Promise.resolve({ ...emptyState, publishedSize: 0 })
    const source = { engine: 'sqlite', step: 1, state, rows, close: () => Promise.resolve() } as const
    await expect(writeDump(source, file, () => undefined)).rejects.toMatchObject({
      code: 'export-unwritable',
    })
    expect(readFileSync(file, 'utf8')).toBe('theirs')
    expect(readdirSync(dir)).toEqual(['registry.export'])
  })
})
