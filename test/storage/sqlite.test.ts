import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { batchOf, emptyState, storeContract } from './contract.js'

let folder: string
const file = (): string => join(folder, 'data', 'registry.db')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-store-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

storeContract('sqlite', (now) => openSqliteStore(file(), { now }))

describe('sqlite', () => {
  it('keeps everything over a restart', async () => {
    const store = await openSqliteStore(file())
    await store.initLog(emptyState)
    await store.commitBatch((tx) => tx.append(batchOf(0, 'note 0', 3)))
    await store.close()
    const again = await openSqliteStore(file())
    expect(await again.readLogState()).toMatchObject({ size: 3, note: 'note 3' })
    await again.close()
  })

  it('lets other writes wait for a batch', async () => {
    const store = await openSqliteStore(file())
    await store.initLog(emptyState)
    const order: string[] = []
    const batch = store.commitBatch(async (tx) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await tx.append(batchOf(0, 'note 0', 1))
      order.push('batch')
    })
    const write = store.putPolicy('sha256:p', 'p').then(() => order.push('write'))
    await Promise.all([batch, write])
    expect(order).toEqual(['batch', 'write'])
    await store.close()
  })

  it('is for its owner alone', async () => {
    const store = await openSqliteStore(file())
    await store.initLog(emptyState)
    for (const name of [file(), `${file()}-wal`]) expect(statSync(name).mode & 0o077).toBe(0)
    await store.close()
  })

  it('refuses a second opener in this process, and lets the next one in after a close', async () => {
    const store = await openSqliteStore(file())
    await expect(openSqliteStore(file())).rejects.toMatchObject({ name: 'StoreError', code: 'locked' })
    await store.putPolicy('sha256:p', 'still open')
    await store.close()
    await (await openSqliteStore(file())).close()
  })

  it('refuses while another process has it, and takes over when that one is killed', async () => {
    await (await openSqliteStore(file())).close()
    const child = spawn(process.execPath, [
      '-e',
      `const Database = require('better-sqlite3')
       const lock = new Database(process.argv[1] + '.lock')
       lock.exec('BEGIN EXCLUSIVE')
       console.log('held')
       setInterval(() => lock, 1000)`,
      file(),
    ])
    await once(child.stdout, 'data')
    await expect(openSqliteStore(file())).rejects.toMatchObject({ code: 'locked' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await openSqliteStore(file())).close()
  })

  it('refuses a database whose applied migrations are not ours', async () => {
    await (await openSqliteStore(file())).close()
    const alter = (sql: string): void => {
      const db = new Database(file())
      db.exec(sql)
      db.close()
    }
    alter("INSERT INTO migrations VALUES (9999, 'of-the-future', 'x')")
    await expect(openSqliteStore(file())).rejects.toMatchObject({ code: 'migration-unknown' })
    alter("DELETE FROM migrations WHERE step = 9999; UPDATE migrations SET checksum = 'x' WHERE step = 2")
    await expect(openSqliteStore(file())).rejects.toMatchObject({ code: 'migration-changed' })
    await expect(openSqliteStore(file())).rejects.toMatchObject({ code: 'migration-changed' })
  })

  it('says that the outcome is unknown when COMMIT itself fails', async () => {
    const store = await openSqliteStore(file())
    await store.initLog(emptyState)
    // A deferred constraint is the one way to make a COMMIT fail at will; SQLite keeps the transaction open then.
    const db = new Database(file())
    db.exec(`CREATE TABLE other (id INTEGER PRIMARY KEY);
      CREATE TABLE trap (id INTEGER REFERENCES other DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER spring AFTER INSERT ON entries BEGIN INSERT INTO trap VALUES (1); END;`)
    const failing = store.commitBatch((tx) => tx.append(batchOf(0, 'note 0', 1)))
    await expect(failing).rejects.toMatchObject({ code: 'commit-unknown' })
    expect(await store.readLogState()).toEqual(emptyState)
    db.exec('DROP TRIGGER spring')
    db.close()
    await store.commitBatch((tx) => tx.append(batchOf(0, 'note 0', 1)))
    expect(await store.readLogState()).toMatchObject({ size: 1 })
    await store.close()
  })
})
