import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import Database from 'better-sqlite3'
import { pino } from 'pino'
import { memoryInProcess, openHost } from 'countersign'
import { openTrustRoot, parseBundle, signKeyRevokeEvent } from 'countersign/core'
import { registryApi } from '../../client/src/registry-api.js'
import { openListener } from '../../src/http/server.js'
import { checkLog } from '../../src/log/fsck.js'
import { openKeys, readKey } from '../../src/log/keys.js'
import { openRegistry } from '../../src/registry.js'
import { signCommand } from '../../src/registry/commands/root-papers.js'
import { initCommand, proposeCommand, publishCommand } from '../../src/registry/commands/root.js'
import { fsckCommand, recoverCommand } from '../../src/registry/commands/upkeep.js'
import { makeRootKey } from '../../src/registry/root/key.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import {
  addKey,
  addPublisher,
  approveManifest,
  callerOf,
  newKey,
  publishManifest,
  revokeManifest,
  sampleManifest,
  submitKeyEvent,
  type Publisher,
} from '../support/registry.js'
import { fetchText, hostOf, openPlace, type Place, type Running } from './support.js'

const SERVER = 'com.example/weather'
/** A registry with one approved version, stopped; each test has a copy of it. */
let alone: Place
let before: History
let place: Place
beforeAll(async () => {
  place = alone = openPlace()
  before = await begin()
})
beforeEach(() => {
  place = openPlace(alone)
})
afterEach(() => place.remove())
afterAll(() => alone.remove())

const recover = (...args: string[]) => place.run(recoverCommand, ['recover', ...args])
const database = (): string => join(place.config.dataDir, 'registry.sqlite')
const keyFile = (name: string): string => join(place.config.dataDir, 'keys', name)

/** Publishes and approves a version; its digest. */
async function release(at: Running, publisher: Publisher, version: string): Promise<string> {
  const caller = { ...publisher, caller: at.admin }
  const description = `Weather reports and forecasts, release ${version}.`
  const manifest = sampleManifest(at.identity, { server: SERVER, version, description })
  const published = await publishManifest(caller, manifest)
  await approveManifest(at.admin, published.manifest)
  return published.manifest
}

interface History {
  readonly publisher: Publisher
  readonly digest: string
  readonly rootNote: string
  /** Positions of the log that ended. */
  readonly size: number
}

/** One approved version in the place, and everything stopped. */
async function begin(): Promise<History> {
  const at = await place.start()
  const publisher = await addPublisher(at, 'com.example', at.admin)
  const digest = await release(at, publisher, '1.0.0')
  const rootNote = await fetchText(at, '/v1/root/1')
  const size = at.registry.ledger.publishedEnd()
  await at.stop()
  return { publisher, digest, rootNote, size }
}

/** Everything in the database is as its entries say. */
async function assertSound(): Promise<void> {
  const store = await openSqliteStore(database())
  const { logKeyFile } = place.secrets
  try {
    const keys = await openKeys(
      join(place.config.dataDir, 'keys'),
      logKeyFile === undefined ? {} : { logKeyFile },
    )
    expect((await checkLog(store, keys)).faults).toEqual([])
  } finally {
    await store.close()
  }
}

async function verdictOf(at: Running, rootNote: string, version?: string): Promise<string> {
  const host = await hostOf(at, { rootNote })
  try {
    return (await host.verify(SERVER, version)).digest
  } catch (error) {
    return (error as { code: string }).code
  } finally {
    await host.close()
  }
}

