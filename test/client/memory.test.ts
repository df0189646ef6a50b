import { describe, expect, it } from 'vitest'
import { CountersignError, memoryInProcess, type Host, type Memory, type RegistryApi } from 'countersign'
import { mutate, toolsOf, weather, type Published } from '../support/world.js'
import { codeOfAsync } from './support.js'
import { hostsOf, releasedWorld, verdictOf } from './worlds.js'

const silent = (): Promise<never> => Promise.reject(new CountersignError('registry-unreachable', 'no answer'))
const DEAD: RegistryApi = {
  fetchStatus: silent,
  fetchBundle: silent,
  fetchConsistency: silent,
  fetchRevocations: silent,
  fetchRoot: silent,
  fetchVersions: silent,
  lookup: silent,
}

describe('A22: the view never goes backwards', () => {
  it('a revocation once seen stays, though an older fresh view follows', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const before = world.frozenApi()
    expect(await verdictOf(await at(before), v1)).toBe('verified')
    world.revoke({ kind: 'manifest', digest: v1.digest })
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    // The old view is minutes old and properly signed; it is a prefix, and what came after it is remembered.
    const lagging = world.lagging(before)
    expect(await verdictOf(await at(lagging), v1)).toBe('revoked')
  })

  it('a refused view is remembered like any other', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const before = world.frozenApi()
    world.revoke({ kind: 'manifest', digest: v1.digest })
    const size = world.size
    // This host refuses for another reason: the bundle is withheld.
    const withheld = world.api({ fetchBundle: silent })
    expect(await verdictOf(await at(withheld), v1)).not.toBe('verified')
    expect((await memory.readWorld(world.identity))?.log?.size).toBe(size)
    expect(await verdictOf(await at(before), v1)).not.toBe('verified')
  })

  it('a snapshot without a tombstoned line lifts nothing', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const line = { kind: 'manifest', digest: v1.digest } as const
    world.revoke(line)
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    world.lift(line)
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    expect(await verdictOf(await world.host(), v1)).toBe('verified')
  })

  it('tombstones add up', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const v2 = world.release(acme, weather('2.0.0', { instructions: { definition: { text: 'New.' } } }))
    const lineOf = ({ digest }: Published) => ({ kind: 'manifest', digest }) as const
    world.revoke(lineOf(v1))
    await (await at(world.api())).refresh()
    world.lift(lineOf(v1))
    world.revoke(lineOf(v2))
    await (await at(world.api())).refresh()
    const kept = await memory.readRevocations(world.identity)
    expect(kept?.tombstones.map(({ line }) => line)).toEqual([`manifest\0${v1.digest}`])
    expect(new TextDecoder().decode(kept?.list)).toBe(`manifest\0${v2.digest}\n`)
    const host = await at(world.api())
    expect(await codeOfAsync(() => host.verify(v1.server, '1.0.0'))).toBe('revoked')
    expect(await codeOfAsync(() => host.verify(v1.server, '2.0.0'))).toBe('revoked')
  })

  it('a registry restored from a backup is a rollback', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const backup = world.fork()
    world.release(acme, weather('2.0.0'))
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    expect(await verdictOf(await at(backup.api()), v1)).toBe('rollback')
    // Signing on at a smaller size than it attested before is no better.
    world.wait(60)
    const attests = world.api({
      fetchStatus: async () => {
        const old = backup.fork()
        old.wait(60)
        return old.statusBytes()
      },
    })
    expect(await verdictOf(await at(attests), v1)).toBe('rollback')
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('an old snapshot under the newest checkpoint is refused', async () => {
    const { world, v1 } = releasedWorld()
    const size = world.size
    world.revoke({ kind: 'manifest', digest: v1.digest })
    const api = world.api({ fetchStatus: async () => world.statusBytes({ snapshotOf: size }) })
    expect(await verdictOf(await world.host({ registry: api }), v1)).toBe('rollback')
  })
})

describe('freshness', () => {
  it('a frozen view gets stale, and a clock that is set back does not help', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const frozen = world.frozenApi()
    world.tick(90_000)
    expect(await verdictOf(await at(frozen), v1)).toBe('stale')
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    const back = { now: () => (world.clock - 90_000) * 1000 }
    const lagging = world.lagging(frozen)
    const host = await at(lagging, back)
    const review = await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
    // The remembered view is used, not the old one; both are judged by the newest time ever attested.
    expect(review.freshness.attestedAt).toBe(world.clock)
    world.wait(90_000)
    expect(await verdictOf(await at(DEAD, { now: () => world.clock * 1000 }), v1)).toBe('stale')
  })

  it('with the clock set back, a view older than the newest attested time by the bound is stale', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    await memory.updateWorld(world.identity, (old) =>
      old?.log === undefined ? old : { ...old, log: { ...old.log, attestedAt: world.clock + 90_000 } },
    )
    expect(await verdictOf(await at(DEAD), v1)).toBe('stale')
  })

  it('a status from the future is clock-skew, and its time is not remembered', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const slow = { now: () => (world.clock - 601) * 1000 }
    expect(await verdictOf(await at(world.api(), slow), v1)).toBe('clock-skew')
    expect((await memory.readWorld(world.identity))?.log?.attestedAt).toBe(0)
    expect(await verdictOf(await at(world.api(), { now: () => (world.clock - 599) * 1000 }), v1)).toBe(
      'verified',
    )
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('an unreachable registry: the last good view while it is fresh, then closed', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    expect(await verdictOf(await at(DEAD), v1)).toBe('registry-unreachable')
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.wait(80_000)
    const host = await at(DEAD)
    const review = await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
    expect([review.verdict, review.freshness.status]).toEqual(['verified', 'ok'])
    world.wait(10_000)
    expect(await verdictOf(await at(DEAD), v1)).toBe('stale')
    world.tick(0)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('an unreachable registry: what is in use of a list that never holds together goes on as before', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const tools = [...toolsOf(v1), { ...toolsOf(v1)[0], name: 'junk' }]
    const see = async (host: Host, slot = 'x') => host.review({ server: v1.server, slot, tools })
    const before = await see(await at(world.api()))
    expect(before.allowed).toHaveLength(v1.manifest.tools.length)
    const review = await see(await at(DEAD))
    expect([review.verdict, review.allowed, review.withheld.length]).toEqual([
      'verified',
      before.allowed,
      before.withheld.length,
    ])
    expect((await see(await at(DEAD), 'never used')).verdict).toBe('registry-unreachable')
  })

  it('an offline bundle has the longer bound, and no more', async () => {
    const { world, v1 } = releasedWorld()
    const offline = await (await world.host()).offlineBundle(v1.server)
    world.wait(500_000)
    expect(await verdictOf(await world.host({ offline }), v1)).toBe('verified')
    expect(await codeOfAsync(async () => (await world.host({ offline })).verify('com.acme/other'))).toBe(
      'registry-unreachable',
    )
    world.wait(200_000)
    expect(await verdictOf(await world.host({ offline }), v1)).toBe('stale')
  })

  it('an old offline bundle does not undo what was seen since', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const offline = await (await world.host()).offlineBundle(v1.server)
    world.revoke({ kind: 'manifest', digest: v1.digest })
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    expect(await verdictOf(await at(DEAD, { offline }), v1)).not.toBe('verified')
  })
})

