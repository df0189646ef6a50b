import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { DumpError } from './errors.js'

/** An envelope is at most 6 MiB, and a bundle holds one with its proofs. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

/** The lines of a gzipped file, their ends included. Throws DumpError `export-cut` or `export-malformed`. */
export async function* readLines(file: string): AsyncGenerator<Buffer> {
  const bytes = createReadStream(file)
  const plain = createGunzip()
  // What the file says goes on to whoever reads: neither stream may be left open, or fail unheard.
  bytes.on('error', (cause) => plain.destroy(cause))
  bytes.pipe(plain)
  try {
    yield* splitLines(plain)
  } catch (cause) {
    throw translate(file, cause)
  } finally {
    bytes.destroy()
    plain.destroy()
  }
}

async function* splitLines(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let kept: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let rest = chunk as Buffer
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield Buffer.concat([...kept, rest.subarray(0, end + 1)])
      ;[kept, length, rest] = [[], 0, rest.subarray(end + 1)]
    }
    length += rest.length
    // A file that unpacks to one endless line must not fill the memory.
    if (length > MAX_LINE_BYTES) throw new DumpError('export-malformed', 'a line of the export is too long')
    if (rest.length > 0) kept.push(rest)
  }
  if (length > 0) throw cut()
}

export function cut(cause?: unknown): DumpError {
  return new DumpError('export-cut', 'the export ends before its end: copy it again, or make another one', {
    cause,
  })
}

function translate(file: string, cause: unknown): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException
  if (cause instanceof DumpError || !(cause instanceof Error)) return cause
  if (code === 'Z_BUF_ERROR') return cut(cause)
  if (code === 'Z_DATA_ERROR') {
    return new DumpError('export-damaged', `${file} is no gzip file, or it is damaged`, { cause })
  }
  if (['ENOENT', 'EISDIR', 'EACCES', 'EPERM'].includes(code)) {
    return new DumpError('export-malformed', `${file} cannot be read (${code})`, { cause })
  }
  return cause
}
