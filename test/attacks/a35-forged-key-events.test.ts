import { describe, expect, it } from 'vitest'
import { memoryInProcess, type Host, type HostOptions } from 'countersign'
import {
  eventPayload,
  signDetached,
  signKeyAddEvent,
  signNamespaceEvent,
  type ApproveEvent,
  type KeyAddEvent,
} from 'countersign/core'
import { forgeAddition, type Claims } from '../support/forged.js'
import {
  openWorld,
  signerNamed,
  toolsOf,
  weather,
  type Published,
  type Publisher,
  type World,
} from '../support/world.js'

const attacker = signerNamed('attacker')

/** The registry logs what it likes; this is what a host concludes from a release under the key it slipped in. */
async function verdictAfter(world: World, acme: Publisher, forged: KeyAddEvent): Promise<string> {
  world.append(forged)
  const released = world.approve(world.publish(acme, weather(), { by: attacker }))
  const host = await world.host()
  const review = await host.review({ server: released.server, slot: 'test', tools: toolsOf(released) })
  if (review.allowed.length > 0 && review.verdict !== 'verified') throw new Error('allowed without a verdict')
  return review.verdict
}

function scene(): {
  world: World
  acme: Publisher
  event: { namespace: string; role: 'sign'; after: number }
} {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  return {
    world,
    acme,
    event: { namespace: acme.namespace, role: 'sign', after: world.latestAbout(acme.namespace) },
  }
}

describe('A35 key events that the registry forged', () => {
  it('a key that endorses itself is key-unknown', async () => {
    const { world, acme, event } = scene()
    expect(await verdictAfter(world, acme, signKeyAddEvent(event, world.identity, attacker, attacker))).toBe(
      'key-unknown',
    )
  })

  it('a key endorsed by a sign key, which owns nothing, is key-unknown', async () => {
    const { world, acme, event } = scene()
    expect(await verdictAfter(world, acme, signKeyAddEvent(event, world.identity, attacker, acme.sign))).toBe(
      'key-unknown',
    )
  })

  it("an endorsement under the owner's kid by another key is signature-invalid", async () => {
    const { world, acme, event } = scene()
    const claims: Claims = {
      after: event.after,
      pop: [attacker, attacker.kid],
      sig: [attacker, acme.own.kid],
    }
    expect(await verdictAfter(world, acme, forgeAddition(world, attacker, claims))).toBe('signature-invalid')
  })

  it("an endorsement of the owner's for another registry is signature-invalid", async () => {
    const { world, acme, event } = scene()
    const elsewhere = signKeyAddEvent(event, openWorld({ name: 'other' }).identity, attacker, acme.own)
    expect(await verdictAfter(world, acme, elsewhere)).toBe('signature-invalid')
  })

  it('an endorsement signed for another moment is signature-invalid', async () => {
    const { world, acme, event } = scene()
    const signed = signKeyAddEvent(event, world.identity, attacker, acme.own)
    expect(await verdictAfter(world, acme, { ...signed, after: signed.after + 1 })).toBe('signature-invalid')
  })

  it('an endorsement of another role is signature-invalid', async () => {
    const { world, acme, event } = scene()
    const signed = signKeyAddEvent({ ...event, role: 'own' }, world.identity, attacker, acme.own)
    expect(await verdictAfter(world, acme, { ...signed, role: 'sign' })).toBe('signature-invalid')
  })

  it('a key nobody possesses is signature-invalid', async () => {
    const { world, acme, event } = scene()
    const claims: Claims = {
      after: event.after,
      pop: [acme.own, attacker.kid],
      sig: [acme.own, acme.own.kid],
    }
    expect(await verdictAfter(world, acme, forgeAddition(world, attacker, claims))).toBe('signature-invalid')
  })

  it('a second first key for a namespace is refused', async () => {
    const { world } = scene()
    const about = { namespace: 'com.acme', proof: 'admin', account: 'acc-9' } as const
    world.append(signNamespaceEvent(about, world.identity, attacker))
    const released = world.approve(
      world.publish({ namespace: 'com.acme', own: attacker, sign: attacker }, weather()),
    )
    const review = await (
      await world.host()
    ).review({ server: released.server, slot: 'test', tools: toolsOf(released) })
    expect(review).toMatchObject({ allowed: [], verdict: 'proof-invalid' })
  })

  it('another first key shown in place of the real one asks for consent where the real one is known', async () => {
    const { world, acme } = scene()
    const memory = memoryInProcess()
    const review = async (one: Published, change: Partial<HostOptions> = {}) => {
      const host = await world.host({ memory, ...change })
      return host.review({ server: one.server, slot: 'test', tools: toolsOf(one) })
    }
    expect((await review(world.release(acme, weather('1.0.0')))).verdict).toBe('verified')
    const about = { namespace: 'com.acme', proof: 'admin', account: 'acc-9' } as const
    const first = world.append(signNamespaceEvent(about, world.identity, attacker))
    const addition = { namespace: 'com.acme', role: 'sign', after: first } as const
    const added = world.append(signKeyAddEvent(addition, world.identity, attacker, attacker))
    const forged = world.approve(
      world.publish(acme, weather('1.0.1', { title: 'taken over' }), { by: attacker }),
    )
    const indexes = [first, added, forged.index, forged.approveIndex!]
    const registry = world.api({
      fetchVersions: async () => [world.summary(forged)],
      fetchBundle: async () => world.bundleBytes(forged, { indexes }),
    })
    expect(await review(forged, { registry })).toMatchObject({ allowed: [], verdict: 'consent-required' })
  })

  it('twin: the same event by hand, each signature by the key it names, is good', async () => {
    const { world, acme, event } = scene()
    const claims: Claims = {
      after: event.after,
      pop: [attacker, attacker.kid],
      sig: [acme.own, acme.own.kid],
    }
    expect(await verdictAfter(world, acme, forgeAddition(world, attacker, claims))).toBe('verified')
  })

  it('twin: a key that the owner endorsed signs', async () => {
    const { world, acme, event } = scene()
    expect(await verdictAfter(world, acme, signKeyAddEvent(event, world.identity, attacker, acme.own))).toBe(
      'verified',
    )
  })
})

