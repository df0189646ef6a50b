import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config.js'
import type { Registry } from '../../src/registry.js'
import { openInFolder } from './in-folder.js'
import { bootstrap, callerOf, type Caller } from './registry.js'

/** A real registry in this process, with settings of its own. */
export interface ConfiguredRegistry {
  readonly url: string
  readonly identity: string
  readonly registry: Registry
  /** The account `admin`, by client credentials at the registry itself. */
  readonly admin: Caller
  close(): Promise<void>
}

export async function startConfigured(settings: Partial<Config>): Promise<ConfiguredRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'countersign-configured-'))
  const wide = { points: 1_000_000, seconds: 1 }
  const limits = { token: wide, bootstrap: wide, writes: wide }
  const { url, registry, close } = await openInFolder(dir, { config: settings, overrides: { limits } })
  const password = registry.oneTimePassword ?? ''
  return {
    url,
    identity: registry.identity,
    registry,
    admin: callerOf(url, await bootstrap(url, 'admin', password)),
    async close() {
      await close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
