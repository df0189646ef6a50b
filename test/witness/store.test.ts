import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs, {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  cosigner,
  CountersignError,
  EMPTY_ROOT,
  formatCheckpointBody,
  formatVerifierKey,
  noteSigner,
  parsePrivateKey,
} from 'countersign/core'
import { openWitnessKey } from '../../client/src/witness/key-file.js'
import { takeOwnership } from '../../client/src/witness/owner.js'
import { openSqliteStore } from '../../client/src/witness/sqlite-store.js'
import type { KnownCheckpoint, WitnessStore } from '../../client/src/witness/store.js'
import { testSigner } from '../support/tlog.js'
import {
  outcome,
  scriptedLog,
  tempFolder,
  testWitness,
  WITNESS_NAME,
  WITNESS_SEED,
  type TempFolder,
} from './support.js'

const own = cosigner(WITNESS_NAME, testSigner(WITNESS_SEED))
const vkey = formatVerifierKey(WITNESS_NAME, 4, own.key.publicKey)
const log = scriptedLog('example.com/log')
const other = scriptedLog('example.com/other', { seed: 2 })

let folder: TempFolder
let file: string
const opened: WitnessStore[] = []
beforeEach(() => {
  folder = tempFolder()
  file = folder.path('data/witness.db')
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  folder.remove()
})

async function open(mayCreate = true, change: { vkey?: string } = {}): Promise<WitnessStore> {
  const store = await openSqliteStore({ file, key: own.key, vkey, mayCreate, ...change })
  opened.push(store)
  return store
}

async function rejection(step: Promise<unknown>): Promise<string> {
  try {
    await step
    return 'accepted'
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
}

function known(size: number, of = log): KnownCheckpoint {
  const checkpoint = of.checkpoint(size)
  return {
    size,
    root: checkpoint.root,
    note: of.note(size, [own.cosign(formatCheckpointBody(checkpoint), 1000)]),
  }
}

describe('what is kept', () => {
  it('is what was put there, over a new start too', async () => {
    const store = await open()
    expect(await store.read(log.origin)).toBeUndefined()
    expect(await store.advance(log.origin, undefined, known(0))).toBe(true)
    expect(await store.advance(log.origin, known(0), known(5))).toBe(true)
    expect(await store.advance(other.origin, undefined, known(300, other))).toBe(true)
    await store.close()
    const again = await open(false)
    expect(await again.read(log.origin)).toEqual(known(5))
    expect(await again.read(other.origin)).toEqual(known(300, other))
  })

  it('moves only from what was read', async () => {
    const store = await open()
    expect(await store.advance(log.origin, known(3), known(5))).toBe(false)
    expect(await store.advance(log.origin, undefined, known(3))).toBe(true)
    expect(await store.advance(log.origin, undefined, known(5))).toBe(false)
    expect(await store.advance(log.origin, known(4), known(5))).toBe(false)
    expect(await store.advance(log.origin, { ...known(3), root: EMPTY_ROOT }, known(5))).toBe(false)
    expect(await store.read(log.origin)).toEqual(known(3))
    expect(await store.advance(log.origin, known(3), known(5))).toBe(true)
    expect(await store.advance(log.origin, known(3), known(8))).toBe(false)
    expect(await store.read(log.origin)).toEqual(known(5))
  })

  it('holds sizes up to 2^53 - 1', async () => {
    const store = await open()
    const size = Number.MAX_SAFE_INTEGER
    const checkpoint = { origin: log.origin, size, root: log.checkpoint(1).root }
    const note = log.note(checkpoint, [own.cosign(formatCheckpointBody(checkpoint), 1)])
    expect(await store.advance(log.origin, undefined, { size, root: checkpoint.root, note })).toBe(true)
    await store.close()
    expect((await (await open()).read(log.origin))?.size).toBe(size)
  })

  it('serves the conductor', async () => {
    const witness = testWitness([log, other], await open())
    for (const size of [1, 2, 3, 255, 256, 257])
      await witness.addCheckpoint(other.request(size === 1 ? 0 : before(size), size))
    expect(await outcome(witness.addCheckpoint(other.request(256, 300)))).toBe('size-conflict')
    expect(await outcome(witness.addCheckpoint(other.request(257, 300)))).toBe('cosigned')
  })
  const before = (size: number): number => (size === 255 ? 3 : size - 1)

  it('does not hang on the write-ahead log: each change is in the main file when it is answered', async () => {
    const store = await open()
    await store.advance(log.origin, undefined, known(5))
    await store.advance(log.origin, known(5), known(8))
    const copy = folder.path('copy/witness.db')
    mkdirSync(folder.path('copy'))
    writeFileSync(copy, readFileSync(file))
    file = copy
    expect(await (await open(false)).read(log.origin)).toEqual(known(8))
  })
})

describe('a process that is gone in the middle', () => {
  /** Data and write-ahead log as they are at this moment, as a kill would leave them. */
  function leaveBehind(change: (log: Buffer) => Buffer = (log) => log): void {
    const copy = folder.path(`left-${copies++}/witness.db`)
    mkdirSync(dirname(copy))
    writeFileSync(copy, readFileSync(file))
    writeFileSync(`${copy}-wal`, change(readFileSync(`${file}-wal`)))
    mkdirSync(`${copy}.lock`)
    file = copy
  }
  let copies = 0

  it.each<[string, (log: Buffer) => Buffer]>([
    ['whole', (log) => log],
    ['empty', () => Buffer.alloc(0)],
    ['cut off', (log) => log.subarray(0, log.length - 100)],
    ['with noise at its end', (log) => Buffer.concat([log, Buffer.alloc(5000, 7)])],
    ['no log at all', () => Buffer.alloc(4000, 'x')],
  ])('a write-ahead log that is %s takes nothing back', async (_, change) => {
    const store = await open()
    await store.advance(log.origin, undefined, known(5))
    await store.advance(log.origin, known(5), known(8))
    leaveBehind(change)
    expect(await (await open(false)).read(log.origin)).toEqual(known(8))
  })

  it('leaves the old checkpoint or the new one, wherever it stops', async () => {
    const store = await open()
    await store.advance(log.origin, undefined, known(5))
    const lefts = await copiesDuring(() => store.advance(log.origin, known(5), known(8)))
    const sizes: (number | undefined)[] = []
    for (file of lefts) sizes.push((await (await open(false)).read(log.origin))?.size)
    expect(sizes[0]).toBe(5)
    expect(sizes.at(-1)).toBe(8)
    expect(sizes).toEqual(sizes.toSorted())
  })

  it('and what was answered is on disk: the last thing before the answer is a sync', async () => {
    const store = await open()
    const calls: string[] = []
    watchDisk((name) => calls.push(name))
    await store.advance(log.origin, undefined, known(5))
    vi.restoreAllMocks()
    // The log first and then the main file: each is written, and synced before the next step.
    expect(calls.filter((name) => name === 'fsyncSync').length).toBeGreaterThanOrEqual(2)
    expect(calls.at(-1)).toBe('fsyncSync')
  })

  /** Copies of the files before each call that changes the disk: every place where a kill could come. */
  async function copiesDuring(run: () => Promise<unknown>): Promise<string[]> {
    const from = file
    const lefts: string[] = []
    const copy = (): void => {
      leaveBehind()
      lefts.push(file)
      file = from
    }
    watchDisk(copy)
    await run()
    vi.restoreAllMocks()
    copy()
    return lefts
  }

  function watchDisk(before: (name: string) => void): void {
    let isWatching = true
    for (const name of ['writeSync', 'fsyncSync', 'ftruncateSync'] as const) {
      const real = fs[name] as (...args: unknown[]) => unknown
      vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
        if (isWatching) {
          isWatching = false // what is called in here is our own
          before(name)
          isWatching = true
        }
        return real(...args)
      })
    }
  }
})

