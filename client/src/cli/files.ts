import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { CountersignError, refuse } from '../core/index.js'

const MAX_INPUT_BYTES = 8 * 1024 * 1024

/** A file named on the command line, or standard input for `-`. @throws CountersignError `io`, `input-too-large` */
export function readInput(path: string, maxBytes = MAX_INPUT_BYTES): Uint8Array {
  const bytes = readBytes(path === '-' ? 0 : path, path)
  if (bytes.length > maxBytes) refuse('input-too-large', `${path} has more than ${maxBytes} bytes`)
  return bytes
}

function readBytes(file: string | number, name: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new CountersignError('io', `cannot read ${name}: ${reasonOf(cause)}`, {}, { cause })
  }
}

/** A secret from a file or standard input: one line, without its line feed. */
export function readSecret(path: string): string {
  const text = Buffer.from(readInput(path, 4096))
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
  } catch (cause) {
    throw new CountersignError('io', `${path} is damaged: ${reasonOf(cause)}`, {}, { cause })
  }
  return refuse('io', `${path} is damaged`)
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
