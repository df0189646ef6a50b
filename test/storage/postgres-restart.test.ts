import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { StoreError } from '../../src/storage/errors.js'
import type { Store } from '../../src/storage/store.js'
import { startPostgres, type TestServer } from '../support/postgres-server.js'
import { emptyState } from './contract.js'
import { everyKind, grow, openPatient } from './postgres-support.js'

// The real server: ended as by a loss of power, and started again on the same folder and port.

let server: TestServer
let store: Store

beforeAll(async () => {
  server = await startPostgres()
  store = await openPatient(server.url)
  await store.initLog(emptyState)
})
afterAll(async () => {
  await store.close()
  await server.stop()
})
beforeEach(() => store.readLogState())

/** What a method said, in one word. */
async function said(outcome: Promise<unknown>): Promise<string> {
  try {
    await outcome
    return 'done'
  } catch (cause) {
    return cause instanceof StoreError ? cause.code : String(cause)
  }
}

/** Its processes notice one by one that it has ended: until then some of them still answer. */
async function away(): Promise<void> {
  for (;;) {
    const words = new Set(await Promise.all(everyKind(store).map(said)))
    // A COMMIT that was under way at that moment is nobody's to know of.
    for (const word of words) expect(['done', 'commit-unknown', 'unavailable']).toContain(word)
    if (words.size === 1 && words.has('unavailable')) return
    await wait(20)
  }
}

/** Nobody can be connected to it any more. */
async function gone(): Promise<void> {
  const connected = async (): Promise<void> => (await openPatient(server.url)).close()
  while ((await said(connected())) !== 'unavailable') await wait(20)
}

describe('a server that was ended and starts again', () => {
  it('is away for every method, and found again by the same store, with everything that was answered', async () => {
    await grow(store)
    await grow(store)
    await server.kill()
    await away()
    await expect(openPatient(server.url)).rejects.toMatchObject({ code: 'unavailable' })
    await server.restart()
    const { size, note } = (await store.readLogState())!
    expect(size).toBeGreaterThanOrEqual(2)
    expect(note).toBe(`note ${size}`)
    expect(await store.readEntries(0, 999)).toHaveLength(size)
    for (const outcome of await Promise.all(everyKind(store).map(said))) expect(outcome).toBe('done')
    expect(await store.readLogState()).toMatchObject({ size: size + 1 })
  })

  it('has kept nothing of a batch that was under way', async () => {
    const before = await store.readSettledLogState()
    await expect(
      grow(store, async () => {
        await server.kill()
        await gone()
      }),
    ).rejects.toMatchObject({ code: 'unavailable' })
    await server.restart()
    expect(await store.readSettledLogState()).toEqual(before)
    await grow(store)
  })

  it('is heard of again by a watch, and counts go on meanwhile', async () => {
    let calls = 0
    onTestFinished(store.watch(() => calls++))
    const counter = store.counter('tries', { points: 2, seconds: 600 })
    expect(await counter.take('key')).toMatchObject({ isAllowed: true, remaining: 1 })
    await server.kill()
    await away()
    const taken = [await counter.take('key'), await counter.take('key'), await counter.take('key')]
    expect(taken.map(({ isAllowed }) => isAllowed)).toEqual([true, true, false])
    await server.restart()
    const before = calls
    while (calls === before) {
      await grow(store)
      await wait(20)
    }
    expect(await counter.take('key')).toMatchObject({ isAllowed: true })
  })
})
