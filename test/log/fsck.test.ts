import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signKeyRevokeEvent } from 'countersign/core'
import { checkLog, type CheckProgress, type FaultCode, type LogCheck } from '../../src/log/fsck.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import {
  addAccount,
  addKey,
  addPublisher,
  approveManifest,
  expectStatus,
  newKey,
  publishManifest,
  revokeManifest,
  sampleManifest,
  startRegistry,
  submitKeyEvent,
  type PublishedVersion,
} from '../support/registry.js'

let folder: string
let keys: RegistryKeys
const sound = (): string => join(folder, 'sound.db')

/** A registry in which every kind of row was derived, as a database that nobody has open. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-fsck-'))
  const at = await startRegistry({ dir: join(folder, 'registry') })
  const author = await addAccount(at, 'author', ['publisher'])
  const publisher = await addPublisher(at, 'com.example', author)
  const endorsed = newKey()
  await addKey(at, publisher, endorsed, 'own')
  const versions: PublishedVersion[] = []
  for (const version of ['1.0.0', '1.1.0', '1.2.0'])
    versions.push(
      await publishManifest(
        publisher,
        sampleManifest(at.identity, { server: 'com.example/weather', version }),
      ),
    )
  const [first, second] = versions as [PublishedVersion, PublishedVersion]
  for (const { manifest } of [first, second]) await approveManifest(at.admin, manifest)
  await revokeManifest(at.admin, second.manifest)
  const { last } = (await author.get('/v1/namespaces/com.example')).body
  const unsigned = { namespace: 'com.example', kid: endorsed.kid, reason: 'compromise', after: last } as const
  const revocation = signKeyRevokeEvent(unsigned, at.identity, endorsed)
  expectStatus(201, await submitKeyEvent(author, revocation))
  const state = await at.registry.store.readLogState()
  const db = new Database(join(at.dir, 'data', 'registry.sqlite'), { fileMustExist: true })
  db.exec(`VACUUM INTO '${sound()}'`)
  db.close()
  keys = await openKeys(join(at.dir, 'data', 'keys'))
  expect(state?.publishedSize).toBe(state?.size)
  await at.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let copies = 0

/** What the check finds after these statements. */
async function checkAfter(sql: string, change: Partial<RegistryKeys> = {}): Promise<LogCheck> {
  const file = join(folder, `copy-${++copies}.db`)
  copyFileSync(sound(), file)
  const db = new Database(file)
  db.pragma('foreign_keys = OFF')
  db.exec(sql)
  db.close()
  const store = await openSqliteStore(file)
  try {
    return await checkLog(store, { ...keys, ...change })
  } finally {
    await store.close()
  }
}

const codesOf = ({ faults }: LogCheck): FaultCode[] => [...new Set(faults.map(({ code }) => code))].sort()

describe('a log that nobody touched', () => {
  it('is sound, and every table was looked at', async () => {
    const store = await openSqliteStore(sound())
    const seen: CheckProgress[] = []
    try {
      const check = await checkLog(store, keys, (progress) => seen.push(progress))
      const { size } = (await store.readLogState())!
      expect(check.faults).toEqual([])
      expect(check.faultCount).toBe(0)
      expect(check.logs).toMatchObject([{ origin: keys.origin, base: 0, size, tiles: 1 }])
      expect(check.logs[0]?.checkpoints).toBeGreaterThan(5)
      const counted = seen.filter(({ step }) => step === 'derived').map(({ of, done }) => [of, done > 0])
      const tables = [
        'namespace',
        'key-added',
        'key-ended',
        'publication',
        'approval',
        'target',
        'revocation',
      ]
      expect(counted).toEqual([...tables, 'list'].map((table) => [table, true]))
      expect(seen[0]).toEqual({ step: 'entries', of: keys.origin, done: size, total: size })
    } finally {
      await store.close()
    }
  })

  it('is refused where there is none', async () => {
    const store = await openSqliteStore(join(folder, 'empty.db'))
    await expect(checkLog(store, keys)).rejects.toMatchObject({ name: 'LedgerFatal', code: 'state-invalid' })
    await store.close()
  })
})

