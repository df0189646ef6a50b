import { DumpError } from './errors.js'
import type { DumpState } from './port.js'
import { TABLES, type Column, type Row, type Table, type Value } from './tables.js'

// countersign/export/v1: gzip of lines of JSON. The first says what follows, the last that it is all there:
//   {"format":"countersign/export/v1","engine":…,"step":…,"identity":…,"origin":…,"base":…,"size":…,…}
//   ["entries",0,"{…}","base64…"]                                  one a row, bytes in base64
//   {"end":true,"rows":{"entries":1,…},"sha256":"hex of every byte before this line"}

export const FORMAT = 'countersign/export/v1'

export interface Header extends DumpState {
  readonly engine: string
  readonly step: number
}

export interface Footer {
  /** By table, those without rows included. */
  readonly rows: Readonly<Record<string, number>>
  /** Lower-case hex. */
  readonly sha256: string
}

export function formatHeader({ engine, step, ...state }: Header): string {
  const { identity, origin, base, size, publishedSize } = state
  return `${JSON.stringify({ format: FORMAT, engine, step, identity, origin, base, size, publishedSize })}\n`
}

/** Throws DumpError `export-malformed`. */
export function parseHeader(line: string): Header {
  const value = parseJson(line)
  if (!isRecord(value) || value['format'] !== FORMAT) throw malformed(`it does not begin as ${FORMAT}`)
  return {
    engine: text(value, 'engine'),
    step: count(value, 'step'),
    identity: text(value, 'identity'),
    origin: text(value, 'origin'),
    base: count(value, 'base'),
    size: count(value, 'size'),
    publishedSize: count(value, 'publishedSize'),
  }
}

export function formatRow({ name, columns }: Table, row: Row): string {
  return `${JSON.stringify([name, ...columns.map((column, at) => formatValue(column, row[at]))])}\n`
}

function formatValue({ name, kind }: Column, value: Value | undefined): string | number | null {
  if (value === null) return null
  if (kind === 'bytes' && value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (kind === 'text' && typeof value === 'string') return value
  if (kind === 'int' && Number.isSafeInteger(value)) return value as number
  const message = `the column ${name} of the database holds what is no ${kind}: run \`fsck\``
  throw new DumpError('export-unwritable', message)
}

const BY_NAME = new Map(TABLES.map((table) => [table.name, table]))

/** A row or the footer. Throws DumpError `export-malformed`. */
export function parseLine(line: string): { readonly table: Table; readonly row: Row } | Footer {
  const value = parseJson(line)
  if (isRecord(value) && value['end'] === true) return parseFooter(value)
  if (!Array.isArray(value)) throw malformed('a line is neither a row nor the end')
  const [name, ...values] = value as unknown[]
  const table = typeof name === 'string' ? BY_NAME.get(name) : undefined
  if (table === undefined) throw malformed('a row is of a table that is not known')
  if (values.length !== table.columns.length) throw malformed(`a row of ${table.name} has other columns`)
  return { table, row: table.columns.map((column, at) => parseValue(column, values[at], table)) }
}

function parseValue({ name, kind }: Column, value: unknown, table: Table): Value {
  if (value === null) return null
  if (kind === 'int' && Number.isSafeInteger(value)) return value as number
  // A database would put something else in the place of half a character.
  if (kind === 'text' && typeof value === 'string' && !/\p{Surrogate}/u.test(value)) return value
  if (kind === 'bytes' && typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64')
    if (bytes.toString('base64') === value) return bytes
  }
  throw malformed(`${table.name}.${name} is no ${kind}`)
}

export function formatFooter({ rows, sha256 }: Footer): string {
  return `${JSON.stringify({ end: true, rows, sha256 })}\n`
}

function parseFooter(value: Readonly<Record<string, unknown>>): Footer {
  const { rows } = value
  if (!isRecord(rows)) throw malformed('its end counts no rows')
  return {
    rows: Object.fromEntries(TABLES.map(({ name }) => [name, count(rows, name)])),
    sha256: text(value, 'sha256'),
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw malformed('a line of it is no JSON')
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(value: Readonly<Record<string, unknown>>, name: string): string {
  const found = value[name]
  if (typeof found === 'string' && found.length <= 255) return found
  throw malformed(`"${name}" is no text`)
}

function count(value: Readonly<Record<string, unknown>>, name: string): number {
  const found = value[name]
  if (Number.isSafeInteger(found) && (found as number) >= 0) return found as number
  throw malformed(`"${name}" is no number of anything`)
}

function malformed(what: string): DumpError {
  return new DumpError('export-malformed', `this is no export of a registry: ${what}`)
}
