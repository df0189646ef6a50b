import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CountersignError, type HostPolicy } from 'countersign'
import type { Digest, JsonObject } from 'countersign/core'
import { fileMemory } from 'countersign/node'
import { BLOCK, tool, toolsOf, type Published } from '../support/world.js'
import {
  allowed,
  codes,
  countingMemory,
  draft,
  MANAGED,
  PINS,
  released,
  restarting,
} from './consent-support.js'
import { codeOfAsync } from './support.js'

const [forecast, alerts] = [tool('forecast'), tool('alerts')]
const reworded = tool('forecast', { description: 'Does forecast, and nothing more.' })
const widened = tool('forecast', {
  inputSchema: {
    type: 'object',
    properties: {
      place: { type: 'string', description: 'Where' },
      days: { type: 'integer', minimum: 1 },
      units: { type: 'string', description: 'Units' },
    },
    required: ['place'],
  },
})
const radar = tool('radar')
const powerful = tool('forecast', { annotations: { readOnlyHint: false, destructiveHint: true } })
const scoped = (definition: JsonObject, scope: string) => ({
  definition,
  permissions: [{ scope, reason: 'it needs it', required: true }],
})

const showing = ({ server }: Published, tools: readonly unknown[]) => ({ server, tools })
const all = (one: Published) => showing(one, toolsOf(one))

/** 1.0.0 is in use; then 2.0.0 is live. */
async function stepped(second: Parameters<typeof draft>[1], policy: HostPolicy = BLOCK) {
  const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts]))
  const [v1] = versions as [Published]
  const host = restarting(world, policy)
  const first = await host.review(all(v1))
  expect([first.firstUse, codes(first), await host.waiting()]).toEqual([true, {}, []])
  // From the status that the next restart fetches on, the second one is there.
  const v2 = world.release(acme, draft('2.0.0', second))
  return { world, host, v1, v2, review: await host.review(all(v2)) }
}

