import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import { exportCommand, importCommand } from '../../src/registry/commands/move.js'
import { fsckCommand, migrateCommand } from '../../src/registry/commands/upkeep.js'
import { assertWhole } from '../../src/storage/dump/read.js'
import { TABLES } from '../../src/storage/dump/tables.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  revokeManifest,
  sampleManifest,
} from '../support/registry.js'
import { makeDatabase, makeMigratedDatabase, type TestDatabase } from '../support/postgres.js'
import { fetchText, hostOf, openPlace, type Place, type Running } from './support.js'

// A registry moves: everything it ever served is the same, byte for byte, wherever it is served from.

const SERVER = 'com.example/weather'
let origin: Place
let exported: string
let rootNote: string
let served: Map<string, string>
/** Of hosts that have seen the registry where it was, one for each place it moves to: there they go different ways. */
const memories = Array.from({ length: 3 }, () => memoryInProcess())
const opened: (Place | TestDatabase)[] = []

beforeAll(async () => {
  origin = openPlace()
  exported = origin.file('registry.export')
  const at = await origin.start()
  const publisher = await addPublisher(at, 'com.example', at.admin)
  for (const version of ['1.0.0', '1.1.0', '2.0.0']) {
    const description = `Weather reports, release ${version}. Wetterberichte f\u00fcr \u6771\u4eac \u{1f30d}`
    const change = { server: SERVER, version, description }
    const { manifest } = await publishManifest(publisher, sampleManifest(at.identity, change))
    await approveManifest(at.admin, manifest)
    if (version === '1.1.0') await revokeManifest(at.admin, manifest)
  }
  rootNote = await fetchText(at, '/v1/root/1')
  served = await documentsOf(at)
  for (const memory of memories) {
    const host = await hostOf(at, { rootNote, memory })
    await host.verify(SERVER)
    await host.close()
  }
  // While it runs: nobody has to stop for a copy.
  await origin.run(exportCommand, ['export', '--out', exported])
  await at.stop()
})
afterEach(async () => {
  for (const one of opened.splice(0)) await ('drop' in one ? one.drop() : one.remove())
})
afterAll(() => origin.remove())

const LISTED = `/v1/servers/${SERVER}/versions`

/** Everything that never changes once it was served, by its path. */
async function documentsOf(at: Running): Promise<Map<string, string>> {
  const versions = (await at.admin.get(LISTED)).body.versions
  const size = at.registry.ledger.publishedSize()
  const paths = [
    ...versions.filter(({ status }) => status !== 'revoked').map(({ manifest }) => `/v1/bundles/${manifest}`),
    ...versions.map(({ manifest }) => `/v1/manifests/${manifest}`),
    ...[`/log/tile/0/000.p/${size}`, `/log/tile/entries/000.p/${size}`, '/v1/root/1', LISTED],
    `/v1/consistency?from=3&to=${size}`,
    `/v1/revocations/${Buffer.from(at.registry.ledger.publishedRevocations(), 'base64').toString('hex')}`,
  ]
  const texts = paths.map(async (path) => [path, await fetchText(at, path)] as const)
  return new Map(await Promise.all(texts))
}

/** A place with the keys of the registry and no database yet. */
function withKeys(settings: Readonly<Record<string, string>> = {}, from = origin): Place {
  const place = openPlace(undefined, settings, from.client())
  opened.push(place)
  for (const folder of ['keys', 'oauth']) {
    cpSync(join(from.config.dataDir, folder), join(place.config.dataDir, folder), { recursive: true })
  }
  // The memory outside moves with the registry.
  cpSync(from.file('state'), place.file('state'), { recursive: true })
  return place
}

async function onPostgres(make = makeMigratedDatabase, from = origin): Promise<Place> {
  const database = await make()
  opened.push(database)
  return withKeys({ COUNTERSIGN_DATABASE_URL: database.url }, from)
}

/** Where there are no tables yet. */
function onBarePostgres(): Promise<Place> {
  return onPostgres(makeDatabase)
}

function onSqlite(): Promise<Place> {
  return Promise.resolve(withKeys())
}

async function importInto(place: Place, file = exported): Promise<Place> {
  await place.run(importCommand, ['import', file])
  return place
}

/** Its lines, without what says when. */
function linesOf(file: string): string[] {
  return gunzipSync(readFileSync(file)).toString('utf8').split('\n').slice(1, -2)
}