describe('recover, of a registry whose root key is at hand', () => {
  it('ends the log and goes on: old approvals verify, new ones follow, denials too', async () => {
    const { publisher, digest, rootNote, size } = before
    const memory = memoryInProcess()
    const said = await recover()
    expect(said.asked).toHaveLength(1)
    expect(said.tell.filter((line) => line.startsWith('!'))).toEqual([])
    await assertSound()

    const at = await place.start()
    expect(at.registry.ledger).toMatchObject({ origin: `${at.identity}/log-2`, base: size })
    expect(openTrustRoot(await fetchText(at, '/v1/root/latest'), openTrustRoot(rootNote)).logs).toMatchObject(
      [
        { origin: `${at.identity}/log`, status: 'frozen', final: { size } },
        { origin: `${at.identity}/log-2`, status: 'active' },
      ],
    )
    expect(await verdictOf(at, rootNote)).toBe(digest)
    const { events } = parseBundle(await registryApi(at.url).fetchBundle(digest as `sha256:${string}`))
    expect(new Set(events.map(({ log }) => log))).toEqual(new Set([`${at.identity}/log`]))

    const second = await release(at, publisher, '2.0.0')
    expect(
      (await at.admin.get(`/v1/servers/${SERVER}/versions`)).body.versions.map(({ index }) => index),
    ).toEqual(expect.arrayContaining([expect.toSatisfy((index: number) => index >= size) as number]))
    expect(await verdictOf(at, rootNote, '2.0.0')).toBe(second)
    const mixed = parseBundle(await registryApi(at.url).fetchBundle(second as `sha256:${string}`)).events
    expect(new Set(mixed.map(({ log }) => log))).toEqual(new Set([`${at.identity}/log`, undefined]))
    await revokeManifest(at.admin, digest)
    expect(await verdictOf(at, rootNote, '1.0.0')).toBe('revoked')
    expect(await verdictOf(at, rootNote, '2.0.0')).toBe(second)
    const host = await hostOf(at, { rootNote, memory })
    expect((await host.verify(SERVER)).digest).toBe(second)
    await host.close()
    await at.stop()
    await assertSound()
  })

  it('takes a host that remembers the log along', async () => {
    const { digest, rootNote } = before
    const memory = memoryInProcess()
    const first = await place.start()
    const early = await hostOf(first, { rootNote, memory })
    await early.verify(SERVER)
    await early.close()
    await first.stop()
    await recover()
    const late = await hostOf(await place.start(), { rootNote, memory })
    expect((await late.verify(SERVER)).digest).toBe(digest)
    await late.close()
  })

  it('makes the old key useless to a thief', async () => {
    const { publisher, rootNote } = before
    const thiefs = openPlace()
    let stopThief = (): Promise<void> => Promise.resolve()
    try {
      cpSync(place.config.dataDir, thiefs.config.dataDir, { recursive: true })
      await recover()
      const at = await place.start()
      const memory = memoryInProcess()
      const host = await hostOf(at, { rootNote, memory })
      await host.verify(SERVER)
      await host.close()
      // The thief's own approval, in a log that goes on as if nothing had happened, under the stolen key.
      const other = await startAsThief(thiefs, at)
      stopThief = () => other.stop()
      const forged = await release(other, publisher, '6.6.6')
      const fooled = await hostOf(other, { rootNote, memory })
      // Nothing that the frozen log's key signs is read any further.
      await expect(fooled.verify(SERVER, '6.6.6')).rejects.toMatchObject({ code: 'checkpoint-invalid' })
      await fooled.close()
      // And as a bundle, slipped under the honest status.
      const [theirs, ours] = [registryApi(other.url), registryApi(at.url)]
      const mixed = await openHost({
        registry: {
          ...ours,
          fetchBundle: (digest) => theirs.fetchBundle(digest),
          fetchVersions: (server) => theirs.fetchVersions(server),
        },
        trust: { identity: at.identity, rootNote, fingerprint: at.fingerprint },
        memory: memoryInProcess(),
      })
      await expect(mixed.verify(SERVER, '6.6.6')).rejects.toMatchObject({ code: 'proof-invalid' })
      expect(forged).toMatch(/^sha256:/)
      await mixed.close()
    } finally {
      await stopThief()
      await thiefs.remove()
    }
  })

  /** Somebody with a copy of everything, and a login of the same admin. */
  async function startAsThief(thiefs: Place, at: Running): Promise<Running> {
    const listener = await openListener(thiefs.config.listen)
    const settled = { ...thiefs.config, publicUrl: listener.url }
    const registry = await openRegistry(settled, {}, pino({ level: 'silent' }))
    listener.serve(registry.app)
    const stop = async (): Promise<void> => {
      await listener.close(0)
      await registry.close()
    }
    const { identity, fingerprint } = registry
    const admin = callerOf(listener.url, at.admin.client)
    return {
      ...{ url: listener.url, identity, fingerprint, dir: thiefs.dir, registry, secrets: {}, admin },
      ...{ stop, close: stop },
      restart: () => Promise.reject(new Error('not here')),
    }
  }

  it('counts keys by position over the succession', async () => {
    const { publisher, digest, rootNote } = before
    await recover()
    const at = await place.start()
    const owner = { ...publisher, caller: at.admin }
    const second = newKey()
    const added = await addKey(at, owner, second, 'sign')
    const signed = { ...publisher, key: second }
    const two = await release(at, signed, '2.0.0')
    // The new key ends: what it signed before stands, nothing follows.
    const { last } = (await at.admin.get('/v1/namespaces/com.example')).body
    const end = signKeyRevokeEvent(
      { namespace: 'com.example', kid: second.kid, reason: 'superseded', after: last },
      at.identity,
      publisher.key,
    )
    expect((await submitKeyEvent(at.admin, end)).status).toBe(201)
    expect(await verdictOf(at, rootNote, '2.0.0')).toBe(two)
    await expect(release(at, signed, '3.0.0')).rejects.toThrow('key-')
    // The first key says itself that it was stolen before anything was published, in the log that ended.
    const again = (await at.admin.get('/v1/namespaces/com.example')).body
    const stolen = signKeyRevokeEvent(
      {
        ...{ namespace: 'com.example', kid: publisher.key.kid, reason: 'compromise', after: again.last },
        invalidFrom: 3,
      },
      at.identity,
      publisher.key,
    )
    const reply = await submitKeyEvent(at.admin, stolen)
    expect(reply.status).toBe(201)
    expect(added).toBeGreaterThan(3)
    expect(await verdictOf(at, rootNote, '1.0.0')).toBe('key-revoked')
    // What the stolen key endorsed after that falls with it.
    expect(await verdictOf(at, rootNote, '2.0.0')).toBe('key-revoked')
    expect(digest).not.toBe(two)
    await at.stop()
    await assertSound()
  })

  it('may be needed a second time', async () => {
    const { publisher, digest, rootNote } = before
    await recover()
    const between = await place.start()
    const two = await release(between, publisher, '2.0.0')
    await between.stop()
    await recover()
    await assertSound()
    const at = await place.start()
    expect(at.registry.ledger.origin).toBe(`${at.identity}/log-3`)
    const three = await release(at, publisher, '3.0.0')
    expect(await verdictOf(at, rootNote, '1.0.0')).toBe(digest)
    expect(await verdictOf(at, rootNote, '2.0.0')).toBe(two)
    expect(await verdictOf(at, rootNote, '3.0.0')).toBe(three)
    expect(readdirSync(keyFile('retired')).sort()).toEqual(['log-2.key', 'log.key'])
  })

  it('has nothing to do when it is done', async () => {
    await recover()
    const made = await readKey(keyFile('log.key'))
    const again = await recover()
    expect(again.asked).toEqual([])
    expect((await readKey(keyFile('log.key'))).key).toEqual(made.key)
  })

  it('does nothing unless a person agrees, nothing to a registry that runs, nothing without a log', async () => {
    const { size } = before
    const refused = place.run(recoverCommand, ['recover'], { refuses: true })
    await expect(refused).rejects.toMatchObject({ code: 'not-agreed' })
    const at = await place.start()
    expect(at.registry.ledger).toMatchObject({ base: 0, origin: `${at.identity}/log` })
    expect(at.registry.ledger.publishedEnd()).toBe(size)
    await expect(recover()).rejects.toMatchObject({ code: 'running' })
    await at.stop()
    const empty = openPlace()
    try {
      await empty.run(initCommand, ['root', 'init', '--out', empty.file('one')])
      await expect(empty.run(recoverCommand, ['recover'])).rejects.toMatchObject({ code: 'not-started' })
    } finally {
      await empty.remove()
    }
  })

  it('keeps log keys where it is told to, in a new file', async () => {
    const first = openPlaceWithKey('log-key')
    await (await first.start()).stop()
    await expect(first.run(recoverCommand, ['recover'])).rejects.toMatchObject({ code: 'file-exists' })
    Object.assign(first.secrets, { logKeyFile: first.file('log-key-2') })
    await first.run(recoverCommand, ['recover'])
    const at = await first.start()
    expect(at.registry.ledger.origin).toBe(`${at.identity}/log-2`)
    await at.stop()
    expect(existsSync(first.file('log-key'))).toBe(true)
    await first.remove()
  })

  function openPlaceWithKey(name: string): Place {
    const opened = openPlace()
    Object.assign(opened.secrets, { logKeyFile: opened.file(name) })
    return opened
  }
})