describe('equivocation', () => {
  it('two trees of one size: both notes are kept, and the registry is refused until a person clears it', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const fork = world.fork()
    world.release(acme, weather('2.0.0'))
    fork.release(acme, weather('3.0.0'))
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    expect(await verdictOf(await at(fork.api()), v1)).toBe('equivocation')
    const evidence = (await memory.readWorld(world.identity))?.evidence ?? []
    expect(evidence.map((one) => one.conclusive)).toEqual([true])
    expect(evidence[0]?.notes).toEqual([world.note(), fork.note()])
    expect(await verdictOf(await at(world.api()), v1)).toBe('equivocation')
    expect(await codeOfAsync(async () => (await at(world.api())).verify(v1.server))).toBe('equivocation')
    expect(await memory.clearEvidence(world.identity)).toHaveLength(1)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('a larger tree that is no extension', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const fork = world.fork()
    world.release(acme, weather('2.0.0'))
    fork.release(acme, weather('3.0.0'))
    fork.tick(60)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    expect(await verdictOf(await at(fork.api()), v1)).toBe('equivocation')
    expect((await memory.readWorld(world.identity))?.evidence[0]?.conclusive).toBe(false)
  })

  it('a proof that is nonsense is no evidence; an honest one afterwards is taken', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.tick(60)
    const broken = world.api({ fetchConsistency: async () => [new Uint8Array(32)] })
    expect(await verdictOf(await at(broken), v1)).toBe('proof-invalid')
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })
})

describe('a proof of the right shape that is nonsense', () => {
  it.each([0, 1, 2, 3, 4, 5])('is no evidence against the registry (%s batches later)', async (batches) => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    for (let i = 0; i < batches; i++) world.tick(1)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.tick(60)
    const mirror = world.api({
      fetchConsistency: async (from, to) =>
        world.consistency(from, to).map((hash, i) => (i === 0 ? mutate(hash, 3) : hash)),
    })
    expect(await verdictOf(await at(mirror), v1)).toBe('proof-invalid')
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })
})

describe('the world half', () => {
  it('is written by many hosts at once without going backwards', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    const views = Array.from({ length: 6 }, () => {
      world.tick(1)
      return world.frozenApi()
    })
    const newest = world.size
    const full = views.map((api) => world.lagging(api))
    const hosts = await Promise.all(full.map((api) => at(api)))
    const verdicts = await Promise.all(hosts.map((host) => verdictOf(host, v1)))
    expect(new Set(verdicts)).toEqual(new Set(['verified']))
    expect((await memory.readWorld(world.identity))?.log?.size).toBe(newest)
  })

  it('walks the root, remembers it, and refuses an expired or unsigned one', async () => {
    const { world, v1 } = releasedWorld()
    const { at, memory } = hostsOf(world)
    world.signRoot(2)
    world.announceRoot(2)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    expect((await memory.readWorld(world.identity))?.root.version).toBe(2)
    world.signRoot(3, {}, [world.keys.log])
    world.announceRoot(3)
    expect(await verdictOf(await at(world.api()), v1)).toBe('root-outdated')
    const hidden = world.api({ fetchRoot: async () => undefined })
    expect(await verdictOf(await at(hidden), v1)).toBe('root-outdated')
    const short = releasedWorld({ expires: world.clock + 1000 })
    short.world.tick(999)
    expect(await verdictOf(await short.world.host(), short.v1)).toBe('verified')
    short.world.tick(1)
    expect(await verdictOf(await short.world.host(), short.v1)).toBe('root-expired')
  })
})

describe('memoryInProcess', () => {
  it('returns what change returned and writes nothing for the same or no value', async () => {
    const memory: Memory = memoryInProcess()
    const key = { identity: 'registry-a', server: '', slot: 's' }
    expect(await memory.updateServer(key, () => undefined)).toBeUndefined()
    expect(await memory.readServer(key)).toBeUndefined()
    const kept = await memory.updateServer(key, () => ({
      v: 1,
      accepted: [],
      ownKids: [],
      signKids: [],
      variants: {},
      tools: ['a'],
    }))
    expect(await memory.readServer(key)).toBe(kept)
    expect((await memory.hostSigner()).kid).toBe((await memory.hostSigner()).kid)
  })
})