describe('what a change of version asks for', () => {
  it('words: nothing is asked, and it is written down', async () => {
    const { host, v2, review } = await stepped([reworded, alerts])
    expect([codes(review), allowed(review), review.questions]).toEqual([
      {},
      ['alerts', 'forecast'],
      undefined,
    ])
    expect(await host.waiting()).toEqual([])
    expect(host.told('changed')).toMatchObject([
      {
        class: 'text',
        reaction: 'recorded',
        reason: 'changed',
        to: { version: '2.0.0', manifest: v2.digest },
      },
    ])
  })

  it('a tool less: recorded', async () => {
    const { host, review } = await stepped([forecast])
    expect([codes(review), allowed(review)]).toEqual([{}, ['forecast']])
    expect(await host.waiting()).toEqual([])
  })

  it('a wider tool and a new one wait; what was in use, or was only reworded, goes on', async () => {
    const { host, v1, v2, review } = await stepped([
      widened,
      tool('alerts', { description: 'Does alerts, and nothing more.' }),
      radar,
    ])
    expect(codes(review)).toEqual({ 'tool forecast': 'consent-required', 'tool radar': 'consent-required' })
    expect(allowed(review)).toEqual(['alerts'])
    const [question] = await host.waiting()
    expect(question).toMatchObject({
      reason: 'changed',
      class: 'widened',
      server: v2.server,
      from: { version: '1.0.0', manifest: v1.digest },
      to: { version: '2.0.0', manifest: v2.digest },
    })
    expect([...(question?.items ?? [])].sort()).toEqual(['tool forecast', 'tool radar'])
    expect(review.withheld[0]?.detail).toMatchObject({
      reason: 'changed',
      class: 'widened',
      question: question?.id,
      from: '1.0.0',
      to: '2.0.0',
    })
    expect(review.questions?.map((one) => one.id)).toEqual([question?.id])
    expect((await host.kept(v2.server))?.accepted.map((one) => one.version)).toEqual(['1.0.0'])
  })

  it('agreed: everything passes, is accepted, and nothing is asked again', async () => {
    const { host, v2 } = await stepped([widened, alerts, radar])
    expect(await host.answer('agreed')).toHaveLength(1)
    const after = await host.review(all(v2))
    expect([codes(after), after.questions]).toEqual([{}, undefined])
    expect((await host.kept(v2.server))?.accepted.map((one) => one.version)).toEqual(['1.0.0', '2.0.0'])
    expect(host.told('changed')).toMatchObject([{ class: 'widened', reaction: 'consent' }])
    const writes = host.memory.writes()
    await host.review(all(v2))
    expect([host.memory.writes(), await host.waiting(), host.told('asked').length]).toEqual([writes, [], 1])
  })

  it('refused: still withheld and not asked again; a person may think better of it', async () => {
    const { host, v2 } = await stepped([widened, alerts])
    const [question] = await host.answer('refused')
    const after = await host.review(all(v2))
    expect(codes(after)).toEqual({ 'tool forecast': 'consent-required' })
    expect(after.withheld[0]?.detail).toMatchObject({ refused: true, question: question?.id })
    expect([await host.waiting(), host.told('asked').length]).toEqual([[], 1])
    await (await host.open()).consent(question?.id ?? '', 'agreed')
    expect(codes(await host.review(all(v2)))).toEqual({})
  })

  it('is asked once, and listings write nothing while it waits', async () => {
    const { host, v2 } = await stepped([widened, alerts])
    const writes = host.memory.writes()
    for (let i = 0; i < 5; i++) await host.review(all(v2))
    expect([host.memory.writes(), host.told('asked').length]).toEqual([writes, 1])
  })

  it('a managed host takes what its registry approved, and asks for what is dangerous', async () => {
    const { host, review } = await stepped([widened, alerts, radar], MANAGED)
    expect([codes(review), await host.waiting()]).toEqual([{}, []])
    const other = await stepped([powerful, alerts], MANAGED)
    expect(codes(other.review)).toEqual({ 'tool forecast': 'consent-required' })
  })

  it('the policy may be stricter or looser by class, but never silent about what is dangerous', async () => {
    const strict = await stepped([reworded, alerts], { ...BLOCK, consent: { text: 'consent' } })
    expect(codes(strict.review)).toEqual({
      'server com.acme/weather': 'consent-required',
      ...every(['forecast', 'alerts']),
    })
    const loose = await stepped([widened, alerts], { ...BLOCK, consent: { widened: 'recorded' } })
    expect(codes(loose.review)).toEqual({})
    const silent = await stepped([powerful, alerts], { ...BLOCK, consent: { dangerous: 'silent' } })
    expect(codes(silent.review)).toEqual({ 'tool forecast': 'consent-required' })
  })
})

const every = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`tool ${name}`, 'consent-required']))

describe('what belongs to no item', () => {
  it.each([
    [
      'another package',
      { packages: [{ registryType: 'npm' as const, identifier: '@other/thing', version: '2.0.0' }] },
    ],
    ['another launch', { launch: { command: 'sh', args: ['-c', 'weather'] } }],
  ])('%s withholds everything until somebody agreed', async (_what, change) => {
    const launch = { launch: { command: 'npx', args: ['weather'] } }
    const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts], launch))
    const host = restarting(world)
    await host.review(all((versions as [Published])[0]))
    // A tool more, so that nothing in use explains the list.
    const v2 = world.release(acme, draft('2.0.0', [forecast, alerts, radar], { ...launch, ...change }))
    const review = await host.review(all(v2))
    expect([review.verdict, allowed(review)]).toEqual(['consent-required', []])
    expect((await host.waiting())[0]).toMatchObject({ class: 'dangerous', items: [] })
    await host.answer('agreed')
    expect(codes(await host.review(all(v2)))).toEqual({})
  })

  it('a tool more that is not live yet: the version in use goes on speaking', async () => {
    const { host, v1, v2, review } = await stepped([forecast, alerts, radar])
    expect(codes(review)).toEqual({ 'tool radar': 'consent-required' })
    const older = await host.review(all(v1))
    expect([older.manifest?.version, codes(older), older.questions]).toEqual(['1.0.0', {}, undefined])
    expect(codes(await host.review(all(v2)))).toEqual({ 'tool radar': 'consent-required' })
  })

  it('what no list shows is asked for all the same; refused, the version in use goes on', async () => {
    const launch = { command: 'sh', args: ['-c', 'weather'] }
    const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    await host.review(all(v1))
    world.release(acme, draft('2.0.0', [forecast, alerts], { launch }))
    expect((await host.review(all(v1))).verdict).toBe('consent-required')
    await host.answer('refused')
    const review = await host.review(all(v1))
    expect([review.verdict, review.manifest?.version, codes(review)]).toEqual(['verified', '1.0.0', {}])
    expect(await host.waiting()).toEqual([])
  })

  it('a scope that is newly required holds back a tool that is the same to the byte', async () => {
    const { host, v2, review } = await stepped([scoped(forecast, 'mail.send'), alerts, radar])
    expect(codes(review)).toEqual({ 'tool forecast': 'consent-required', 'tool radar': 'consent-required' })
    await host.answer('agreed')
    expect(codes(await host.review(all(v2)))).toEqual({})
  })
})