const TREE: readonly [name: string, sql: string, codes: readonly FaultCode[]][] = [
  [
    'an entry is another text, consistently with its own leaf hash alone',
    `UPDATE entries SET data = replace(data, '1.1.0', '1.1.1') WHERE data LIKE '%"1.1.0"%'`,
    ['checkpoint-invalid', 'derived-missing', 'leaf-hash-mismatch', 'root-mismatch', 'tile-mismatch'],
  ],
  ['an entry is no event', `UPDATE entries SET data = '{}' WHERE idx = 3`, ['entry-invalid']],
  ['an entry is gone', 'DELETE FROM entries WHERE idx = 4', ['entry-missing']],
  [
    'the last entry is gone',
    'DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)',
    ['entry-missing'],
  ],
  [
    'there is an entry beyond the end',
    `INSERT INTO entries SELECT max(idx) + 1, 'more', randomblob(32) FROM entries`,
    ['entry-surplus'],
  ],
  [
    'a leaf is found by another hash',
    'UPDATE entries SET leaf_hash = randomblob(32) WHERE idx = 5',
    ['leaf-hash-mismatch'],
  ],
  [
    // It may be nothing already: a hash is random.
    'one byte of a tile is another one',
    `UPDATE tiles SET data = CAST(substr(data, 1, 40) ||
       CASE substr(data, 41, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(data, 42) AS BLOB)`,
    ['tile-mismatch'],
  ],
  ['a tile is gone', 'DELETE FROM tiles', ['tile-missing']],
  ['a tile is too narrow', 'UPDATE tiles SET data = substr(data, 1, 64)', ['tile-mismatch']],
  ['a tile is too wide', 'UPDATE tiles SET data = CAST(data || zeroblob(32) AS BLOB)', ['tile-mismatch']],
  ['there is a tile too many', 'INSERT INTO tiles VALUES (0, 1, zeroblob(32))', ['tile-mismatch']],
  ['there is a level too many', 'INSERT INTO tiles VALUES (1, 0, zeroblob(32))', ['tile-mismatch']],
  ['the state has another root', 'UPDATE log_state SET root = zeroblob(32)', ['root-mismatch']],
  [
    'the state has the note of another tree',
    'UPDATE log_state SET note = (SELECT note FROM checkpoints ORDER BY size LIMIT 1)',
    ['checkpoint-invalid'],
  ],
  [
    'another checkpoint is published than it says',
    'UPDATE log_state SET published_note = (SELECT note FROM checkpoints ORDER BY size LIMIT 1)',
    ['checkpoint-invalid'],
  ],
  [
    'a checkpoint in the middle has a signature by nobody',
    `UPDATE checkpoints SET note = replace(note, substr(note, -20, 8), 'AAAAAAAA')
     WHERE size = (SELECT min(size) FROM checkpoints)`,
    ['checkpoint-invalid'],
  ],
  [
    'a checkpoint has another root beside its note',
    'UPDATE checkpoints SET root = zeroblob(32) WHERE size = (SELECT min(size) FROM checkpoints)',
    ['checkpoint-invalid'],
  ],
  [
    'a checkpoint is gone',
    'DELETE FROM checkpoints WHERE size = (SELECT min(size) FROM checkpoints)',
    ['checkpoint-missing'],
  ],
  [
    'there is a checkpoint where no batch ended',
    'INSERT INTO checkpoints SELECT 1, root, note FROM checkpoints LIMIT 1',
    ['checkpoint-invalid', 'snapshot-invalid'],
  ],
  [
    'there is a checkpoint beyond the end',
    'INSERT INTO checkpoints SELECT max(size) + 5, max(root), max(note) FROM checkpoints',
    ['checkpoint-invalid'],
  ],
  [
    'the trust root is another one',
    `UPDATE root_notes SET note = replace(note, '/log', '/lag')`,
    ['root-invalid'],
  ],
  ['the trust root is gone', 'DELETE FROM root_notes', ['root-invalid']],
  [
    'a trust root that was never logged is kept',
    'INSERT INTO root_notes SELECT 2, note FROM root_notes',
    ['root-invalid'],
  ],
  ['positions are counted from elsewhere', 'UPDATE log_state SET base = 7', ['succession-invalid']],
]

