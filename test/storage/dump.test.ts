import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DumpError } from '../../src/storage/dump/errors.js'
import { formatRow, parseHeader, parseLine } from '../../src/storage/dump/format.js'
import { LEFT_OUT, TABLES, type Table } from '../../src/storage/dump/tables.js'
import { openStore } from '../../src/storage/open.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { openPatient } from './postgres-support.js'

// An export holds everything: a table or a column that somebody adds and forgets here would be lost on the way.

let dir: string
let database: TestDatabase
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-dump-'))
  await (await openStore({ engine: 'sqlite', file: join(dir, 'a.sqlite') })).close()
  database = await makeDatabase()
  await (await openPatient(database.url)).close()
})
afterAll(async () => {
  await database.drop()
  rmSync(dir, { recursive: true })
})

const known = (): string[] =>
  TABLES.flatMap(({ name, columns }) =>
    columns.map((column) => `${name}.${column.name} ${column.kind}`),
  ).sort()

describe('the tables of an export are those of', () => {
  it('SQLite', () => {
    const db = new Database(join(dir, 'a.sqlite'), { readonly: true })
    const kinds: Record<string, string> = { INTEGER: 'int', TEXT: 'text', BLOB: 'bytes' }
    const sql = `SELECT m.name AS name, c.name AS col, c.type AS type FROM sqlite_schema m, pragma_table_info(m.name) c
      WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
    const rows = db.prepare<[], { name: string; col: string; type: string }>(sql).all()
    db.close()
    const found = rows.filter(({ name }) => !LEFT_OUT.includes(name))
    expect(found.map(({ name, col, type }) => `${name}.${col} ${kinds[type] ?? type}`).sort()).toEqual(
      known(),
    )
  })

  it('PostgreSQL', async () => {
    const kinds: Record<string, string> = { bigint: 'int', smallint: 'int', integer: 'int', bytea: 'bytes' }
    const rows = await database.query<{ name: string; col: string; type: string }>(
      `SELECT table_name AS name, column_name AS col, data_type AS type FROM information_schema.columns
       WHERE table_schema = 'public'`,
    )
    const found = rows.filter(({ name }) => !LEFT_OUT.includes(name))
    expect(found.map(({ name, col, type }) => `${name}.${col} ${kinds[type] ?? type}`).sort()).toEqual(
      known(),
    )
  })

  it('both, in an order in which what is referred to is there already', async () => {
    const rows = await database.query<{ child: string; parent: string }>(
      `SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent FROM pg_constraint
       WHERE contype = 'f'`,
    )
    const at = (name: string): number => TABLES.findIndex((table) => table.name === name)
    expect(rows.length).toBeGreaterThan(5)
    for (const { child, parent } of rows) expect(at(parent), `${child} -> ${parent}`).toBeLessThan(at(child))
  })
})

const table = (name: string): Table => TABLES.find((one) => one.name === name) ?? never(name)
const never = (name: string): never => {
  throw new Error(`there is no table ${name}`)
}

const codeOf = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error instanceof DumpError ? error.code : error
  }
}

describe('a row', () => {
  it('comes back as it was, whatever is in it', () => {
    const row = [0, 'line\u2028 \u0000 \u{1f30d}', new Uint8Array([0, 10, 255])]
    const line = formatRow(table('entries'), row)
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(parseLine(line)).toMatchObject({ row: [row[0], row[1], Buffer.from(row[2] as Uint8Array)] })
    expect(parseLine(formatRow(table('facts'), ['a', null]))).toMatchObject({ row: ['a', null] })
  })

  it.each([
    ['a number that is none', 'entries', [0.5, 'x', new Uint8Array(1)]],
    ['a number beyond 2^53', 'entries', [2 ** 53, 'x', new Uint8Array(1)]],
    ['text for bytes', 'entries', [0, 'x', 'y']],
    ['bytes for text', 'entries', [0, new Uint8Array(1), new Uint8Array(1)]],
    ['too few columns', 'entries', [0, 'x']],
  ] as const)('is not written down with %s', (_what, name, row) => {
    expect(codeOf(() => formatRow(table(name), row))).toBe('export-unwritable')
  })

  it.each([
    ['[]'],
    ['["entries"]'],
    ['["entries",0,"x"]'],
    ['["entries",0,"x","AA==",1]'],
    ['["entries","0","x","AA=="]'],
    ['["entries",1e300,"x","AA=="]'],
    ['["entries",0,1,"AA=="]'],
    ['["entries",0,"x","AB=="]'],
    ['["entries",0,"x","AA"]'],
    ['["__proto__",0]'],
    ['[["entries"],0,"x","AA=="]'],
    ['["migrations",1,"x","y"]'],
    ['{"end":false}'],
    ['{"end":true,"rows":[],"sha256":"x"}'],
    ['{"end":true,"rows":{},"sha256":"x"}'],
    ['null'],
    ['7'],
    ['{'],
    [''],
  ])('is not taken from %s', (line) => {
    expect(() => parseLine(line)).toThrow(DumpError)
  })

  it.each([
    ['{}'],
    ['{"format":"countersign/export/v2"}'],
    ['{"format":"countersign/export/v1","engine":"sqlite","step":-1}'],
    [`{"format":"countersign/export/v1","engine":"${'x'.repeat(256)}"}`],
    ['["countersign/export/v1"]'],
  ])('and no header from %s', (line) => {
    expect(() => parseHeader(line)).toThrow(DumpError)
  })
})
