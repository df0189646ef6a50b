import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  readBundleSize,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
  type HostOptions,
} from 'countersign'
import { openTrustRoot } from 'countersign/core'
import { openWorld, signerNamed, weather, type Published, type World } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'
import { hostsOf, releasedWorld, verdictOf } from './worlds.js'

// A log is frozen and another takes its place: what was approved stays so, and the old key is worth nothing.

/** Verifies bundle bytes under the newest root, its consistency proof from whoever. */
function prove(world: World, bytes: Uint8Array, consistency: readonly Uint8Array[] = []) {
  const root = openTrustRoot(world.newestRoot)
  const status = verifyStatus(world.statusBytes(), root)
  const revocations = verifyRevocations(world.revocationBytes(), status)
  return verifyBundle(bytes, { root, status, revocations, consistency }, { now: world.clock * 1000 })
}

describe('what was approved before the log was frozen', () => {
  it('verifies with the bundle of then, its checkpoint proved a prefix of the end', async () => {
    const { world, v1 } = releasedWorld()
    const bytes = world.bundleBytes(v1)
    const log = world.origin
    const end = world.size
    world.succeed()
    const consistency = world.consistency(readBundleSize(bytes), end, log)
    expect(prove(world, bytes, consistency).publishIndex).toBe(v1.index)
    expect(codeOf(() => prove(world, bytes, consistency.slice(1)))).toBe(
      consistency.length > 0 ? 'proof-invalid' : undefined,
    )
    expect(await verdictOf(await world.host(), v1)).toBe('verified')
  })

  it('verifies with leaves proved at the end of the frozen log, and later ones beside them', async () => {
    const { world, acme, v1 } = releasedWorld()
    const first = world.origin
    world.succeed()
    const v2 = world.release(acme, weather('2.0.0', { title: 'second' }))
    world.succeed()
    world.tick(60)
    const v3 = world.release(acme, weather('3.0.0', { title: 'third' }))
    expect(v3.index).toBeGreaterThan(v2.index)
    for (const one of [v1, v2, v3]) {
      const fresh = world.bundleBytes(one, { log: world.origin, size: world.size })
      expect(prove(world, fresh).publishIndex).toBe(one.index)
      expect(await verdictOf(await world.host(), one)).toBe('verified')
    }
    expect(new TextDecoder().decode(world.bundleBytes(v3))).toContain(`"log":"${first}"`)
  })

  it('positions order it all: a key revoked over the border, a publication before its approval', () => {
    const { world, acme, v1 } = releasedWorld()
    const log = world.origin
    const kid = acme.sign.kid
    world.succeed()
    const v2 = world.release(acme, weather('2.0.0'))
    // Voided from the border on: what was published before it stays, what came after does not.
    world.revokeKey(acme, kid, { invalidFrom: world.base })
    const fresh = (one: Published) => world.bundleBytes(one, { log: world.origin, size: world.size })
    expect(prove(world, fresh(v1)).version).toBe('1.0.0')
    expect(codeOf(() => prove(world, fresh(v2)))).toBe('key-revoked')
    // Leaves in another order than the logs follow each other are refused.
    const backwards = JSON.parse(new TextDecoder().decode(fresh(v2))) as { events: object[] }
    const bytes = new TextEncoder().encode(
      JSON.stringify({ ...backwards, events: [...backwards.events].reverse() }),
    )
    expect(codeOf(() => prove(world, bytes))).toBe('proof-invalid')
    expect(log).not.toBe(world.origin)
  })

  it('a leaf behind the end, or in a log that is not frozen, does not exist', () => {
    const { world, v1 } = releasedWorld()
    const [log, end] = [world.origin, world.size]
    world.succeed()
    const text = new TextDecoder().decode(world.bundleBytes(v1, { log: world.origin, size: world.size }))
    expect(prove(world, new TextEncoder().encode(text)).version).toBe('1.0.0')
    const edit = (from: string | RegExp, to: string): string | undefined =>
      codeOf(() => prove(world, new TextEncoder().encode(text.replace(from, to))))
    expect(edit(`"index":${v1.approveIndex}`, `"index":${end}`)).toBe('proof-invalid')
    expect(edit(`"log":"${log}"`, `"log":"${world.origin}"`)).toBe('proof-invalid')
    expect(edit(`"log":"${log}"`, '"log":"registry.example/log"')).toBe('proof-invalid')
  })
})