describe('recover from a backup', () => {
  it('says what is lost, moves aside what was there, and goes on', async () => {
    const { publisher, digest, rootNote, size } = before
    const backup = place.file('backup.sqlite')
    copyFileSync(database(), backup)
    const memory = memoryInProcess()
    const lost = await place.start()
    await release(lost, publisher, '2.0.0')
    const early = await hostOf(lost, { rootNote, memory })
    await early.verify(SERVER)
    await early.close()
    const end = lost.registry.ledger.publishedEnd()
    await lost.stop()

    // Put back by hand, it refuses to fork.
    const kept = place.file('kept.sqlite')
    copyFileSync(database(), kept)
    copyFileSync(backup, database())
    await expect(place.start()).rejects.toMatchObject({ code: 'rollback' })
    copyFileSync(kept, database())

    const said = await recover('--from', backup)
    expect(said.tell.filter((line) => line.startsWith('!')).join()).toContain(
      `the last ${end - size} are lost`,
    )
    const aside = readFileSync(join(place.config.dataDir, 'replaced', '1', 'registry.sqlite'))
    expect(aside.equals(readFileSync(kept))).toBe(true)
    await assertSound()
    const at = await place.start()
    expect(at.registry.ledger).toMatchObject({ base: size, origin: `${at.identity}/log-2` })
    // The host saw entries that nobody can prove any more: it goes on when its person has pinned the root that says so.
    const late = await hostOf(at, { rootNote, memory })
    await expect(late.verify(SERVER, '1.0.0')).rejects.toMatchObject({ code: 'rollback' })
    await late.close()
    const pinned = await hostOf(at, { rootNote: await fetchText(at, '/v1/root/latest'), memory })
    expect((await pinned.verify(SERVER, '1.0.0')).digest).toBe(digest)
    await pinned.close()
    const again = await release(at, publisher, '2.0.1')
    expect(await verdictOf(at, rootNote, '2.0.1')).toBe(again)
    await at.stop()
    // By mistake once more: the backup is from before the succession now.
    await expect(recover('--from', backup)).rejects.toMatchObject({ code: 'recovery-source' })
    await (await place.start()).stop()
  })

  it('carries along the trust roots that the backup does not know', async () => {
    const backup = place.file('backup.sqlite')
    copyFileSync(database(), backup)
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('two'), '--max-seconds', '7200'])
    await place.run(signCommand, ['root', 'sign', place.file('two')])
    await place.run(publishCommand, ['root', 'publish', place.file('two')])
    await recover('--from', backup)
    await assertSound()
    const at = await place.start()
    const root = openTrustRoot(
      await fetchText(at, '/v1/root/3'),
      openTrustRoot(await fetchText(at, '/v1/root/2')),
    )
    expect(root).toMatchObject({ version: 3, freshness: { maxSeconds: 7200 } })
    expect(await fetchText(at, '/v1/root/2')).toBe(readFileSync(place.file('two'), 'utf8'))
    expect(await verdictOf(at, await fetchText(at, '/v1/root/1'))).toMatch(/^sha256:/)
  })

  it('takes them from files where the newer database is gone', async () => {
    const backup = place.file('backup.sqlite')
    copyFileSync(database(), backup)
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('two'), '--max-seconds', '7200'])
    await place.run(signCommand, ['root', 'sign', place.file('two')])
    await place.run(publishCommand, ['root', 'publish', place.file('two')])
    writeFileSync(database(), 'a disk ate it')
    const said = await recover('--from', backup, '--known-root', place.file('two'))
    expect(said.tell.join()).toContain('cannot be read')
    const at = await place.start()
    expect(openTrustRoot(await fetchText(at, '/v1/root/latest'))).toMatchObject({ version: 3 })
  })

  it('refuses what is no backup of this registry, and leaves everything as it is', async () => {
    const untouched = readFileSync(database())
    writeFileSync(place.file('junk'), 'not a database at all')
    const other = openPlace()
    await (await other.start()).stop()
    const foreign = join(other.config.dataDir, 'registry.sqlite')
    for (const from of [place.file('junk'), foreign]) {
      await expect(recover('--from', from)).rejects.toMatchObject({ code: 'recovery-source' })
    }
    await expect(recover('--from', place.file('nowhere'))).rejects.toMatchObject({ code: 'file-unusable' })
    await other.remove()
    expect(readFileSync(database()).equals(untouched)).toBe(true)
    await (await place.start()).stop()
  })
})

