import { describe, expect, it } from 'vitest'
import type { Memory } from 'countersign'
import { openWorld, signerNamed, weather, type World } from '../support/world.js'
import { hostsOf, verdictOf } from './worlds.js'

// PROTOCOL 11: a tombstone falls by a reinstatement that is proved, later than the line was last seen, and signed.

function revokedWorld(options = {}) {
  const world = openWorld(options)
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, weather())
  const manifest = { kind: 'manifest', digest: v1.digest } as const
  const server = { kind: 'server', name: v1.server } as const
  return { world, acme, v1, manifest, server }
}

const tombstones = async (memory: Memory, { identity }: World) =>
  (await memory.readRevocations(identity))?.tombstones ?? []

describe('a proved reinstatement', () => {
  it.each(['manifest', 'server'] as const)('lifts the tombstone of a %s, for good', async (kind) => {
    const scene = revokedWorld()
    const { world, v1 } = scene
    const { memory, at } = hostsOf(world)
    expect(await verdictOf(await at(), v1)).toBe('verified')
    world.revoke(scene[kind])
    expect(await verdictOf(await at(), v1)).toBe('revoked')
    world.reinstate(scene[kind])
    expect(await verdictOf(await at(), v1)).toBe('verified')
    expect(await tombstones(memory, world)).toEqual([])
    expect(await verdictOf(await at(), v1)).toBe('verified')
  })

  it('of a tool gives it back', async () => {
    const { world, v1 } = revokedWorld()
    const { at } = hostsOf(world)
    const verified = await (await at()).verify(v1.server)
    const digest = verified.items.tool.get('alerts')?.forms[0]?.digest ?? v1.digest
    const line = { kind: 'tool', digest } as const
    world.revoke(line)
    expect((await (await at()).verify(v1.server)).revokedTools).toEqual(new Set([digest]))
    world.reinstate(line)
    expect((await (await at()).verify(v1.server)).revokedTools).toEqual(new Set())
    world.lift(line)
    world.revoke(line)
    await (await at()).refresh()
    world.lift(line)
    expect((await (await at()).verify(v1.server)).revokedTools).toEqual(new Set([digest]))
  })

  it('before the line was last seen lifts nothing: revoked again, and taken out in silence', async () => {
    const { world, v1, manifest } = revokedWorld()
    const { memory, at } = hostsOf(world)
    world.revoke(manifest)
    expect(await verdictOf(await at(), v1)).toBe('revoked')
    world.reinstate(manifest)
    world.revoke(manifest)
    // The same list as before, seen at a later position.
    expect(await verdictOf(await at(), v1)).toBe('revoked')
    world.lift(manifest)
    expect(await verdictOf(await at(), v1)).toBe('revoked')
    expect(await tombstones(memory, world)).toHaveLength(1)
    world.revoke(manifest)
    world.reinstate(manifest)
    expect(await verdictOf(await at(), v1)).toBe('verified')
  })

  it('lifts nothing that the current list has', async () => {
    const { world, v1, manifest } = revokedWorld()
    world.revoke(manifest)
    world.reinstate(manifest)
    world.revoke(manifest)
    expect(await verdictOf(await hostsOf(world).at(), v1)).toBe('revoked')
  })

  it('of another target lifts nothing', async () => {
    const { world, v1, manifest, server } = revokedWorld()
    const { at } = hostsOf(world)
    world.revoke(manifest)
    expect(await verdictOf(await at(), v1)).toBe('revoked')
    world.lift(manifest)
    world.revoke(server)
    world.reinstate(server)
    expect(await verdictOf(await at(), v1)).toBe('revoked')
  })

  it('is signed by the approvers where the root names them', async () => {
    for (const [by, verdict] of [
      [undefined, 'verified'],
      [[], 'signature-invalid'],
      [[signerNamed('stranger')], 'signature-invalid'],
    ] as const) {
      const { world, v1, manifest } = revokedWorld({ approvers: 2 })
      const { at } = hostsOf(world)
      world.revoke(manifest)
      expect(await verdictOf(await at(), v1)).toBe('revoked')
      world.reinstate(manifest, by ?? world.keys.approvers)
      expect(await verdictOf(await at(), v1)).toBe(verdict)
    }
  })

  it.each(['opened it', 'saw the list alone'])(
    'is not replayed: signed once, logged again after the next revocation (the host %s)',
    async (how) => {
      const { world, v1, manifest } = revokedWorld({ approvers: 2 })
      const { at } = hostsOf(world)
      world.revoke(manifest)
      expect(await verdictOf(await at(), v1)).toBe('revoked')
      const first = world.reinstate(manifest)
      if (how === 'opened it') expect(await verdictOf(await at(), v1)).toBe('verified')
      else await (await at()).refresh()
      world.revoke(manifest)
      expect(await verdictOf(await at(), v1)).toBe('revoked')
      // Whoever has the log's key and no approver's takes the line out and logs the old decision once more.
      const thief = world.fork()
      thief.lift(manifest)
      const replayed = thief.append(thief.leaf(first))
      const indexes = [...thief.chainOf(v1), v1.index, v1.approveIndex ?? 0, replayed]
      const api = thief.api({ fetchBundle: async () => thief.bundleBytes(v1, { indexes }) })
      expect(await verdictOf(await at(api), v1)).toBe('revoked')
      // Twin: a decision of its own lifts the second revocation as well.
      thief.revoke(manifest)
      thief.reinstate(manifest, world.keys.approvers)
      expect(await verdictOf(await at(thief.api()), v1)).toBe('verified')
    },
  )

  it('twin: a host that never saw the revocation needs none', async () => {
    const { world, v1, manifest } = revokedWorld()
    world.revoke(manifest)
    world.lift(manifest)
    expect(await verdictOf(await world.host(), v1)).toBe('verified')
  })
})
