import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { CountersignError, refuse } from '../core/index.js'

const MAX_INPUT_BYTES = 8 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024

/** A file named on the command line, or standard input for `-`. @throws CountersignError `io`, `input-too-large` */
export function readInput(path: string, maxBytes = MAX_INPUT_BYTES): Uint8Array {
  try {
    const bytes =
      path === '-' ? withDefaultSignals(() => readUpTo(0, maxBytes + 1)) : readFile(path, maxBytes + 1)
    if (bytes.length <= maxBytes) return bytes
  } catch (cause) {
    throw new CountersignError('io', `cannot read ${path}: ${reasonOf(cause)}`, {}, { cause })
  }
  return refuse('input-too-large', `${path} has more than ${maxBytes} bytes`)
}

function readFile(path: string, maxBytes: number): Uint8Array {
  const file = openSync(path, 'r')
  try {
    return readUpTo(file, maxBytes)
  } finally {
    closeSync(file)
  }
}

/** No more is read than is taken: a device never ends, and a file can be of any size. */
function readUpTo(file: number, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (let left = maxBytes; left > 0;) {
    const part = Buffer.alloc(Math.min(left, CHUNK_BYTES))
    const count = readSome(file, part)
    if (count === 0) break
    parts.push(part.subarray(0, count))
    left -= count
  }
  return Buffer.concat(parts)
}

/** A pipe may have nothing to give yet. */
function readSome(file: number, part: Uint8Array): number {
  for (;;) {
    try {
      return readSync(file, part)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** While reading waits for a person, no handler of ours could run: the signals do what they do by themselves. */
function withDefaultSignals<T>(run: () => T): T {
  const handlers = SIGNALS.flatMap((name) =>
    process.listeners(name).map((handler) => [name, handler as () => void] as const),
  )
  for (const [name, handler] of handlers) process.off(name, handler)
  try {
    return run()
  } finally {
    for (const [name, handler] of handlers) process.on(name, handler)
  }
}

/** A secret from a file or standard input: one line, without its line feed. */
export function readSecret(path: string, maxBytes = 4096): string {
  const text = Buffer.from(readInput(path, maxBytes))
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '' || text.includes('\n')) refuse('usage', `${path} does not hold one line`)
  return text
}

/** Whole or not at all: a temporary file beside it, then a rename. `mode` 0600 unless said otherwise. */
export function writeOutput(path: string, data: Uint8Array | string, mode = 0o644): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    // A device, a pipe or a link is written through, for a rename would put a file in its place: just so for secrets.
    if (mode !== 0o600 && lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      writeFileSync(path, data)
      return
    }
    mkdirSync(dirname(path), { recursive: true, ...(mode === 0o600 && { mode: 0o700 }) })
    writeFileSync(temporary, data, { mode, flag: 'wx', flush: true })
    renameSync(temporary, path)
    chmodSync(path, mode)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw new CountersignError('io', `cannot write ${path}: ${reasonOf(cause)}`, {}, { cause })
  }
}

/** A secret that others on this machine can read is no secret. Windows keeps other rights. @throws CountersignError `io` */
export function assertPrivate(path: string): void {
  if (process.platform === 'win32' || !existsSync(path)) return
  if ((statSync(path).mode & 0o077) !== 0) refuse('io', `${path} can be read by others: chmod 600 it`)
}

/** A JSON file of ours; undefined when there is none yet. */
export function readState(path: string): Record<string, unknown> | undefined {
  if (!existsSync(path)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(readInput(path)).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch (error) {
    // What the parser says quotes the text, which may be a secret.
    if (error instanceof CountersignError) throw error
  }
  return refuse('io', `${path} is damaged: mend it, or move it away`)
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
