import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import process from 'node:process'
import { CountersignError, randomBytes, refuse, toHex } from '../core/index.js'
import { isCode } from '../node/files.js'

// One process keeps the data, for as long as it lives. A process that was killed leaves its file behind, and the
// next one has to tell a dead owner from a living one.

/** Owners elsewhere (another machine or container on the same disk) show by the file's time that they live. */
const BEAT_MS = 10_000
const SILENT_MS = 60_000
const TRIES = 5

/** The data belongs to this process. */
export interface Ownership {
  /** Asked before each change: a process that slept too long may have been given up. Throws `memory-locked`. */
  assertHeld(): void
  release(): void
}

interface Owner {
  readonly pid: number
  /** When the process started, in the kernel's own count: process ids are used again. */
  readonly started?: string
  /** Machine, boot and space of process ids: where `pid` means something. */
  readonly place: string
}

/** Takes the file for this process. Throws `memory-locked` when a living process has it, `io`. */
export function takeOwnership(file: string): Ownership {
  const token = makeToken()
  for (let i = 0; i < TRIES; i++) {
    if (guarded(file, () => create(file, token))) return ownershipOf(file, token)
    const other = readText(file)
    if (other === undefined) continue
    if (!isAbandoned(file, other)) refuseTaken(file, other)
    guarded(file, () => moveAside(file, other))
  }
  return refuse('memory-locked', 'several processes want these data at once', { file })
}

function refuseTaken(file: string, token: string): never {
  const { pid, place } = parseOwner(token) ?? { pid: -1, place: 'unknown' }
  refuse('memory-locked', 'another process is the witness of these data', { file, pid, place })
}

function ownershipOf(file: string, token: string): Ownership {
  const beat = setInterval(() => {
    if (readText(file) === token) touch(file)
  }, BEAT_MS)
  beat.unref()
  return {
    assertHeld: () => {
      if (readText(file) !== token) refuse('memory-locked', 'another process took these data over', { file })
    },
    release: () => {
      clearInterval(beat)
      if (readText(file) === token) rmSync(file, { force: true })
    },
  }
}

function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date())
  } catch (error) {
    // Gone in between: assertHeld finds that before anything is signed.
    if (!isCode(error, 'ENOENT')) throw error
  }
}

function makeToken(): string {
  const started = startOf(process.pid)
  const owner: Owner = { pid: process.pid, place: placeName(), ...(started !== undefined && { started }) }
  return JSON.stringify({ ...owner, nonce: toHex(randomBytes(12)) })
}

/** The file appears with its content: nobody ever reads half a token. */
function create(file: string, token: string): boolean {
  const draft = `${file}.${toHex(randomBytes(8))}.tmp`
  const handle = openSync(draft, 'wx', 0o600)
  try {
    writeSync(handle, token)
    fsyncSync(handle)
    linkSync(draft, file)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    closeSync(handle)
    rmSync(draft, { force: true })
  }
}

/** Of those who found it abandoned one moves it away; whoever moved a living one by that puts it back. */
function moveAside(file: string, token: string): void {
  const aside = `${file}.${toHex(randomBytes(8))}.old`
  try {
    renameSync(file, aside)
    if (readText(aside) !== token) linkSync(aside, file)
  } catch (error) {
    if (!isCode(error, 'ENOENT') && !isCode(error, 'EEXIST')) throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

function isAbandoned(file: string, token: string): boolean {
  const owner = parseOwner(token)
  if (owner?.place === placeName()) return !isRunning(owner)
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0 }
  return Date.now() - mtimeMs > SILENT_MS
}

function parseOwner(token: string): Owner | undefined {
  try {
    const { pid, place, started } = JSON.parse(token) as Record<string, unknown>
    if (typeof pid !== 'number' || typeof place !== 'string') return undefined
    return { pid, place, ...(typeof started === 'string' && { started }) }
  } catch {
    return undefined
  }
}

function isRunning({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Somebody else's process is alive as well.
    return isCode(error, 'EPERM')
  }
  const now = startOf(pid)
  return now === undefined || started === undefined || now === started
}

/** Field 22 of Linux's stat; undefined elsewhere. The name before it can hold anything but the last bracket. */
function startOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function placeName(): string {
  const boot = readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  return [hostname(), boot, processSpace()].join('/')
}

function processSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ESRCH') || file.startsWith('/proc/')) return undefined
    throw error
  }
}

function guarded<T>(file: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new CountersignError('io', `${file}: ${code}`, { file, code }, { cause: error })
  }
}