describe('recover, where the root keys are offline', () => {
  let offline: Place
  let history: History
  beforeAll(async () => {
    place = offline = openPlace()
    const vkeys = []
    for (const n of [1, 2, 3]) vkeys.push(await makeRootKey(place.file(`key-${n}`), `example.com/root-${n}`))
    const named = vkeys.flatMap((vkey) => ['--root-key', vkey])
    const out = place.file('one')
    await place.run(initCommand, ['root', 'init', ...named, '--threshold', '2', '--out', out])
    for (const n of [1, 2]) await sign('one', n)
    await place.run(publishCommand, ['root', 'publish', out])
    history = await begin()
  })
  beforeEach(async () => {
    await place.remove()
    place = openPlace(offline)
  })
  afterAll(() => offline.remove())

  const sign = (file: string, n: number) =>
    place.run(signCommand, ['root', 'sign', place.file(file), '--key', place.file(`key-${n}`)])

  it('goes in two steps, and only with the root that was asked for', async () => {
    const { digest, rootNote, size } = history
    const draft = place.file('draft')
    for (let again = 0; again < 2; again++) {
      await expect(recover('--out', draft)).rejects.toMatchObject({ code: 'recovery-unsigned' })
    }
    await expect(recover('--root', draft)).rejects.toMatchObject({ code: 'root-invalid' })
    await sign('draft', 1)
    await expect(recover('--root', draft)).rejects.toMatchObject({
      code: 'root-invalid',
      detail: { reason: 'root-unsigned' },
    })
    await sign('draft', 3)
    // Signed just as well, and about something else.
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('renewal')])
    for (const n of [1, 2]) await sign('renewal', n)
    await expect(recover('--root', place.file('renewal'))).rejects.toMatchObject({
      code: 'recovery-mismatch',
    })
    // Nothing has happened yet.
    const store = await openSqliteStore(database())
    expect(await store.readLogState()).toMatchObject({ size, base: 0 })
    await store.close()
    await recover('--root', draft)
    await assertSound()
    const at = await place.start()
    expect(at.registry.ledger.origin).toBe(`${at.identity}/log-2`)
    expect(await verdictOf(at, rootNote)).toBe(digest)
  })

  it('refuses to freeze a log that has moved on since the draft', async () => {
    const { publisher } = history
    const draft = place.file('draft')
    await expect(recover('--out', draft)).rejects.toMatchObject({ code: 'recovery-unsigned' })
    for (const n of [1, 2]) await sign('draft', n)
    const at = await place.start()
    await release(at, publisher, '2.0.0')
    await at.stop()
    await expect(recover('--root', draft)).rejects.toMatchObject({ code: 'recovery-mismatch' })
    rmSync(join(place.config.dataDir, 'recovery'), { recursive: true })
    await expect(recover('--out', place.file('other'))).rejects.toMatchObject({ code: 'recovery-unsigned' })
    for (const n of [2, 3]) await sign('other', n)
    await recover('--root', place.file('other'))
    await (await place.start()).stop()
  })
})

describe('fsck', () => {
  it('finds nothing in a registry that was recovered, and tells of what was changed', async () => {
    await recover()
    expect((await place.run(fsckCommand, ['fsck'])).say.at(-1)).toBe('sound')
    const db = new Database(database())
    db.prepare("UPDATE frozen_entries SET data = replace(data, '1.0.0', '1.0.1') WHERE log = 1").run()
    db.close()
    await expect(place.run(fsckCommand, ['fsck'])).rejects.toMatchObject({ code: 'log-damaged' })
  })
})
