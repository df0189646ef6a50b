import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CountersignError, refuse, toHex, sha256 } from '../../core/index.js'
import { assertPrivate, guarded, isCode, makeFolder, readFileCapped, replaceFile } from '../../node/files.js'
import { takeLock } from '../../node/lock.js'
import type { Progress } from './progress.js'

const FORMAT = 'countersign/monitor-state/v1'
/** A log of a million manifests fits. */
const MAX_BYTES = 500 * 1024 * 1024

/** What a monitor knows between two runs, in a file that is whole or not there. */
export interface StateFile {
  readonly path: string
  /** What was read or written last; undefined before the first write. */
  readonly progress: Progress | undefined
  /**
   * Replaces the file: the old or the new state is there, whatever happens meanwhile.
   * @throws CountersignError `memory-locked` when another monitor wrote it since it was read
   */
  write(progress: Progress): Promise<void>
}

/**
 * Reads the state of a monitor of this registry.
 * @throws CountersignError `memory-corrupt` for a damaged file, `usage` for that of another registry, `io`
 */
export async function openStateFile(path: string, identity: string): Promise<StateFile> {
  const bytes = await readFileCapped(path, MAX_BYTES)
  if (bytes !== undefined) await assertPrivate(path)
  let progress = bytes && parseState(bytes, path, identity)
  // States are large: of the one that is there its own digest, its last line, is all that is compared.
  let ours = bytes && lastLine(bytes)
  return {
    path,
    get progress() {
      return progress
    },
    async write(next) {
      const text = formatState(next)
      if (text.length > MAX_BYTES)
        refuse('io', `${path} would be larger than it can be`, { maxBytes: MAX_BYTES })
      await makeFolder(dirname(path))
      const lock = await takeLock(`${path}.lock`)
      try {
        const isOurs = async (): Promise<boolean> =>
          ours === (await readLastLine(path)) && (await lock.isHeld())
        if (!(await replaceFile(path, text, isOurs))) {
          refuse('memory-locked', `another monitor writes ${path}: give each a --state of its own`)
        }
      } finally {
        await lock.release()
      }
      ours = lastLine(text)
      progress = next
    },
  }
}

/** The digest of a state, and the line feed behind it. */
const LAST_LINE = 65

function lastLine(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(-LAST_LINE)).toString('latin1')
}

async function readLastLine(path: string): Promise<string | undefined> {
  return guarded(path, async () => {
    try {
      const handle = await open(path, 'r')
      try {
        const { size } = await handle.stat()
        const { buffer, bytesRead } = await handle.read({
          buffer: Buffer.alloc(LAST_LINE),
          position: Math.max(0, size - LAST_LINE),
        })
        return lastLine(buffer.subarray(0, bytesRead))
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
  })
}

/** Three lines: what it is, the state as JSON, and the digest of that. @throws CountersignError `io` when it is too large */
export function formatState(progress: Progress): Uint8Array {
  const body = Buffer.from(stringify(progress))
  return Buffer.concat([Buffer.from(`${FORMAT}\n`), body, Buffer.from(`\n${toHex(sha256(body))}\n`)])
}

function stringify(progress: Progress): string {
  try {
    return JSON.stringify(progress)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new CountersignError('io', 'the state is larger than a text can be', {}, { cause })
  }
}

/** @throws CountersignError `memory-corrupt`, `usage` */
export function parseState(bytes: Uint8Array, path: string, identity: string): Progress {
  const head = Buffer.from(`${FORMAT}\n`)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const body = text.subarray(head.length, Math.max(head.length, text.length - LAST_LINE - 1))
  const isWhole =
    text.subarray(0, head.length).equals(head) &&
    lastLine(text) === `${toHex(sha256(body))}\n` &&
    text.at(-LAST_LINE - 1) === LINE_FEED
  if (!isWhole) refuse('memory-corrupt', `${path} is damaged or no state of a monitor; it is left as it is`)
  const progress = parseBody(body.toString('utf8'), path)
  if (progress.identity !== identity) {
    refuse('usage', `${path} is the state of another registry’s monitor`, {
      expected: identity,
      found: progress.identity,
    })
  }
  return progress
}

const LINE_FEED = 10

/** The digest says that the text is what this program wrote: its shape is not looked at again. */
function parseBody(body: string, path: string): Progress {
  try {
    return JSON.parse(body) as Progress
  } catch (cause) {
    throw new CountersignError('memory-corrupt', `${path} is damaged`, {}, { cause })
  }
}
