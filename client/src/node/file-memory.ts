import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  concatBytes,
  CountersignError,
  isJsonObject,
  isRegistryIdentity,
  MAX_BUNDLE_BYTES,
  MAX_REVOCATIONS_BYTES,
  parseStrictJson,
  refuse,
  sha256,
  toHex,
  utf8Bytes,
  type JsonObject,
  type Signer,
} from '../core/index.js'
import {
  isShortLived,
  withEvidence,
  withoutEvidence,
  type Evidence,
  type Memory,
  type RememberedServer,
  type RevocationMemory,
  type ServerKey,
} from '../memory.js'
import { guarded, isCode, PRIVATE_FOLDER, readFileCapped, replaceFile } from './files.js'
import { homeFolder } from './home.js'
import { makeKey, readKey } from './keys.js'
import { takeLock } from './lock.js'
import { checkRevocations, checkServer, checkWorld } from './memory-shape.js'

const MAX_MEMORY_BYTES = 128 * 1024 * 1024
const MAX_CACHED = 256
/** Four lists of the largest size: whoever signs new ones all the time fills no disk. */
const MAX_CACHED_BYTES = 128 * 1024 * 1024

export interface FileMemoryOptions {
  /** The host's own key for pins; made on first use. Default: `host-key.pem` beside the folder. */
  readonly hostKeyFile?: string
}

/**
 * A memory in files, for all processes of one person: each update is taken under a lock file, written beside the old
 * state, on disk before it is renamed, 0600 (PROTOCOL 11). A file that cannot be read is `memory-corrupt` and stays as it
 * is: starting over would forget what was revoked. Only the cache may be deleted at any time.
 *
 * @param dir default: `memory` in {@link homeFolder}
 * @example
 * const host = await openHost({ registry, trust: await readTrust(), memory: fileMemory() })
 */
export function fileMemory(
  dir: string = join(homeFolder(), 'memory'),
  options: FileMemoryOptions = {},
): Memory {
  const { hostKeyFile = join(dir, '..', 'host-key.pem') } = options
  const worldFile = (identity: string): string => join(dir, `world-${safeName(identity)}.json`)
  const revocationsFile = (identity: string): string => join(dir, `revocations-${safeName(identity)}`)
  const serverFile = (key: ServerKey): string => join(dir, `server-${nameOf(key)}.json`)
  const cacheFile = (identity: string, name: string): string =>
    join(dir, 'cache', `${safeName(identity)}-${safeName(name)}`)
  let signer: Promise<Signer> | undefined

  return {
    readWorld: (identity) => readState(worldFile(identity), WORLD),
    updateWorld: (identity, change) => updateState(worldFile(identity), WORLD, change),
    readRevocations: (identity) => readState(revocationsFile(identity), REVOCATIONS),
    updateRevocations: (identity, change) => updateState(revocationsFile(identity), REVOCATIONS, change),
    async readServer(key) {
      return (await readState(serverFile(key), SERVER))?.memory
    },
    async listServers(identity) {
      const kept = await readServers(dir)
      return kept.filter(({ key }) => key.identity === identity)
    },
    async updateServer(key, change) {
      const kept = await updateState(serverFile(key), SERVER, (old) => {
        const memory = change(old?.memory)
        return memory === undefined || memory === old?.memory ? old : { key, memory }
      })
      return kept?.memory
    },
    async keepEvidence(identity, evidence) {
      await updateState(worldFile(identity), WORLD, (old) => old && withEvidence(old, evidence))
    },
    async clearEvidence(identity) {
      let cleared: readonly Evidence[] = []
      await updateState(worldFile(identity), WORLD, (old) => {
        cleared = old?.evidence ?? []
        return old && withoutEvidence(old)
      })
      return cleared
    },
    readBlob: (identity, name) => readFileCapped(cacheFile(identity, name), MAX_BLOB_BYTES),
    async writeBlob(identity, name, bytes) {
      const file = cacheFile(identity, name)
      await replaceFile(file, bytes)
      await pruneCache(join(dir, 'cache'), basename(file))
    },
    hostSigner: () => (signer ??= openHostKey(hostKeyFile)),
  }
}

const MAX_BLOB_BYTES = Math.max(MAX_BUNDLE_BYTES, MAX_REVOCATIONS_BYTES)

/** Identities and cache names are checked where they come from; here they become file names. */
function safeName(name: string): string {
  if (!isRegistryIdentity(name))
    refuse('io', 'this cannot name a file of the memory', { name: name.slice(0, 80) })
  return name
}

function nameOf(key: ServerKey): string {
  return toHex(sha256(utf8Bytes(JSON.stringify([key.identity, key.server, key.slot]))))
}

