import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openListener } from '../../src/http/server.js'
import { openRegistry, type Overrides } from '../../src/registry.js'
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
  const listen = { host: '127.0.0.1', port: 0 }
  const listener = await openListener(listen)
  const config = {
    publicUrl: listener.url,
    listen,
    dataDir: join(dir, 'data'),
    rollbackFile: join(dir, 'state', 'registry.rollback'),
    trustProxy: 0,
    logLevel: 'silent',
  } as const
  const registry = await openRegistry(config, {}, pino({ level: 'silent' }), overrides)
  listener.serve(registry.app)
  return {
    url: listener.url,
    admin: callerOf(listener.url, of.admin.client),
    async close() {
      await listener.close(0)
      await registry.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