describe('leaves of several logs, mixed in every wrong way', () => {
  interface Leaf {
    readonly log?: string
    readonly index: number
    readonly event: string
    readonly proof: readonly string[]
  }

  /** A publication in the first log and its approval in the second; both are frozen, a third is active. */
  function mixedWorld() {
    const { world, acme } = releasedWorld()
    const first = world.origin
    const published = world.publish(acme, weather('2.0.0'))
    const end = world.size
    world.succeed()
    const second = world.origin
    world.approve(published)
    world.tick(1)
    const secondEnd = world.size
    world.succeed()
    world.tick(1)
    const whole = world.bundleBytes(published, { log: world.origin, size: world.size })
    const bundle = JSON.parse(new TextDecoder().decode(whole)) as { checkpoint: string; events: Leaf[] }
    const of = (change: (events: Leaf[]) => Leaf[], checkpoint = bundle.checkpoint) =>
      codeOf(() => {
        const events = change(structuredClone(bundle.events))
        return prove(world, new TextEncoder().encode(JSON.stringify({ ...bundle, checkpoint, events })))
      })
    return { world, bundle, of, first, second, end, secondEnd, published }
  }

  it('twin: as it should be', () => {
    const { world, of, second, secondEnd } = mixedWorld()
    expect(of((events) => events)).toBeUndefined()
    // Its checkpoint may be the end of a frozen log as well: leaves of that log may name it or not.
    const note = world.note(secondEnd, { log: second })
    expect(of((events) => events, note)).toBeUndefined()
    const bare = (events: Leaf[]) =>
      events.map(({ log, ...leaf }) => (log === second ? leaf : { ...leaf, log: log ?? '' }))
    expect(of(bare, note)).toBeUndefined()
  })

  it('is refused', () => {
    const { world, of, first, second, end, secondEnd, published } = mixedWorld()
    const last = (events: Leaf[], change: Partial<Leaf>) =>
      events.map((leaf, i) => (i === events.length - 1 ? { ...leaf, ...change } : leaf))
    const codes = {
      later: of((events) => [...events.slice(-1), ...events.slice(0, -1)]),
      unknown: of((events) => last(events, { log: 'registry.example/log' })),
      active: of((events) => last(events, { log: world.origin })),
      other: of((events) => last(events, { log: first })),
      beyond: of((events) => last(events, { index: secondEnd })),
      repeated: of((events) => [...events, ...events.slice(-1)]),
      // The same position once more, as a leaf of the checkpoint's own log.
      twice: of(
        (events) => [
          ...events,
          ...events.slice(-1).map(({ index, event, proof }) => ({ index, event, proof })),
        ],
        world.note(secondEnd, { log: second }),
      ),
      // Of a checkpoint in no log that the root names.
      stranger: of((events) => events, world.note(end, { log: first, origin: 'registry.example/log' })),
      backwards: of((events) => {
        const [publish] = events.filter(({ event }) => event.includes('"t":"publish"'))
        const others = events.filter((leaf) => leaf !== publish)
        return publish === undefined ? [] : [...others, publish]
      }),
      unpublished: of((events) => events.filter(({ event }) => !event.includes('"t":"publish"'))),
    }
    expect(codes).toEqual({
      ...Object.fromEntries(Object.keys(codes).map((name) => [name, 'proof-invalid'])),
      stranger: 'checkpoint-invalid',
    })
    expect(published.approveIndex).toBeGreaterThan(end)
  })
})

