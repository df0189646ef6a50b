import { describe, expect, it } from 'vitest'
import { memoryInProcess, type Host, type RegistryApi, type WorldMemory } from 'countersign'
import { MAX_REVOCATIONS_BYTES } from 'countersign/core'
import { withDenied } from '../../client/src/resolve/known.js'
import { codeOf } from './support.js'
import { openWorld, toolsOf, weather, type Published } from '../support/world.js'

// Whoever serves the revocation lists proves them each time, whatever this process proved of them before.

const verdictOf = async (host: Host, published: Published): Promise<string> => {
  const { server, version } = published
  return (await host.review({ server, version, slot: version, tools: toolsOf(published) })).verdict
}

function twoVersions() {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, weather())
  const v2 = world.release(acme, weather('2.0.0', { title: 'second' }))
  const lineOf = ({ digest }: Published) => ({ kind: 'manifest', digest }) as const
  return { world, v1, v2, lineOf }
}

describe('a list that comes back', () => {
  it.each(['nothing', 'garbage'])('is not forgotten when a mirror serves %s in its place', async (what) => {
    const { world, v1, v2, lineOf } = twoVersions()
    const memory = memoryInProcess()
    let lies = false
    const lie = new TextEncoder().encode(what === 'nothing' ? '' : 'no list at all\n')
    const registry: RegistryApi = world.api({
      fetchRevocations: (hex) => (lies ? Promise.resolve(lie) : world.api().fetchRevocations(hex)),
    })
    const host = await world.host({ registry, memory })
    for (const one of [v1, v2]) {
      world.revoke(lineOf(one))
      await host.refresh()
    }
    world.lift(lineOf(v2))
    const genuine = world.revocationBytes()
    lies = true
    await host.refresh()
    expect((await memory.readRevocations(world.identity))?.list).toEqual(genuine)
    lies = false
    world.lift(lineOf(v1))
    const next = await world.host({ registry, memory })
    expect([await verdictOf(next, v1), await verdictOf(next, v2)]).toEqual(['revoked', 'revoked'])
  })
})

describe('what is denied', () => {
  const log = { origin: 'o', size: 10, root: '', note: '', status: '', attestedAt: 0, snapshotIndex: 9 }
  const world: WorldMemory = { v: 2, root: { version: 1, note: '' }, log, evidence: [] }
  const found = (size: number, ...lines: string[]) => ({ origin: 'o', size, lines })

  it('adds to what another process found meanwhile', () => {
    const one = withDenied(world, found(12, 'a'))
    const both = withDenied(one, found(11, 'b', 'a'))
    expect(both.denied).toEqual({ origin: 'o', size: 12, lines: ['a', 'b'] })
    expect(withDenied(both, found(12, 'a'))).toBe(both)
    expect(withDenied(world, found(12))).toBe(world)
  })

  it('is nothing that a quorum settled meanwhile, or of another log', () => {
    expect(withDenied(world, found(10, 'a'))).toBe(world)
    expect(withDenied(world, { ...found(12, 'a'), origin: 'p' })).toBe(world)
  })

  it('is refused beyond the size of a list, and what is remembered stays as it is', () => {
    const large = withDenied(world, found(12, 'a'.repeat(MAX_REVOCATIONS_BYTES - 2)))
    expect(large.denied?.lines).toHaveLength(1)
    expect(codeOf(() => withDenied(large, found(13, 'b')))).toBe('proof-invalid')
    // A succession makes room again.
    expect(
      codeOf(() =>
        withDenied({ ...large, log: { ...log, origin: 'p' } }, { ...found(13, 'b'), origin: 'p' }),
      ),
    ).toBe(undefined)
  })
})
