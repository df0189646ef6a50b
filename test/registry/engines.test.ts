import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { exportCommand, importCommand } from '../../src/registry/commands/move.js'
import { keyCommand, signCommand } from '../../src/registry/commands/root-papers.js'
import { initCommand, proposeCommand, publishCommand } from '../../src/registry/commands/root.js'
import {
  adoptKeysCommand,
  fsckCommand,
  migrateCommand,
  recoverCommand,
  resetPasswordCommand,
} from '../../src/registry/commands/upkeep.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  sampleManifest,
  type Client,
} from '../support/registry.js'
import { makeDatabase, makeMigratedDatabase, type TestDatabase } from '../support/postgres.js'
import { fetchText, hostOf, openPlace, type Place, type Running } from './support.js'

// What operators run, on the engine of several processes; and what processes of one registry hold against each other.

const opened: (Place | TestDatabase)[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await ('drop' in one ? one.drop() : one.remove())
})

type Open = () => Promise<TestDatabase | undefined>

async function openDatabase(make = makeMigratedDatabase): Promise<TestDatabase> {
  const database = await make()
  opened.push(database)
  return database
}

/** A folder of its own over this database; without one, over SQLite. */
function placeOver(database: TestDatabase | undefined, client?: Client): Place {
  const settings = database === undefined ? {} : { COUNTERSIGN_DATABASE_URL: database.url }
  const place = openPlace(undefined, settings, client)
  opened.push(place)
  return place
}

function copyFolder(name: string, from: Place, to: Place): void {
  rmSync(join(to.config.dataDir, name), { recursive: true, force: true })
  cpSync(join(from.config.dataDir, name), join(to.config.dataDir, name), { recursive: true })
}

/** Another process of the registry of this place: the same keys, a folder and a memory of its own. */
function sibling(of: Place, database: TestDatabase): Place {
  const place = placeOver(database, of.client())
  for (const name of ['keys', 'oauth']) copyFolder(name, of, place)
  return place
}

async function release(at: Running, namespace: string): Promise<string> {
  const publisher = await addPublisher(at, namespace, at.admin)
  const { manifest } = await publishManifest(
    publisher,
    sampleManifest(at.identity, { server: `${namespace}/one` }),
  )
  await approveManifest(at.admin, manifest)
  return manifest
}

describe('on PostgreSQL', () => {
  it('a command in the wrong database says so and makes nothing', async () => {
    const database = await openDatabase(makeDatabase)
    const place = placeOver(database)
    await place.run(keyCommand, ['root', 'key', '--name', 'example.com/root-1', '--out', place.file('key')])
    const keys = placeOver(undefined)
    await (await keys.start()).stop()
    for (const name of ['keys', 'oauth']) copyFolder(name, keys, place)
    const calls = [
      () => place.run(fsckCommand, ['fsck']),
      () => place.run(resetPasswordCommand, ['reset-password']),
      () => place.run(proposeCommand, ['root', 'propose', '--out', place.file('next')]),
      () => place.run(recoverCommand, ['recover']),
      () => place.run(adoptKeysCommand, ['adopt-keys']),
      () => place.run(exportCommand, ['export', '--out', place.file('out')]),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'not-started' })
    expect(
      await database.query("SELECT 1 FROM information_schema.tables WHERE table_schema = 'public'"),
    ).toEqual([])
  })

  it('migrate, fsck, reset-password and root propose work beside a registry that runs', async () => {
    const database = await openDatabase(makeDatabase)
    const place = placeOver(database)
    await place.run(migrateCommand, ['migrate'])
    await place.run(migrateCommand, ['migrate'])
    await place.start()
    expect((await place.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
    expect((await place.run(resetPasswordCommand, ['reset-password'])).say.join()).toMatch(/[a-z0-9]{6}-/)
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('next')])
    expect(existsSync(place.file('next'))).toBe(true)
  })

  it('root init begins a log that people signed', async () => {
    const place = placeOver(await openDatabase())
    await place.run(initCommand, ['root', 'init', '--out', place.file('one')])
    await place.run(publishCommand, ['root', 'publish', place.file('one')])
    const at = await place.start()
    expect(at.registry.ledger.rootNote(1)).toContain(at.identity)
    await at.stop()
    await expect(place.run(initCommand, ['root', 'init', '--out', place.file('two')])).rejects.toMatchObject({
      code: 'already-started',
    })
  })

  it('root publish logs the next root', async () => {
    const place = placeOver(await openDatabase())
    await (await place.start()).stop()
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('two')])
    await place.run(signCommand, ['root', 'sign', place.file('two')])
    await place.run(publishCommand, ['root', 'publish', place.file('two')])
    const at = await place.start()
    expect(at.registry.ledger.trustRoot().version).toBe(2)
  })
})

