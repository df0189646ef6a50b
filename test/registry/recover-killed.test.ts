import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openTrustRoot, parseEvent } from 'countersign/core'
import { openKeys } from '../../src/log/keys.js'
import { openLedger } from '../../src/log/ledger.js'
import { signCommand } from '../../src/registry/commands/root-papers.js'
import { initCommand, proposeCommand, publishCommand } from '../../src/registry/commands/root.js'
import { recoverCommand } from '../../src/registry/commands/upkeep.js'
import { makeRootKey } from '../../src/registry/root/key.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { silent } from '../support/ledger.js'
import { openPlace, type Place } from './support.js'

// A process that dies at its n-th write does nothing after it either: from there on every write fails.
const life = vi.hoisted(() => {
  let left = Infinity
  return {
    end: (after: number): void => void (left = after),
    spend: (): void => {
      if (--left < 0) throw new Error('killed')
    },
    isOver: (): boolean => left < 0,
  }
})

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const mortal =
    <A extends unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      life.spend()
      return write(...args)
    }
  const open: typeof real.open = async (path, flags, mode) => {
    if (flags !== 'r') life.spend()
    return real.open(path, flags, mode)
  }
  const { rename, mkdir, rm, copyFile } = real
  return {
    ...real,
    ...{ open, rename: mortal(rename), rm: mortal(rm), copyFile: mortal(copyFile) },
    mkdir: mortal(mkdir as (path: string, options?: object) => Promise<string | undefined>),
  }
})

let alone: Place
let offline: Place
beforeAll(async () => {
  alone = openPlace()
  await (await alone.start()).stop()
  copyFileSync(join(alone.config.dataDir, 'registry.sqlite'), alone.file('backup'))
  // The log goes on after the backup was made.
  await (
    await alone.start()
  ).registry.ledger.submit({
    authorise: () => Promise.resolve(),
    event: () => ({
      ...{ v: 1, t: 'deprecate', target: 'server', name: 'com.example/lost' },
      ...{ reason: 'a test', deciders: ['holder'] },
    }),
    apply: () => Promise.resolve(),
  })
  await alone.stop()

  offline = openPlace()
  const vkey = await makeRootKey(offline.file('key'), 'example.com/root-1')
  const one = offline.file('one')
  await offline.run(initCommand, ['root', 'init', '--root-key', vkey, '--out', one])
  await offline.run(signCommand, ['root', 'sign', one, '--key', offline.file('key')])
  await offline.run(publishCommand, ['root', 'publish', one])
})
afterAll(async () => {
  await alone.remove()
  await offline.remove()
})

/** In a long run every write; else every third, which each case begins elsewhere. */
const STEP = process.env['EXHAUSTIVE'] === '1' ? 1 : 3

/** Kills a run at its writes in turn, up to an end, and runs it again; resolves with how many there were. */
async function killEverywhere(
  from: Place,
  run: (place: Place) => Promise<unknown>,
  check: (place: Place, at: number) => Promise<void>,
  isEnd: (place: Place) => boolean = () => false,
  first = 0,
): Promise<number> {
  for (let at = first; ; at += STEP) {
    const place = openPlace(from)
    try {
      life.end(at)
      const died = await run(place).catch((error: unknown) => error)
      const isDone = !life.isOver()
      life.end(Infinity)
      if (isDone || isEnd(place)) return at
      expect(died, `at write ${at}`).toMatchObject({
        message: expect.stringMatching(/killed|cannot/) as string,
      })
      await run(place)
      await check(place, at)
    } finally {
      life.end(Infinity)
      await place.remove()
    }
  }
}

/** Opens the log as a start does: database, keys and rollback file must agree. */
async function assertSucceeded({ config }: Place, at: number): Promise<void> {
  const store = await openSqliteStore(join(config.dataDir, 'registry.sqlite'))
  try {
    const keys = await openKeys(join(config.dataDir, 'keys'))
    const rollbackFile = config.rollbackFile ?? ''
    expect(keys.origin, `at write ${at}`).toBe(`${keys.identity}/log-2`)
    const ledger = await openLedger({ store, keys, rollbackFile, log: silent })
    await ledger.close()
    const [frozen, ...more] = await store.readFrozenLogs()
    expect(more).toEqual([])
    const roots = (await store.readRootNotes()).map(({ note }) => note)
    expect(openTrustRoot(roots[1] ?? '', openTrustRoot(roots[0] ?? '')).logs[0]).toMatchObject({
      status: 'frozen',
      final: { size: frozen?.size },
    })
    const leaves = (await store.readEntries(0, 8)).map((leaf) => parseEvent(leaf).t)
    expect(leaves).toEqual(['continue', 'root', 'snapshot'])
  } finally {
    await store.close()
  }
}

