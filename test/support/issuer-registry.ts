import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Config } from '../../src/config.js'
import { openListener } from '../../src/http/server.js'
import { openRegistry, type Registry } from '../../src/registry.js'
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
  const listen = { host: '127.0.0.1', port: 0 }
  const listener = await openListener(listen)
  const config: Config = {
    listen,
    dataDir: join(dir, 'data'),
    rollbackFile: join(dir, 'state', 'registry.rollback'),
    trustProxy: 0,
    logLevel: 'silent',
    ...settings,
  }
  const wide = { points: 1_000_000, seconds: 1 }
  const limits = { token: wide, bootstrap: wide, writes: wide }
  const log = pino({ level: 'silent' })
  const registry = await openRegistry({ ...config, publicUrl: listener.url }, {}, log, { limits })
  listener.serve(registry.app)
  const { url } = listener
  const password = registry.oneTimePassword ?? ''
  return {
    url,
    identity: registry.identity,
    registry,
    admin: callerOf(url, await bootstrap(url, 'admin', password)),
    async close() {
      await listener.close(0)
      await registry.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
