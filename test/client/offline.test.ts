import { describe, expect, it } from 'vitest'
import { parseOffline, memoryInProcess } from 'countersign'
import { canonicalize, parseStrictJson, utf8Bytes, type JsonObject } from 'countersign/core'
import { openWorld, toolsOf, weather } from '../support/world.js'
import { codeOf, codeOfAsync } from './support.js'

async function packed() {
  const world = openWorld()
  const v1 = world.release(world.enrol('com.acme'), weather())
  world.tick(10)
  return { world, v1, bytes: await (await world.host()).offlineBundle(v1.server, '1.0.0') }
}

describe('an offline bundle', () => {
  it('verifies without a registry, and says so', async () => {
    const { world, v1, bytes } = await packed()
    const host = await world.host({
      offline: bytes,
      registry: world.api({ fetchStatus: () => Promise.reject(new Error('asked')) }),
    })
    const review = await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
    expect([review.verdict, review.freshness.offline]).toEqual(['verified', true])
    expect((await host.verify(v1.server)).digest).toBe(v1.digest)
    const other = await host.review({ slot: 'y', package: 'npm:left-pad@1.0.0', tools: toolsOf(v1) })
    expect(other.verdict).toBe('artifact-mismatch')
  })

  it('knows nothing of other servers, which is not that nobody signed them', async () => {
    const { world, bytes } = await packed()
    const policy = { mode: 'enforce', unknownServers: 'pass', managed: false } as const
    const host = await world.host({ offline: bytes, policy })
    const review = await host.review({ server: 'com.acme/other', slot: 'z', tools: [{ name: 'evil' }] })
    expect([review.verdict, review.allowed]).toEqual(['registry-unreachable', []])
  })

  it('needs a proof it does not hold when the host has seen more: closed', async () => {
    const { world, v1, bytes } = await packed()
    const memory = memoryInProcess()
    world.tick(10)
    await (await world.host({ memory })).refresh()
    const review = await (
      await world.host({ memory, offline: bytes })
    ).review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
    expect(review.verdict).toBe('registry-unreachable')
  })

  it('goes on from an earlier one where the proof from there is in it', async () => {
    const { world, v1, bytes } = await packed()
    const memory = memoryInProcess()
    const attestedAt = async (offline: Uint8Array) => {
      const host = await world.host({ memory, offline })
      const review = await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })
      return [review.verdict, review.freshness.attestedAt]
    }
    const first = world.clock
    expect(await attestedAt(bytes)).toEqual(['verified', first])
    const size = (await memory.readWorld(world.identity))?.log?.size ?? 0
    world.tick(600)
    const online = await world.host()
    // Without the proof the newer status cannot be taken: what was known goes on to age.
    expect(await attestedAt(await online.offlineBundle(v1.server))).toEqual(['verified', first])
    expect(await attestedAt(await online.offlineBundle(v1.server, undefined, [size]))).toEqual([
      'verified',
      first + 600,
    ])
  })

  it('carries what is denied and waits for the quorum: refused offline as online', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const [v1, other] = [world.release(acme, weather()), world.release(acme, weather('2.0.0'))]
    world.hold()
    world.revoke({ kind: 'manifest', digest: other.digest })
    const offline = await (await world.host()).offlineBundle(v1.server, '1.0.0')
    expect(parseOffline(offline).denials).toContain(other.digest)
    expect(parseOffline(offline).revocations).toBe('')
    expect((await (await world.host({ offline })).verify(v1.server, '1.0.0')).digest).toBe(v1.digest)
    // The list is not left out, and not taken for the other one.
    const { denials, ...rest } = parseStrictJson(offline) as JsonObject
    const changes = [rest, { ...rest, denials: '' }, { ...rest, denials: 'x' }]
    for (const changed of changes) {
      const host = await world.host({ offline: utf8Bytes(canonicalize(changed)) })
      expect(await codeOfAsync(() => host.verify(v1.server, '1.0.0'))).toBe('proof-invalid')
    }
    expect(denials).toContain(other.digest)
  })

  it('carries the proofs of a log that ended, for hosts that saw it and for others', async () => {
    const world = openWorld()
    const v1 = world.release(world.enrol('com.acme'), weather())
    const memory = memoryInProcess()
    await (await world.host({ memory })).refresh()
    const size = (await memory.readWorld(world.identity))?.log?.size ?? 0
    world.tick(10)
    world.succeed()
    const offline = await (await world.host()).offlineBundle(v1.server, '1.0.0', [size])
    expect(parseOffline(offline).roots).toHaveLength(1)
    expect(parseOffline(offline).consistency.some(({ log }) => log !== undefined)).toBe(true)
    for (const host of [await world.host({ offline }), await world.host({ offline, memory })]) {
      expect((await host.verify(v1.server, '1.0.0')).digest).toBe(v1.digest)
    }
  })

  it('is parsed strictly', async () => {
    const { world, bytes } = await packed()
    const value = parseStrictJson(bytes) as JsonObject
    const of = (change: JsonObject) =>
      codeOf(() => parseOffline(utf8Bytes(canonicalize({ ...value, ...change }))))
    expect(of({})).toBeUndefined()
    expect(of({ more: 1 })).toBe('bundle-malformed')
    expect(of({ role: 'other' })).toBe('bundle-malformed')
    expect(of({ consistency: [{ from: 1, to: '2', proof: [] }] })).toBe('bundle-malformed')
    expect(of({ consistency: [{ from: 1, to: 2, log: 'x'.repeat(256), proof: [] }] })).toBe(
      'bundle-malformed',
    )
    expect(of({ denials: 1 })).toBe('bundle-malformed')
    expect(of({ format: 'countersign/bundle/v1' })).toBe('bundle-malformed')
    expect(of({ server: 'nonsense' })).toBe('name-invalid')
    expect(await codeOfAsync(() => world.host({ offline: utf8Bytes('{}') }))).toBe('bundle-malformed')
  })
})