describe('a recovery that is killed at any of its writes', () => {
  it('is finished by the next run: from the database that is there', async () => {
    const run = (place: Place) => place.run(recoverCommand, ['recover'])
    expect(await killEverywhere(alone, run, assertSucceeded)).toBeGreaterThan(8)
  })

  it('is finished by the next run: from a backup', async () => {
    const run = (place: Place) => place.run(recoverCommand, ['recover', '--from', place.file('backup')])
    // With the backup in its place it goes on like the one before.
    const isInPlace = ({ config }: Place) => existsSync(join(config.dataDir, 'recovery', 'source.json'))
    expect(await killEverywhere(alone, run, assertSucceeded, isInPlace)).toBeGreaterThan(8)
  })

  it('keeps the trust roots that the backup does not know', async () => {
    const newer = openPlace(alone)
    const two = newer.file('two')
    await newer.run(proposeCommand, ['root', 'propose', '--out', two])
    await newer.run(signCommand, ['root', 'sign', two])
    await newer.run(publishCommand, ['root', 'publish', two])
    const run = (place: Place) => place.run(recoverCommand, ['recover', '--from', place.file('backup')])
    const assertKept = async ({ config }: Place, at: number): Promise<void> => {
      const store = await openSqliteStore(join(config.dataDir, 'registry.sqlite'))
      const notes = (await store.readRootNotes().finally(() => store.close())).map(({ note }) => note)
      expect(notes, `at write ${at}`).toHaveLength(3)
      expect(notes[1], `at write ${at}`).toBe(readFileSync(two, 'utf8'))
    }
    const isInPlace = ({ config }: Place) => existsSync(join(config.dataDir, 'recovery', 'source.json'))
    // Before that nothing is written but the copy.
    expect(await killEverywhere(newer, run, assertKept, isInPlace, 11)).toBeGreaterThan(12)
    await newer.remove()
  })

  it('is finished by the next run: with offline keys, in both steps', async () => {
    const draft = (place: Place) =>
      place.run(recoverCommand, ['recover', '--out', place.file('draft')]).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'recovery-unsigned') throw error
      })
    const finish = async (place: Place): Promise<void> => {
      await place.run(signCommand, ['root', 'sign', place.file('draft'), '--key', place.file('key')])
      await place.run(recoverCommand, ['recover', '--root', place.file('draft')])
    }
    const both = async (place: Place, at: number): Promise<void> => {
      await finish(place)
      await assertSucceeded(place, at)
    }
    expect(await killEverywhere(offline, draft, both)).toBeGreaterThan(3)

    const drafted = openPlace(offline)
    await draft(drafted)
    await drafted.run(signCommand, ['root', 'sign', drafted.file('draft'), '--key', drafted.file('key')])
    const second = (place: Place) => place.run(recoverCommand, ['recover', '--root', place.file('draft')])
    expect(await killEverywhere(drafted, second, assertSucceeded)).toBeGreaterThan(4)
    await drafted.remove()
  })

  it('signs the same root in every run', async () => {
    const place = openPlace(alone)
    const plan = (): string => readFileSync(join(place.config.dataDir, 'recovery', 'plan.json'), 'utf8')
    const run = (now: number) => place.run(recoverCommand, ['recover'], { now })
    let planned = ''
    for (let at = 0; planned === ''; at++) {
      life.end(at)
      await run(Date.now()).catch(() => undefined)
      life.end(Infinity)
      try {
        planned = plan()
      } catch {
        // Not yet.
      }
    }
    await run(Date.now() + 86_400_000)
    const store = await openSqliteStore(join(place.config.dataDir, 'registry.sqlite'))
    const { rootText } = JSON.parse(planned) as { rootText: string }
    expect((await store.readRootNotes()).at(-1)?.note.startsWith(rootText)).toBe(true)
    await store.close()
    await place.remove()
  })

  it('says so when what it knows of itself is damaged', async () => {
    const place = openPlace(offline)
    await place.run(recoverCommand, ['recover']).catch(() => undefined)
    writeFileSync(join(place.config.dataDir, 'recovery', 'plan.json'), '{')
    await expect(place.run(recoverCommand, ['recover'])).rejects.toMatchObject({ code: 'file-unusable' })
    await place.remove()
  })
})
