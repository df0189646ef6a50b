import { join } from 'node:path'
import { pino } from 'pino'
import type { Config, Secrets } from '../../src/config.js'
import { openListener } from '../../src/http/server.js'
import { openRegistry, type Overrides, type Registry } from '../../src/registry.js'

/** A registry that runs in this process. */
export interface OpenedRegistry {
  readonly url: string
  readonly registry: Registry
  readonly close: () => Promise<void>
}

export interface OpenOptions {
  /** Settings besides the address and the folder. */
  readonly config?: Partial<Config> | undefined
  readonly secrets?: Secrets
  readonly overrides?: Overrides | undefined
}

/** Opens a registry on a port of its own that keeps all it has in this folder. */
export async function openInFolder(
  dir: string,
  { config: settings, secrets = {}, overrides }: OpenOptions = {},
): Promise<OpenedRegistry> {
  const listen = { host: '127.0.0.1', port: 0 }
  const listener = await openListener(listen)
  const config = {
    publicUrl: listener.url,
    listen,
    dataDir: join(dir, 'data'),
    rollbackFile: join(dir, 'state', 'registry.rollback'),
    trustProxy: 0,
    logLevel: 'silent',
    ...settings,
  } as const
  const log = pino({ level: 'silent' })
  const registry = await openRegistry(config, secrets, log, overrides).catch(async (cause: unknown) => {
    await listener.close(0)
    throw cause
  })
  listener.serve(registry.app)
  return {
    url: listener.url,
    registry,
    close: async () => {
      await listener.close(0)
      await registry.close()
    },
  }
}
