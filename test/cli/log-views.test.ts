import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  encodeBase64,
  formatManifest,
  formatRevocationLine,
  manifestDigest,
  revocationRoot,
  signEnvelope,
  envelopeDigest,
  sortRevocations,
} from 'countersign/core'
import { StandingLines } from '../../client/src/cli/log/standing-lines.js'
import { sampleManifest } from '../support/registry.js'
import { LogWorld, people, type Owner } from './log-world.js'
import { openMonitorDesk, type MonitorDesk, type Watched } from './log-monitoring.js'

// What is shown changes between two requests, or between two runs: by a cache or a succession it may, by a lie it may not.

let desk: MonitorDesk
afterEach(() => desk.close())

async function openScene(): Promise<{ world: LogWorld; acme: Owner }> {
  const world = new LogWorld()
  const acme = world.enrol('com.acme')
  world.release(acme, '1.0.0')
  desk = await openMonitorDesk(world)
  expect(await desk.run()).toMatchObject({ code: 0 })
  return { world, acme }
}

/** What the same keys sign of another history from here on. */
function forkOf(world: LogWorld): { note: string; committed: string; status: Uint8Array } {
  const { log } = world
  const { leaves } = log
  log.leaves = [...leaves]
  world.put('{"v":1}')
  world.put('{"v":1}')
  world.put(world.snapshot())
  const [note, committed, status] = [
    world.note(log, log.leaves.length),
    world.note(log, log.leaves.length, 'log'),
    world.status(log.leaves.length),
  ]
  log.leaves = leaves
  return { note, committed, status }
}

const run = (): Promise<Watched> => desk.run({ namespace: ['com.acme'] })