describe('data that are not right', () => {
  const fill = async (): Promise<void> => {
    const store = await open()
    await store.advance(log.origin, undefined, known(5))
    await store.close()
  }

  it('missing beside a key that signed: refused, and nothing is made', async () => {
    expect(await rejection(open(false))).toBe('io')
    expect(existsSync(file)).toBe(false)
    expect(await rejection(open(true))).toBe('accepted')
  })

  it.each<[string, () => void]>([
    ['empty', () => truncateSync(file, 0)],
    ['cut off', () => truncateSync(file, 4096)],
    ['no database', () => writeFileSync(file, 'x'.repeat(8192))],
    ['with another root', () => flip(log.checkpoint(5).root)],
    ['with another note', () => flip(new TextEncoder().encode('\n5\n'))],
  ])('%s: refused', async (_, damage) => {
    await fill()
    damage()
    expect(await rejection(open(true))).toBe('memory-corrupt')
  })

  /** Changes the last byte of each place where these bytes stand. */
  function flip(bytes: Uint8Array): void {
    const data = readFileSync(file)
    for (let at = data.indexOf(bytes); at >= 0; at = data.indexOf(bytes, at + 1)) {
      const last = at + bytes.length - 1
      data[last] = data[last]! ^ 1
    }
    writeFileSync(file, data)
  }

  it('of another key: refused, unless that key never signed', async () => {
    const second = formatVerifierKey('witness.example.com/w2', 4, testSigner(3).publicKey)
    await (await open()).close()
    await (await open(true, { vkey: second })).close()
    await (await open()).close()
    await fill()
    expect(await rejection(open(true, { vkey: second }))).toBe('memory-corrupt')
    expect(await rejection(open())).toBe('accepted')
  })

  it('half made, when the process was killed before the rename: made again', async () => {
    mkdirSync(folder.path('data'))
    writeFileSync(`${file}.new`, 'half')
    mkdirSync(`${file}.new.lock`)
    expect(await rejection(open())).toBe('accepted')
  })
})