describe('A35 approvals', () => {
  it('an approval replayed from another manifest or from before its publication is refused', async () => {
    const { world, acme } = scene()
    const first = world.release(acme, weather('1.0.0'))
    for (const change of [
      { manifest: first.digest, version: '1.0.0' },
      { after: 0 },
    ] as Partial<ApproveEvent>[]) {
      const released = world.approve(
        world.publish(acme, weather('2.0.0', { title: `with after ${change.after ?? 'as it was'}` })),
        change,
      )
      const api = world.api({ fetchVersions: async () => [world.summary(released)] })
      const review = await (
        await world.host({ registry: api })
      ).review({ server: released.server, slot: 'test', tools: toolsOf(released) })
      expect(review).toMatchObject({ allowed: [], verdict: 'proof-invalid' })
    }
  })

  it('with approvers in the root, an approval of the registry alone is signature-invalid', async () => {
    const world = openWorld({ approvers: 2 })
    const acme = world.enrol('com.acme')
    const verdicts: string[] = []
    for (const by of [
      [],
      [world.keys.approvers[0]!],
      [world.keys.approvers[0]!, world.keys.approvers[0]!],
      world.keys.approvers,
    ]) {
      const released = world.approve(
        world.publish(acme, weather(`1.0.${verdicts.length}`, { title: `${by.length}` })),
        {},
        by,
      )
      const api = world.api({ fetchVersions: async () => [world.summary(released)] })
      verdicts.push(
        (
          await (
            await world.host({ registry: api })
          ).review({ server: released.server, slot: 'test', tools: toolsOf(released) })
        ).verdict,
      )
    }
    expect(verdicts).toEqual(['signature-invalid', 'signature-invalid', 'signature-invalid', 'verified'])
  })
})

describe('a namespace enrolled a second time by the registry itself', () => {
  /** A host that accepted a release under a chain of three keys, and the registry's second, forged chain. */
  async function usurped(): Promise<{ host: Host; usurped: Published }> {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const second = signerNamed('com.acme second own')
    const known = world.addKey(acme, 'own', second)
    const v1 = world.release(acme, weather())
    const bundles = { fetchBundle: async () => world.bundleBytes(v1) }
    const host = await world.host({
      registry: world.api({ fetchBundle: () => bundles.fetchBundle() }),
    })
    const review = await host.review({ server: v1.server, slot: 'test', tools: toolsOf(v1) })
    expect(review.verdict).toBe('verified')

    // The second key's own proof of possession says nothing of who endorses it, so it fits behind any first key.
    const first = world.append(
      signNamespaceEvent(
        { namespace: 'com.acme', proof: 'admin', account: 'acc-9' },
        world.identity,
        attacker,
      ),
    )
    const original = JSON.parse(world.leaf(known)) as KeyAddEvent
    const payload = eventPayload(original, world.identity)
    const sig = signDetached('countersign-key-event+json', payload, attacker)
    const reused = world.append({ ...original, sig })
    const signing = signerNamed('attacker sign')
    const about = { namespace: 'com.acme', role: 'sign', after: reused } as const
    const added = world.append(signKeyAddEvent(about, world.identity, signing, attacker))
    const v2 = world.approve(world.publish(acme, weather('2.0.0'), { by: signing }))
    const indexes = [first, reused, added, v2.index, v2.approveIndex ?? 0]
    const bundle = world.bundleBytes(v2, { indexes })
    bundles.fetchBundle = async () => bundle
    world.tick(400)
    return { host, usurped: v2 }
  }

  it('brings no key of its own in behind one that the host remembers', async () => {
    const { host, usurped: v2 } = await usurped()
    const review = await host.review({
      server: v2.server,
      version: '2.0.0',
      slot: 'test',
      tools: toolsOf(v2),
    })
    expect([review.verdict, review.allowed]).toEqual(['consent-required', []])
    expect(review.withheld[0]?.detail['reason']).toBe('other-publisher')
  })

  it('and a key that a remembered one did endorse goes on without a question', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const second = signerNamed('com.acme second own')
    const v1 = world.release(acme, weather())
    const host = await world.host()
    await host.review({ server: v1.server, slot: 'test', tools: toolsOf(v1) })
    world.addKey(acme, 'own', second)
    const next = signerNamed('com.acme next sign')
    world.addKey(acme, 'sign', next, second)
    const v2 = world.approve(world.publish(acme, weather('2.0.0'), { by: next }))
    world.tick(400)
    const review = await host.review({
      server: v2.server,
      version: '2.0.0',
      slot: 'test',
      tools: toolsOf(v2),
    })
    expect(review.verdict).toBe('verified')
  })
})
