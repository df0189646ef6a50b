import { CHANGE_CLASSES, CHANGE_TABLE } from 'countersign/change'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CASES } from './cases.js'

const specification = fileURLToPath(new URL('../../client/PROTOCOL.md', import.meta.url))
const vectors = fileURLToPath(new URL('../vectors/changes.json', import.meta.url))
const TABLE = /(<!-- changes -->\n\n)([\s\S]*?)(\n\n<!-- \/changes -->)/

/** The table of the code, in the columns that the formatter of this repository makes. */
function formatTable(): string {
  const rows = CHANGE_CLASSES.map((level) => {
    const { examples, personal, managed } = CHANGE_TABLE[level]
    return [`\`${level}\``, examples.join('; '), personal, managed]
  })
  const table = [['class', 'examples', 'personal host', 'managed host'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const [head = [], ...body] = table
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}

const made = CASES.map(({ name, class: level, before, after }) => ({ name, class: level, before, after }))

// `UPDATE_VECTORS=1 npx vitest run test/change/protocol.test.ts` writes what a deliberate change of the table changes.
if (process.env['UPDATE_VECTORS'] === '1') {
  writeFileSync(vectors, `${JSON.stringify(made, null, 2)}\n`)
  const text = readFileSync(specification, 'utf8')
  writeFileSync(
    specification,
    text.replace(TABLE, (_, start: string, __, end: string) => start + formatTable() + end),
  )
}

describe('PROTOCOL.md', () => {
  it('prints the table of the code', () => {
    expect(TABLE.exec(readFileSync(specification, 'utf8'))?.[2]).toBe(formatTable())
  })

  it('has vectors for every class, as the code judges them', () => {
    expect(JSON.parse(readFileSync(vectors, 'utf8'))).toEqual(JSON.parse(JSON.stringify(made)))
    expect(new Set(made.map((one) => one.class))).toEqual(new Set(CHANGE_CLASSES))
  })

  it('asks a person for more the worse the class is, and a managed host never for more than a personal one', () => {
    const order = ['silent', 'recorded', 'consent']
    const rows = CHANGE_CLASSES.map((level) => CHANGE_TABLE[level])
    for (const host of ['personal', 'managed'] as const) {
      const ranks = rows.map((row) => order.indexOf(row[host]))
      expect(ranks).toEqual([...ranks].sort())
    }
    for (const row of rows)
      expect(order.indexOf(row.managed)).toBeLessThanOrEqual(order.indexOf(row.personal))
  })
})
