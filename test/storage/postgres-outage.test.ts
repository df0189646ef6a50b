import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { PostgresOptions } from '../../src/storage/postgres.js'
import type { Store } from '../../src/storage/store.js'
import { startProxy, type Proxy } from '../support/postgres-proxy.js'
import type { TestDatabase } from '../support/postgres.js'
import { emptyState, published } from './contract.js'
import { everyKind, grow, migratedDatabase, openPatient } from './postgres-support.js'

let database: TestDatabase

beforeAll(async () => {
  database = await migratedDatabase()
  const store = await openPatient(database.url)
  await store.initLog(emptyState)
  await store.close()
})
afterAll(() => database.drop())

let proxy: Proxy
let store: Store

async function opened(options: PostgresOptions = {}, url = proxy.url): Promise<Store> {
  const other = await openPatient(url, options)
  onTestFinished(() => other.close())
  return other
}

beforeEach(async () => {
  proxy = await startProxy(database.url)
  store = await openPatient(proxy.url)
  return async () => {
    await store.close()
    await proxy.stop()
  }
})

describe('a database that is away', () => {
  it('makes every method say so, and is found again by itself', async () => {
    await store.readLogState()
    proxy.block()
    for (const outcome of await Promise.allSettled(everyKind(store))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
    }
    proxy.unblock()
    expect(await store.readLogState()).toBeDefined()
    await grow(store)
  })

  it('ends what is under way, and nothing of it happened', async () => {
    const before = await store.readLogState()
    const ended = store.commitBatch(async (tx) => {
      await tx.putNamespace({ namespace: 'com.away', account: 'author', proof: 'admin', index: 0 })
      proxy.cutAll()
      await tx.readKeys('com.away')
    })
    await expect(ended).rejects.toMatchObject({ code: 'unavailable' })
    expect(await store.readSettledLogState()).toEqual(before)
    expect(await store.readNamespace('com.away')).toBeUndefined()
  })

  it('has nothing to say about the outcome of what only read', async () => {
    for (const read of [
      () => store.readConsistently((reads) => reads.readLogState()),
      () => store.readSettledLogState(),
    ])
      for (const when of ['before', 'after'] as const) {
        const cut = proxy.cutAt('COMMIT\0', when)
        await expect(read()).rejects.toMatchObject({ code: 'unavailable' })
        await cut
        await read()
      }
  })

  it('leaves connections that nobody uses out of it', async () => {
    await Promise.all(Array.from({ length: 6 }, () => store.readLogState()))
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`)
    // Which of them have heard of their end by now is chance: a few may say so once, none twice.
    await Promise.allSettled(Array.from({ length: 6 }, () => store.readLogState()))
    expect(await store.readLogState()).toBeDefined()
  })

  it('cannot be opened', async () => {
    proxy.block()
    await expect(openPatient(proxy.url)).rejects.toMatchObject({ code: 'unavailable' })
    const nobody = new URL(database.url)
    nobody.password = 'wrong'
    await expect(openPatient(nobody.href)).rejects.toMatchObject({ code: 'unavailable' })
    nobody.href = database.url
    nobody.pathname = '/no_such_database'
    await expect(openPatient(nobody.href)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('that does not answer is not waited for without end', async () => {
    await store.readLogState()
    proxy.mute()
    await expect(openPatient(proxy.url, { connectMs: 100 })).rejects.toMatchObject({
      code: 'unavailable',
    })
    proxy.unblock()
    proxy.cutAll()
  })
})

describe('a watch', () => {
  /** Resolves with the next call behind this one; the calls before it are not counted. */
  const watching = (on: Store) => {
    let resolve = (): void => undefined
    const stop = on.watch(() => resolve())
    onTestFinished(stop)
    return { next: () => new Promise<void>((called) => (resolve = called)), stop }
  }

  it('hears what another process commits and publishes', async () => {
    const other = await opened({}, database.url)
    const { next } = watching(store)
    const committed = next()
    await grow(other)
    await committed
    const heard = next()
    const { size = 0 } = (await other.readLogState()) ?? {}
    expect(await other.publishCheckpoint(size, published(`cosigned ${size}`))).toBe(true)
    await heard
  })

  it('hears again after its connection has ended', async () => {
    const other = await opened({}, database.url)
    const { next } = watching(store)
    await next()
    proxy.block()
    await grow(other)
    const heard = next()
    proxy.unblock()
    await heard
    const again = next()
    await grow(other)
    await again
  })

  it('hears also where nothing can be listened to', async () => {
    const other = await opened({}, database.url)
    proxy.refuse('LISTEN')
    let calls = 0
    onTestFinished(store.watch(() => calls++))
    // The first look learns what there is; from then on what moves is heard, by the next one at the latest.
    while (calls === 0) {
      await grow(other)
      await wait(20)
    }
  })

  it('is silent once it has ended, and the store closes with one that runs', async () => {
    const closing = await openPatient(database.url)
    let calls = 0
    const stop = closing.watch(() => calls++)
    stop()
    const after = calls
    await grow(closing)
    closing.watch(() => undefined)
    await closing.close()
    expect(calls).toBe(after)
    expect(() => closing.watch(() => undefined)).toThrow(expect.objectContaining({ code: 'closed' }))
  })

  it('ends also when the server has fallen silent', async () => {
    const short = { statementMs: 5000, idleInTransactionMs: 5000 }
    const closing = await openPatient(proxy.url, short)
    await new Promise<void>((heard) => closing.watch(() => heard()))
    proxy.freeze()
    await closing.close()
    proxy.cutAll()
  })
})
