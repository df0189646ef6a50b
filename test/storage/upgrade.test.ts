import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMigrations } from '../../src/storage/migrate.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { manifestRow } from './contract.js'

const MIGRATIONS = fileURLToPath(new URL('../../migrations/sqlite/', import.meta.url))

let folder: string
let store: Store
const file = (): string => join(folder, 'registry.db')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-upgrade-'))
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A database as a registry of this step left it. */
function oldDatabase(step: number, sql: string): void {
  const db = new Database(file())
  db.pragma('foreign_keys = ON')
  db.exec(
    'CREATE TABLE migrations (step INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT',
  )
  const record = db.prepare('INSERT INTO migrations VALUES (?, ?, ?)')
  for (const known of readMigrations(MIGRATIONS).slice(0, step)) {
    db.exec(known.sql)
    record.run(known.step, known.name, known.checksum)
  }
  db.exec(sql)
  db.close()
}

const PEOPLE = `
  INSERT INTO accounts VALUES ('admin', '["admin","publisher"]', 0, '$once'), ('ci', '["publisher"]', 1, NULL);
  INSERT INTO oauth_clients VALUES ('c1', 'ci', 'laptop', 'ab', '["registry:publish"]', 0),
    ('c2', 'admin', 'bootstrap', 'cd', '["registry:admin"]', 1);
  INSERT INTO oauth VALUES ('Session', 's1', '{"a":1}', 'u1', NULL, 'g1', NULL);`

const LOG = `
  INSERT INTO namespaces VALUES ('com.example', 'ci', 'admin', 1);
  INSERT INTO keys VALUES ('com.example', 'k1', 'own', 'x1', 1, NULL, NULL, NULL),
    ('com.example', 'k2', 'sign', 'x2', 2, 9, 5, 'compromise'), ('com.other', 'k9', 'own', 'x9', 7, NULL, NULL, NULL);
  INSERT INTO audit (at, account, action, target, detail, idx) VALUES
    (1, 'ci', 'namespace', 'com.example', '{"kid":"k1","signer":"k1"}', 1),
    (2, 'ci', 'key.add', 'com.example', '{"kid":"k2","signer":"k1"}', 2),
    (3, 'ci', 'approve', 'sha256:a', '{"signer":"nobody"}', 7);
  INSERT INTO manifests VALUES ('sha256:m', 'sha256:e', 'com.example/old', 'com.example/old', 'com.example', '1.0.0',
    'publisher', 'k2', 'ci', 'approved', 3, 4, '[]', 5, '[]', '[]');
  INSERT INTO envelopes VALUES ('sha256:m', 'the envelope');
  INSERT INTO policies VALUES ('sha256:p', 'the policy');`

describe('a database of the step before accounts of people', () => {
  beforeEach(async () => {
    oldDatabase(5, PEOPLE + LOG)
    store = await openSqliteStore(file())
  })

  it('has one person, with the login and the one-time password that it had', async () => {
    const admin = await store.readAccountByLogin('admin')
    expect(admin).toEqual({
      ...{ account: 'admin', kind: 'person', login: 'admin', roles: ['admin', 'publisher'], disabled: false },
      ...{ passwordHash: '$once', passwordOnce: true, createdAt: 0 },
    })
    const ci = { account: 'ci', kind: 'service', roles: ['publisher'], disabled: true, createdAt: 0 }
    expect(await store.readAccount('ci')).toEqual(ci)
    expect(await store.consumePassword('admin', '$once')).toBe(true)
  })

  it('has every client with the secret it had, bound to its account as before', async () => {
    expect(await store.readClient('c1')).toEqual({
      ...{
        clientId: 'c1',
        account: 'ci',
        name: 'laptop',
        authMethod: 'client_secret_basic',
        secretHash: 'ab',
      },
      ...{ redirectUris: [], grantTypes: ['client_credentials'], scopes: ['registry:publish'] },
      ...{ disabled: false, createdAt: 0 },
    })
    expect(await store.readClient('c2')).toMatchObject({ secretHash: 'cd', disabled: true })
    const stray = { ...(await store.readClient('c1'))!, clientId: 'c9', account: 'nobody' }
    await expect(store.createClient(stray)).rejects.toMatchObject({ code: 'constraint' })
    expect(await store.readOAuthBy('Session', 'uid', 'u1')).toBe('{"a":1}')
  })

  it('knows who endorsed which key, from the record of its index', async () => {
    expect(await store.readKeys('com.example')).toEqual([
      { namespace: 'com.example', kid: 'k1', x: 'x1', role: 'own', added: 1, endorser: 'k1' },
      {
        ...{ namespace: 'com.example', kid: 'k2', x: 'x2', role: 'sign', added: 2, endorser: 'k1' },
        ...{ revoked: 9, invalidFrom: 5, reason: 'compromise' },
      },
    ])
    expect((await store.readKeys('com.other'))[0]?.endorser).toBeUndefined()
  })

  it('has every manifest and policy, and takes new ones beside them', async () => {
    const old = await store.readNewestApproved('com.example/old')
    expect(old).toMatchObject({ manifest: 'sha256:m', approveIndex: 4, submittedAt: 5 })
    expect((await store.readManifest('sha256:m'))?.envelope).toBe('the envelope')
    expect(await store.readCurrentPolicy()).toBeUndefined()
    expect(await store.readPolicy('sha256:p')).toBe('the policy')
    const now = { version: 1, digest: 'sha256:p', text: 'the policy', by: 'admin', at: 6 } as const
    expect(await store.setPolicy(now)).toBe(true)
    expect(await store.readCurrentPolicy()).toEqual(now)
    const row = {
      ...manifestRow('weather', '1.0.0', 8),
      changeClass: 'text',
      changeBase: 'sha256:m',
    } as const
    const state = { origin: 'o', identity: 'i', base: 0, size: 0, root: new Uint8Array(32), note: 'n' }
    await store.initLog({ ...state, publishedSize: 0, publishedNote: 'n' })
    await store.commitBatch((tx) => tx.putManifest(row))
    expect(await store.readManifest(row.manifest)).toEqual(row)
  })

  it('breaks no reference', async () => {
    const db = new Database(file(), { readonly: true })
    expect(db.pragma('foreign_key_check')).toEqual([])
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
  })
})

it('opens an empty database of the first step', async () => {
  oldDatabase(1, '')
  store = await openSqliteStore(file())
  expect(await store.countAccounts()).toBe(0)
})
