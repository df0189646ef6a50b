import { createHash, randomBytes } from 'node:crypto'
import { link, lstat, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { hasNoLinks } from '../links.js'
import { syncFolder } from '../sync-folder.js'
import { DumpError } from './errors.js'
import { formatFooter, formatHeader, formatRow, type Footer, type Header } from './format.js'
import type { DumpSource } from './port.js'
import { IMPORT_FACT, TABLES, type Row, type Table } from './tables.js'

/** How far an export or an import has come. */
export interface DumpProgress {
  readonly table: string
  /** Of this table, so far. */
  readonly rows: number
}

export type OnProgress = (progress: DumpProgress) => void

/** Rows are collected to pieces of this size: a piece a row would cost more than the rows. */
const PIECE_BYTES = 64 * 1024
const PROGRESS_ROWS = 10_000

/**
 * Writes everything of a registry into a new file of its owner's, whole or not at all. Streams: memory does not grow with
 * the registry. Throws DumpError `database-empty`, or `export-unwritable` where there is such a file already.
 */
export async function writeDump(
  source: DumpSource,
  file: string,
  onProgress: OnProgress,
): Promise<Header & Footer> {
  const state = await source.state()
  if (state === undefined)
    throw new DumpError('database-empty', 'the database holds no log: nothing to export')
  const header: Header = { engine: source.engine, step: source.step, ...state }
  await assertFree(file)
  const draft = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(draft, 'wx', 0o600).catch((cause: unknown) => unwritable(file, cause))
  try {
    const footer = await writeLines(source, header, handle, onProgress)
    await putInPlace(draft, file).catch((cause: unknown) => unwritable(file, cause))
    await syncFolder(dirname(file))
    return { ...header, ...footer }
  } finally {
    await rm(draft, { force: true })
  }
}

/** Said before the work, not after it; that nothing is overwritten is not left to this. */
async function assertFree(file: string): Promise<void> {
  const isThere = await lstat(file).then(
    () => true,
    () => false,
  )
  if (isThere) unwritable(file, { code: 'EEXIST' })
}

/** Unlike a rename, a link never takes the place of a file. */
async function putInPlace(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file)
  } catch (cause) {
    if (!hasNoLinks(cause)) throw cause
    await renameInto(draft, file)
  }
}

/** The name is taken first: what a rename replaces then is this empty file, and never another one. */
async function renameInto(draft: string, file: string): Promise<void> {
  await (await open(file, 'wx', 0o600)).close()
  try {
    await rename(draft, file)
  } catch (cause) {
    await rm(file, { force: true })
    throw cause
  }
}

function unwritable(file: string, cause: unknown): never {
  const { code } = cause as NodeJS.ErrnoException
  const why =
    code === 'EEXIST' ? 'is there already: name another file' : `cannot be written (${code ?? 'unknown'})`
  throw new DumpError('export-unwritable', `${file} ${why}`, { cause })
}

async function writeLines(
  source: DumpSource,
  header: Header,
  handle: FileHandle,
  onProgress: OnProgress,
): Promise<Footer> {
  let footer: Footer | undefined
  const lines = dumpLines(source, header, onProgress, (end) => {
    footer = end
  })
  try {
    await pipeline(Readable.from(pieces(lines), { objectMode: false }), createGzip(), async (compressed) => {
      for await (const chunk of compressed as AsyncIterable<Buffer>) await handle.appendFile(chunk)
    })
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (footer === undefined) throw new DumpError('export-unwritable', 'the export has no end')
  return footer
}

async function* dumpLines(
  source: DumpSource,
  header: Header,
  onProgress: OnProgress,
  onEnd: (footer: Footer) => void,
): AsyncGenerator<string> {
  const hash = createHash('sha256')
  const rows: Record<string, number> = {}
  const hashed = (line: string): string => {
    hash.update(line)
    return line
  }
  yield hashed(formatHeader(header))
  for (const table of TABLES) {
    let count = 0
    for await (const row of source.rows(table)) {
      if (isLeftOut(table, row)) continue
      count++
      yield hashed(formatRow(table, row))
      if (count % PROGRESS_ROWS === 0) onProgress({ table: table.name, rows: count })
    }
    rows[table.name] = count
    onProgress({ table: table.name, rows: count })
  }
  const footer = { rows, sha256: hash.digest('hex') }
  onEnd(footer)
  yield formatFooter(footer)
}

/** How far an import into that database came says nothing about another one. */
function isLeftOut({ name }: Table, row: Row): boolean {
  return name === 'facts' && row[0] === IMPORT_FACT
}

async function* pieces(lines: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let kept: string[] = []
  let length = 0
  for await (const line of lines) {
    kept.push(line)
    length += line.length
    if (length < PIECE_BYTES) continue
    yield Buffer.from(kept.join(''), 'utf8')
    kept = []
    length = 0
  }
  yield Buffer.from(kept.join(''), 'utf8')
}
