import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { requestKeyAddEvent, signEvent } from 'countersign/core'
import { fileMemory } from 'countersign/node'
import { memoryInProcess, type Memory, type Review } from 'countersign'
import { EMPTY_SERVER_MEMORY } from '../../client/src/memory.js'
import { program } from '../support/programs.js'
import { rollingWorld } from '../support/rolling.js'
import { openWorld, signerNamed, tool, toolsOf, type Published } from '../support/world.js'
import { codes, draft, released, restarting, SLOT } from './consent-support.js'

const run = promisify(execFile)
const all = (one: Published) => ({ server: one.server, tools: toolsOf(one) })
const reasonOf = (review: Review) => [review.verdict, review.withheld[0]?.detail['reason']]

describe('PROTOCOL 10.9: the floor', () => {
  const [forecast, alerts] = [tool('forecast'), tool('alerts')]
  const worded = (version: string) => tool('forecast', { description: `As ${version} words it.` })

  /** 2.0.0 and 3.0.0 were in use; 1.0.0 never was. */
  async function raised() {
    const { world, acme, versions } = released(
      ...['1.0.0', '2.0.0', '3.0.0'].map((version) => draft(version, [worded(version), alerts])),
    )
    const [v1, v2, v3] = versions as [Published, Published, Published]
    const host = restarting(world)
    for (const one of [v2, v3]) expect(codes(await host.review(all(one)))).toEqual({})
    return { world, acme, host, v1, v2, v3 }
  }

  it('a rolling deploy shows two versions in turn: nothing is asked, and nothing is written', async () => {
    const { host, v2, v3 } = await raised()
    const writes = host.memory.writes()
    for (const one of [v2, v3, v2, v3, v2]) {
      const review = await host.review(all(one))
      expect([review.manifest?.version, codes(review)]).toEqual([one.version, {}])
    }
    expect([host.memory.writes(), await host.waiting()]).toEqual([writes, []])
  })

  it('what never was in use here does not come back unasked, whatever it is called', async () => {
    const { world, host, v1, v3 } = await raised()
    const review = await host.review(all(v1))
    expect([...reasonOf(review), review.allowed]).toEqual(['consent-required', 'lower-version', []])
    const [question] = await host.waiting()
    expect(question).toMatchObject({
      reason: 'lower-version',
      from: { version: '3.0.0', manifest: v3.digest },
      to: { version: '1.0.0', manifest: v1.digest, kid: v1.kid },
    })
    expect(review.withheld[0]?.detail['question']).toBe(question?.id)
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect([explained.before?.version, explained.after.version]).toEqual(['3.0.0', '1.0.0'])
    expect((await host.review({ ...all(v1), version: '1.0.0' })).verdict).toBe('consent-required')
    // Nor from a registry that hides what came later.
    const hiding = world.api({
      fetchVersions: async () => [world.summary(v1)],
    })
    const other = await world.host({ memory: host.memory, registry: hiding })
    expect((await other.review({ slot: SLOT, ...all(v1) })).verdict).toBe('consent-required')
  })

  it('agreed: exactly that version, and the floor stays for others', async () => {
    const { world, acme, host, v1, v3 } = await raised()
    const older = world.release(acme, draft('0.9.0', [worded('0.9.0'), alerts]))
    await host.review(all(v1))
    await host.answer('agreed')
    expect(codes(await host.review(all(v1)))).toEqual({})
    expect(codes(await host.review(all(v3)))).toEqual({})
    expect(codes(await host.review(all(v1)))).toEqual({})
    expect((await host.review(all(older))).verdict).toBe('consent-required')
  })

  it('refused: it stays out, and is not asked about again', async () => {
    const { host, v1 } = await raised()
    await host.review(all(v1))
    await host.answer('refused')
    const review = await host.review(all(v1))
    expect([review.verdict, review.withheld[0]?.detail['refused']]).toEqual(['consent-required', true])
    expect(await host.waiting()).toEqual([])
  })

  it('what was in use and was revoked since does not come back; and is no floor', async () => {
    const { world, host, v1, v2, v3 } = await raised()
    world.revoke({ kind: 'manifest', digest: v2.digest })
    const review = await host.review(all(v2))
    expect(review.allowed.map((one) => one.name)).not.toContain('forecast')
    world.revoke({ kind: 'manifest', digest: v3.digest })
    expect(codes(await host.review(all(v1)))).toEqual({})
  })

  it('a version that waits for consent raises no floor', async () => {
    const { world, acme, host, v3 } = await raised()
    const trap = world.release(acme, draft('99.0.0', [worded('3.0.0'), alerts, tool('trap')]))
    expect(codes(await host.review(all(trap)))).toEqual({ 'tool trap': 'consent-required' })
    await host.answer('refused')
    expect(codes(await host.review(all(v3)))).toEqual({})
    const next = world.release(acme, draft('3.0.1', [worded('3.0.1'), alerts]))
    expect(codes(await host.review(all(next)))).toEqual({})
  })

  it('an unused version does not hide one in use when a poisoned list fits both as well', async () => {
    const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    await host.review(all(v1))
    world.release(acme, draft('2.0.0', [tool('forecast', { title: 'Other' }), alerts, tool('more')]))
    const review = await host.review({
      server: v1.server,
      tools: [tool('forecast', { description: 'poison' }), alerts],
    })
    expect([review.manifest?.version, codes(review)]).toEqual([
      '1.0.0',
      { 'tool forecast': 'definition-changed' },
    ])
    expect(await host.waiting()).toEqual([])
  })
})