describe('consent binds digests', () => {
  it('to one version is none to the next', async () => {
    const { world, versions } = released(
      draft('1.0.0', [forecast, alerts]),
      draft('2.0.0', [widened, alerts]),
      draft('3.0.0', [powerful, alerts]),
    )
    const [v1, v2, v3] = versions as [Published, Published, Published]
    const host = restarting(world)
    await host.review(all(v1))
    await host.review(all(v2))
    await host.answer('agreed')
    // Not seen since it was agreed to: 1.0.0 is still what was accepted last.
    expect(codes(await host.review(all(v3)))).toEqual({ 'tool forecast': 'consent-required' })
    expect(codes(await host.review(all(v2)))).toEqual({})
    expect(codes(await host.review(all(v3)))).toEqual({ 'tool forecast': 'consent-required' })
    expect((await host.waiting()).map((one) => [one.from?.version, one.to.version])).toEqual([
      ['2.0.0', '3.0.0'],
    ])
  })

  it('of another slot is none here', async () => {
    const { host, v1, v2 } = await stepped([widened, alerts])
    await host.review({ ...all(v1), slot: 'another' })
    await host.review({ ...all(v2), slot: 'another' })
    const waiting = await host.waiting()
    expect(new Set(waiting.map((one) => one.id)).size).toBe(2)
    const here = waiting.find((one) => one.slot === 'another')
    await (await host.open()).consent(here?.id ?? '', 'agreed')
    expect(codes(await host.review({ ...all(v2), slot: 'another' }))).toEqual({})
    expect(codes(await host.review(all(v2)))).toEqual({ 'tool forecast': 'consent-required' })
  })

  it('unknown, and no longer waiting, is usage', async () => {
    const { host, v2 } = await stepped([widened, alerts])
    const [question] = await host.waiting()
    const open = await host.open()
    const [waiting] = await host.waiting()
    const word = 'yes' as 'agreed'
    expect(await codeOfAsync(() => open.consent(waiting?.id ?? '', word))).toBe('usage')
    for (const id of ['', 'x', `sha256:${'0'.repeat(64)}`, 'y'.repeat(10_000)]) {
      expect(await codeOfAsync(() => open.consent(id, 'agreed'))).toBe('usage')
      expect(await codeOfAsync(() => open.explain(id))).toBe('usage')
    }
    await host.answer('agreed')
    await host.review(all(v2))
    expect(await codeOfAsync(() => open.consent(question?.id ?? '', 'refused'))).toBe('usage')
  })

  it('with nothing left to compare with, everything waits', async () => {
    const { world, host, v1, v2 } = await stepped([reworded, alerts])
    const key = { identity: world.identity, server: v1.server, slot: 'npx weather' }
    const kept = await host.memory.readServer(key)
    const nobodyHas = `sha256:${'7'.repeat(64)}`
    await host.memory.updateServer(
      key,
      () => kept && { ...kept, accepted: [{ version: '1.0.0', manifest: nobodyHas }] },
    )
    const review = await host.review(all(v2))
    expect([review.verdict, allowed(review)]).toEqual(['consent-required', []])
    const [question] = await host.waiting()
    expect(question).toMatchObject({ class: 'dangerous', items: [] })
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect([explained.before, explained.after.version, explained.comparison.class]).toEqual([
      undefined,
      '2.0.0',
      'dangerous',
    ])
  })
})

