import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { PostgresOptions } from '../../src/storage/postgres.js'
import type { Store } from '../../src/storage/store.js'
import { startProxy, type Proxy } from '../support/postgres-proxy.js'
import type { TestDatabase } from '../support/postgres.js'
import { batchOf, emptyState } from './contract.js'
import { emptyTables, grow, migratedDatabase, openPatient, WAITING } from './postgres-support.js'

let database: TestDatabase

beforeAll(async () => {
  database = await migratedDatabase()
})
beforeEach(async () => {
  await emptyTables(database)
  const store = await openPatient(database.url)
  await store.initLog(emptyState)
  await store.close()
})
afterAll(() => database.drop())

async function opened(options: PostgresOptions = {}, url = database.url): Promise<Store> {
  const store = await openPatient(url, options)
  onTestFinished(() => store.close())
  return store
}

async function proxied(options: PostgresOptions = {}): Promise<{ store: Store; proxy: Proxy }> {
  const proxy = await startProxy(database.url)
  const store = await openPatient(proxy.url, options)
  onTestFinished(async () => {
    await store.close()
    await proxy.stop()
  })
  return { store, proxy }
}

interface Held {
  readonly has: Promise<void>
  readonly ended: Promise<void>
  go(): void
}

/** A batch that has the lock until it is told to go on. */
function held(store: Store): Held {
  let go = (): void => undefined
  let took = (): void => undefined
  const has = new Promise<void>((resolve) => (took = resolve))
  const gate = new Promise<void>((resolve) => (go = resolve))
  const ended = grow(store, () => {
    took()
    return gate
  })
  // How it ended is looked at when the test comes to it; one that ended before it had the lock fails the test at once.
  return { has: Promise.race([has, ended]), ended, go: () => go() }
}

/** For a store whose batches have to say something soon. */
const SILENT_MS = 3000

/** Such a batch has the lock, and says nothing from now on. One that was late on its way there was ended on its way. */
async function silentBatch(store: Store): Promise<Held> {
  for (;;) {
    const batch = held(store)
    try {
      await batch.has
      return batch
    } catch (cause) {
      expect(cause).toMatchObject({ code: 'unavailable' })
    }
  }
}

/** Somebody waits at the row, as the server says. */
const waiting = (): Promise<void> =>
  expect.poll(() => database.query(WAITING), { interval: 10 }).not.toHaveLength(0)

const endBatches = (): Promise<unknown> =>
  database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'`)

describe('batches of several processes', () => {
  it('follow one another without a gap', async () => {
    const stores = await Promise.all([1, 2, 3].map(() => opened()))
    await Promise.all(stores.flatMap((store) => Array.from({ length: 8 }, () => grow(store))))
    const state = await stores[0]!.readLogState()
    expect(state).toMatchObject({ size: 24, note: 'note 24' })
    expect(await stores[1]!.readEntries(0, 99)).toEqual(Array.from({ length: 24 }, (_, at) => `entry ${at}`))
    for (let size = 1; size <= 24; size++) expect(await stores[2]!.readCheckpoint(size)).toBe(`note ${size}`)
  })

  it('see what the one before them committed, in whichever process', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    const first = held(a)
    await first.has
    const second = grow(b, async (tx) => expect(await tx.readLogState()).toMatchObject({ size: 1 }))
    first.go()
    await Promise.all([first.ended, second])
    expect(await a.readLogState()).toMatchObject({ size: 2 })
  })

  it('are busy when another one does not end in time, and nothing of them happened', async () => {
    const [a, b] = await Promise.all([opened(), opened({ batchWaitMs: 50 })])
    const first = held(a)
    await first.has
    let ran = false
    const busy = grow(b, async () => (ran = true))
    await expect(busy).rejects.toMatchObject({ code: 'busy' })
    expect(ran).toBe(false)
    first.go()
    await first.ended
    await grow(b)
    expect(await a.readLogState()).toMatchObject({ size: 2 })
  })

  it('go on when the process that had the lock is gone', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    const first = held(a)
    await first.has
    const second = grow(b)
    // Until it waits it looks like the one that is to be ended.
    await waiting()
    await endBatches()
    await second
    first.go()
    await expect(first.ended).rejects.toMatchObject({ code: 'unavailable' })
    await grow(a)
    expect(await b.readLogState()).toMatchObject({ size: 2 })
  })

  it('go on when the process that had the lock says nothing any more', async () => {
    const [a, b] = await Promise.all([opened({ idleInTransactionMs: SILENT_MS }), opened()])
    const silent = await silentBatch(a)
    await grow(b)
    silent.go()
    await expect(silent.ended).rejects.toMatchObject({ code: 'unavailable' })
    expect(await b.readLogState()).toMatchObject({ size: 1, note: 'note 1' })
    await grow(a)
  })

  it('are refused when the state moved outside of every lock', async () => {
    const store = await opened()
    const lost = store.commitBatch((tx) => tx.append(batchOf(3, 'note 3', 1)))
    await expect(lost).rejects.toMatchObject({ code: 'lost-race' })
    expect(await store.readEntries(0, 9)).toEqual([])
  })
})