const DERIVED: readonly [name: string, sql: string, codes: readonly FaultCode[]][] = [
  ['a namespace is of another entry', 'UPDATE namespaces SET idx = idx + 1', ['derived-mismatch']],
  ['a namespace names no entry', 'UPDATE namespaces SET idx = 9999', ['derived-mismatch']],
  [
    'a key was added elsewhere',
    `UPDATE keys SET added = added + 1 WHERE role = 'sign'`,
    ['derived-mismatch'],
  ],
  ['a key ended elsewhere', 'UPDATE keys SET revoked = revoked - 3', ['derived-mismatch']],
  [
    'a key has a role nobody gave it',
    `UPDATE keys SET role = 'sign' WHERE revoked IS NOT NULL`,
    ['derived-mismatch'],
  ],
  [
    'a publication is of another index',
    `UPDATE manifests SET publish_index = publish_index + 1 WHERE version = '1.0.0'`,
    ['derived-mismatch'],
  ],
  [
    'a manifest has another version than was logged',
    `UPDATE manifests SET version = '3.0.0' WHERE version = '1.0.0'`,
    ['derived-mismatch', 'derived-missing'],
  ],
  [
    'a manifest is approved that nobody approved',
    `UPDATE manifests SET status = 'approved', approve_index = publish_index WHERE version = '1.2.0'`,
    ['derived-mismatch'],
  ],
  ['a manifest is gone', `DELETE FROM manifests WHERE version = '1.2.0'`, ['derived-missing']],
  [
    'an envelope is another one',
    `UPDATE envelopes SET envelope = envelope || 'A' WHERE rowid = 1`,
    ['envelope-mismatch'],
  ],
  [
    'the latest about a target is an earlier one',
    `UPDATE latest_about SET idx = idx - 2 WHERE target LIKE 'namespace:%'`,
    ['derived-mismatch', 'derived-missing'],
  ],
  ['the latest about a target is gone', 'DELETE FROM latest_about', ['derived-missing']],
  [
    'a revoked manifest is not on the list any more',
    `DELETE FROM revocations WHERE CAST(line AS TEXT) LIKE 'manifest%'`,
    ['revocations-mismatch'],
  ],
  [
    'a line is on the list that nobody asked for',
    `INSERT INTO revocations VALUES (CAST('server' || char(0) || 'com.example/weather' AS BLOB), 1, NULL)`,
    ['derived-mismatch', 'revocations-mismatch'],
  ],
  [
    'a line was taken away that nobody reinstated',
    'UPDATE revocations SET removed = added + 1',
    ['revocations-mismatch'],
  ],
  [
    'a list is named at another place',
    'UPDATE revocation_lists SET as_of = as_of + 1 WHERE as_of = (SELECT max(as_of) FROM revocation_lists)',
    ['derived-mismatch', 'revocations-mismatch'],
  ],
  ['no list is named', 'DELETE FROM revocation_lists', ['revocations-mismatch']],
]

describe('a check of the log finds that', () => {
  it.each([...TREE, ...DERIVED])('%s', async (_, sql, codes) => {
    const check = await checkAfter(sql)
    expect(check.faultCount).toBeGreaterThan(0)
    expect(codesOf(check)).toEqual(expect.arrayContaining([...codes]))
  })

  it.each(DERIVED)('%s, and that the tree is sound', async (_, sql, codes) => {
    expect(codesOf(await checkAfter(sql))).toEqual(codes)
  })

  it('the keys are those of another registry', async () => {
    const other = await openKeys(join(folder, 'other-keys'))
    const { identity, origin, log } = other
    const check = await checkAfter('', { identity, origin, log })
    expect(codesOf(check)).toEqual(['checkpoint-invalid', 'root-invalid', 'succession-invalid'])
  })

  it('everything is wrong, and keeps the first hundred faults', async () => {
    const check = await checkAfter('UPDATE entries SET leaf_hash = randomblob(32), data = data || 1')
    expect(check.faults.length).toBeLessThanOrEqual(100)
    expect(check.faultCount).toBeGreaterThanOrEqual(check.faults.length)
    expect(check.faultCount).toBeGreaterThan(30)
  })
})
