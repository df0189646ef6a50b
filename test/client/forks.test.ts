import { describe, expect, it } from 'vitest'
import { CountersignError } from 'countersign'
import { mutate, openWorld, weather, type World } from '../support/world.js'
import { hostsOf, verdictOf } from './worlds.js'

// Every fork that a host can see leaves both signed notes behind, at whatever size it happened.

function seatsOf(world: World) {
  const { memory, at } = hostsOf(world)
  const evidence = async () => (await memory.readWorld(world.identity))?.evidence ?? []
  return { memory, at, evidence }
}

/** A world of exactly this size, and one with another last batch. */
function worldsOf(size: number) {
  const world = openWorld()
  const v1 = world.release(world.enrol('com.acme'), weather())
  while (world.size < size - 2) world.tick(1)
  const fork = world.fork()
  for (const [one, about] of [
    [world, '1'],
    [fork, '2'],
  ] as const) {
    const filler = { v: 1, t: 'root', version: 1, digest: `sha256:${about.repeat(64)}` } as const
    one.append(...Array.from({ length: size - one.size - 1 }, () => filler))
  }
  return { world, fork, v1 }
}

const SIZES = [15, 16, 17, 32, 33, 64]

describe('two histories', () => {
  it.each(SIZES.flatMap((size) => [0, 1, 2, 5].map((more) => [size, more] as const)))(
    'of %s entries and %s more leave evidence',
    async (size, more) => {
      const { world, fork, v1 } = worldsOf(size)
      expect([world.size, fork.size]).toEqual([size, size])
      const { at, evidence } = seatsOf(world)
      expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
      const note = world.note()
      for (let i = 0; i < more; i++) fork.tick(1)
      expect(await verdictOf(await at(fork.api()), v1)).toBe('equivocation')
      const kept = await evidence()
      expect(kept.map((one) => one.notes)).toEqual([[note, fork.note()]])
      expect(kept[0]?.conclusive).toBe(more === 0)
    },
  )

  it.each(SIZES)('of %s entries, the smaller one in a bundle, leave evidence', async (size) => {
    const { world, fork, v1 } = worldsOf(size)
    world.tick(1)
    world.tick(1)
    const { at, evidence } = seatsOf(world)
    const lying = world.api({ fetchBundle: async () => fork.bundleBytes(v1, { size }) })
    expect(await verdictOf(await at(lying), v1)).toBe('equivocation')
    expect((await evidence()).map((one) => one.notes)).toEqual([[world.note(), fork.note(size)]])
  })
})

describe('nonsense', () => {
  it.each(SIZES)('after %s entries is no evidence', async (size) => {
    const { world, v1 } = worldsOf(size)
    const { at, evidence } = seatsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.tick(1)
    world.tick(1)
    const mirror = (change: (proof: Uint8Array[]) => Uint8Array[]) =>
      world.api({ fetchConsistency: async (from, to) => change(world.consistency(from, to)) })
    for (const change of [
      (proof: Uint8Array[]) => proof.map((hash, i) => (i === 0 ? mutate(hash, 3) : hash)),
      (proof: Uint8Array[]) => proof.map((hash, i) => (i === proof.length - 1 ? mutate(hash, 3) : hash)),
      (proof: Uint8Array[]) => proof.slice(1),
      () => [],
    ]) {
      expect(await verdictOf(await at(mirror(change)), v1)).toBe('proof-invalid')
    }
    expect(await evidence()).toEqual([])
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('in a bundle that the log did not sign is none either', async () => {
    const { world, fork, v1 } = worldsOf(32)
    world.tick(1)
    const { at, evidence } = seatsOf(world)
    const unsigned = fork.note(32).replace(/\n\n[^]*$/, `\n\n${world.note().split('\n\n')[1] ?? ''}`)
    const lying = world.api({ fetchBundle: async () => fork.bundleBytes(v1, { size: 32, note: unsigned }) })
    expect(await verdictOf(await at(lying), v1)).toBe('checkpoint-invalid')
    expect(await evidence()).toEqual([])
  })
})

describe('a host shows the registry what it signed', () => {
  function reporting(world: World) {
    const reported: string[] = []
    const reportSeen = (note: string): Promise<void> => {
      reported.push(note)
      return Promise.reject(new CountersignError('registry-error', 'not interested'))
    }
    return { reported, api: (of: World) => of.api({ reportSeen }), world }
  }

  it('when it went back, and when it forked; whether that arrives changes nothing', async () => {
    const { world, fork, v1 } = worldsOf(20)
    const backup = world.fork()
    world.tick(1)
    for (const [other, verdict] of [
      [backup, 'rollback'],
      [fork, 'equivocation'],
    ] as const) {
      const { reported, api } = reporting(world)
      const { at } = seatsOf(world)
      expect(await verdictOf(await at(api(world)), v1)).toBe('verified')
      expect(reported).toEqual([])
      other.wait(60)
      if (other === fork) fork.tick(1)
      expect(await verdictOf(await at(api(other)), v1)).toBe(verdict)
      expect(reported).toEqual([world.note()])
    }
  })

  it('an embedder whose report fails at once, or returns nothing, hides no verdict', async () => {
    for (const reportSeen of [
      () => {
        throw new TypeError('not now')
      },
      () => undefined as unknown as Promise<void>,
    ]) {
      const { world, fork, v1 } = worldsOf(20)
      world.tick(1)
      const { at, evidence } = seatsOf(world)
      expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
      fork.tick(61)
      expect(await verdictOf(await at(fork.api({ reportSeen })), v1)).toBe('equivocation')
      expect(await evidence()).toHaveLength(1)
    }
  })

  it('and never because of a bundle, a proof that is nonsense, or an old root', async () => {
    const { world, v1 } = worldsOf(20)
    const { reported, api } = reporting(world)
    const { at } = seatsOf(world)
    expect(await verdictOf(await at(api(world)), v1)).toBe('verified')
    world.tick(1)
    const broken = { ...api(world), fetchConsistency: async () => [] }
    expect(await verdictOf(await at(broken), v1)).toBe('proof-invalid')
    expect(reported).toEqual([])
  })
})