describe('what an earlier process accepted', () => {
  let dir = ''
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'countersign-cache-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const silent = (): Promise<never> =>
    Promise.reject(new CountersignError('registry-unreachable', 'no answer'))

  /** 1.0.0 was accepted and 2.0.0 was asked about, each by a process of its own, on files. */
  async function earlier() {
    const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts]))
    const [v1] = versions as [Published]
    const open = (registry = world.api()) => world.host({ registry, memory: fileMemory(join(dir, 'memory')) })
    const see = async (one: Published, registry = world.api()) =>
      (await open(registry)).review({ slot: 'npx weather', ...all(one) })
    expect(codes(await see(v1))).toEqual({})
    const v2 = world.release(acme, draft('2.0.0', [widened, alerts]))
    return { world, acme, v1, v2, open, see }
  }

  it('is compared with and shown, also when the registry has it no more, or does not answer', async () => {
    const { world, v1, v2, open, see } = await earlier()
    const fetchBundle = (digest: Digest) =>
      digest === v1.digest
        ? Promise.reject(new CountersignError('registry-error', 'gone'))
        : world.api().fetchBundle(digest)
    expect(codes(await see(v2, world.api({ fetchBundle })))).toEqual({ 'tool forecast': 'consent-required' })
    const dead = world.api({ fetchStatus: silent, fetchBundle: silent, fetchVersions: silent })
    const [question] = await (await open(dead)).waiting()
    const { before, after, comparison } = await (await open(dead)).explain(question?.id ?? '')
    expect([question?.class, before?.version, after.version]).toEqual(['widened', '1.0.0', '2.0.0'])
    expect(comparison.changes.map(({ item }) => item)).toContain('tool forecast')
    expect(codes(await see(v1, dead))).toEqual({})
  })

  it('is fetched again where the cache lost it; where nobody has it, everything waits', async () => {
    const { world, v1, v2, see } = await earlier()
    const lose = () => rmSync(join(dir, 'memory', 'cache'), { recursive: true })
    lose()
    expect(codes(await see(v2))).toEqual({ 'tool forecast': 'consent-required' })
    lose()
    const fetchBundle = (digest: Digest) =>
      digest === v1.digest ? silent() : world.api().fetchBundle(digest)
    const review = await see(v2, world.api({ fetchBundle }))
    expect([review.verdict, allowed(review)]).toEqual(['consent-required', []])
    expect(codes(await see(v2))).toEqual({ 'tool forecast': 'consent-required' })
  })

  it('from one offline bundle is compared with the next one', async () => {
    const { world, acme, v1 } = await earlier()
    const memory = fileMemory(join(dir, 'other'))
    const seeOffline = async (one: Published, since: readonly number[]) => {
      const offline = await (await world.host()).offlineBundle(one.server, one.version, since)
      const host = await world.host({ offline, memory })
      return host.review({ slot: 'npx weather', ...all(one) })
    }
    expect(codes(await seeOffline(v1, []))).toEqual({})
    const size = (await memory.readWorld(world.identity))?.log?.size ?? 0
    const v3 = world.release(acme, draft('3.0.0', [widened, alerts]))
    expect(codes(await seeOffline(v3, [size]))).toEqual({ 'tool forecast': 'consent-required' })
  })
})

describe('explaining', () => {
  it('shows both sides and every change, also after a restart and a revocation', async () => {
    const { world, host, v1 } = await stepped([widened, alerts])
    world.revoke({ kind: 'manifest', digest: v1.digest })
    const [question] = await host.waiting()
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect([explained.before?.version, explained.after.version]).toEqual(['1.0.0', '2.0.0'])
    expect(explained.comparison.class).toBe('widened')
    expect(explained.comparison.changes.map((one) => one.kind)).toContain('parameter-added')
  })

  it('believes no blob that another digest names', async () => {
    const { world, host, v1, v2 } = await stepped([widened, alerts])
    const blobOf = (digest: string) => `manifest-${digest.slice('sha256:'.length)}`
    const lie = await host.memory.readBlob(world.identity, blobOf(v2.digest))
    await host.memory.writeBlob(world.identity, blobOf(v1.digest), lie ?? new Uint8Array())
    const [question] = await host.waiting()
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect(explained.before?.version).toBe('1.0.0')
  })
})

