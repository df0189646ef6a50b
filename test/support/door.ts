import { Writable } from 'node:stream'
import { pino } from 'pino'
import { openDoor } from '../../src/http/door.js'
import { DEFAULT_LIMITS } from '../../src/http/limits.js'
import { openListener } from '../../src/http/server.js'
import type { Ledger } from '../../src/log/ledger.js'
import type { Store } from '../../src/storage/store.js'
import { openWebhookKey } from '../../src/webhooks/key.js'
import type { TestRegistry } from './registry.js'

/** A second door to the rooms of a registry, whose log can be read. Tokens are those of the first. */
export interface SecondDoor {
  readonly url: string
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  close(): Promise<void>
}

/** `store` and `ledger`: members that take the place of the real ones. */
export async function openSecondDoor(
  { registry, url: publicUrl, dir }: TestRegistry,
  change: { readonly store?: Partial<Store>; readonly ledger?: Partial<Ledger> } = {},
): Promise<SecondDoor> {
  const lines: Record<string, unknown>[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
      done()
    },
  })
  const { context, auth } = registry.rooms
  const store = { ...context.store, ...change.store }
  const ledger = { ...context.ledger, ...change.ledger }
  const door = openDoor({
    ...{ context: { ...context, store, ledger }, auth, publicUrl, limits: DEFAULT_LIMITS, trustProxy: 0 },
    webhookKey: await openWebhookKey(`${dir}/data/oauth`),
    log: pino({ level: 'info' }, sink),
  })
  const listener = await openListener({ host: '127.0.0.1', port: 0 })
  listener.serve(door.app)
  const close = async (): Promise<void> => {
    door.drain()
    await listener.close(0)
    door.close()
  }
  return { url: listener.url, lines, close }
}
