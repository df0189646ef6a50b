import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMigrations } from '../../src/storage/migrate.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { Store } from '../../src/storage/store.js'
import { batchOf, manifestRow, published } from './contract-support.js'

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
    expect(await store.readManifest(row.manifest)).toMatchObject({
      ...row,
      updatedAt: expect.any(Number) as number,
    })
  })

  it('breaks no reference', async () => {
    const db = new Database(file(), { readonly: true })
    expect(db.pragma('foreign_key_check')).toEqual([])
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
  })
})

describe('a database of the step before successors', () => {
  const [root, note] = ['zeroblob(32)', "'note 3'"]
  const TREE = `
  INSERT INTO log_state VALUES (1, 'registry-a/log', 'registry-a', 3, ${root}, ${note}, 2, 'cosigned 2');
  INSERT INTO entries VALUES (0, 'entry 0', randomblob(32)), (1, 'entry 1', randomblob(32)),
    (2, 'entry 2', x'${'07'.repeat(32)}');
  INSERT INTO tiles VALUES (0, 0, zeroblob(96));
  INSERT INTO checkpoints VALUES (2, ${root}, 'note 2'), (3, ${root}, ${note});
  INSERT INTO root_notes VALUES (1, 'root 1');
  INSERT INTO latest_about VALUES ('server:com.example/old', 1);
  INSERT INTO revocations VALUES (CAST('server' || char(0) || 's' AS BLOB), 0, NULL),
    (CAST('tool' || char(0) || 't' AS BLOB), 0, 2);
  INSERT INTO revocation_lists VALUES ('${'a'.repeat(64)}', 1), ('${'b'.repeat(64)}', 2);`

  beforeEach(async () => {
    oldDatabase(10, TREE)
    store = await openSqliteStore(file())
  })

  it('has its log as the first one: every index is a position', async () => {
    expect(await store.readLogState()).toEqual({
      ...{ origin: 'registry-a/log', identity: 'registry-a', base: 0, size: 3, root: new Uint8Array(32) },
      ...{ note: 'note 3', publishedSize: 2, publishedNote: 'cosigned 2' },
    })
    expect(await store.readFrozenLogs()).toEqual([])
    expect(await store.readEntries(0, 3)).toEqual(['entry 0', 'entry 1', 'entry 2'])
    expect(await store.readLeaf(2)).toBe('entry 2')
    expect(await store.commitBatch((tx) => tx.isLogged(new Uint8Array(32).fill(7)))).toBe(2)
    expect(await store.readTile(0, 0)).toEqual(new Uint8Array(96))
    expect(await store.readRevocationList('a'.repeat(64))).toEqual(['server\0s', 'tool\0t'])
    expect(await store.readRevocationList('b'.repeat(64))).toEqual(['server\0s'])
    expect(await store.publishCheckpoint(3, published('cosigned 3'))).toBe(true)
  })

  it('goes on, and can be succeeded', async () => {
    const next = { origin: 'registry-a/log-2', identity: 'registry-a', base: 3, size: 0 }
    const empty = { ...next, root: new Uint8Array(32), note: 'n', publishedSize: 0, publishedNote: 'n' }
    await store.commitBatch((tx) => tx.append(batchOf(3, 'note 3', 2)))
    await expect(store.commitBatch((tx) => tx.succeed(empty))).rejects.toMatchObject({ code: 'misuse' })
    await store.commitBatch((tx) => tx.succeed({ ...empty, base: 5 }))
    expect(await store.readFrozenEntries(1, 0, 9)).toHaveLength(5)
    expect((await store.readCheckpoints(0, 9, 1)).map(({ size }) => size)).toEqual([2, 3, 5])
    expect(await store.readLeaf(4)).toBe('entry 4')
    expect(await store.latestAbout('server:com.example/old')).toBe(1)
  })
})

it('opens an empty database of the first step', async () => {
  oldDatabase(1, '')
  store = await openSqliteStore(file())
  expect(await store.countAccounts()).toBe(0)
})