describe('a batch in which a statement failed', () => {
  it('is not committed, even when its work swallows the failure', async () => {
    const store = await opened()
    const swallowed = store.commitBatch(async (tx) => {
      await tx.append(batchOf(0, 'note 0', 1))
      await tx.putRootNote({ version: 1, note: 'root' })
      await tx.putRootNote({ version: 1, note: 'root' }).catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'duplicate' })
    expect(await store.readLogState()).toEqual(emptyState)
    await grow(store)
  })
})

describe('a COMMIT', () => {
  it('that is never heard of has an unknown outcome, and did not happen', async () => {
    const { store, proxy } = await proxied()
    const cut = proxy.cutAt('COMMIT\0', 'before')
    await expect(grow(store)).rejects.toMatchObject({ code: 'commit-unknown' })
    await cut
    expect(await store.readSettledLogState()).toEqual(emptyState)
    await grow(store)
    expect(await store.readLogState()).toMatchObject({ size: 1 })
  })

  it('that is not answered has an unknown outcome, and happened', async () => {
    const { store, proxy } = await proxied()
    const cut = proxy.cutAt('COMMIT\0', 'after')
    await expect(grow(store)).rejects.toMatchObject({ code: 'commit-unknown' })
    await cut
    expect(await store.readSettledLogState()).toMatchObject({ size: 1, note: 'note 1' })
  })

  it('that the server refuses did not happen for certain', async () => {
    const store = await opened()
    await database.query(`CREATE TABLE other (id bigint PRIMARY KEY)`)
    await database.query(`CREATE TABLE trap (id bigint REFERENCES other DEFERRABLE INITIALLY DEFERRED)`)
    await database.query(`CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO trap VALUES (1); RETURN NULL; END'`)
    await database.query(`CREATE TRIGGER spring AFTER INSERT ON entries EXECUTE FUNCTION spring()`)
    await expect(grow(store)).rejects.toMatchObject({ code: 'constraint' })
    expect(await store.readSettledLogState()).toEqual(emptyState)
    await database.query('DROP FUNCTION spring CASCADE')
    await database.query('DROP TABLE trap, other')
    await grow(store)
  })
})

describe('a settled read', () => {
  it('waits for a batch that is under way, and says what became of it', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    const first = held(a)
    await first.has
    const order: string[] = []
    const settled = b.readSettledLogState().then((state) => {
      order.push('settled')
      return state
    })
    await waiting()
    const ended = first.ended.then(() => order.push('ended'))
    expect(order).toEqual([])
    first.go()
    expect(await settled).toMatchObject({ size: 1, note: 'note 1' })
    await ended
  })

  it('outlasts a batch whose process is silent', async () => {
    const [a, b] = await Promise.all([
      opened({ idleInTransactionMs: SILENT_MS }),
      opened({ idleInTransactionMs: SILENT_MS }),
    ])
    const silent = await silentBatch(a)
    expect(await b.readSettledLogState()).toEqual(emptyState)
    silent.go()
    await expect(silent.ended).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('finds the log of a successor behind the batch that made it', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    await grow(a)
    let go = (): void => undefined
    let took = (): void => undefined
    const has = new Promise<void>((resolve) => (took = resolve))
    const gate = new Promise<void>((resolve) => (go = resolve))
    const successor = { ...emptyState, origin: 'registry-a/log-2', base: 1 }
    const batch = a.commitBatch(async (tx) => {
      await tx.succeed(successor)
      took()
      await gate
      await tx.append(batchOf(0, 'note 0', 1))
    })
    await has
    const settled = b.readSettledLogState()
    await waiting()
    go()
    await batch
    expect(await settled).toMatchObject({ origin: 'registry-a/log-2', base: 1, size: 1 })
  })
})

describe('a consistent read', () => {
  it('sees one state, whatever is committed meanwhile', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    await grow(a)
    await b.readConsistently(async (reads) => {
      expect(await reads.readLogState()).toMatchObject({ size: 1 })
      await grow(a, (tx) => tx.putRevocation('tool\0x', 1))
      expect(await reads.readLogState()).toMatchObject({ size: 1 })
      expect(await reads.readEntries(0, 9)).toEqual(['entry 0'])
      expect(await reads.readRevocations()).toEqual([])
    })
    expect(await b.readRevocations()).toEqual(['tool\0x'])
  })

  it('is over when it is over', async () => {
    const store = await opened()
    const kept = await store.readConsistently(async (reads) => reads)
    await expect(kept.readLogState()).rejects.toMatchObject({ code: 'misuse' })
  })
})
