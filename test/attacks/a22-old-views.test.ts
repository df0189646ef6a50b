import { describe, expect, it } from 'vitest'
import { memoryInProcess, parseOffline, type Host, type HostOptions } from 'countersign'
import { formatTime } from 'countersign/core'
import { formatOffline } from '../../client/src/offline.js'
import { openWorld, signerNamed, toolsOf, weather, type Published, type World } from '../support/world.js'

interface Scene {
  readonly world: World
  readonly released: Published
  readonly open: (options?: Partial<HostOptions>) => Promise<Host>
  readonly see: (host: Host) => Promise<{ verdict: string; allowed: number }>
}

function scene(): Scene {
  const world = openWorld()
  const released = world.release(world.enrol('com.acme'), weather())
  return {
    world,
    released,
    open: (options) => world.host(options),
    see: async (host) => {
      const { verdict, allowed } = await host.review({
        server: released.server,
        slot: 'test',
        tools: toolsOf(released),
      })
      return { verdict, allowed: allowed.length }
    },
  }
}

const proofOf = (world: World, from: number) => ({ from, to: world.size, proof: world.consistency(from) })

const revokeIt = ({ world, released }: Scene): void =>
  world.revoke({ kind: 'manifest', digest: released.digest })

describe('A22 views from before', () => {
  it('an old snapshot under the newest checkpoint is refused', async () => {
    const it = scene()
    const before = it.world.size
    revokeIt(it)
    const lying = it.world.api({ fetchStatus: async () => it.world.statusBytes({ snapshotOf: before }) })
    expect(await it.see(await it.open({ registry: lying }))).toEqual({ verdict: 'rollback', allowed: 0 })
  })

  it('a revocation that was seen is remembered when an older, fresh view follows', async () => {
    const it = scene()
    const memory = memoryInProcess()
    const old = it.world.fork()
    revokeIt(it)
    expect(await it.see(await it.open({ memory }))).toEqual({ verdict: 'revoked', allowed: 0 })
    // The view from before, cosigned again a moment ago: fresh, and behind the back of nobody.
    const replay = old.api({
      fetchStatus: async () => old.statusBytes({ note: old.note(old.size, { at: it.world.clock + 60 }) }),
    })
    const again = await it.see(
      await it.open({
        memory,
        registry: { ...replay, fetchConsistency: (from, to) => it.world.api().fetchConsistency(from, to) },
      }),
    )
    expect(again.allowed).toBe(0)
    expect(['revoked', 'rollback']).toContain(again.verdict)
  })

  it('a revocation that vanishes from a larger log is remembered', async () => {
    const it = scene()
    const memory = memoryInProcess()
    revokeIt(it)
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'revoked' })
    it.world.lift({ kind: 'manifest', digest: it.released.digest })
    expect((await it.see(await it.open({ memory }))).allowed).toBe(0)
  })

  it('a refused view followed by an older fresh one stays refused', async () => {
    const it = scene()
    const memory = memoryInProcess()
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'verified' })
    const frozen = it.world.frozenApi()
    revokeIt(it)
    const host = await it.open({ memory })
    expect(await it.see(host)).toMatchObject({ verdict: 'revoked' })
    expect((await it.see(await it.open({ memory, registry: frozen }))).allowed).toBe(0)
  })

  it('a frozen view is stale once its bound has passed, also with the clock of the host set back', async () => {
    const it = scene()
    const memory = memoryInProcess()
    const frozen = it.world.frozenApi()
    const host = await it.open({ memory, registry: frozen })
    expect(await it.see(host)).toMatchObject({ verdict: 'verified' })
    it.world.wait(86_400 + 60)
    expect(await it.see(host)).toEqual({ verdict: 'stale', allowed: 0 })
    it.world.wait(-86_400 * 30)
    expect((await it.see(await it.open({ memory: memoryInProcess(), registry: frozen }))).allowed).toBe(0)
  })

  it('a registry rolled back to another past is refused', async () => {
    const it = scene()
    const memory = memoryInProcess()
    const past = it.world.fork()
    it.world.tick(10)
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'verified' })
    past.append({ v: 1, t: 'root', version: 2, digest: `sha256:${'1'.repeat(64)}` })
    const found = await it.see(await it.open({ memory, registry: past.api() }))
    expect(found.allowed).toBe(0)
    expect(['equivocation', 'rollback']).toContain(found.verdict)
  })

  it('a lower version than was used here asks for consent', async () => {
    const { world } = { world: openWorld() }
    const acme = world.enrol('com.acme')
    const first = world.release(acme, weather('1.0.0', { title: 'first' }))
    const second = world.release(acme, weather('1.2.0', { tools: weather().tools!.slice(0, 3) }))
    const memory = memoryInProcess()
    const host = await world.host({ memory })
    const review = async (one: Published) =>
      (await host.review({ server: one.server, version: one.version, slot: 'test', tools: toolsOf(one) }))
        .verdict
    expect(await review(second)).toBe('verified')
    expect(await review(first)).toBe('consent-required')
  })

  it('a revoked 99.0.0 is no trap: the good version is usable again', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const good = world.release(acme, weather('1.0.0'))
    const bait = world.release(acme, weather('99.0.0', { tools: weather().tools!.slice(0, 3) }))
    const host = await world.host()
    const review = async (one: Published) =>
      (await host.review({ server: one.server, version: one.version, slot: 'test', tools: toolsOf(one) }))
        .verdict
    expect(await review(bait)).toBe('verified')
    expect(await review(good)).toBe('consent-required')
    world.revoke({ kind: 'manifest', digest: bait.digest })
    await host.refresh()
    expect(await review(good)).toBe('verified')
    expect(await review(bait)).toBe('revoked')
  })

  it('a 99.0.0 by a key that is void since is no trap either', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const good = world.release(acme, weather('1.0.0'))
    const stolen = signerNamed('stolen sign')
    const added = world.addKey(acme, 'sign', stolen)
    const draft = weather('99.0.0', { tools: weather().tools!.slice(0, 3) })
    const bait = world.approve(world.publish(acme, draft, { by: stolen }))
    const host = await world.host()
    const review = async (one: Published) =>
      (await host.review({ server: one.server, version: one.version, slot: 'test', tools: toolsOf(one) }))
        .verdict
    expect(await review(bait)).toBe('verified')
    world.revokeKey(acme, stolen.kid, { invalidFrom: added + 1 })
    await host.refresh()
    expect(await review(bait)).toBe('key-revoked')
    expect(await review(good)).toBe('verified')
  })

  it('and no other bundle in the place of the accepted one makes it look void', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const low = world.release(acme, weather('1.0.0'))
    const revoked = world.release(acme, weather('1.5.0', { title: 'revoked' }))
    const high = world.release(acme, weather('2.0.0', { tools: weather().tools!.slice(0, 3) }))
    world.revoke({ kind: 'manifest', digest: revoked.digest })
    const memory = memoryInProcess()
    const review = async (one: Published, options: Partial<HostOptions> = {}) => {
      const host = await world.host({ memory, ...options })
      return (
        await host.review({ server: one.server, version: one.version, slot: 'test', tools: toolsOf(one) })
      ).verdict
    }
    expect(await review(high)).toBe('verified')
    // A mirror, and a cache that was deleted.
    const swap = world.api({
      fetchBundle: async (digest) => world.bundleBytes(digest === low.digest ? low : revoked),
    })
    const uncached = { ...memory, readBlob: async () => undefined }
    expect(await review(low, { registry: swap, memory: uncached })).toBe('consent-required')
  })

  it('an expired manifest and an expired root stay expired when the clock of the host is set back', async () => {
    const start = 1_793_491_200
    const world = openWorld({ expires: start + 1500 })
    const released = world.release(
      world.enrol('com.acme'),
      weather('1.0.0', { expires: formatTime(start + 900) }),
    )
    // The host's clock stands; what the registry attests moves on in steps that each are believable.
    const host = await world.host({ now: () => start * 1000 })
    const seen: string[] = []
    for (let round = 0; round < 6; round++) {
      await host.refresh().catch(() => undefined)
      const { verdict } = await host.review({
        server: released.server,
        slot: 'test',
        tools: toolsOf(released),
      })
      seen.push(verdict)
      world.tick(500)
    }
    expect(seen).toEqual(['verified', 'verified', 'expired', 'expired', 'root-expired', 'root-expired'])
  })

  it('an old offline bundle is refused by a host that saw the revocation, whatever its clock says', async () => {
    const it = scene()
    const offline = await (await it.open()).offlineBundle(it.released.server)
    const { size } = it.world
    const memory = memoryInProcess()
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'verified' })
    revokeIt(it)
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'revoked' })
    const clock = it.world.clock
    // Alone it proves nothing to this host; with the proof that it is a prefix of what is remembered, it adds nothing.
    const proven = { ...parseOffline(offline), consistency: [proofOf(it.world, size)] }
    for (const [bytes, verdict] of [
      [offline, 'registry-unreachable'],
      [formatOffline(proven), 'revoked'],
    ] as const) {
      for (const back of [0, 3600, 86_400 * 30]) {
        const now = () => (clock - back) * 1000
        expect(await it.see(await it.open({ memory, offline: bytes, now }))).toEqual({ verdict, allowed: 0 })
      }
    }
  })

  it('an offline bundle has its own bound', async () => {
    const it = scene()
    const offline = await (await it.open()).offlineBundle(it.released.server)
    it.world.wait(604_800)
    expect(await it.see(await it.open({ offline }))).toEqual({ verdict: 'verified', allowed: 5 })
    it.world.wait(60)
    expect(await it.see(await it.open({ offline }))).toEqual({ verdict: 'stale', allowed: 0 })
  })

  it('a view frozen by withholding witnesses is stale, whatever the timestamper says', async () => {
    const world = openWorld({ witnesses: 2, quorum: 2 })
    const released = world.release(world.enrol('com.acme'), weather())
    const old = world.note()
    const host = await world.host()
    const see = async (api = world.api()) =>
      (
        await (
          await world.host({ registry: api })
        ).review({
          server: released.server,
          slot: 'test',
          tools: toolsOf(released),
        })
      ).verdict
    expect(await see()).toBe('verified')
    await host.refresh()
    world.wait(86_400 + 60)
    // The operator's own stamp is fresh, the witnesses' are a day old: T is theirs.
    const [body = '', signatures = ''] = old.split('\n\n')
    const stamped = world.note(world.size, { cosigners: ['timestamper'] }).split('\n\n')[1] ?? ''
    const isWitness = (line: string): boolean => line.includes('witness.example')
    const mixed = `${body}\n\n${stamped}${signatures.split('\n').filter(isWitness).join('\n')}\n`
    expect(await see(world.api({ fetchStatus: async () => world.statusBytes({ note: mixed }) }))).toBe(
      'stale',
    )
  })

  it('the registry of before the freeze is refused by whoever knows the successor', async () => {
    const it = scene()
    const memory = memoryInProcess()
    const before = it.world.fork()
    it.world.succeed()
    expect(await it.see(await it.open({ memory }))).toMatchObject({ verdict: 'verified' })
    before.tick(60)
    expect(await it.see(await it.open({ memory, registry: before.api() }))).toEqual({
      verdict: 'checkpoint-invalid',
      allowed: 0,
    })
  })

  it('twin: the log grows, and what was verified stays verified', async () => {
    const it = scene()
    const memory = memoryInProcess()
    for (let round = 0; round < 3; round++) {
      expect(await it.see(await it.open({ memory }))).toEqual({ verdict: 'verified', allowed: 5 })
      it.world.tick(3600)
    }
  })
})