/** A file of the memory that cannot be read is corrupt here as well: a server left out would be one nobody knows. */
async function readServers(dir: string): Promise<RememberedServer[]> {
  const names = await guarded(dir, async () => {
    try {
      return await readdir(dir)
    } catch (error) {
      if (isCode(error, 'ENOENT')) return []
      throw error
    }
  })
  const files = names.filter((name) => SERVER_FILE.test(name))
  const kept = await Promise.all(files.map((name) => readState(join(dir, name), SERVER)))
  return kept.filter((one) => one !== undefined)
}

const SERVER_FILE = /^server-[0-9a-f]{64}\.json$/

/** A server's file says whose it is, for people who look. */
function checkKept(value: JsonObject): RememberedServer {
  const { key, memory } = value
  if (!isJsonObject(key) || !isJsonObject(memory)) throw new TypeError('not a server memory')
  const { identity, server, slot } = key
  if (typeof identity !== 'string' || typeof server !== 'string' || typeof slot !== 'string') {
    throw new TypeError('not a server key')
  }
  return { key: { identity, server, slot }, memory: checkServer(memory) }
}

/** How a state becomes bytes and comes back, checked. */
interface Codec<T> {
  readonly parse: (bytes: Uint8Array) => T
  readonly format: (state: T) => Uint8Array | string
}

function jsonOf<T>(check: (value: JsonObject) => T): Codec<T> {
  return { parse: (bytes) => check(parseObject(bytes)), format: (state) => JSON.stringify(state) }
}

function parseObject(bytes: Uint8Array): JsonObject {
  const value = parseStrictJson(bytes, { maxBytes: MAX_MEMORY_BYTES })
  return isJsonObject(value) ? value : refuse('json-malformed', 'not an object')
}

const WORLD = jsonOf(checkWorld)
const SERVER = jsonOf(checkKept)

/** A line of JSON, and behind it the list as it came: megabytes of lines are not worth quoting and parsing. */
const REVOCATIONS: Codec<RevocationMemory> = {
  parse(bytes) {
    const end = bytes.indexOf(0x0a)
    return { ...checkRevocations(parseObject(bytes.subarray(0, end))), list: bytes.subarray(end + 1) }
  },
  format: ({ list, ...head }) => concatBytes(utf8Bytes(`${JSON.stringify({ v: 1, ...head })}\n`), list),
}

async function readState<T>(file: string, { parse }: Codec<T>): Promise<T | undefined> {
  const bytes = await readFileCapped(file, MAX_MEMORY_BYTES)
  if (bytes === undefined) return undefined
  try {
    return parse(bytes)
  } catch (cause) {
    throw new CountersignError(
      'memory-corrupt',
      `the memory in ${file} cannot be read; it is left as it is`,
      { file },
      { cause },
    )
  }
}

async function updateState<T>(
  file: string,
  codec: Codec<T>,
  change: (old: T | undefined) => T | undefined,
): Promise<T | undefined> {
  await guarded(file, () => mkdir(join(file, '..'), { recursive: true, mode: PRIVATE_FOLDER }))
  for (;;) {
    const lock = await takeLock(`${file}.lock`)
    try {
      const old = await readState(file, codec)
      const next = change(old)
      if (next === undefined || next === old) return next
      const written = codec.format(next)
      // What would not be read again takes the place of nothing.
      if (written.length > MAX_MEMORY_BYTES) refuse('io', `${file} would be larger than it can be`, { file })
      // A process that slept through its lock must not write over what came after it.
      if (await replaceFile(file, written, () => lock.isHeld())) return next
    } finally {
      await lock.release()
    }
  }
}

async function openHostKey(file: string): Promise<Signer> {
  return (await readFileCapped(file, 64 * 1024)) === undefined ? makeKey(file) : readKey(file)
}

/** Proofs go first, then the oldest; what is missing is fetched again. `written` stays: it is there for somebody. */
async function pruneCache(dir: string, written: string): Promise<void> {
  const names = await guarded(dir, () => readdir(dir))
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await lookAt(join(dir, name))) })))
  const isFull = files.length > MAX_CACHED || sumOf(files) > MAX_CACHED_BYTES
  if (!isFull) return
  const rankOf = (name: string): number => (name === written ? 0 : isShortLived(name) ? 2 : 1)
  files.sort((a, b) => rankOf(a.name) - rankOf(b.name) || b.at - a.at)
  // Down to half, so that not every write prunes; what was just written stays.
  const kept = files.findIndex(
    (_, i) => i >= MAX_CACHED / 2 || sumOf(files.slice(0, i + 1)) > MAX_CACHED_BYTES / 2,
  )
  for (const { name } of files.slice(Math.max(1, kept))) {
    await unlink(join(dir, name)).catch((error: unknown) => {
      if (!isCode(error, 'ENOENT')) throw error
    })
  }
}

function sumOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

async function lookAt(file: string): Promise<{ readonly at: number; readonly size: number }> {
  try {
    const { mtimeMs, size } = await stat(file)
    return { at: mtimeMs, size }
  } catch (error) {
    if (isCode(error, 'ENOENT')) return { at: 0, size: 0 }
    throw error
  }
}
