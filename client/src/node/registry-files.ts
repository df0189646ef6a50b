import { constants } from 'node:fs'
import { lstat, open, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CountersignError, refuse } from '../core/index.js'
import { readRegistry, registryApi, type RegistryApi, type RegistryApiOptions } from '../registry-api.js'
import { staticApi, type ReadDocument } from '../static-api.js'
import { isCode } from './files.js'

/** Whether a registry is named by a folder: `file:///srv/mirror`. */
export function isFileRegistry(url: string): boolean {
  return /^file:/i.test(url)
}

/**
 * A registry by its address: https, http on this machine, or `file:///…` of a folder that `countersign mirror` wrote.
 * @throws CountersignError `usage`
 */
export function openRegistryApi(url: string, options: RegistryApiOptions = {}): RegistryApi {
  return isFileRegistry(url) ? staticApi(readFolder(url)) : registryApi(url, options)
}

/** Reads the documents of a registry, wherever it is. @throws CountersignError `usage` */
export function openRegistryReader(url: string, options: RegistryApiOptions = {}): ReadDocument {
  return isFileRegistry(url) ? readFolder(url) : readRegistry(url, options)
}

function readFolder(url: string): ReadDocument {
  const folder = folderOf(url)
  return (path, maxBytes) => readDocument(folder, path, maxBytes)
}

/** @throws CountersignError `usage` */
export function folderOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new CountersignError('usage', 'a folder is named as file:///path', {}, { cause })
  }
}

/** Paths are made by us of what was parsed; whatever is in the name, it stays below the folder. */
const SAFE_PATH = /^(?:(?!\.{1,2}\/)[A-Za-z0-9._:-]+\/)*(?!\.{1,2}$)[A-Za-z0-9._:-]+$/

/** @throws CountersignError `registry-error` */
export function assertDocumentPath(path: string): void {
  if (!SAFE_PATH.test(path))
    refuse('registry-error', 'not the path of a document', { path: path.slice(0, 200) })
}

/**
 * A document of a folder; undefined when there is none. Something else of that name, or a link that leads nowhere, is a
 * copy that is damaged: to call it absent would be to say that nobody signed what it names.
 * @throws CountersignError `registry-unreachable` when the folder is gone or cannot be read, `registry-error` when it is
 *   too large or no file
 */
export async function readDocument(
  folder: string,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  assertDocumentPath(path)
  const bytes = await readRegularFile(join(folder, path), maxBytes)
  if (bytes !== undefined) return bytes
  if (!(await isFolder(folder))) refuse('registry-unreachable', 'there is no such folder', { folder })
  if (await isThere(join(folder, path))) refuse('registry-error', 'this is no file', { path })
  return undefined
}

/** The same for one file. @throws CountersignError `registry-unreachable`, `registry-error` */
export async function readRegularFile(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    // A pipe of that name would be waited for, and a terminal would become ours.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    try {
      return await readRegular(handle, file, maxBytes)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof CountersignError) throw error
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ENXIO'].some((code) => isCode(error, code))) return undefined
    throw new CountersignError('registry-unreachable', 'the file cannot be read', { file }, { cause: error })
  }
}

async function readRegular(handle: FileHandle, file: string, maxBytes: number) {
  if (!(await handle.stat()).isFile()) return undefined
  const bytes = Buffer.alloc(Math.min(maxBytes, (await handle.stat()).size) + 1)
  let length = 0
  for (let count = -1; count !== 0 && length < bytes.length; length += count) {
    count = (await handle.read(bytes, length, bytes.length - length, length)).bytesRead
  }
  if (length > maxBytes) refuse('registry-error', 'the file is too large', { file, maxBytes })
  return new Uint8Array(bytes.subarray(0, length))
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ENOTDIR')) return false
    throw new CountersignError('registry-unreachable', 'the file cannot be read', { file }, { cause: error })
  }
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory()
  } catch {
    return false
  }
}