describe('PROTOCOL 10.9: continuity', () => {
  it('a key nobody endorsed: exactly that manifest under exactly that key', async () => {
    const { world, versions } = released(draft('1.0.0', [tool('forecast')]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    await host.review(all(v1))
    const key = { identity: world.identity, server: v1.server, slot: SLOT }
    await host.memory.updateServer(
      key,
      (old) =>
        old && { ...old, ownKids: [signerNamed('their own').kid], signKids: [signerNamed('their sign').kid] },
    )
    expect(reasonOf(await host.review(all(v1)))).toEqual(['consent-required', 'other-publisher'])
    expect((await host.waiting())[0]).toMatchObject({ reason: 'other-publisher', to: { kid: v1.kid } })
    await host.answer('agreed')
    expect(codes(await host.review(all(v1)))).toEqual({})
    expect((await host.kept(v1.server))?.signKids).toContain(v1.kid)
  })

  it('another server in the slot: asked once for each, and both may take turns', async () => {
    const world = openWorld()
    const [acme, other] = [world.enrol('com.acme'), world.enrol('com.other')]
    const packages = [{ registryType: 'npm' as const, identifier: 'weather', version: '1.0.0' }]
    const a = world.release(acme, draft('1.0.0', [tool('forecast')], { packages }))
    const b = world.release(other, draft('1.0.0', [tool('radar')], { packages, server: 'com.other/radar' }))
    const host = restarting(world)
    const only = (published: Published) =>
      world.api({
        lookup: async () => [
          { server: published.server, role: 'publisher', versions: [world.summary(published)] },
        ],
      })
    const see = async (published: Published) =>
      (await world.host({ memory: host.memory, registry: only(published) })).review({
        slot: SLOT,
        package: 'npm:weather@1.0.0',
        tools: toolsOf(published),
      })
    expect(codes(await see(a))).toEqual({})
    expect(reasonOf(await see(b))).toEqual(['consent-required', 'other-server'])
    const [question] = await host.waiting()
    expect(question).toMatchObject({ from: { server: a.server }, to: { server: b.server } })
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect([explained.before?.server, explained.after.server]).toEqual([a.server, b.server])
    await host.answer('agreed')
    expect(codes(await see(b))).toEqual({})
    expect(reasonOf(await see(a))).toEqual(['consent-required', 'other-server'])
    await host.answer('agreed')
    for (const one of [a, b, a]) expect(codes(await see(one))).toEqual({})
  })
})

describe('PROTOCOL 10.9: continuity where nothing was accepted', () => {
  let dir = ''
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'countersign-slot-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('another server in a slot whose server never held together: asked, also from files', async () => {
    const world = openWorld()
    const packages = [{ registryType: 'npm' as const, identifier: 'weather', version: '1.0.0' }]
    const a = world.release(world.enrol('com.acme'), draft('1.0.0', [tool('forecast')], { packages }))
    const other = draft('1.0.0', [tool('radar')], { packages, server: 'com.other/radar' })
    const b = world.release(world.enrol('com.other'), other)
    const input = { slot: SLOT, package: 'npm:weather@1.0.0' }
    for (const memory of [memoryInProcess(), fileMemory(join(dir, 'memory'))]) {
      const see = async (published: Published, ...tools: readonly unknown[]) => {
        const versions = [world.summary(published)]
        const lookup = async () => [{ server: published.server, role: 'publisher' as const, versions }]
        const host = await world.host({ memory, registry: world.api({ lookup }) })
        return { host, review: await host.review({ ...input, tools }) }
      }
      expect(codes((await see(a, tool('forecast'), tool('junk'))).review)).toEqual({
        'tool junk': 'unlisted-tool',
      })
      const { host, review } = await see(b, tool('radar'))
      expect(reasonOf(review)).toEqual(['consent-required', 'other-server'])
      const [question] = await host.waiting()
      const { before, after } = await host.explain(question?.id ?? '')
      expect([before?.server, after.server]).toEqual([a.server, b.server])
    }
  })

  it('nor where nothing of it went on either', async () => {
    const world = openWorld()
    const packages = [{ registryType: 'npm' as const, identifier: 'weather', version: '1.0.0' }]
    const b = world.release(world.enrol('com.acme'), draft('1.0.0', [tool('forecast')], { packages }))
    const memory = fileMemory(join(dir, 'memory'))
    const key = { identity: world.identity, server: '', slot: SLOT }
    await memory.updateServer(key, () => ({ ...EMPTY_SERVER_MEMORY, resolved: 'com.gone/x' }))
    const host = await world.host({ memory })
    const review = await host.review({ slot: SLOT, package: 'npm:weather@1.0.0', tools: toolsOf(b) })
    expect(reasonOf(review)).toEqual(['consent-required', 'other-server'])
    const [question] = await host.waiting()
    expect((await host.explain(question?.id ?? '')).before).toBeUndefined()
    await host.consent(question?.id ?? '', 'agreed')
    expect(codes(await host.review({ slot: SLOT, package: 'npm:weather@1.0.0', tools: toolsOf(b) }))).toEqual(
      {},
    )
  })
})

