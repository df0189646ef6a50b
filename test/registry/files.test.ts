import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeNew } from '../../src/registry/root/files.js'

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
