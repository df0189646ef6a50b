import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Overrides } from '../../src/registry.js'
import { openInFolder } from './in-folder.js'
import { callerOf, type Caller, type TestRegistry } from './registry.js'

/** A second registry with the keys, the accounts and the past of another one, and a future of its own. */
export interface Twin {
  readonly url: string
  readonly admin: Caller
  close(): Promise<void>
}

/** Copies what a registry at rest has on its disk, rollback file and all, and opens the copy beside it. */
export async function startTwin(of: TestRegistry, overrides: Overrides = {}): Promise<Twin> {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-twin-'))
  await cp(of.dir, dir, { recursive: true })
  const { url, close } = await openInFolder(dir, { overrides })
  return {
    url,
    admin: callerOf(url, of.admin.client),
    async close() {
      await close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
