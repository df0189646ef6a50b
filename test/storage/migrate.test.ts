import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { pendingMigrations, readMigrations } from '../../src/storage/migrate.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-migrations-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, sql: string): void => writeFileSync(join(folder, name), sql)

it('reads the steps in order and gives those that have not run', () => {
  write('0002-second.sql', 'SELECT 2;')
  write('0001-first.sql', 'SELECT 1;')
  write('notes.txt', 'no step')
  const known = readMigrations(folder)
  expect(known.map(({ step, name }) => [step, name])).toEqual([
    [1, 'first'],
    [2, 'second'],
  ])
  expect(pendingMigrations(known, [])).toEqual(known)
  expect(pendingMigrations(known, known.slice(0, 1))).toEqual(known.slice(1))
  expect(pendingMigrations(known, known)).toEqual([])
})

it('does not mind turned line ends', () => {
  write('0001-first.sql', 'SELECT 1;\nSELECT 2;\n')
  const [unix] = readMigrations(folder)
  write('0001-first.sql', 'SELECT 1;\r\nSELECT 2;\r\n')
  expect(readMigrations(folder)[0]).toEqual(unix)
})

it.each(['0002-first.sql', '1-first.sql', '0001-First.sql', '0001.sql'])(
  'refuses a folder with %s alone',
  (name) => {
    write(name, 'SELECT 1;')
    expect(() => readMigrations(folder)).toThrow(expect.objectContaining({ code: 'migration-malformed' }))
  },
)

it('refuses another history', () => {
  write('0001-first.sql', 'SELECT 1;')
  const known = readMigrations(folder)
  const [done] = known
  const changed = [{ ...done!, checksum: 'other' }]
  expect(() => pendingMigrations(known, changed)).toThrow(
    expect.objectContaining({ code: 'migration-changed' }),
  )
  const newer = [...known, { step: 2, name: 'later', checksum: 'x' }]
  expect(() => pendingMigrations(known, newer)).toThrow(
    expect.objectContaining({ code: 'migration-unknown' }),
  )
})
