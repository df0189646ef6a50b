import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
  type Host,
  type RegistryApi,
} from 'countersign'
import { formatStatus, parseStatus, type Denials } from 'countersign/core'
import { openWorld, toolsOf, weather, type Published } from '../support/world.js'
import { codeOf } from './support.js'
import { hostsOf } from './worlds.js'

// PROTOCOL 7: what is revoked counts before the quorum stands behind it, and nothing else does.

function heldWorld(options = {}) {
  const world = openWorld({ witnesses: 2, ...options })
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, weather())
  const v2 = world.release(acme, weather('2.0.0', { title: 'second' }))
  world.hold()
  return { world, acme, v1, v2 }
}

const verdictOf = async (host: Host, published: Published): Promise<string> => {
  const { server, version } = published
  return (await host.review({ server, version, slot: published.version, tools: toolsOf(published) })).verdict
}

const lineOf = ({ digest }: Published) => ({ kind: 'manifest', digest }) as const

describe('a revocation without quorum', () => {
  it('counts at once, for what it names alone', async () => {
    const { world, v1, v2 } = heldWorld()
    const { at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.revoke(lineOf(v1))
    const host = await at(world.api())
    expect(await verdictOf(host, v1)).toBe('revoked')
    expect(await verdictOf(host, v2)).toBe('verified')
  })

  it('of a key counts too', async () => {
    const { world, acme, v1 } = heldWorld()
    world.revokeKey(acme, acme.sign.kid, { invalidFrom: 0 })
    expect(await verdictOf(await world.host(), v1)).toBe('key-revoked')
  })

  it('is seen by a host that was running', async () => {
    const { world, v1 } = heldWorld()
    const host = await world.host()
    expect(await verdictOf(host, v1)).toBe('verified')
    world.revoke(lineOf(v1))
    await host.refresh()
    expect(await verdictOf(host, v1)).toBe('revoked')
  })

  it('is kept when a later status leaves it out, and by a host that cannot reach the registry', async () => {
    const { world, v1 } = heldWorld()
    const { at } = hostsOf(world)
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    world.revoke(lineOf(v1))
    const hidden = world.fork()
    hidden.lift(lineOf(v1))
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    const host = await at(hidden.api())
    expect(parseStatus(await hidden.api().fetchStatus()).denials).toBeUndefined()
    expect(await verdictOf(host, v1)).toBe('revoked')
    const silent = () => Promise.reject(new CountersignError('registry-unreachable', 'no answer'))
    expect(await verdictOf(await at(world.api({ fetchStatus: silent })), v1)).toBe('revoked')
  })

  it('is settled by a quorum: revoked for good, or never', async () => {
    const { world, v1, v2 } = heldWorld()
    const { memory, at } = hostsOf(world)
    world.revoke(lineOf(v1))
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    expect((await memory.readWorld(world.identity))?.denied?.lines).toHaveLength(1)
    expect((await memory.readRevocations(world.identity))?.tombstones).toEqual([])
    world.lift(lineOf(v1))
    world.publishHeld()
    // It was denied, and what a quorum stands behind does not have it: no tombstone is left of it.
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
    expect((await memory.readWorld(world.identity))?.denied).toBeUndefined()
    world.hold()
    world.revoke(lineOf(v2))
    expect(await verdictOf(await at(world.api()), v2)).toBe('revoked')
    world.publishHeld()
    expect(await verdictOf(await at(world.api()), v2)).toBe('revoked')
    world.lift(lineOf(v2))
    expect(await verdictOf(await at(world.api()), v2)).toBe('revoked')
  })

  it('of a log that was frozen counts no more', async () => {
    const { world, v1 } = heldWorld()
    const { at } = hostsOf(world)
    const end = world.size
    world.revoke(lineOf(v1))
    expect(await verdictOf(await at(world.api()), v1)).toBe('revoked')
    world.lift(lineOf(v1))
    world.succeed({ size: end })
    expect(await verdictOf(await at(world.api()), v1)).toBe('verified')
  })

  it('twin: approvals without quorum allow nothing', async () => {
    const { world, acme, v1 } = heldWorld()
    const v3 = world.release(acme, weather('3.0.0'))
    world.revoke(lineOf(v1))
    expect(await verdictOf(await world.host(), v3)).toBe('checkpoint-invalid')
    world.publishHeld()
    expect(await verdictOf(await world.host(), v3)).toBe('verified')
  })
})

describe('denials that do not hold', () => {
  function deniedStatus() {
    const { world, v1, v2 } = heldWorld()
    world.revoke(lineOf(v1))
    const status = parseStatus(world.statusBytes())
    const of = (denials: Denials) => formatStatus({ ...status, denials })
    return { world, v1, v2, denials: world.denials(), of, status }
  }

  it('refuse the status', () => {
    const { world, denials, of } = deniedStatus()
    const codes = (change: Partial<Denials>) =>
      codeOf(() => verifyStatus(of({ ...denials, ...change }), world.root))
    expect(codes({})).toBeUndefined()
    const stranger = openWorld({ name: 'stranger' })
    expect(codes({ checkpoint: stranger.note() })).toBe('checkpoint-invalid')
    expect(codes({ checkpoint: 'nonsense' })).toBe('checkpoint-invalid')
    // A tree that is not larger: what is published already says it all.
    expect(codes({ checkpoint: world.note(world.size - 1, { cosigners: [] }) })).toBe('checkpoint-invalid')
    const { snapshot } = denials
    const old = { event: world.leaf(1), proof: world.inclusion(1) }
    expect(codes({ snapshot: old })).toBe('rollback')
    expect(codes({ snapshot: { ...snapshot, proof: snapshot.proof.slice(1) } })).toBe('proof-invalid')
    expect(codes({ snapshot: { ...snapshot, event: world.leaf(0) } })).toBe('proof-invalid')
  })

  it('a list that cannot be had, or is another one, allows nothing', async () => {
    const { world, v2, denials } = deniedStatus()
    const { revocations } = JSON.parse(denials.snapshot.event) as { revocations: string }
    const hex = Buffer.from(revocations, 'base64').toString('hex')
    const lists = (answer: () => Promise<Uint8Array>) =>
      world.api({
        fetchRevocations: (asked) => (asked === hex ? answer() : world.api().fetchRevocations(asked)),
      })
    const refusing = (code: 'registry-error' | 'registry-unreachable') =>
      lists(() => Promise.reject(new CountersignError(code, 'no')))
    const verdict = async (registry: RegistryApi) => verdictOf(await world.host({ registry }), v2)
    expect(await verdict(refusing('registry-error'))).toBe('proof-invalid')
    expect(await verdict(refusing('registry-unreachable'))).toBe('proof-invalid')
    expect(await verdict(lists(async () => new Uint8Array()))).toBe('proof-invalid')
    expect(await verdict(world.api())).toBe('verified')
  })

  it('verifyBundle asks for the list that the denials name', () => {
    const { world, v1, v2 } = deniedStatus()
    const status = verifyStatus(world.statusBytes(), world.root)
    const revocations = verifyRevocations(new Uint8Array(), status)
    if (status.denials === undefined) throw new Error('denials')
    const denials = verifyRevocations(world.revocationBytes(), status.denials)
    const of = (published: Published, change = {}) => {
      const bytes = world.bundleBytes(published)
      const size = (published.approveIndex ?? 0) + 2
      const consistency = world.consistency(size, status.checkpoint.size)
      const context = { root: world.root, status, revocations, consistency, ...change }
      return codeOf(() => verifyBundle(bytes, context, { now: world.clock * 1000 }))
    }
    expect(of(v2)).toBe('proof-invalid')
    expect(of(v2, { denials: revocations })).toBe('proof-invalid')
    expect(of(v2, { denials })).toBeUndefined()
    expect(of(v1, { denials })).toBe('revoked')
  })
})
