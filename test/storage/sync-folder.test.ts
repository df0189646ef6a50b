import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { syncFolder } from '../../src/storage/sync-folder.js'

const platform = process.platform
const pretend = (value: string): void => void Object.defineProperty(process, 'platform', { value })
afterEach(() => pretend(platform))

describe('a folder', () => {
  it.skipIf(platform === 'win32')('is synced, and one that cannot be is said', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-sync-'))
    await expect(syncFolder(folder)).resolves.toBeUndefined()
    rmSync(folder, { recursive: true })
    await expect(syncFolder(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is not even opened on Windows, which refuses that', async () => {
    pretend('win32')
    await expect(syncFolder(join(tmpdir(), 'countersign-sync-not-there'))).resolves.toBeUndefined()
  })
})
