import { chmod, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openAuthKeys } from '../../src/auth/keys.js'

it.skipIf(process.platform === 'win32')(
  'makes private keys once, and refuses them when others can read them',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'countersign-auth-'))
    onTestFinished(() => rm(dir, { recursive: true, force: true }))
    const made = await openAuthKeys(dir)
    expect(await openAuthKeys(dir)).toEqual(made)
    for (const name of ['token-signing-key.json', 'cookie-key']) {
      const file = join(dir, name)
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      await chmod(file, 0o640)
      await expect(openAuthKeys(dir)).rejects.toMatchObject({ code: 'key-file-unusable' })
      await chmod(file, 0o600)
    }
  },
)
