import { link, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import { randomBytes, refuse, toHex } from '../core/index.js'
import { guarded, isCode, PRIVATE_FILE } from './files.js'

/** A holder keeps a lock for milliseconds; one this old belongs to nobody, whatever its process id says. */
const STALE_MS = 30_000
const WAIT_MS = 15_000

/** A lock file between processes, held while a change is written. */
export interface Lock {
  /** Whether this process still holds it: asked right before a write becomes visible. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/**
 * Takes the lock file, waiting for whoever holds it. One left by a process that is gone is taken over.
 * @throws CountersignError `memory-locked` after 15 seconds, `io`
 */
export async function takeLock(file: string, waitMs: number = WAIT_MS): Promise<Lock> {
  const token = JSON.stringify({ pid: process.pid, host: hostname(), nonce: toHex(randomBytes(12)) })
  const end = performance.now() + waitMs
  let isLast = false
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 50)) {
    if (await guarded(file, () => tryCreate(file, token))) return lockOf(file, token)
    if (isLast) refuse('memory-locked', 'another process holds the memory', { file })
    // Where the machine was slow and not somebody else: what nobody holds is tried for once more.
    isLast = performance.now() > end
    if (!(await breakStale(file)) && !isLast) await sleep(pause * (0.5 + Math.random()))
  }
}

function lockOf(file: string, token: string): Lock {
  const isHeld = async (): Promise<boolean> => (await readToken(file)) === token
  return {
    isHeld,
    release: async () => {
      if (await isHeld()) await unlink(file).catch(() => undefined)
    },
  }
}

/** The file appears with its content: nobody ever reads half a token. */
async function tryCreate(file: string, token: string): Promise<boolean> {
  const draft = `${file}.${toHex(randomBytes(8))}.tmp`
  const handle = await open(draft, 'wx', PRIVATE_FILE)
  try {
    await handle.writeFile(token)
    await handle.close()
    await link(draft, file)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlink(draft)
  }
}

async function readToken(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** True when the way may be free now. */
async function breakStale(file: string): Promise<boolean> {
  const token = await readToken(file)
  if (token === undefined) return true
  if (!(await isAbandoned(file, token))) return false
  // Only one of those who found it stale can move it away; whoever moved a live one by that puts it back.
  const aside = `${file}.${toHex(randomBytes(8))}.stale`
  try {
    await rename(file, aside)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return true
    throw error
  }
  if ((await readToken(aside)) !== token) await link(aside, file).catch(() => undefined)
  await unlink(aside)
  return true
}

async function isAbandoned(file: string, token: string): Promise<boolean> {
  const owner = parseOwner(token)
  if (owner !== undefined && owner.host === hostname() && !isAlive(owner.pid)) return true
  try {
    return Date.now() - (await stat(file)).mtimeMs > STALE_MS
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false
    throw error
  }
}

function parseOwner(token: string): { pid: number; host: string } | undefined {
  try {
    const { pid, host } = JSON.parse(token) as { pid?: unknown; host?: unknown }
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is alive as well.
    return isCode(error, 'EPERM')
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
