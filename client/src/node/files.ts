import { constants } from 'node:fs'
import { mkdir, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { CountersignError, randomBytes, refuse, toHex } from '../core/index.js'

/** Only the person's own: what is in these folders decides what is trusted. */
export const PRIVATE_FOLDER = 0o700
export const PRIVATE_FILE = 0o600

/** Makes a folder that only its owner can read, with those above it. */
export async function makeFolder(dir: string): Promise<void> {
  await guarded(dir, () => mkdir(dir, { recursive: true, mode: PRIVATE_FOLDER }))
}

/**
 * Replaces a file as a whole: written beside it, on disk, then renamed; whatever happens, the old or the new content is
 * there. 0600.
 * @param isDue asked when nothing but the rename is left, for writing can take long; false: the old content stays
 * @returns whether it was replaced
 * @throws CountersignError `io`
 */
export async function replaceFile(
  file: string,
  bytes: Uint8Array | string,
  isDue: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<boolean> {
  const draft = `${file}.${process.pid}.${toHex(randomBytes(6))}.tmp`
  return await guarded(file, async () => {
    await makeFolder(dirname(file))
    try {
      await writeNew(draft, bytes)
      if (await isDue()) await rename(draft, file)
      else return false
    } finally {
      await unlink(draft).catch(() => undefined)
    }
    await syncFolder(dirname(file))
    return true
  })
}

/** Creates a file that must not be there yet. @throws CountersignError `io` */
export async function createFile(file: string, bytes: Uint8Array | string): Promise<void> {
  await guarded(file, async () => {
    await makeFolder(dirname(file))
    await writeNew(file, bytes)
    await syncFolder(dirname(file))
  })
}

async function writeNew(file: string, bytes: Uint8Array | string): Promise<void> {
  await withFile(await open(file, 'wx', PRIVATE_FILE), async (handle) => {
    await handle.writeFile(bytes)
    await handle.sync()
  })
}

async function withFile<T>(handle: FileHandle, run: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await run(handle)
  } finally {
    await handle.close()
  }
}

/** A rename is durable once its folder is; some platforms cannot open one. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  await withFile(await open(dir, constants.O_RDONLY), (handle) => handle.sync())
}

/**
 * The bytes of a file; undefined when there is none.
 * @throws CountersignError `io` when it cannot be read or is larger than `maxBytes`
 */
export async function readFileCapped(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  return guarded(file, async () => {
    let handle: FileHandle
    try {
      handle = await open(file, 'r')
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    }
    return withFile(handle, async () => {
      const { size } = await handle.stat()
      if (size > maxBytes) refuse('io', `${file} is larger than it can be`, { maxBytes })
      return new Uint8Array(await handle.readFile())
    })
  })
}

/**
 * A secret that others on this machine can read is no secret. Windows keeps other rights and is not looked at.
 * @throws CountersignError `io`
 */
export async function assertPrivate(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode, uid } = await guarded(file, () => stat(file))
  if ((mode & 0o077) !== 0) {
    refuse('io', `${file} can be read by others: chmod 600 it`, { file, mode: (mode & 0o777).toString(8) })
  }
  const own = process.getuid?.()
  if (own !== undefined && uid !== own && own !== 0)
    refuse('io', `${file} belongs to somebody else`, { file })
}

/** Whether an error of the file system has this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** Errors of the file system as one family. */
export async function guarded<T>(file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CountersignError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new CountersignError('io', `${file}: ${code}`, { file, code }, { cause: error })
  }
}