describe('a restored backup', () => {
  /** What one engine exports the other one imports: one registry is enough for both. */
  let days: Awaited<ReturnType<typeof twoDays>>
  beforeAll(async () => {
    days = await twoDays()
  })
  afterAll(() => days.remove())

  /** A registry, an export of its first day, and one of its second. */
  async function twoDays() {
    const database = await makeMigratedDatabase()
    const place = openPlace(undefined, { COUNTERSIGN_DATABASE_URL: database.url })
    const at = await place.start()
    const rootNote = await fetchText(at, '/v1/root/1')
    const first = await release(at, 'com.example')
    const [older, newer] = [place.file('older'), place.file('newer')]
    await place.run(exportCommand, ['export', '--out', older])
    const second = await release(at, 'org.example')
    await place.run(exportCommand, ['export', '--out', newer])
    await at.stop()
    const remove = async (): Promise<void> => {
      await place.remove()
      await database.drop()
    }
    return { place, rootNote, first, second, older, newer, remove }
  }

  /** Its database is gone; what the folders hold, and what is remembered outside, is there. */
  async function loseDatabase(place: Place, open: Open): Promise<Place> {
    const next = placeOver(await open(), place.client())
    for (const name of ['keys', 'oauth']) copyFolder(name, place, next)
    cpSync(place.file('state'), next.file('state'), { recursive: true })
    return next
  }

  it.each<[string, Open]>([
    ['SQLite', () => Promise.resolve(undefined)],
    ['PostgreSQL', () => openDatabase()],
  ])('on %s goes on when it is the newest; is refused when older, and recovers', async (_engine, open) => {
    const { place, older, newer, rootNote, first, second } = days
    const whole = await loseDatabase(place, open)
    await whole.run(importCommand, ['import', newer])
    expect(await digestsAt(await whole.start(), rootNote)).toEqual([first, second])

    const next = await loseDatabase(place, open)
    await next.run(importCommand, ['import', older])
    await expect(next.start()).rejects.toMatchObject({
      code: 'rollback',
      message: expect.stringContaining('successor') as string,
    })
    const said = await next.run(recoverCommand, ['recover'])
    expect(said.tell.filter((line) => line.startsWith('!'))).toHaveLength(1)
    const at = await next.start()
    expect(at.registry.ledger.origin).toBe(`${at.identity}/log-2`)
    // What came after the backup is void: it is published again.
    expect(await digestsAt(at, rootNote)).toEqual([first, 'unknown-server'])
    await at.stop()
    expect((await next.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
  })
})

/** What a host that pinned the first root is given of both servers. */
async function digestsAt(at: Running, rootNote: string): Promise<string[]> {
  const host = await hostOf(at, { rootNote })
  const verify = (server: string): Promise<string> =>
    host.verify(server).then(
      ({ digest }) => digest,
      (error: unknown) => (error as { code: string }).code,
    )
  const digests = [await verify('com.example/one'), await verify('org.example/one')]
  await host.close()
  return digests
}

it('recover --from is for files: on PostgreSQL it is refused before anything is touched', async () => {
  const place = placeOver(await openDatabase())
  await (await place.start()).stop()
  await expect(place.run(recoverCommand, ['recover', '--from', place.file('backup')])).rejects.toMatchObject({
    code: 'engine',
  })
  await place.start()
})

describe('processes over one database', () => {
  it('are those with the same keys; one with keys of its own signs nothing', async () => {
    const database = await openDatabase()
    const place = placeOver(database)
    const at = await place.start()
    const other = await sibling(place, database).start()
    expect([other.identity, other.fingerprint]).toEqual([at.identity, at.fingerprint])
    await other.stop()
    await at.stop()
    const before = await database.query('SELECT size, note, published_note FROM log_state')
    await expect(placeOver(database).start()).rejects.toMatchObject({ code: 'other-keys' })
    expect(await database.query('SELECT size, note, published_note FROM log_state')).toEqual(before)
  })

  it('take other keys of oauth/ only when an operator says that all have them', async () => {
    const database = await openDatabase()
    const place = placeOver(database)
    await (await place.start()).stop()
    for (const file of ['token-signing-key.json', 'cookie-key', 'webhook-key.pem']) {
      rmSync(join(place.config.dataDir, 'oauth', file))
      await expect(place.start(), file).rejects.toMatchObject({
        code: 'other-keys',
        message: expect.stringContaining('adopt-keys') as string,
      })
      const refused = place.run(adoptKeysCommand, ['adopt-keys'], { refuses: true })
      await expect(refused).rejects.toMatchObject({ code: 'not-agreed' })
      await place.run(adoptKeysCommand, ['adopt-keys'])
      await (await place.start()).stop()
    }
    await (await sibling(place, database).start()).stop()
  })
})