describe('one process', () => {
  it('keeps the data; a second one is refused, and leaves the first alone', async () => {
    const store = await open()
    expect(await rejection(open())).toBe('memory-locked')
    expect(await store.advance(log.origin, undefined, known(5))).toBe(true)
    await store.close()
    expect(await rejection(open())).toBe('accepted')
  })

  it('that lost the data to another does not write any more', async () => {
    const store = await open()
    rmSync(`${file}.owner`)
    expect(await rejection(store.advance(log.origin, undefined, known(5)))).toBe('memory-locked')
    writeFileSync(`${file}.owner`, '{}')
    expect(await rejection(store.advance(log.origin, undefined, known(5)))).toBe('memory-locked')
    await store.close()
    // Not its own any more: left where it is.
    expect(readFileSync(`${file}.owner`, 'utf8')).toBe('{}')
  })

  it('takes over from a process that was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const { place } = ownerHere()
    mkdirSync(folder.path('data'))
    writeFileSync(`${file}.owner`, JSON.stringify({ pid: child.pid, place }))
    mkdirSync(`${file}.lock`)
    expect(await rejection(open())).toBe('memory-locked')
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    expect(await rejection(open())).toBe('accepted')
  })

  it.skipIf(!existsSync('/proc/self/stat'))(
    'takes over when the process id is another process’s by now',
    async () => {
      const { place, started } = ownerHere()
      mkdirSync(folder.path('data'))
      writeFileSync(`${file}.owner`, JSON.stringify({ pid: process.pid, place, started: '1' }))
      expect(await rejection(open())).toBe('accepted')
      expect(ownerOf(`${file}.owner`).started).toBe(started)
    },
  )

  it('elsewhere holds on while its file is young', async () => {
    const token = JSON.stringify({ pid: 1, place: 'another machine' })
    mkdirSync(folder.path('data'))
    writeFileSync(`${file}.owner`, token)
    expect(await rejection(open())).toBe('memory-locked')
    const longAgo = new Date(Date.now() - 3_600_000)
    utimesSync(`${file}.owner`, longAgo, longAgo)
    expect(await rejection(open())).toBe('accepted')
  })

  function ownerHere(): { place: string; started?: string } {
    const path = folder.path('probe.owner')
    const ownership = takeOwnership(path)
    const owner = ownerOf(path)
    ownership.release()
    expect(existsSync(path)).toBe(false)
    return owner
  }

  function ownerOf(path: string): { place: string; started?: string } {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as { place: string; started?: string }
    expect(owner.place).toContain(hostname())
    return owner
  }
})

describe('the key file', () => {
  const path = (): string => folder.path('witness.key')

  it('is made once, readable by its owner only', async () => {
    const made = await openWitnessKey(path(), WITNESS_NAME)
    expect(made.isNew).toBe(true)
    expect(existsSync(path())).toBe(false)
    await made.save()
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    const read = await openWitnessKey(path())
    expect(read.isNew).toBe(false)
    expect(read.vkey).toBe(made.vkey)
    await read.save()
    await expect(made.save()).rejects.toMatchObject({ code: 'io' })
    const { key } = parsePrivateKey(readFileSync(path(), 'utf8').trimEnd())
    expect([key.type, key.name]).toEqual([4, WITNESS_NAME])
  })

  it.each<[string, string | undefined, string | undefined, string]>([
    ['no key and no name', undefined, undefined, 'usage'],
    ['a name that is none', undefined, 'a+b', 'key-invalid'],
    ['no key in the file', 'nothing\n', undefined, 'key-invalid'],
    ['a file without end', 'x'.repeat(5000), undefined, 'io'],
    ['the key of a log', privateKey(1), undefined, 'key-invalid'],
    ['a key of another name', privateKey(4), 'witness.example.com/w2', 'usage'],
    [
      'a key with another id',
      privateKey(4).replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
      undefined,
      'key-invalid',
    ],
    ['a good key', privateKey(4), WITNESS_NAME, 'accepted'],
  ])('%s', async (_, content, name, code) => {
    if (content !== undefined) writeFileSync(path(), content, { mode: 0o600 })
    const error = await openWitnessKey(path(), name).catch((error: unknown) => error)
    expect(error instanceof CountersignError ? error.code : 'accepted').toBe(code)
    if (content !== undefined) expect(String(error) + JSON.stringify(error)).not.toContain(SEED)
  })

  it.skipIf(process.platform === 'win32')('that others can read is refused', async () => {
    writeFileSync(path(), privateKey(4), { mode: 0o644 })
    await expect(openWitnessKey(path())).rejects.toMatchObject({ code: 'io' })
  })
})

const SEED = 'yMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMg='.slice(2, 30)

function privateKey(type: 1 | 4): string {
  const bytes = Buffer.concat([Buffer.of(type), Buffer.alloc(32, WITNESS_SEED)])
  const signer = testSigner(WITNESS_SEED)
  const key = type === 1 ? noteSigner(WITNESS_NAME, signer).key : own.key
  const id = key.keyId.toString(16).padStart(8, '0')
  return `PRIVATE+KEY+${WITNESS_NAME}+${id}+${bytes.toString('base64')}\n`
}
