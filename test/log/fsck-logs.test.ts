import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkLog, type FaultCode, type LogCheck } from '../../src/log/fsck.js'
import type { RegistryKeys } from '../../src/log/keys.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { fillLog } from '../support/fill.js'
import { plainCandidate, startLedger } from '../support/ledger.js'
import { succeedLog } from '../support/succession.js'

let folder: string
let keys: RegistryKeys
const sound = (): string => join(folder, 'sound.db')

/** Three logs of one identity; the first has tiles of two levels and more than one page of entries. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-fsck-'))
  const fixture = await startLedger(join(folder, 'ledger'))
  for (let n = 0; n < 20; n++) await fixture.ledger.submit(plainCandidate(n))
  await fixture.ledger.close()
  await fillLog(fixture.store, fixture.keys, 2600)
  keys = await succeedLog(fixture.store, fixture.keys)
  await fillLog(fixture.store, keys, 300)
  keys = await succeedLog(fixture.store, keys)
  await fillLog(fixture.store, keys, 257)
  await fixture.store.close()
  const db = new Database(fixture.database, { fileMustExist: true })
  db.exec(`VACUUM INTO '${sound()}'`)
  db.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let copies = 0

async function checkAfter(sql: string): Promise<LogCheck> {
  const file = join(folder, `copy-${++copies}.db`)
  copyFileSync(sound(), file)
  const db = new Database(file)
  db.pragma('foreign_keys = OFF')
  db.exec(sql)
  db.close()
  const store = await openSqliteStore(file)
  try {
    return await checkLog(store, keys)
  } finally {
    await store.close()
  }
}

const codesOf = ({ faults }: LogCheck): FaultCode[] => [...new Set(faults.map(({ code }) => code))].sort()

describe('a check of all logs of an identity', () => {
  it('finds them sound', async () => {
    const { faults, logs } = await checkAfter('')
    expect(faults).toEqual([])
    expect(logs.map(({ origin, base, size, tiles }) => [origin, base, size, tiles])).toEqual([
      [`${keys.identity}/log`, 0, 2600, 12],
      [`${keys.identity}/log-2`, 2600, 300, 3],
      [`${keys.identity}/log-3`, 2900, 257, 3],
    ])
  })

  it.each<readonly [name: string, sql: string, codes: readonly FaultCode[]]>([
    [
      'an entry of a frozen log is another one',
      `UPDATE frozen_entries SET data = replace(data, 'entry 1500', 'entry 1501') WHERE log = 1 AND idx = 1500`,
      ['checkpoint-invalid', 'leaf-hash-mismatch', 'root-mismatch', 'tile-mismatch'],
    ],
    [
      'an entry of a frozen log is gone',
      'DELETE FROM frozen_entries WHERE log = 2 AND idx = 77',
      ['entry-missing'],
    ],
    [
      'a full tile of a frozen log is another one',
      'UPDATE frozen_tiles SET data = zeroblob(8192) WHERE log = 1 AND level = 0 AND n = 3',
      ['tile-mismatch'],
    ],
    [
      'an upper tile of a frozen log is gone',
      'DELETE FROM frozen_tiles WHERE log = 1 AND level = 1',
      ['tile-missing'],
    ],
    [
      'a frozen log has another root than the trust root says',
      'UPDATE frozen_logs SET root = zeroblob(32) WHERE number = 1',
      ['root-mismatch', 'succession-invalid'],
    ],
    [
      'a frozen log begins elsewhere',
      'UPDATE frozen_logs SET base = 2500 WHERE number = 2',
      ['succession-invalid'],
    ],
    [
      'a frozen log is cut short',
      'DELETE FROM frozen_entries WHERE log = 2 AND idx = 299; UPDATE frozen_logs SET size = 299 WHERE number = 2',
      ['checkpoint-missing', 'root-mismatch', 'succession-invalid', 'tile-mismatch'],
    ],
    [
      'the note of a frozen log is that of another',
      `UPDATE frozen_logs SET note = (SELECT note FROM frozen_logs WHERE number = 1) WHERE number = 2`,
      ['checkpoint-invalid'],
    ],
    [
      'a checkpoint of a frozen log is gone',
      'DELETE FROM frozen_checkpoints WHERE log = 1 AND size = (SELECT max(size) FROM frozen_checkpoints WHERE log = 1)',
      ['checkpoint-missing'],
    ],
    [
      'a leaf of a frozen log is found by another hash: the same could be logged twice',
      'UPDATE frozen_entries SET leaf_hash = randomblob(32) WHERE log = 2 AND idx = 5',
      ['leaf-hash-mismatch'],
    ],
    ['a full tile is gone', 'DELETE FROM tiles WHERE level = 0 AND n = 0', ['tile-missing']],
    ['a derived row names a position of no log', 'UPDATE latest_about SET idx = 3157', ['derived-mismatch']],
  ])('finds that %s', async (_, sql, codes) => {
    expect(codesOf(await checkAfter(sql))).toEqual(expect.arrayContaining([...codes]))
  })
})
