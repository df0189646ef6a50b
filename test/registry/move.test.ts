import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import { exportCommand, importCommand } from '../../src/registry/commands/move.js'
import { fsckCommand, migrateCommand } from '../../src/registry/commands/upkeep.js'
import {
  addPublisher,
  approveManifest,
  publishManifest,
  revokeManifest,
  sampleManifest,
} from '../support/registry.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { fetchText, hostOf, openPlace, type Place, type Running } from './support.js'

// A registry moves: everything it ever served is the same, byte for byte, wherever it is served from.

const SERVER = 'com.example/weather'
let origin: Place
let exported: string
let rootNote: string
let served: Map<string, string>
/** Of hosts that have seen the registry where it was, one for each place it moves to: there they go different ways. */
const memories = Array.from({ length: 5 }, () => memoryInProcess())
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
function withKeys(settings: Readonly<Record<string, string>> = {}): Place {
  const place = openPlace(undefined, settings, origin.client())
  opened.push(place)
  for (const folder of ['keys', 'oauth']) {
    cpSync(join(origin.config.dataDir, folder), join(place.config.dataDir, folder), { recursive: true })
  }
  // The memory outside moves with the registry.
  cpSync(origin.file('state'), place.file('state'), { recursive: true })
  return place
}

async function onPostgres(): Promise<Place> {
  const database = await makeDatabase()
  opened.push(database)
  return withKeys({ COUNTERSIGN_DATABASE_URL: database.url })
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
  it.each([
    ['SQLite', 'SQLite', onSqlite, onSqlite],
    ['SQLite', 'PostgreSQL', onSqlite, onPostgres],
    ['PostgreSQL', 'SQLite', onPostgres, onSqlite],
    ['PostgreSQL', 'PostgreSQL', onPostgres, onPostgres],
  ])('move a registry from %s to %s without breaking a proof', async (_from, _to, openFrom, openTo) => {
    const from = await importInto(await openFrom())
    const again = from.file('again')
    await from.run(exportCommand, ['export', '--out', again])
    expect(linesOf(again)).toEqual(linesOf(exported))
    await assertSame(await importInto(await openTo(), again))
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

describe('an import refuses', () => {
  const cutAt = (share: number) => (file: string) => {
    const bytes = readFileSync(exported)
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * share)))
    return file
  }
  const flipped = (file: string): string => {
    const bytes = readFileSync(exported)
    bytes[Math.floor(bytes.length / 2)]! ^= 1
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
    writeFileSync(file, gzipSync(Buffer.alloc(65 * 1024 * 1024, 0x20)))
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
    ['a flipped bit', flipped, 'export-damaged'],
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
      'a table nobody knows',
      (file: string) => forge(file, (lines) => lines.with(2, '["passwords","x"]')),
      'export-malformed',
    ],
    ['a database', plain, 'export-damaged'],
    ['a line without an end', endless, 'export-malformed'],
    ['a file that is not there', nowhere, 'export-malformed'],
  ])('%s, and changes nothing', async (_what, make, code) => {
    const place = await onSqlite()
    const file = make(place.file('bad'))
    await expect(place.run(importCommand, ['import', file])).rejects.toMatchObject({ code })
    // Nothing is in the way of the right one, which checks what it filled.
    await importInto(place)
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
    await markUnchecked(place)
    await expect(place.start()).rejects.toMatchObject({ code: 'import-unfinished' })
    await importInto(place)
    await assertSame(place)
  })
})

async function markUnchecked(place: Place): Promise<void> {
  const { default: Database } = await import('better-sqlite3')
  const db = new Database(join(place.config.dataDir, 'registry.sqlite'))
  expect(db.prepare("UPDATE facts SET value = 'unchecked' WHERE name = 'import'").run().changes).toBe(1)
  db.close()
}