describe('a stolen log key is useless after the freeze', () => {
  function theft(options = {}) {
    const { world, acme, v1 } = releasedWorld(options)
    const log = world.origin
    const end = world.size
    const thief = world.fork()
    world.succeed()
    const evil = thief.release(acme, weather('6.6.6'))
    return { world, acme, v1, log, end, thief, evil }
  }

  it('every bundle it signs is refused, whatever its size, and makes no evidence', async () => {
    const { world, log, end, thief, evil } = theft()
    const root = openTrustRoot(world.newestRoot)
    const seen = new Set<string | undefined>()
    for (let size = (evil.approveIndex ?? 0) + 1; size <= thief.size; size++) {
      const bytes = thief.bundleBytes(evil, { size })
      for (const proof of [[], thief.consistency(end, size, log), thief.consistency(size, thief.size, log)]) {
        seen.add(codeOf(() => prove(world, bytes, proof)))
      }
    }
    // A tree of the very size of the end, with other entries in it.
    const twin = openWorld()
    const twinAcme = twin.enrol('com.acme')
    const other = twin.release(twinAcme, weather('6.6.7'))
    expect(twin.size).toBe(end)
    seen.add(codeOf(() => prove(world, twin.bundleBytes(other, { size: end }))))
    const small = twin.bundleBytes(other, { size: (other.approveIndex ?? 0) + 1 })
    seen.add(codeOf(() => prove(world, small, world.consistency(readBundleSize(small), end, log))))
    seen.add(codeOf(() => prove(world, small, twin.consistency(readBundleSize(small), end))))
    expect(seen).toEqual(new Set(['proof-invalid']))
    expect(root.logs).toHaveLength(2)
  })

  it('and so is every status: the host that knows the newer root never goes back', async () => {
    const { world, v1, thief, evil } = theft({ witnesses: 1 })
    const { memory, at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    thief.tick(7200)
    world.wait(7200)
    expect(await verdictOf(await at(thief.api()), evil)).toBe('checkpoint-invalid')
    expect(await verdictOf(await at(thief.api()), v1)).toBe('checkpoint-invalid')
    // The honest status beside the thief's bundle.
    const mixed = world.api({
      fetchVersions: () => thief.api().fetchVersions(evil.server),
      fetchBundle: () => thief.api().fetchBundle(evil.digest),
      fetchConsistency: (from, to) => thief.api().fetchConsistency(from, Math.min(to, thief.size)),
    })
    expect(await verdictOf(await at(mixed), evil)).toBe('proof-invalid')
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('nor does it sign for the successor', async () => {
    const { world, v1 } = theft()
    const forged = world.fork()
    const api = forged.api({
      fetchStatus: async () => {
        const text = new TextDecoder().decode(forged.statusBytes())
        return new TextEncoder().encode(text.replaceAll('/log-2 ', '/log '))
      },
    })
    expect(await verdictOf(await world.host({ registry: api }), v1)).toBe('checkpoint-invalid')
  })
})

describe('a publisher key that was revoked', () => {
  it.each([
    ['superseded', 'verified'],
    ['cessation', 'verified'],
    ['compromise', 'key-revoked'],
  ] as const)('as %s: later signatures are refused, earlier ones are %s', async (reason, earlier) => {
    const { world, acme, v1 } = releasedWorld()
    const { kid } = acme.sign
    const back = reason === 'compromise' ? { invalidFrom: v1.index, by: acme.sign } : {}
    world.revokeKey(acme, kid, { reason, ...back })
    const later = world.release(acme, weather('9.0.0'))
    const verify = async (one: Published): Promise<string> =>
      (await codeOfAsync(async () => (await world.host()).verify(one.server, one.version))) ?? 'verified'
    expect([await verify(v1), await verify(later)]).toEqual([earlier, 'key-revoked'])
    world.succeed()
    expect([await verify(v1), await verify(later)]).toEqual([earlier, 'key-revoked'])
  })
})

describe('a host whose log was frozen meanwhile', () => {
  it.each([0, 1, 3])('goes on with the successor (%s batches behind)', async (batches) => {
    const { world, acme, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    for (let i = 0; i < batches; i++) world.tick(10)
    world.succeed()
    const v2 = world.release(acme, weather('2.0.0'))
    expect(await verdictOf(await at(world.api()), v2)).toBe('verified')
    const kept = await memory.readWorld(world.identity)
    expect([kept?.log?.origin, kept?.log?.size, kept?.root.version]).toEqual([world.origin, world.size, 2])
    world.tick(10)
    expect(await verdictOf(await at(world.api()), v2)).toBe('verified')
  })

  it('keeps its tombstones over the change', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    const line = { kind: 'manifest', digest: v1.digest } as const
    world.revoke(line)
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    world.succeed()
    world.lift(line)
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
  })

  it('refuses an end that excludes what it saw, with the note and the root as evidence', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    const fork = world.fork()
    world.release(acme, weather('2.0.0'))
    fork.release(acme, weather('3.0.0'))
    fork.tick(60)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    const note = world.note()
    fork.succeed()
    expect(await verdictOf(await at(fork.api()), v1)).toBe('equivocation')
    expect((await memory.readWorld(world.identity))?.evidence[0]?.notes).toEqual([note, fork.newestRoot])
    expect(await verdictOf(await at(fork.api()), v1)).toBe('equivocation')
    // A person who clears it takes the root's word for what that log was.
    await memory.clearEvidence(world.identity)
    expect(await verdictOf(await at(fork.api()), v1)).toBe('verified')
  })

  it('lets no key count again between the end it excludes and what it saw, once that is cleared', async () => {
    const { world, acme, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    const fork = world.fork()
    fork.publish(acme, weather('7.0.0'))
    const end = fork.size
    for (let i = 0; i < 10; i++) world.tick(10)
    world.revokeKey(acme, acme.sign.kid)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    fork.tick(1)
    fork.succeed({ size: end })
    const proving = fork.api({
      fetchConsistency: async (from, to, log) =>
        log !== undefined && to > end ? world.consistency(from, to) : fork.consistency(from, to, log),
    })
    expect(await verdictOf(await at(proving), v1)).toBe('equivocation')
    await memory.clearEvidence(world.identity)
    const v2 = fork.release(acme, weather('2.0.0'))
    const host = await at(proving)
    expect(await codeOfAsync(() => host.verify(v2.server, '2.0.0'))).toBe('key-revoked')
    expect((await host.verify(v1.server, '1.0.0')).digest).toBe(v1.digest)
  })

  it('takes nonsense in the place of the proof for nonsense', async () => {
    const { world, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.tick(10)
    world.succeed()
    const broken = world.api({ fetchConsistency: async () => [new Uint8Array(32)] })
    expect(await verdictOf(await at(broken), v1)).toBe('proof-invalid')
    const none = world.api({
      fetchConsistency: () => Promise.reject(new CountersignError('registry-error', 'no such tree')),
    })
    expect(await verdictOf(await at(none), v1)).toBe('proof-invalid')
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('refuses another log that no root names in its place', async () => {
    const { world, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    await memory.updateWorld(world.identity, (old) =>
      old?.log === undefined ? old : { ...old, log: { ...old.log, origin: 'registry.example/log' } },
    )
    expect(await verdictOf(await at(world.api()), v1)).toBe('rollback')
  })
})

describe('a root that cuts entries off', () => {
  /** A host saw what a thief appended; the root freezes the log before it. */
  async function cutWorld() {
    const { world, acme, v1 } = releasedWorld()
    const { memory, at } = hostsOf(world)
    const end = world.size
    const tail = world.fork()
    tail.revoke({ kind: 'manifest', digest: v1.digest })
    const line = { kind: 'manifest', digest: v1.digest } as const
    tail.revokeKey(acme, acme.own.kid)
    tail.tick(5)
    await (await at(tail.api())).refresh()
    world.succeed({ size: end })
    const proving = world.api({
      fetchConsistency: async (from, to, log) =>
        log !== undefined && to > end ? tail.consistency(from, to, log) : world.consistency(from, to, log),
    })
    return { world, acme, v1, memory, at, end, tail, line, proving }
  }

  it('is followed where what was seen is proved to begin with what is left', async () => {
    const { world, v1, memory, at, end, proving } = await cutWorld()
    expect(await verdictOf(await at(proving), v1)).toBe('revoked')
    const kept = await memory.readRevocations(world.identity)
    expect(kept?.tombstones.every(({ seen }) => seen <= end)).toBe(true)
    // The key's line counts from the cut on: what it did before stays.
    expect(kept?.tombstones.some(({ line }) => line.endsWith(`\0${end}`))).toBe(true)
    expect((await memory.readWorld(world.identity))?.log?.origin).toBe(world.origin)
  })

  it('what was revoked behind the cut is lifted by a reinstatement in the successor', async () => {
    const { world, v1, at, line, proving } = await cutWorld()
    expect(await verdictOf(await at(proving), v1)).toBe('revoked')
    world.revoke(line)
    world.reinstate(line)
    expect(await verdictOf(await at(proving), v1)).toBe('verified')
  })

  it('is for a person where nobody can prove it: pinning the root that cuts is to agree', async () => {
    const { world, v1, memory, at } = await cutWorld()
    expect(await verdictOf(await at(world.api()), v1)).toBe('rollback')
    expect((await memory.readWorld(world.identity))?.evidence).toEqual([])
    const trust = { ...world.trust, rootNote: world.newestRoot }
    // Pinned, and the registry silent: what is remembered is of a log that has ended, and good for nothing.
    const silent = world.api({
      fetchStatus: () => Promise.reject(new CountersignError('registry-unreachable', 'no answer')),
    })
    expect(await verdictOf(await at(silent, { trust }), v1)).toBe('registry-unreachable')
    expect(await verdictOf(await at(world.api(), { trust }), v1)).toBe('revoked')
  })

  it('is agreed to by the same pin on a machine without network, from an offline bundle', async () => {
    const { world, acme, at } = await cutWorld()
    const v2 = world.release(acme, weather('2.0.0'))
    const offline = await (await world.host()).offlineBundle(v2.server, '2.0.0')
    const verify = async (change: Partial<HostOptions>) => {
      const host = await at(world.api(), { offline, ...change })
      return (await host.verify(v2.server, '2.0.0')).digest
    }
    expect(await codeOfAsync(() => verify({}))).toBe('checkpoint-invalid')
    const trust = { ...world.trust, rootNote: world.newestRoot }
    expect(await verify({ trust })).toBe(v2.digest)
  })
})

describe('the roots of a succession', () => {
  it('a host refuses a root that thaws, moves or drops a log, or brings a key of its own', async () => {
    const { world, v1 } = releasedWorld()
    const { at } = hostsOf(world)
    world.succeed()
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    const logs = openTrustRoot(world.newestRoot).logs
    const [frozen, active] = logs
    if (frozen === undefined || active === undefined) throw new Error('two logs')
    const stranger = world.fork()
    stranger.succeed({ signer: signerNamed('stranger log') })
    const [, , other] = openTrustRoot(stranger.newestRoot).logs
    if (other === undefined) throw new Error('three logs')
    for (const wrong of [[active], [other], [frozen, other]]) {
      const lying = world.fork()
      lying.signRoot(3, { logs: wrong })
      lying.announceRoot(3)
      const host = await at(lying.api())
      expect(await codeOfAsync(() => host.refresh())).toBe('root-outdated')
    }
    world.succeed()
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })
})