async function assertSame(place: Place): Promise<void> {
  const at = await place.start()
  try {
    for (const [path, text] of served) expect(await fetchText(at, path), path).toBe(text)
    // A host that pinned it where it was goes on, and what it remembers is not contradicted.
    const memory = memories.pop()
    if (memory === undefined) throw new Error('there are fewer hosts than places')
    const host = await hostOf(at, { rootNote, memory })
    expect((await host.verify(SERVER)).version).toBe('2.0.0')
    await expect(host.verify(SERVER, '1.1.0')).rejects.toMatchObject({ code: 'revoked' })
    await host.close()
    // Its accounts and its log go on as well.
    const publisher = await addPublisher({ ...at, dir: place.dir }, 'org.example', at.admin)
    const change = { server: 'org.example/next' }
    const { manifest } = await publishManifest(publisher, sampleManifest(at.identity, change))
    await approveManifest(at.admin, manifest)
  } finally {
    await at.stop()
  }
  const { say } = await place.run(fsckCommand, ['fsck'])
  expect(say.at(-1)).toBe('sound')
}

describe('export and import', () => {
  it('move a registry from either engine to either one without breaking a proof', async () => {
    // From SQLite to PostgreSQL, to another one, to SQLite, to another one: nothing is lost or changed on any way.
    const ways = [onBarePostgres, onPostgres, onSqlite, onSqlite]
    const places: Place[] = []
    let file = exported
    for (const open of ways) {
      const place = await importInto(await open(), file)
      file = place.file('again')
      await place.run(exportCommand, ['export', '--out', file])
      expect(linesOf(file)).toEqual(linesOf(exported))
      places.push(place)
    }
    for (const place of [places[1], places[3]]) await assertSame(place ?? origin)
  })

  it('take with them what a publisher wrote to stop that: PostgreSQL holds no NUL', async () => {
    const [place, hostile] = [openPlace(), 'com.example/hostile']
    opened.push(place)
    const at = await place.start()
    const publisher = await addPublisher(at, 'com.example', at.admin)
    const texts = { title: 'Weather\0', description: '\0 and more' }
    // Where no URL is parsed, it is found by what it says.
    const remotes = ['https://a^b/\0', 'https://a^b/'].map((url) => ({ type: 'sse', url }) as const)
    const { manifest } = await publishManifest(
      publisher,
      sampleManifest(at.identity, { server: hostile, ...texts, remotes }),
    )
    await at.stop()
    const [file, moved] = [place.file('registry.export'), await onPostgres(makeMigratedDatabase, place)]
    await place.run(exportCommand, ['export', '--out', file])
    await importInto(moved, file)
    expect((await moved.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
    const there = await moved.start()
    const { status, body } = await there.admin.get(`/v1/review/${manifest}`)
    expect([status, body.manifest]).toEqual([200, manifest])
    // What was signed is as it was; what lists show of it says where the character is missing.
    await there.stop()
    const again = moved.file('again')
    await moved.run(exportCommand, ['export', '--out', again])
    const rowOf = (from: string, table: string): string =>
      linesOf(from).find((line) => line.startsWith(`["${table}","${manifest}",`)) ?? ''
    const keysOf = (from: string): string[] =>
      linesOf(from).filter((line) => line.startsWith('["manifest_lookups","url:https://a^b/'))
    expect([keysOf(file).length, keysOf(again).length]).toEqual([2, 1])
    expect(rowOf(again, 'envelopes')).toBe(rowOf(file, 'envelopes'))
    const shown = JSON.parse(rowOf(again, 'manifests')) as unknown[]
    expect(shown.slice(-2)).toEqual(['Weather\ufffd', '\ufffd and more'])
  })

  it('keep the file to its owner, never write over one, and say what is in it as JSON', async () => {
    const place = await importInto(await onSqlite())
    const file = place.file('out')
    const { say } = await place.run(exportCommand, ['export', '--json', '--out', file])
    expect(JSON.parse(say.join())).toMatchObject({ size: linesWith('entries'), sha256: digestOf(exported) })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const before = readFileSync(file)
    await expect(place.run(exportCommand, ['export', '--out', file])).rejects.toMatchObject({
      code: 'export-unwritable',
    })
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(readdirSync(place.dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

const linesWith = (table: string): number =>
  linesOf(exported).filter((line) => line.startsWith(`["${table}",`)).length

function digestOf(file: string): string {
  const text = gunzipSync(readFileSync(file)).toString('utf8')
  return (JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as { sha256: string }).sha256
}

/** The export with its lines changed; the hash at its end is made again when whoever changed it thought of that. */
function forge(file: string, change: (lines: string[]) => string[], isHashed = true): string {
  const lines = change(gunzipSync(readFileSync(exported)).toString('utf8').trimEnd().split('\n'))
  const end = JSON.parse(lines.pop() ?? '') as { rows: Record<string, number>; sha256: string }
  const body = `${lines.join('\n')}\n`
  if (isHashed) {
    end.sha256 = createHash('sha256').update(body).digest('hex')
    for (const table of Object.keys(end.rows)) {
      end.rows[table] = lines.filter((line) => line.startsWith(`["${table}",`)).length
    }
  }
  writeFileSync(file, gzipSync(`${body}${JSON.stringify(end)}\n`))
  return file
}

const without = (start: string) => (lines: string[]) => {
  const at = lines.findIndex((line) => line.startsWith(start))
  return lines.filter((_, index) => index !== at)
}

const headAndEnd = (lines: string[]): string[] => [lines[0] ?? '', lines.at(-1) ?? '']

function rowsIn(place: Place): number {
  const file = databaseOf(place)
  if (!existsSync(file)) return 0
  const db = new Database(file)
  const count = ({ name }: { name: string }) =>
    db.prepare(`SELECT count(*) FROM ${name}`).pluck().get() as number
  const rows = TABLES.reduce((sum, table) => sum + count(table), 0)
  db.close()
  return rows
}

const databaseOf = ({ config }: Place): string => join(config.dataDir, 'registry.sqlite')

describe('an import refuses', () => {
  /** One for all that is refused: nothing of it may be left for the next. */
  let spare: Place
  beforeAll(() => {
    spare = withKeys()
    opened.pop()
  })
  afterAll(() => spare.remove())
  const cutAt = (share: number) => (file: string) => {
    const bytes = readFileSync(exported)
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * share)))
    return file
  }
  /** Not compressed: the bit is in a row, and only the end of the file says so. */
  const flipped = (what: string) => (file: string) => {
    const bytes = gzipSync(gunzipSync(readFileSync(exported)), { level: 0 })
    bytes[bytes.indexOf(what)]! ^= 1
    writeFileSync(file, bytes)
    return file
  }
  const rewritten = (change: (text: string) => string) => (file: string) =>
    forge(file, (lines) => [change(lines[0] ?? ''), ...lines.slice(1)])
  const nowhere = (file: string): string => `${file}-nowhere`
  const plain = (file: string): string => {
    writeFileSync(file, 'SQLite format 3\0')
    return file
  }
  const endless = (file: string): string => {
    writeFileSync(file, gzipSync(Buffer.alloc(65 * 1024 * 1024, 0x20), { level: 1 }))
    return file
  }
  const doubled = (file: string): string =>
    forge(file, (lines) => {
      const end = lines.pop() ?? ''
      return [...lines, lines.find((line) => line.startsWith('["entries",')) ?? '', end]
    })
  const trailing = (file: string): string => {
    const text = gunzipSync(readFileSync(exported)).toString('utf8')
    writeFileSync(file, gzipSync(`${text}["facts","planted","x"]\n`))
    return file
  }

  it.each([
    ['one that was cut in its middle', cutAt(0.5), 'export-cut'],
    ['one that was cut near its end', cutAt(0.99), 'export-cut'],
    ['an empty file', cutAt(0), 'export-cut'],
    ['a flipped bit in a row', flipped('["entries",1,'), 'export-damaged'],
    ['a flipped bit in a number that another row has', flipped('1,"{'), 'export-damaged'],
    ['a row less', (file: string) => forge(file, without('["audit",'), false), 'export-damaged'],
    ['rows that come twice', doubled, 'export-damaged'],
    ['something behind its end', trailing, 'export-damaged'],
    [
      'a log with a hole, its hash made again',
      (file: string) => forge(file, without('["entries",1,')),
      'log-damaged',
    ],
    ['a tile less, its hash made again', (file: string) => forge(file, without('["tiles",')), 'log-damaged'],
    [
      'a row without the one it refers to',
      (file: string) => forge(file, without('["manifests",')),
      'constraint',
    ],
    ['another version', rewritten((line) => line.replace(/"step":\d+/, '"step":7')), 'export-version'],
    ['another format', rewritten((line) => line.replace('export/v1', 'export/v2')), 'export-malformed'],
    [
      'another registry',
      rewritten((line) => line.replace(/"identity":"[^"]+"/, '"identity":"b.example"')),
      'other-registry',
    ],
    [
      'no log at all, its hash made again',
      (file: string) => forge(file, (lines) => headAndEnd(lines)),
      'log-damaged',
    ],
    [
      'the log of another registry under the name of this one',
      (file: string) =>
        forge(file, (lines) =>
          lines.map((line) => line.replace(/^(\["log_state",1,"[^"]+",")[^"]+/, '$1b.example')),
        ),
      'log-damaged',
    ],
    [
      'a table nobody knows',
      (file: string) => forge(file, (lines) => lines.with(2, '["passwords","x"]')),
      'export-malformed',
    ],
    ['a database', plain, 'export-damaged'],
    ['a line without an end', endless, 'export-malformed'],
    ['a file that is not there', nowhere, 'export-malformed'],
  ])('%s, and changes nothing', async (_what, make, code) => {
    const file = make(spare.file('bad'))
    await expect(spare.run(importCommand, ['import', file])).rejects.toMatchObject({ code })
    expect(rowsIn(spare)).toBe(0)
  })

  it('nothing of the right one after all of these', async () => {
    await importInto(spare)
    expect((await spare.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
  })

  it('whichever bit is flipped, as a file that is not what was written', async () => {
    const bytes = readFileSync(exported)
    const file = origin.file('flipped')
    // Behind the first ten bytes, which say when and where it was made.
    const places = Array.from({ length: 60 }, (_, part) => 10 + Math.floor((part / 60) * (bytes.length - 10)))
    for (const place of places) {
      const other = Uint8Array.from(bytes)
      other[place]! ^= 1 << (place % 8)
      writeFileSync(file, other)
      await expect(assertWhole(file), String(place)).rejects.toMatchObject({
        code: expect.stringMatching(/^export-(damaged|cut)$/) as string,
      })
    }
  })

  it('to write over a registry', async () => {
    const place = await importInto(await onSqlite())
    await expect(place.run(importCommand, ['import', exported])).rejects.toMatchObject({
      code: 'database-not-empty',
    })
    expect((await place.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
  })

  it('to work without the keys, and makes nothing then', async () => {
    const place = openPlace()
    opened.push(place)
    await expect(place.run(importCommand, ['import', exported])).rejects.toMatchObject({
      code: 'not-started',
    })
    expect(existsSync(place.config.dataDir)).toBe(false)
  })

  it('what a hole leaves, on PostgreSQL as well', async () => {
    const place = await onPostgres()
    const file = forge(place.file('bad'), without('["entries",1,'))
    await expect(place.run(importCommand, ['import', file])).rejects.toMatchObject({ code: 'log-damaged' })
    // Empty again: what was signed elsewhere keeps a start from beginning anew.
    await expect(place.start()).rejects.toMatchObject({ code: 'rollback' })
  })
})

describe('an export refuses', () => {
  it('a folder without a database, and makes none', async () => {
    const place = openPlace()
    opened.push(place)
    const call = place.run(exportCommand, ['export', '--out', place.file('out')])
    await expect(call).rejects.toMatchObject({ code: 'not-started' })
    expect(existsSync(place.file('out'))).toBe(false)
  })

  it('a database without a log', async () => {
    const place = openPlace()
    opened.push(place)
    await place.run(migrateCommand, ['migrate'])
    const call = place.run(exportCommand, ['export', '--out', place.file('out')])
    await expect(call).rejects.toMatchObject({ code: 'database-empty' })
    expect(existsSync(place.file('out'))).toBe(false)
  })

  it('a folder that is not there', async () => {
    const call = origin.run(exportCommand, ['export', '--out', origin.file('nowhere/out')])
    await expect(call).rejects.toMatchObject({ code: 'export-unwritable' })
  })
})

describe('an import that was interrupted before its log was checked', () => {
  it('lets no registry start, and may be run again', async () => {
    const place = await importInto(await onSqlite())
    markUnchecked(place)
    await expect(place.start()).rejects.toMatchObject({ code: 'import-unfinished' })
    await importInto(place)
    await assertSame(place)
  })
})

describe('two imports into one database', () => {
  it.each([
    ['sound', () => exported],
    ['damaged', () => forge(origin.file('bad'), without('["entries",1,'))],
  ])('do not speak for each other, where the first was %s', async (_what, make) => {
    const place = await onSqlite()
    // What the other one leaves when it has filled the database anew, while this one checks what it had filled.
    const onTell = (text: string): void => {
      if (text === 'checking the log') setFact(place, 'unchecked by another')
    }
    const call = place.run(importCommand, ['import', make()], { onTell })
    await expect(call).rejects.toMatchObject({ code: 'running' })
    expect(rowsIn(place)).toBeGreaterThan(10)
    await expect(place.start()).rejects.toMatchObject({ code: 'import-unfinished' })
  })

  it('at the same time leave one registry, checked', async () => {
    const place = await onPostgres()
    const calls = [1, 2].map(() => place.run(importCommand, ['import', exported]))
    const codes = (await Promise.allSettled(calls)).map((call) =>
      call.status === 'fulfilled' ? 'done' : (call.reason as { code: string }).code,
    )
    expect(codes).toContain('done')
    for (const code of codes) expect(['done', 'busy', 'running', 'database-not-empty']).toContain(code)
    await (await place.start()).stop()
    expect((await place.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
  })
})

function markUnchecked(place: Place): void {
  setFact(place, 'unchecked')
}

function setFact(place: Place, value: string): void {
  const db = new Database(databaseOf(place))
  expect(db.prepare("UPDATE facts SET value = ? WHERE name = 'import'").run(value).changes).toBe(1)
  db.close()
}
