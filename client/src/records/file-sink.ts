import { constants } from 'node:fs'
import { open, rename, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCode, makeFolder, PRIVATE_FILE } from '../node/files.js'
import { takeLock } from '../node/lock.js'
import { LineAppender, type LineSink } from './sink.js'

export interface FileSinkOptions {
  readonly file: string
  /** Of one file, before the next is begun. */
  readonly maxBytes: number
  /** Files that are kept beside the newest: `file.1` is the one before. */
  readonly keep: number
}

/** A named pipe nobody reads must not hold this process: it is an error like a full disk. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
/** No write of the system takes as long. */
const SETTLING_MS = 20

/**
 * A file that several processes append to: lines are appended in one write of the system each time, 0600, and when the
 * file is full whoever comes first moves it aside under a lock while the others notice by its inode.
 */
export function fileSink(options: FileSinkOptions): LineSink {
  const { file, maxBytes } = options
  const lineEnds = new LineAppender()
  let handle: FileHandle | undefined

  async function current(): Promise<FileHandle> {
    if (handle !== undefined && !(await isSame(handle, file))) await close()
    handle ??= await openFile(file)
    return handle
  }

  async function withRoom(bytes: number): Promise<FileHandle> {
    const opened = await current()
    const about = await opened.stat()
    if (!about.isFile() || about.size === 0 || about.size + bytes <= maxBytes) return opened
    await rotate(options, bytes)
    return await current()
  }

  async function close(): Promise<void> {
    const closing = handle
    handle = undefined
    await closing?.close()
  }

  return {
    append: async (lines) =>
      await lineEnds.append(
        lines,
        async (bytes) => {
          const { bytesWritten } = await (await withRoom(bytes.length)).write(bytes)
          return bytesWritten
        },
        await isTorn(file),
      ),
    close,
  }
}

const LINE_FEED = 0x0a

/**
 * Whether the file ends in the middle of a line: another process was ended there, or its disk was full. What stays as it is
 * from one look to the next is nobody's write that is still going on.
 */
async function isTorn(file: string): Promise<boolean> {
  const before = await readEnd(file)
  if (before === undefined || before.byte === LINE_FEED) return false
  await sleep(SETTLING_MS)
  const after = await readEnd(file)
  return after !== undefined && after.byte !== LINE_FEED && after.size === before.size
}

/** The last byte of a file, and where it stands; undefined where there is none. */
async function readEnd(file: string): Promise<{ readonly byte: number; readonly size: number } | undefined> {
  try {
    // What is no file, such as a pipe, has nothing to read, and may wait for ever.
    const { size } = await stat(file).then((about) => (about.isFile() ? about : { size: 0 }))
    if (size === 0) return undefined
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(1), 0, 1, size - 1)
      const [byte] = buffer
      return bytesRead === 1 && byte !== undefined ? { byte, size } : undefined
    } finally {
      await handle.close()
    }
  } catch (error) {
    // One that is moved aside meanwhile is begun anew; one that may only be written to is not looked at.
    if (isCode(error, 'ENOENT') || isCode(error, 'EACCES')) return undefined
    throw error
  }
}

async function openFile(file: string): Promise<FileHandle> {
  await makeFolder(dirname(file))
  return await open(file, FLAGS, PRIVATE_FILE)
}

/** Whether the path still leads to the file that is open. */
async function isSame(handle: FileHandle, file: string): Promise<boolean> {
  try {
    const [mine, there] = await Promise.all([handle.stat(), stat(file)])
    return mine.ino === there.ino && mine.dev === there.dev
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Moves the full file aside, unless another process has done so. */
async function rotate({ file, maxBytes, keep }: FileSinkOptions, bytes: number): Promise<void> {
  const lock = await takeLock(`${file}.lock`)
  try {
    const { size } = await stat(file)
    if (size + bytes <= maxBytes) return
    for (let n = keep - 1; n >= 1; n--) await moveOn(`${file}.${n}`, `${file}.${n + 1}`)
    await moveOn(file, `${file}.1`)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  } finally {
    await lock.release()
  }
}

async function moveOn(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
}