describe('PROTOCOL 10.9: an own key that stands beside the others', () => {
  const [forecast, reworded] = [tool('forecast'), tool('forecast', { description: 'Other words.' })]

  it.each(['before', 'after'] as const)('is not taken for theirs: its sign key came %s', async (when) => {
    const world = openWorld({ authorities: 1 })
    const acme = world.enrol('com.acme')
    const [rogueOwn, rogueSign] = [signerNamed('rogue own'), signerNamed('rogue sign')]
    const about = { namespace: 'com.acme', role: 'own' as const, after: world.latestAbout('com.acme') }
    const request = requestKeyAddEvent(about, world.identity, rogueOwn)
    const sigs = world.keys.authorities.map((by) => signEvent(request, world.identity, by))
    world.append({ ...request, sigs })
    if (when === 'before') world.addKey(acme, 'sign', rogueSign, rogueOwn)
    const v1 = world.release(acme, draft('1.0.0', [forecast]))
    const host = restarting(world)
    expect(codes(await host.review(all(v1)))).toEqual({})
    if (when === 'after') world.addKey(acme, 'sign', rogueSign, rogueOwn)
    const v2 = world.release({ ...acme, sign: rogueSign }, draft('2.0.0', [reworded]))
    expect(reasonOf(await host.review(all(v2)))).toEqual(['consent-required', 'other-publisher'])
  })

  it('twin: one that theirs endorsed is', async () => {
    const world = openWorld({ authorities: 1 })
    const acme = world.enrol('com.acme')
    const [secondOwn, secondSign] = [signerNamed('second own'), signerNamed('second sign')]
    world.addKey(acme, 'own', secondOwn)
    const v1 = world.release(acme, draft('1.0.0', [forecast]))
    const host = restarting(world)
    expect(codes(await host.review(all(v1)))).toEqual({})
    world.addKey(acme, 'sign', secondSign, secondOwn)
    const v2 = world.release({ ...acme, sign: secondSign }, draft('2.0.0', [reworded]))
    expect(codes(await host.review(all(v2)))).toEqual({})
  })
})

describe('several processes on one memory', () => {
  let dir = ''
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  it('take turns with two versions, and neither traps the other', async () => {
    dir = mkdtempSync(join(tmpdir(), 'countersign-floors-'))
    const { world, versions } = rollingWorld()
    const memory = fileMemory(join(dir, 'memory'))
    // Both were in use before; from here on three processes show them in turn.
    for (const one of versions) {
      const review = await (await world.host({ memory })).review({ slot: SLOT, ...all(one) })
      expect(codes(review)).toEqual({})
    }
    const show = async (version: string): Promise<unknown> => {
      const [command, ...args] = program('host-writer.ts', join(dir, 'memory'), version, '3')
      return JSON.parse((await run(command, args)).stdout) as unknown
    }
    const withheld = await Promise.all(['1.0.0', '2.0.0', '1.0.0'].map(show))
    expect(withheld).toEqual([[], [], []])
    const key = { identity: world.identity, server: 'com.acme/weather', slot: SLOT }
    expect((await memory.readServer(key))?.accepted.map((one) => one.version)).toEqual(['1.0.0', '2.0.0'])
  })

  it('that changes at each look is refused, and keeps nobody waiting', async () => {
    const { world, versions } = released(draft('1.0.0', [tool('forecast')]))
    const [v1] = versions as [Published]
    const memory = memoryInProcess()
    let looks = 0
    const readServer: Memory['readServer'] = (key) => {
      const other = { version: '0.1.0', manifest: `sha256:${String(looks++).padStart(64, '0')}` }
      return key.server === ''
        ? memory.readServer(key)
        : Promise.resolve({ ...EMPTY_SERVER_MEMORY, accepted: [other] })
    }
    const host = await world.host({ memory: { ...memory, readServer } })
    await expect(host.review({ ...all(v1), slot: SLOT })).rejects.toMatchObject({ code: 'memory-locked' })
  })
})