describe('an honest registry', () => {
  it('behind a cache whose parts never are of one moment, while it grows', async () => {
    const { world } = await openScene()
    const statuses = [world.status(), world.status()]
    world.bend = (path, body) => {
      if (path === '/log/checkpoint') world.append()
      if (path !== '/v1/status') return body
      statuses.push(world.status())
      return statuses.shift()
    }
    expect(await run()).toMatchObject({ code: 0, lies: [] })
  })

  it('that started a successor, while a cache has the checkpoint of the log before', async () => {
    const { world } = await openScene()
    const old = [world.note(), world.note()]
    world.succeed()
    world.bend = (path, body) => (path === '/log/checkpoint' ? (old.pop() ?? body) : body)
    const found = await run()
    expect(found).toMatchObject({ code: 5, lies: [] })
    expect(found.alerts.toSorted()).toEqual(['log-succeeded', 'root-changed'])
  })

  it('that starts a successor while its log is read', async () => {
    const { world, acme } = await openScene()
    for (let i = 0; i < 300; i++) world.put(world.snapshot())
    world.release(acme, '1.0.1')
    let isDue = true
    world.bend = (path, body) => {
      if (!isDue || !path.includes('/tile/entries/')) return body
      isDue = false
      world.succeed()
      return undefined
    }
    const found = await run()
    expect(found).toMatchObject({ code: 5, lies: [], events: ['publish', 'approve'] })
    expect(found.alerts.toSorted()).toEqual(['log-succeeded', 'root-changed'])
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('whose status names a root that a cache does not have yet', async () => {
    const { world } = await openScene()
    world.signRoot()
    world.logRoot()
    let misses = 2
    world.bend = (path, body) => (path === '/v1/root/2' && misses-- > 0 ? undefined : body)
    expect(await run()).toMatchObject({ code: 5, lies: [], alerts: ['root-changed'] })
  })
})

describe('a registry that shows something else a moment later', () => {
  it('another root than the pinned one, and answers nothing more', async () => {
    const { world } = await openScene()
    world.signRoot()
    const [, second = ''] = world.roots
    world.roots.splice(1)
    world.bend = (path, body) => {
      if (path === '/v1/root/1') return Buffer.from(second)
      if (path === '/log/checkpoint') world.down = true
      return body
    }
    const found = await run()
    expect(found.code).toBe(3)
    expect(found.lies).toContain('root-malformed')
  })

  it('a fork, and answers nothing more: the next run knows it', async () => {
    const { world, acme } = await openScene()
    const fork = forkOf(world)
    world.release(acme, '1.0.1')
    world.bend = (path, body) => {
      if (path === '/log/checkpoint') return fork.note
      if (path === '/v1/status') return fork.status
      if (path === '/log/checkpoint.committed') return fork.committed
      if (path.includes('/tile/')) world.down = true
      return body
    }
    expect(await run()).toMatchObject({ code: 4, lies: [] })
    world.down = false
    world.bend = (_, body) => body
    const found = await run()
    expect(found).toMatchObject({ code: 3, lies: ['equivocation'] })
    const [evidence] = desk.evidenceOf(found)
    expect((evidence?.['documents'] as { notes: string[] }).notes).toHaveLength(2)
    // It was told, and what is there now is what was verified.
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('a larger tree, and answers nothing more: a smaller one is a lie then', async () => {
    const { world, acme } = await openScene()
    const honest = world.log.leaves.length
    world.release(acme, '1.0.1')
    world.bend = (path, body) => {
      if (path.includes('/tile/')) world.down = true
      return body
    }
    expect(await run()).toMatchObject({ code: 4, lies: [] })
    world.down = false
    world.bend = (_, body) => body
    world.published = honest
    expect(await run()).toMatchObject({ code: 3, lies: ['rollback'] })
  })

  it('a fork beside an old status, and the honest log when it is read again', async () => {
    const { world, acme } = await openScene()
    const fork = forkOf(world)
    const old = world.status()
    world.release(acme, '1.0.1')
    const notes = [fork.note]
    const statuses = [old]
    world.bend = (path, body) => {
      if (path === '/log/checkpoint') return notes.pop() ?? body
      return path === '/v1/status' ? (statuses.pop() ?? body) : body
    }
    const found = await run()
    expect(found.code).toBe(3)
    expect(found.lies).toContain('equivocation')
  })

  it('two committed trees of one size, of which none is published', async () => {
    const { world, acme } = await openScene()
    world.published = world.log.leaves.length
    const { committed } = forkOf(world)
    world.publish(acme, '1.0.1')
    world.append()
    expect(await run()).toMatchObject({ code: 0 })
    world.bend = (path, body) => (path === '/log/checkpoint.committed' ? committed : body)
    expect(await run()).toMatchObject({ code: 3, lies: ['equivocation'] })
  })
})

describe('what a monitor tells', () => {
  it('a lie before the entry that events are told from, once', async () => {
    const { world, acme } = await openScene()
    const thief = people(1, 1).signers[0]!
    world.append(world.keyAdd(acme, thief, 'sign', thief))
    const watching = { namespace: ['com.acme'], from: '1000' }
    expect(await desk.run(watching)).toMatchObject({ code: 3, lies: ['key-unknown'], events: [] })
    expect(await desk.run(watching)).toMatchObject({ code: 0 })
  })

  it('a forged approval that is deprecated before anybody looks', async () => {
    const { world, acme } = await openScene()
    const forged = world.version(acme, '6.6.6', people(1, 1).signers[0]!)
    const event = { ...forged.event, kid: acme.sign.kid }
    const released = { ...forged, event, index: world.append(event) }
    world.approve(released)
    const after = world.latest(`manifest:${forged.manifest}`)
    const about = { target: 'manifest', digest: forged.manifest, after } as const
    world.append({ v: 1, t: 'deprecate', ...about, reason: 'old', deciders: ['reviewer'] })
    const found = await run()
    expect(found).toMatchObject({ code: 3, events: ['publish', 'approve', 'deprecate'] })
    expect(found.lies).toEqual(['signature-invalid'])
  })

  it('that somebody else vouches for a server of a watched namespace', async () => {
    const { world } = await openScene()
    const other = world.enrol('org.other')
    const vouch = (version: string, server: string): void => {
      const manifest = sampleManifest(world.identity, { server: 'org.other/server', version })
      const payload = formatManifest({ ...manifest, role: 'voucher', subject: { server } })
      const envelope = signEnvelope('countersign-manifest+json', payload, other.sign)
      const digest = manifestDigest(payload)
      const about = { server: 'org.other/server', version, role: 'voucher', kid: other.sign.kid } as const
      const event = {
        ...about,
        v: 1 as const,
        t: 'publish' as const,
        manifest: digest,
        envelope: envelopeDigest(envelope),
      }
      const released = { manifest: digest, event, envelope, index: world.append(event) }
      world.approve(released)
    }
    vouch('1.0.0', 'org.third/server')
    expect(await run()).toMatchObject({ code: 0, alerts: [] })
    vouch('1.0.1', 'com.acme/server')
    expect(await run()).toMatchObject({ code: 5, alerts: ['vouched-for'], lies: [], events: [] })
    expect(await run()).toMatchObject({ code: 0 })
  })

  it('that what is published is attested far ahead of the clock', async () => {
    const { world } = await openScene()
    const note = (now: number): string => world.note(undefined, undefined, 'all', undefined, now)
    const later = Math.floor(Date.now() / 1000) + 5000
    const status = world.status(undefined, undefined, note(later))
    world.bend = (path, body) => (path === '/v1/status' ? status : body)
    expect(await run()).toMatchObject({ code: 5, alerts: ['clock-skew'], lies: [] })
    const old = world.status(undefined, undefined, note(later - 20 * 86_400))
    world.bend = (path, body) => (path === '/v1/status' ? old : body)
    expect(await run()).toMatchObject({ code: 5, alerts: ['stale'], lies: [] })
  })

  it('one file for one lie, however often it is told and cosigned', async () => {
    const { world } = await openScene()
    world.append()
    let now = Math.floor(Date.now() / 1000)
    world.bend = (path, body) => {
      if (path === '/log/checkpoint') return world.note(undefined, undefined, 'all', undefined, now++)
      return path.includes('/entries/') ? undefined : body
    }
    for (let i = 0; i < 3; i++) expect(await run()).toMatchObject({ code: 3, lies: ['registry-error'] })
    expect(readdirSync(join(desk.home, 'monitor', 'evidence'))).toHaveLength(1)
  })

  it('in a long watch, a registry that has no checkpoint ends nothing', async () => {
    const { world } = await openScene()
    const ending = new AbortController()
    let round = 0
    world.bend = (path, body) => {
      if (path !== '/log/checkpoint') return body
      round += 1
      if (round === 2) ending.abort()
      return round === 1 ? undefined : body
    }
    const found = await desk.run({ every: '1' }, ending.signal)
    expect(found).toMatchObject({ code: 5, alerts: ['registry-unreachable'], lies: [] })
  })
})

it('standing lines have the root of their list after every change', async () => {
  await openScene()
  const lines = new StandingLines()
  const known = new Set<string>()
  for (let i = 0; i < 300; i++) {
    const name = `com.example/s${(i * 7919) % 101}`
    const line = formatRevocationLine({ kind: 'server', name })
    if (i % 3 === 2) expect(lines.delete(line)).toBe(known.delete(line))
    else {
      lines.add(line)
      known.add(line)
    }
    const sorted = sortRevocations(known)
    expect([...lines]).toEqual(sorted)
    if (i % 2 === 0) expect(lines.root()).toBe(encodeBase64(revocationRoot(sorted)))
  }
})
