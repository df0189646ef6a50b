import { dirname } from 'node:path'
import { CountersignError, refuse, toHex, sha256 } from '../../core/index.js'
import { assertPrivate, makeFolder, readFileCapped, replaceFile } from '../../node/files.js'
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
  let bytes = await readFileCapped(path, MAX_BYTES)
  if (bytes !== undefined) await assertPrivate(path)
  let progress = bytes && parseState(bytes, path, identity)
  return {
    path,
    get progress() {
      return progress
    },
    async write(next) {
      const text = Buffer.from(formatState(next))
      await makeFolder(dirname(path))
      const lock = await takeLock(`${path}.lock`)
      try {
        const isOurs = async (): Promise<boolean> =>
          sameBytes(bytes, await readFileCapped(path, MAX_BYTES)) && (await lock.isHeld())
        if (!(await replaceFile(path, text, isOurs))) {
          refuse('memory-locked', `another monitor writes ${path}: give each a --state of its own`)
        }
      } finally {
        await lock.release()
      }
      bytes = text
      progress = next
    },
  }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return Buffer.compare(a, b) === 0
}

/** Three lines: what it is, the state as JSON, and the digest of that. */
export function formatState(progress: Progress): string {
  const body = JSON.stringify(progress)
  return `${FORMAT}\n${body}\n${toHex(sha256(Buffer.from(body)))}\n`
}

/** @throws CountersignError `memory-corrupt`, `usage` */
export function parseState(bytes: Uint8Array, path: string, identity: string): Progress {
  const text = Buffer.from(bytes).toString('utf8')
  const [format, body = '', digest, end, ...more] = text.split('\n')
  const isWhole =
    format === FORMAT && end === '' && more.length === 0 && digest === toHex(sha256(Buffer.from(body)))
  if (!isWhole) refuse('memory-corrupt', `${path} is damaged or no state of a monitor; it is left as it is`)
  const progress = parseBody(body, path)
  if (progress.identity !== identity) {
    refuse('usage', `${path} is the state of another registry’s monitor`, {
      expected: identity,
      found: progress.identity,
    })
  }
  return progress
}

/** The digest says that the text is what this program wrote: its shape is not looked at again. */
function parseBody(body: string, path: string): Progress {
  try {
    return JSON.parse(body) as Progress
  } catch (cause) {
    throw new CountersignError('memory-corrupt', `${path} is damaged`, {}, { cause })
  }
}