describe('one host that stays open', () => {
  it('goes by what another process agreed to, at its next review', async () => {
    const { world, versions } = released(draft('1.0.0', [forecast]), draft('2.0.0', [widened]))
    const [v1, v2] = versions as [Published, Published]
    const { memory, open } = restarting(world)
    const [stays, other] = [await open(), await open()]
    const input = { slot: 'npx weather', ...all(v2) }
    await stays.review({ ...input, tools: toolsOf(v1) })
    expect(codes(await stays.review(input))).toEqual({ 'tool forecast': 'consent-required' })
    const [question] = await other.waiting()
    await other.consent(question?.id ?? '', 'agreed')
    expect(codes(await stays.review(input))).toEqual({})
    expect((await memory.listServers(world.identity)).length).toBeGreaterThan(0)
  })
})

describe('a question that waits', () => {
  it('is not lost while older versions in use here are live in turn', async () => {
    const { world, versions } = released(
      draft('1.0.0', [forecast]),
      draft('2.0.0', [reworded]),
      draft('3.0.0', [widened]),
    )
    const [v1, v2, v3] = versions as [Published, Published, Published]
    const host = restarting(world)
    for (const one of [v1, v2, v3]) await host.review(all(one))
    const [question] = await host.waiting()
    expect(question).toMatchObject({ from: { version: '2.0.0' }, to: { version: '3.0.0' } })
    const writes = host.memory.writes()
    for (const one of [v1, v3, v2, v3, v1]) await host.review(all(one))
    expect([await host.waiting(), host.told('asked').length]).toEqual([[question], 1])
    expect(host.memory.writes()).toBe(writes)
  })

  it('is settled when a version is accepted that answers it', async () => {
    const { world, acme, versions } = released(draft('1.0.0', [forecast]), draft('2.0.0', [widened]))
    const [v1, v2] = versions as [Published, Published]
    const host = restarting(world)
    for (const one of [v1, v2]) await host.review(all(one))
    expect(await host.waiting()).toHaveLength(1)
    const v3 = world.release(acme, draft('3.0.0', [reworded]))
    expect(codes(await host.review(all(v3)))).toEqual({})
    expect(await host.waiting()).toEqual([])
  })

  it('about the texts of a version is explained as long as that is live, whatever the cache lost', async () => {
    const { world, versions } = released(draft('1.0.0', [forecast]))
    const [v1] = versions as [Published]
    const memory = countingMemory()
    const lost = { at: 0 }
    const blobs = new Map<string, Uint8Array>()
    const forgetful = {
      ...memory,
      readBlob: async (_identity: string, name: string) => blobs.get(name),
      writeBlob: async (_identity: string, name: string, bytes: Uint8Array) => {
        lost.at += 1
        blobs.set(name, bytes)
      },
    }
    const host = restarting(world, PINS, forgetful)
    const pinned = { slot: 'npx pinned' }
    await host.review({ ...pinned, tools: toolsOf(v1) })
    await host.review({ ...pinned, tools: [widened] })
    const [question] = await host.waiting()
    blobs.clear()
    await host.review({ ...pinned, tools: [widened] })
    const { before, after } = await (await host.open()).explain(question?.id ?? '')
    expect([before?.tools[0]?.definition, after.tools[0]?.definition]).toEqual([forecast, widened])
    const kept = lost.at
    await host.review({ ...pinned, tools: [widened] })
    expect([lost.at, host.told('asked').length]).toEqual([kept, 1])
  })
})

describe('two processes that see a server for the first time at once', () => {
  it('the later one is judged by what the other one accepted meanwhile', async () => {
    const { world, acme, versions } = released(draft('1.0.0', [forecast]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    let isFirst = true
    const racing = {
      ...host.memory,
      updateServer: async (...given: Parameters<typeof host.memory.updateServer>) => {
        if (given[0].server !== '' && isFirst) {
          isFirst = false
          await host.review({ ...all(v1), version: '1.0.0' })
        }
        return host.memory.updateServer(...given)
      },
    }
    const v2 = world.release(acme, draft('2.0.0', [widened]))
    const late = await world.host({ memory: racing })
    const review = await late.review({ slot: 'npx weather', ...all(v2) })
    expect([review.firstUse, codes(review)]).toEqual([false, { 'tool forecast': 'consent-required' }])
    expect((await host.kept(v2.server))?.accepted.map((one) => one.version)).toEqual(['1.0.0'])
  })
})
