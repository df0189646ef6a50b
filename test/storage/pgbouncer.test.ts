import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import type { PostgresOptions } from '../../src/storage/postgres.js'
import type { Store } from '../../src/storage/store.js'
import { pgbouncerPath, startPgbouncer, type Bouncer } from '../support/pgbouncer.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { idempotencyContract } from './contract-idempotency.js'
import { logContract } from './contract-log.js'
import { machinesContract } from './contract-machines.js'
import { proofsContract } from './contract-proofs.js'
import { reviewContract } from './contract-review.js'
import { sharedContract } from './contract-shared.js'
import { emptyState, published } from './contract.js'
import { emptyTables, grow, openPatient } from './postgres-support.js'

// A real pooler that lends a connection of the server for one transaction, and then to somebody else.

const program = pgbouncerPath()

describe.skipIf(program === undefined)('through PgBouncer', () => {
  let bouncer: Bouncer
  let database: TestDatabase
  let url: string

  beforeAll(async () => {
    bouncer = await startPgbouncer(program ?? '', inject('postgres'))
    database = await makeDatabase()
    url = bouncer.through(database.url)
    // Several first starts at once.
    const stores = await Promise.all([1, 2, 3].map(() => openPatient(url)))
    for (const store of stores) await store.close()
  })
  beforeEach(() => emptyTables(database))
  afterAll(async () => {
    await bouncer.stop()
    await database.drop()
  })

  const parts = [
    ...[logContract, sharedContract, idempotencyContract],
    ...[proofsContract, reviewContract, machinesContract],
  ]
  for (const part of parts) part('pgbouncer', (now) => openPatient(url, { now }))

  async function opened(options: PostgresOptions = {}): Promise<Store> {
    const store = await openPatient(url, options)
    onTestFinished(() => store.close())
    return store
  }

  it('batches of two stores follow one another without a gap, and others read meanwhile', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    await a.initLog(emptyState)
    const batches = [a, b].flatMap((store) => Array.from({ length: 15 }, () => grow(store)))
    const reads = Array.from({ length: 40 }, () =>
      b.readConsistently(async (reads) => {
        const { size, note } = (await reads.readLogState())!
        expect(note).toBe(`note ${size}`)
        expect(await reads.readEntries(0, 99)).toHaveLength(size)
      }),
    )
    await Promise.all([...batches, ...reads])
    expect(await a.readLogState()).toMatchObject({ size: 30, note: 'note 30' })
    expect(await b.readEntries(0, 99)).toEqual(Array.from({ length: 30 }, (_, at) => `entry ${at}`))
  })

  it('a watch hears what another store commits and publishes', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    await a.initLog(emptyState)
    await grow(a)
    let calls = 0
    onTestFinished(b.watch(() => calls++))
    // The first look learns what there is; what moves behind it is heard.
    for (let at = 0; calls < 2; at++) {
      expect(await a.publishCheckpoint(1, published(`cosigned ${at}`))).toBe(true)
      await wait(20)
    }
    const before = calls
    while (calls === before) {
      await grow(a)
      await wait(20)
    }
  })

  it('a store whose batch is cut off by the server leaves nothing, and goes on', async () => {
    const [a, b] = await Promise.all([opened(), opened()])
    await a.initLog(emptyState)
    const cut = grow(a, () =>
      database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'`),
    )
    await expect(cut).rejects.toMatchObject({ code: 'unavailable' })
    expect(await b.readSettledLogState()).toEqual(emptyState)
    await grow(b)
    await grow(a)
    expect(await b.readLogState()).toMatchObject({ size: 2 })
  })

  it('leaves no limit and no lock behind on connections that others are lent', async () => {
    const store = await opened()
    await store.initLog(emptyState)
    await grow(store)
    await store.readSettledLogState()
    await store.close()
    // A pooler hears of a connection that is free again a moment after us. Workers of autovacuum come and go as they like.
    const others = `a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'`
    await expect
      .poll(() =>
        database.query(`SELECT a.query FROM pg_stat_activity a WHERE ${others} AND a.state <> 'idle'`),
      )
      .toEqual([])
    const locks = `SELECT l.locktype FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE ${others}`
    await expect.poll(() => database.query(locks)).toEqual([])
  })
})
