import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leafHash, openCheckpoint, utf8Bytes } from 'countersign/core'
import { pinnedLog, signCheckpoint } from '../../src/log/head.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { assertNoRollback, openRollbackMemory, type RollbackMemory } from '../../src/log/rollback.js'
import { openFileLock } from '../../src/storage/file-lock.js'
import { readOrMakeSecret } from '../../src/storage/secret-file.js'

// Several processes of one machine keep one rollback file.

let folder: string
let file: string
let keys: RegistryKeys
/** What the database holds, by size. */
let committed: Map<number, string>
/** What the processes of other machines were told. */
let told: string[]
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-shared-'))
  file = join(folder, 'state', 'registry.rollback')
  keys = await openKeys(join(folder, 'keys'))
  told = []
  committed = new Map(Array.from({ length: 40 }, (_, i) => [i + 1, noteOf(i + 1)]))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const noteOf = (size: number, what = 'ours'): string =>
  signCheckpoint(keys, size, leafHash(utf8Bytes(`${what} ${size}`)))
const open = (): RollbackMemory =>
  openRollbackMemory(file, {
    log: pinnedLog(keys),
    readCheckpoint: async (size) => committed.get(size),
    assertGoesOn: async () => undefined,
    tell: async (note) => void told.push(note),
  })
const sizeNow = (): number => openCheckpoint(readFileSync(file, 'utf8'), pinnedLog(keys)).checkpoint.size
const remember = (memory: RollbackMemory, size: number): Promise<void> =>
  memory.remember({ size, note: noteOf(size) })

describe('a rollback file that several processes keep', () => {
  it('never goes back, whoever comes late', async () => {
    const [a, b] = [open(), open()]
    await remember(a, 9)
    await remember(b, 5)
    expect(sizeNow()).toBe(9)
    await remember(b, 12)
    expect(sizeNow()).toBe(12)
    await Promise.all([a.settled(), b.settled()])
  })

  it('is whole and never smaller than what was promised, however many write at once', async () => {
    const memories = Array.from({ length: 4 }, open)
    await Promise.all(
      memories.map(async (memory, lane) => {
        for (let size = lane + 2; size < 40; size += 4) {
          await remember(memory, size)
          expect(sizeNow()).toBeGreaterThanOrEqual(size)
        }
      }),
    )
    expect(sizeNow()).toBe(39)
    expect(readdirSync(join(folder, 'state')).toSorted()).toEqual([
      'registry.rollback',
      'registry.rollback.lock',
    ])
    await Promise.all(memories.map((memory) => memory.settled()))
  })

  it.each([
    ['more than the database holds', (): string => noteOf(50)],
    ['another tree of a size it holds', (): string => noteOf(7, 'somebody else’s')],
  ])('stops whoever finds in it %s', async (_, note) => {
    const memory = open()
    await remember(memory, 3)
    writeFileSync(file, note())
    await expect(remember(memory, 8)).rejects.toMatchObject({ code: 'rollback' })
    expect(readFileSync(file, 'utf8')).toBe(note())
    await memory.settled()
  })

  it('is not written over when it is no checkpoint of this log', async () => {
    const memory = open()
    await remember(memory, 3)
    writeFileSync(file, 'of a successor')
    await expect(remember(memory, 8)).rejects.toMatchObject({ code: 'rollback-file-unusable' })
    expect(readFileSync(file, 'utf8')).toBe('of a successor')
    await memory.settled()
  })

  it('is sealed for all by the one that was shown another history', async () => {
    const [a, b] = [open(), open()]
    await remember(b, 3)
    await a.seal(noteOf(20, 'a thief’s'))
    await expect(remember(b, 30)).rejects.toMatchObject({ code: 'rollback' })
    await expect(remember(a, 30)).rejects.toMatchObject({ code: 'rollback' })
    expect(readFileSync(file, 'utf8')).toBe(noteOf(20, 'a thief’s'))
    expect(told).toEqual([noteOf(20, 'a thief’s')])
    await Promise.all([a.settled(), b.settled()])
  })

  it('follows a link to another disk, and makes none anew that leads nowhere', async () => {
    const memory = open()
    await remember(memory, 3)
    rmSync(file)
    symlinkSync(join(folder, 'gone', 'file'), file)
    await expect(remember(memory, 8)).rejects.toMatchObject({ code: 'rollback-file-unusable' })
    await memory.settled()
  })
})

