import { isUtf8 } from 'node:buffer'
import { createHash, randomUUID } from 'node:crypto'
import { DumpError } from './errors.js'
import { parseHeader, parseLine, type Footer, type Header } from './format.js'
import { cut, readLines } from './lines.js'
import type { DumpTarget } from './port.js'
import { IMPORT_FACT, TABLES, type Row, type Table } from './tables.js'
import type { OnProgress } from './write.js'

const BATCH_ROWS = 500
const BATCH_LENGTH = 4 * 1024 * 1024

/** What is kept under IMPORT_FACT once the log was checked. */
export const IMPORT_DONE = 'done'
/** And before: whose import it is, so that one never speaks for what another has filled. */
const UNCHECKED = 'unchecked'

/** What an export says of itself, before anything else of it is believed. Throws DumpError. */
export async function readDumpHeader(file: string): Promise<Header> {
  for await (const line of readLines(file)) return parseHeader(textOf(line))
  throw cut()
}

const BRACE = 0x7b
const OTHER_BYTES = 'its bytes are not those that were written'

/**
 * Reads an export to its end before a row of it goes anywhere: what a cut copy or a flipped bit left would be refused as
 * whatever it looks like. Throws DumpError.
 */
export async function assertWhole(file: string): Promise<void> {
  const hash = createHash('sha256')
  let count = 0
  let end: Buffer | undefined
  let isFollowed = false
  for await (const line of readLines(file)) {
    if (end !== undefined) isFollowed = true
    // Rows are lists; only the first line and the last one are not.
    else if (count > 0 && line[0] === BRACE) end = line
    else hash.update(line)
    count++
  }
  if (end === undefined) throw cut()
  if (isFollowed) throw damaged('something follows its end')
  const footer = parseLine(textOf(end))
  if ('table' in footer || footer.sha256 !== hash.digest('hex')) throw damaged(OTHER_BYTES)
}

function textOf(line: Buffer): string {
  if (isUtf8(line)) return line.toString('utf8')
  throw new DumpError('export-malformed', 'this is no export of a registry: a line of it is no UTF-8')
}

/** An export that fills a database, and what the database is marked with until its log was checked. */
export interface Filled extends Header, Footer {
  readonly mark: string
}

/**
 * Fills an empty database from an export: all of it, or nothing. When it resolves, what was exported is committed, byte
 * for byte, and marked as unchecked: no registry starts on it until somebody has checked the log. An import that never
 * came to that is begun anew. Throws DumpError.
 */
export async function readDump(file: string, target: DumpTarget, onProgress: OnProgress): Promise<Filled> {
  await assertEmpty(target)
  const filling = openFilling(target, onProgress)
  const hash = createHash('sha256')
  let header: Header | undefined
  let footer: Footer | undefined
  for await (const line of readLines(file)) {
    if (footer !== undefined) throw damaged('something follows its end')
    const text = textOf(line)
    if (header === undefined) header = versioned(parseHeader(text), target)
    else {
      const parsed = parseLine(text)
      if ('table' in parsed) await filling.add(parsed.table, parsed.row, text.length)
      else footer = parsed
    }
    if (footer === undefined) hash.update(line)
  }
  if (header === undefined || footer === undefined) throw cut()
  if (footer.sha256 !== hash.digest('hex')) throw damaged(OTHER_BYTES)
  assertCounts(footer, await filling.end())
  await target.settle()
  const mark = `${UNCHECKED} ${randomUUID()}`
  await target.setFact(IMPORT_FACT, mark)
  await target.commit()
  return { ...header, ...footer, mark }
}

async function assertEmpty(target: DumpTarget): Promise<void> {
  if (await target.isEmpty()) return
  if ((await target.fact(IMPORT_FACT))?.startsWith(UNCHECKED) === true) return target.wipe()
  throw new DumpError('database-not-empty', 'the database is not empty: an import never writes over anything')
}

function versioned(header: Header, { step }: DumpTarget): Header {
  if (header.step === step) return header
  const which = header.step < step ? 'an older version' : 'a newer version'
  throw new DumpError(
    'export-version',
    `the export was written by ${which} (step ${header.step}; this is ${step}): export with the version that imports`,
  )
}

interface Filling {
  add(table: Table, row: Row, length: number): Promise<void>
  /** Rows by table. */
  end(): Promise<ReadonlyMap<string, number>>
}

/** Collects rows of one table, and writes them in bounded pieces. */
function openFilling(target: DumpTarget, onProgress: OnProgress): Filling {
  const counts = new Map<string, number>()
  let current: Table | undefined
  let rows: Row[] = []
  let collected = 0
  const flush = async (): Promise<void> => {
    if (current === undefined || rows.length === 0) return
    await target.insert(current, rows)
    const count = (counts.get(current.name) ?? 0) + rows.length
    counts.set(current.name, count)
    onProgress({ table: current.name, rows: count })
    rows = []
    collected = 0
  }
  return {
    add: async (table, row, length) => {
      if (table !== current) {
        await flush()
        // Otherwise one table could come in pieces, each of which counts from nothing.
        if (counts.has(table.name)) throw damaged(`${table.name} comes twice`)
        current = table
      }
      rows.push(row)
      collected += length
      if (rows.length >= BATCH_ROWS || collected >= BATCH_LENGTH) await flush()
    },
    end: async () => {
      await flush()
      return counts
    },
  }
}

function assertCounts({ rows }: Footer, counts: ReadonlyMap<string, number>): void {
  const wrong = TABLES.find(({ name }) => rows[name] !== (counts.get(name) ?? 0))
  if (wrong !== undefined) throw damaged(`${wrong.name} has another number of rows than it says`)
}

function damaged(what: string): DumpError {
  return new DumpError('export-damaged', `the export is damaged: ${what}`)
}
