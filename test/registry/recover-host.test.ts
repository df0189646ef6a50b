import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recoverCommand } from '../../src/registry/commands/upkeep.js'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { addPublisher, approveManifest, publishManifest, sampleManifest } from '../support/registry.js'
import { fetchText, openPlace, type Place, type Running } from './support.js'

const SERVER = 'com.example/weather'

// A person's machine saw entries that a registry lost with its disk: what it says, and what the person does.

describe('a machine that saw what a backup has not', () => {
  let place: Place
  let saw: Seat
  let at: Running
  beforeAll(async () => {
    place = openPlace()
    saw = openSeat()
    at = await place.start()
  })
  afterAll(async () => {
    saw.close()
    await place.remove()
  })

  const verify = (version: string): readonly string[] => [
    'verify',
    `${SERVER}@${version}`,
    '--registry',
    at.url,
  ]
  const update = (): readonly string[] => ['trust', 'update', '--registry', at.url]

  it('refuses the registry until its person updates the trust root, and then goes on', async () => {
    const publisher = await addPublisher(at, 'com.example', at.admin)
    const release = async (version: string): Promise<string> => {
      const manifest = sampleManifest(at.identity, { server: SERVER, version })
      const published = await publishManifest({ ...publisher, caller: at.admin }, manifest)
      await approveManifest(at.admin, published.manifest)
      return published.manifest
    }
    const kept = await release('1.0.0')
    await saw.ok('trust', 'add', at.url)
    expect(await saw.ok(...update())).toMatchObject({ version: 1, before: 1 })
    await at.stop()
    const backup = place.file('backup.sqlite')
    copyFileSync(join(place.config.dataDir, 'registry.sqlite'), backup)

    at = await place.start()
    await release('2.0.0')
    expect(await saw.ok(...verify('2.0.0'))).toMatchObject({ verdict: 'verified' })
    await at.stop()
    await place.run(recoverCommand, ['recover', '--from', backup])

    at = await place.start()
    for (let again = 0; again < 2; again++) {
      expect(await saw.fails(...verify('1.0.0'))).toMatchObject({ exit: 3, code: 'rollback' })
    }
    expect(await saw.ok(...update())).toMatchObject({
      version: 2,
      before: 1,
      logs: [{ status: 'frozen' }, { status: 'active' }],
    })
    expect(await saw.ok(...verify('1.0.0'))).toMatchObject({ verdict: 'verified', manifest: kept })
    expect((await saw.fails(...verify('2.0.0'))).code).toBe('unknown-server')
    const again = await release('2.0.1')
    expect(await saw.ok(...verify('2.0.1'))).toMatchObject({ verdict: 'verified', manifest: again })
    expect(await saw.ok(...verify('1.0.0'))).toMatchObject({ verdict: 'verified', manifest: kept })

    // Somebody who hides the root that ended the log is no place to pin it from again.
    const hiding = place.file('hiding')
    mkdirSync(join(hiding, 'v1', 'root'), { recursive: true })
    writeFileSync(join(hiding, 'v1', 'root', '1'), await fetchText(at, '/v1/root/1'))
    const fingerprint = ['--fingerprint', at.fingerprint]
    for (const how of [[], fingerprint]) {
      expect((await saw.fails('trust', 'add', pathToFileURL(hiding).href, ...how)).code).toBe('rollback')
    }
    expect(await saw.ok('trust', 'show')).toMatchObject({ version: 2 })
    expect(await saw.ok('trust', 'add', at.url, ...fingerprint)).toMatchObject({ version: 2 })
  })
})