describe('what a killed process left', () => {
  const HOUR_AGO = new Date(Date.now() - 2 * 3_600_000)
  const leave = (path: string, isOld: boolean): void => {
    writeFileSync(path, 'a secret', { mode: 0o600 })
    if (isOld) utimesSync(path, HOUR_AGO, HOUR_AGO)
  }

  it('is removed beside the rollback file, and nothing that somebody may still write', async () => {
    const state = join(folder, 'state')
    mkdirSync(state)
    leave(`${file}.0123456789ab.tmp`, true)
    leave(`${file}.ba9876543210.tmp`, false)
    leave(`${file}.mine.tmp`, true)
    const tree = { size: 0, root: new Uint8Array(32), readTile: async () => undefined }
    await assertNoRollback(file, pinnedLog(keys), async () => tree)
    expect(readdirSync(state).toSorted()).toEqual([
      'registry.rollback.ba9876543210.tmp',
      'registry.rollback.mine.tmp',
    ])
  })

  it('is removed beside the keys', async () => {
    for (const [name, isOld] of [
      ['keys.new-aB3x9Z', true],
      ['keys.new-bbbbbb', false],
    ] as const) {
      mkdirSync(join(folder, name))
      leave(join(folder, name, 'root.key'), isOld)
      if (isOld) utimesSync(join(folder, name), HOUR_AGO, HOUR_AGO)
    }
    mkdirSync(join(folder, 'keys.new-year'))
    utimesSync(join(folder, 'keys.new-year'), HOUR_AGO, HOUR_AGO)
    await openKeys(join(folder, 'keys'))
    const left = readdirSync(folder).filter((name) => name.startsWith('keys.new'))
    expect(left.toSorted()).toEqual(['keys.new-bbbbbb', 'keys.new-year'])
  })

  it('is removed beside a secret, also where the secret is there already', async () => {
    const secret = join(folder, 'token.key')
    leave(`${secret}.0123456789ab.tmp`, true)
    expect(await readOrMakeSecret(secret, () => 'mine')).toBe('mine')
    leave(`${secret}.0123456789ab.tmp`, true)
    leave(`${secret}.ba9876543210.tmp`, false)
    expect(await readOrMakeSecret(secret, () => 'another')).toBe('mine')
    expect(readdirSync(folder).filter((name) => name.startsWith('token'))).toEqual([
      'token.key',
      'token.key.ba9876543210.tmp',
    ])
  })

  it('is made again by whoever wakes up and does not find it', async () => {
    const memory = open()
    await remember(memory, 3)
    const state = join(folder, 'state')
    const Database = (await import('better-sqlite3')).default
    const holder = new Database(`${file}.lock`)
    holder.exec('BEGIN EXCLUSIVE')
    const late = remember(memory, 8)
    const drafts = (): string[] => readdirSync(state).filter((name) => name.endsWith('.tmp'))
    await expect.poll(drafts).toHaveLength(1)
    rmSync(join(state, drafts()[0]!))
    holder.close()
    await late
    expect(sizeNow()).toBe(8)
    expect(drafts()).toEqual([])
    await memory.settled()
  })
})

describe('a secret of several processes', () => {
  it('is refused where its place is a link that leads nowhere', async () => {
    const secret = join(folder, 'token.key')
    symlinkSync(join(folder, 'gone', 'token.key'), secret)
    await expect(readOrMakeSecret(secret, () => 'mine')).rejects.toMatchObject({ code: 'key-file-unusable' })
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('the lock between processes', () => {
  it('is held by one at a time, and says so when it is not free in time', async () => {
    const path = join(folder, 'state', 'a.lock')
    const [one, patient, other] = [openFileLock(path), openFileLock(path), openFileLock(path, 30)]
    let late: Promise<unknown> = Promise.resolve()
    await one.hold(() => {
      late = patient.hold(() => 'now')
    })
    expect(await late).toBe('now')
    const holder = openFileLock(path)
    // Held over a turn of the event loop, as no caller may: what the other one is told.
    await holder.hold(() => undefined)
    const Database = (await import('better-sqlite3')).default
    const stuck = new Database(path)
    stuck.exec('BEGIN EXCLUSIVE')
    await expect(other.hold(() => 'never')).rejects.toMatchObject({ code: 'busy' })
    stuck.close()
    expect(await other.hold(() => 'free')).toBe('free')
    for (const lock of [one, patient, other, holder]) lock.close()
  })
})

describe('keys of several first starts', () => {
  it.each([false, true])('are those of one of them, with a log key of its own place: %s', async (isApart) => {
    const options = isApart ? { logKeyFile: join(folder, 'apart.key') } : {}
    const place = join(folder, 'data', 'keys')
    const made = await Promise.all(Array.from({ length: 6 }, () => openKeys(place, options)))
    expect(new Set(made.map(({ identity }) => identity)).size).toBe(1)
    expect(new Set(made.map(({ log }) => Buffer.from(log.key.publicKey).toString('hex'))).size).toBe(1)
    const again = await openKeys(place, options)
    expect(again.identity).toBe(made[0]!.identity)
    const left = readdirSync(join(folder, 'data')).filter((name) => name.startsWith('keys.new'))
    expect(left).toEqual([])
  })
})
