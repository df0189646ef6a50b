import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leafHash, openCheckpoint, utf8Bytes } from 'countersign/core'
import { pinnedLog, signCheckpoint } from '../../src/log/head.js'
import { openKeys, type RegistryKeys } from '../../src/log/keys.js'
import { openRollbackMemory, type RollbackMemory } from '../../src/log/rollback.js'
import { openFileLock } from '../../src/storage/file-lock.js'

// Several processes of one machine keep one rollback file.

let folder: string
let file: string
let keys: RegistryKeys
/** What the database holds, by size. */
let committed: Map<number, string>
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-shared-'))
  file = join(folder, 'state', 'registry.rollback')
  keys = await openKeys(join(folder, 'keys'))
  committed = new Map(Array.from({ length: 40 }, (_, i) => [i + 1, noteOf(i + 1)]))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const noteOf = (size: number, what = 'ours'): string =>
  signCheckpoint(keys, size, leafHash(utf8Bytes(`${what} ${size}`)))
const open = (): RollbackMemory =>
  openRollbackMemory(file, { log: pinnedLog(keys), readCheckpoint: async (size) => committed.get(size) })
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

describe('the lock between processes', () => {
  it('is held by one at a time, and says so when it is not free in time', async () => {
    const path = join(folder, 'state', 'a.lock')
    const [one, other] = [openFileLock(path), openFileLock(path, 30)]
    let late: Promise<unknown> = Promise.resolve()
    await one.hold(() => {
      late = other.hold(() => 'now')
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
    for (const lock of [one, other, holder]) lock.close()
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
