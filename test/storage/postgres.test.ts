import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { PostgresOptions } from '../../src/storage/postgres.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { batchOf, emptyState, manifestRow, storeContract } from './contract.js'
import { emptyTables, migratedDatabase, openPatient } from './postgres-support.js'

describe('the contract', () => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await migratedDatabase()
  })
  beforeEach(() => emptyTables(database))
  afterAll(() => database.drop())

  storeContract('postgres', (now) => openPatient(database.url, { now }))
})

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await makeDatabase()
  onTestFinished(() => database.drop())
  return database
}

const opened = async (url: string, options?: PostgresOptions) => {
  const store = await openPatient(url, options)
  onTestFinished(() => store.close())
  return store
}

describe('postgres', () => {
  it('keeps everything over a restart', async () => {
    const { url } = await emptyDatabase()
    const store = await openPatient(url)
    await store.initLog(emptyState)
    await store.commitBatch((tx) => tx.append(batchOf(0, 'note 0', 3)))
    await store.close()
    expect(await (await opened(url)).readLogState()).toMatchObject({ size: 3, note: 'note 3' })
  })

  it('refuses everything once it is closed, and closes twice', async () => {
    const { url } = await emptyDatabase()
    const store = await openPatient(url)
    await store.close()
    await store.close()
    await expect(store.readLogState()).rejects.toMatchObject({ code: 'closed' })
    await expect(store.commitBatch(async () => 1)).rejects.toMatchObject({ code: 'closed' })
    await expect(store.putPolicy('sha256:p', 'late')).rejects.toMatchObject({ code: 'closed' })
  })

  it('is closed behind what is under way, also what still waits for a connection', async () => {
    const { url } = await emptyDatabase()
    const store = await openPatient(url, { connections: 2 })
    const reads = Array.from({ length: 30 }, () => store.readLogState())
    const closed = Promise.all([store.close(), store.close()])
    expect(await Promise.all(reads)).toEqual(reads.map(() => undefined))
    await closed
  })

  it('reads no other bytes than were kept, however the database says them', async () => {
    const database = await emptyDatabase()
    const { url, name } = database
    const store = await openPatient(url)
    await store.initLog(emptyState)
    await store.close()
    await database.query(`ALTER DATABASE ${name} SET bytea_output = 'escape'`)
    await expect((await opened(url)).readLogState()).rejects.toMatchObject({ code: 'io' })
  })

  it('is brought up to date by one of several processes that start at once', async () => {
    const database = await emptyDatabase()
    const { url } = database
    const stores = await Promise.all(Array.from({ length: 4 }, () => opened(url)))
    for (const store of stores) expect(await store.readLogState()).toBeUndefined()
    const steps = await database.query<{ step: number }>('SELECT step::int FROM migrations ORDER BY step')
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, at) => at + 1))
  })

  it('refuses a database whose applied migrations are not ours, and changes nothing of it', async () => {
    const database = await emptyDatabase()
    const { url } = database
    await (await openPatient(url)).close()
    await database.query("INSERT INTO migrations VALUES (9999, 'of-the-future', 'x')")
    await expect(openPatient(url)).rejects.toMatchObject({ code: 'migration-unknown' })
    await database.query('DELETE FROM migrations WHERE step = 9999')
    await database.query("UPDATE migrations SET checksum = 'x' WHERE step = 2")
    await expect(openPatient(url)).rejects.toMatchObject({ code: 'migration-changed' })
    expect(await database.query("SELECT 1 FROM migrations WHERE checksum = 'x'")).toHaveLength(1)
  })

  it('leaves nothing behind when a step fails', async () => {
    const database = await emptyDatabase()
    const { url } = database
    await database.query('CREATE TABLE webhooks (somebody_elses text)')
    await expect(openPatient(url)).rejects.toMatchObject({ name: 'StoreError' })
    expect(await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([
      { tablename: 'webhooks' },
    ])
  })

  it('refuses a database that would not keep what was answered', async () => {
    const database = await emptyDatabase()
    const { url, name } = database
    await database.query(`ALTER DATABASE ${name} SET synchronous_commit = off`)
    await expect(openPatient(url)).rejects.toMatchObject({ code: 'io' })
    await database.query(`ALTER DATABASE ${name} SET synchronous_commit = local`)
    await opened(url)
  })

  it('refuses a database of another encoding', async () => {
    const database = await emptyDatabase()
    const { url, name } = database
    await database.query(`CREATE DATABASE ${name}_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'`)
    onTestFinished(async () => {
      await database.query(`DROP DATABASE ${name}_ascii WITH (FORCE)`)
    })
    await expect(openPatient(`${url}_ascii`)).rejects.toMatchObject({ code: 'io' })
  })

  it('orders text bytewise, whatever the locale of the database', async () => {
    const database = await emptyDatabase()
    const { url } = database
    await (await openPatient(url)).close()
    const others =
      await database.query(`SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation`)
    expect(others).toEqual([])
  })

  it('never says the password of a URL that it cannot use', async () => {
    for (const url of ['postgres://registry:s3cret@:x/', 'mysql://registry:s3cret@localhost/db', 's3cret']) {
      const failure: unknown = await openPatient(url).catch((cause: unknown) => cause)
      expect(failure).toMatchObject({ name: 'StoreError', code: 'io' })
      expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('s3cret')
      expect((failure as Error).cause).toBeUndefined()
    }
  })

  it('finds nothing by text with NUL, and keeps none', async () => {
    const store = await opened((await emptyDatabase()).url)
    expect(await store.readAccountByLogin('author\0')).toBeUndefined()
    expect(await store.listServers(10, undefined, '\0')).toEqual([])
    await expect(store.putPolicy('sha256:p', 'text\0')).rejects.toMatchObject({ code: 'constraint' })
    await expect(store.grantNamespace('com.example\0', 'author', 'admin')).rejects.toMatchObject({
      code: 'constraint',
    })
    expect(await store.readGrant('com.example')).toBeUndefined()
    await store.deleteOAuth('AccessToken', 'token\0')
    await store.deleteOAuthGrant('grant\0')
    expect(await store.redeemRecovery('code\0', '$h', 1)).toBeUndefined()
    expect(await store.updateWebhook('hook\0', { failures: 1 })).toBe(false)
    await store.initLog(emptyState)
    expect(await store.commitBatch((tx) => tx.takeChallenge('challenge\0'))).toBe(false)
  })

  it('keeps a key of a manifest that is longer than an index can hold', async () => {
    const store = await opened((await emptyDatabase()).url)
    await store.initLog(emptyState)
    // Text that does not compress.
    const long = `url:https://example.com/${Array.from({ length: 900 }, (_, at) => Math.imul(at + 1, 2654435761).toString(36)).join('')}`
    const row = { ...manifestRow('weather', '1.0.0', 0), lookups: [long, `${long}\\`] }
    await store.commitBatch((tx) => tx.putManifest(row))
    await store.commitBatch((tx) => tx.putManifest(row))
    for (const key of row.lookups) {
      expect((await store.readByLookup(key)).map(({ manifest }) => manifest)).toEqual([row.manifest])
    }
    expect(await store.readByLookup(`${long}x`)).toEqual([])
  })
})
