import { afterEach, describe, expect, it } from 'vitest'
import { memoryInProcess, openHost, type HostOptions } from 'countersign'
import { signKeyAddEvent, signNamespaceEvent, type LogEvent, type Signer } from 'countersign/core'
import { newKey } from '../support/registry.js'
import { openWorld, signerNamed, toolsOf, weather, type World } from '../support/world.js'
import { openMonitorDesk, type MonitorDesk, type Watched } from '../cli/log-monitoring.js'
import { LogWorld, people, type LogWorldOptions, type Owner } from '../cli/log-world.js'

// An operator, or a thief of the database and the online keys, writes into the log what nobody asked for. Everything is
// signed as it should be by the registry: only who watches the namespace sees it, and only keys offline prevent it.

let desk: MonitorDesk | undefined
afterEach(async () => {
  await desk?.close()
  desk = undefined
})

async function watched(
  options: LogWorldOptions = {},
): Promise<{ world: LogWorld; acme: Owner; run: () => Promise<Watched> }> {
  const world = new LogWorld(options)
  const acme = world.enrol('com.acme')
  const opened = await openMonitorDesk(world)
  desk = opened
  const run = (): Promise<Watched> => opened.run({ namespace: ['com.acme'] })
  await run()
  return { world, acme, run }
}

const told = ({ code, lies, events }: Watched) => ({ code, lies, events })

describe('A27 seen by the monitor of the namespace', () => {
  it('a key that the operator endorses itself is a lie', async () => {
    const { world, acme, run } = await watched()
    const thief = newKey()
    world.append(world.keyAdd(acme, thief, 'sign', thief))
    expect(told(await run())).toEqual({ code: 3, lies: ['key-unknown'], events: ['key.add'] })
  })

  it('and so is what that key publishes', async () => {
    const { world, acme, run } = await watched()
    const thief = newKey()
    world.append(world.keyAdd(acme, thief, 'sign', thief))
    await run()
    world.approve(world.publish(acme, '6.6.6', thief))
    const found = await run()
    expect(found).toMatchObject({ code: 3, lies: ['key-unknown', 'event-invalid'] })
  })

  it('a second enrolment of the namespace is a lie; one below it is an event', async () => {
    const { world, run } = await watched()
    const about = { namespace: 'com.acme', proof: 'admin', account: 'operator' } as const
    world.append(signNamespaceEvent(about, world.identity, newKey()))
    expect((await run()).lies).toEqual(['event-invalid'])
    world.append(signNamespaceEvent({ ...about, namespace: 'com.acme.team' }, world.identity, newKey()))
    expect(told(await run())).toEqual({ code: 5, lies: [], events: ['namespace'] })
  })

  it('a key under a stolen own key is an event', async () => {
    const { world, acme, run } = await watched()
    world.append(world.keyAdd(acme, newKey(), 'sign'))
    expect(told(await run())).toEqual({ code: 5, lies: [], events: ['key.add'] })
  })

  it('an approval by itself is an event where the root names no approvers', async () => {
    const { world, acme, run } = await watched()
    const published = world.publish(acme, '1.0.0')
    await run()
    world.approve(published)
    expect(told(await run())).toEqual({ code: 5, lies: [], events: ['approve'] })
  })

  it('and a lie where the root names them', async () => {
    const { signers, set } = people(3, 2)
    const { world, acme, run } = await watched({ approvers: set })
    const published = world.publish(acme, '1.0.0')
    await run()
    world.append(world.approval(published, signers.slice(2)))
    expect(told(await run())).toEqual({ code: 3, lies: ['signature-invalid'], events: ['approve'] })
    // Twin: a threshold of them did.
    world.approve(world.publish(acme, '1.0.1'), signers.slice(1))
    expect(told(await run())).toEqual({ code: 5, lies: [], events: ['publish', 'approve'] })
  })

  it('a publication in the name of an honest key, which never signed it, is a lie when it is approved', async () => {
    const { world, acme, run } = await watched()
    const forged = world.version(acme, '6.6.6', newKey())
    const index = world.append({ ...forged.event, kid: acme.sign.kid })
    expect(told(await run())).toEqual({ code: 5, lies: [], events: ['publish'] })
    world.approve({ ...forged, index })
    expect(told(await run())).toEqual({ code: 3, lies: ['signature-invalid'], events: ['approve'] })
  })

  it('a revocation that is lifted by one decider is a lie', async () => {
    const { world, acme, run } = await watched()
    const { manifest } = world.release(acme, '1.0.0')
    const about = {
      v: 1,
      target: 'manifest',
      digest: manifest,
      reason: 'a reason',
      deciders: ['operator'],
    } as const
    world.lines.add(`manifest\0${manifest}`)
    const revoked = world.append({ ...about, t: 'revoke', after: world.latest(`manifest:${manifest}`) })
    await run()
    world.lines.clear()
    world.append({ ...about, t: 'reinstate', after: revoked })
    expect(told(await run())).toEqual({ code: 3, lies: ['event-invalid'], events: ['reinstate'] })
  })

  it('twin: who watches another namespace is told of nothing', async () => {
    const { world, acme } = await watched()
    world.release(acme, '1.0.0')
    expect(told(await desk!.run({ namespace: ['com.acm', 'org.acme'] }))).toEqual({
      code: 0,
      lies: [],
      events: [],
    })
  })
})

describe('A27 at a host', () => {
  const host = (world: World, change: Partial<HostOptions> = {}) =>
    openHost({
      registry: world.api(),
      trust: world.trust,
      memory: memoryInProcess(),
      policy: { mode: 'enforce', unknownServers: 'block', managed: false },
      now: () => world.clock * 1000,
      ...change,
    })

  /** What a host says of a release that the operator approved with these signatures. */
  async function verdict(world: World, sigs: readonly Signer[], by?: Signer): Promise<string> {
    const acme = world.enrol('com.acme')
    if (by !== undefined) world.append(forgedKey(world, by))
    const published = world.publish(acme, weather(), by === undefined ? {} : { by })
    const released = world.approve(published, {}, sigs)
    const review = await (
      await host(world)
    ).review({ server: released.server, slot: 'test', tools: toolsOf(released) })
    expect(review.allowed.length > 0).toBe(review.verdict === 'verified')
    return review.verdict
  }

  /** Endorsed by nobody but itself. */
  function forgedKey(world: World, key: Signer): LogEvent {
    const about = { namespace: 'com.acme', role: 'sign', after: world.latestAbout('com.acme') } as const
    return signKeyAddEvent(about, world.identity, key, key)
  }

  it('with approvers in the root its own approval is refused, and one signed by too few of them', async () => {
    const open = () => openWorld({ approvers: 2 })
    expect(await verdict(open(), [])).toBe('signature-invalid')
    const one = open()
    expect(await verdict(one, one.keys.approvers.slice(1))).toBe('signature-invalid')
    expect(await verdict(open(), [signerNamed('operator'), signerNamed('operator 2')])).toBe(
      'signature-invalid',
    )
  })

  it('twin: with theirs it is verified; and without approvers in the root the registry decides', async () => {
    const world = openWorld({ approvers: 2 })
    expect(await verdict(world, world.keys.approvers)).toBe('verified')
    expect(await verdict(openWorld(), [])).toBe('verified')
  })

  it('a key that the operator added is no key of the namespace, approved or not', async () => {
    const world = openWorld({ approvers: 2 })
    expect(await verdict(world, world.keys.approvers, signerNamed('operator'))).toBe('key-unknown')
  })
})
