import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  memoryInProcess,
  openHosts,
  type HostPolicy,
  type RegistryApi,
  type Review,
} from 'countersign'
import { openWorld, tool, toolsOf, weather, type World } from '../support/world.js'
import { codeOfAsync } from './support.js'

const POLICY: HostPolicy = { mode: 'enforce', unknownServers: 'pin', managed: false }

/** Two registries: what com.acme publishes is the second one's to speak for. */
function two(change: Partial<HostPolicy> = {}) {
  const [open, own] = [openWorld({ name: 'open' }), openWorld({ name: 'own' })]
  const policy = { ...POLICY, registries: { 'com.acme': own.identity }, ...change }
  return { open, own, policy, memory: memoryInProcess() }
}

function hostsOf(
  { open, own, policy, memory }: ReturnType<typeof two>,
  apis: { readonly open?: RegistryApi; readonly own?: RegistryApi } = {},
) {
  const of = (world: World, registry: RegistryApi = world.api()) => ({
    registry,
    trust: world.trust,
    memory,
    now: () => world.clock * 1000,
  })
  return openHosts({ hosts: [of(open, apis.open), of(own, apis.own)], policy })
}

const release = (world: World, draft = weather()) => {
  const namespace = draft.server.slice(0, draft.server.indexOf('/'))
  return world.release(world.enrol(namespace), draft)
}
const seen = (review: Review) => [review.verdict, review.manifest?.manifest.registry, review.pin === true]

const gone = (world: World): RegistryApi => {
  const never = (): Promise<never> => Promise.reject(new CountersignError('registry-unreachable', 'gone'))
  return world.api({ fetchStatus: never, fetchVersions: never, lookup: never, fetchRoot: never })
}

describe('several registries in one host', () => {
  it('a slot that was pinned beside one of them is no first use for another one', async () => {
    const at = two()
    const input = { slot: 'npx weather', package: 'npm:weather@1.0.0' }
    const [harmless, powerful] = [
      tool('forecast'),
      tool('forecast', { annotations: { readOnlyHint: false, destructiveHint: true } }),
    ]
    expect(seen(await (await hostsOf(at)).review({ ...input, tools: [harmless] }))).toEqual([
      'unknown-server',
      undefined,
      true,
    ])
    const packages = [{ registryType: 'npm' as const, identifier: 'weather', version: '1.0.0' }]
    const tools = [{ definition: powerful, permissions: [] }]
    release(at.own, { ...weather('1.0.0', { packages, tools, prompts: [] }) })
    const hosts = await hostsOf(at)
    const review = await hosts.review({ ...input, tools: [powerful] })
    expect([review.manifest?.server, review.withheld.map(({ code }) => code)]).toEqual([
      'com.acme/weather',
      ['consent-required'],
    ])
    const [question] = await hosts.waiting()
    await hosts.consent(question?.id ?? '', 'agreed')
    expect((await hosts.review({ ...input, tools: [powerful] })).withheld).toEqual([])
  })

  it('a name is spoken for by the registry of its prefix, and by no other', async () => {
    const at = two()
    const [real, forged] = [release(at.own), release(at.open)]
    const hosts = await hostsOf(at)
    const input = { server: 'com.acme/weather', slot: 'npx weather' }
    expect(seen(await hosts.review({ ...input, tools: toolsOf(real) }))).toEqual([
      'verified',
      at.own.identity,
      false,
    ])
    expect((await hosts.verify('com.acme/weather')).digest).toBe(real.digest)
    expect(forged.digest).not.toBe(real.digest)
  })

  it('a name that its registry does not know falls through to nobody', async () => {
    const at = two()
    const forged = release(at.open)
    const hosts = await hostsOf(at)
    const review = await hosts.review({ server: 'com.acme/weather', slot: 's', tools: toolsOf(forged) })
    expect([review.verdict, review.allowed]).toEqual(['unknown-server', []])
    expect(await codeOfAsync(() => hosts.verify('com.acme/weather'))).toBe('unknown-server')
  })

  it('nor while its registry cannot be reached', async () => {
    const at = two()
    const forged = release(at.open)
    const hosts = await hostsOf(at, { own: gone(at.own) })
    for (const target of [{ server: 'com.acme/weather' }, { package: 'npm:@acme/weather@1.0.0' }]) {
      // The open registry speaks for the package as well, but not in this name.
      const review = await hosts.review({ ...target, slot: 's', tools: toolsOf(forged) })
      expect(review.allowed).toEqual([])
      expect(['registry-unreachable', 'registry-mismatch']).toContain(review.verdict)
    }
  })

  it('other names belong to the first one', async () => {
    const at = two()
    const draft = weather('1.0.0', { server: 'org.notes/weather' })
    const [real, stray] = [release(at.open, draft), release(at.own, draft)]
    const hosts = await hostsOf(at)
    const review = await hosts.review({ server: 'org.notes/weather', slot: 's', tools: toolsOf(real) })
    expect(seen(review)).toEqual(['verified', at.open.identity, false])
    expect(stray.digest).not.toBe(real.digest)
  })

  it('a package is looked up at each in turn; what one says of names that are not its own is registry-mismatch', async () => {
    const honest = two()
    const real = release(honest.own)
    const found = await (
      await hostsOf(honest)
    ).review({
      package: 'npm:@acme/weather@1.0.0',
      slot: 'npx',
      tools: toolsOf(real),
    })
    expect(seen(found)).toEqual(['verified', honest.own.identity, false])

    const stray = two()
    const other = release(stray.own, weather('1.0.0', { server: 'org.notes/weather' }))
    const refused = await (
      await hostsOf(stray)
    ).review({
      package: 'npm:@acme/weather@1.0.0',
      slot: 'npx',
      tools: toolsOf(other),
    })
    expect([refused.verdict, refused.allowed]).toEqual(['registry-mismatch', []])
  })

  it('a slot stays with the registry that spoke for it, whatever another one says later', async () => {
    const at = two()
    const real = release(at.own)
    const input = { package: 'npm:@acme/weather@1.0.0', slot: 'npx', tools: toolsOf(real) }
    expect((await (await hostsOf(at)).review(input)).verdict).toBe('verified')
    const hiding = at.own.api({ lookup: () => Promise.resolve([]) })
    const review = await (await hostsOf(at, { own: hiding })).review(input)
    expect([review.pin === true, review.manifest?.manifest.registry ?? at.own.identity]).toEqual([
      false,
      at.own.identity,
    ])
  })

  it('a slot stays with its registry also when one that is asked before it begins to claim the package', async () => {
    const at = two()
    const real = release(at.own)
    const input = { package: 'npm:@acme/weather@1.0.0', slot: 'npx', tools: toolsOf(real) }
    expect(seen(await (await hostsOf(at)).review(input))).toEqual(['verified', at.own.identity, false])
    release(at.open, weather('1.0.0', { server: 'org.notes/weather' }))
    const review = await (await hostsOf(at)).review(input)
    expect(seen(review)).toEqual(['verified', at.own.identity, false])
  })

  it('what nobody knows is pinned once, at the first one', async () => {
    const at = two()
    const hosts = await hostsOf(at)
    const input = { package: 'npm:nobody', slot: 'npx nobody', tools: [tool('ping')] }
    const first = await hosts.review(input)
    expect([first.pin, first.firstUse, first.allowed.length]).toEqual([true, true, 1])
    const changed = await hosts.review({ ...input, tools: [tool('ping', { description: 'Another.' })] })
    expect(changed.allowed).toEqual([])
  })

  it('servers of one registry are known beside those of the other', async () => {
    const at = two({ uniqueToolNames: true })
    const [own, open] = [
      release(at.own),
      release(
        at.open,
        weather('1.0.0', {
          server: 'org.notes/weather',
          packages: [{ registryType: 'npm', identifier: '@notes/weather', version: '1.0.0' }],
        }),
      ),
    ]
    const hosts = await hostsOf(at)
    expect((await hosts.review({ server: own.server, slot: 'a', tools: toolsOf(own) })).allowed).toHaveLength(
      5,
    )
    const second = await hosts.review({ server: open.server, slot: 'b', tools: toolsOf(open) })
    expect(second.allowed).toEqual([])
    expect(new Set(second.withheld.map(({ code }) => code))).toEqual(new Set(['name-shadowed']))
    // A person may agree to it, whichever registry it is of.
    const [question] = await hosts.waiting()
    expect(question).toMatchObject({ reason: 'name-shadowed', server: open.server })
    expect((await hosts.explain(question?.id ?? '')).question.id).toBe(question?.id)
    await hosts.consent(question?.id ?? '', 'agreed')
    expect(
      (await hosts.review({ server: open.server, slot: 'b', tools: toolsOf(open) })).allowed,
    ).toHaveLength(5)
    expect(await codeOfAsync(() => hosts.consent('sha256:0', 'agreed'))).toBe('usage')
  })

  it('needs a registry, and each one once', async () => {
    const { own } = two()
    const host = { registry: own.api(), trust: own.trust, memory: memoryInProcess() }
    expect(await codeOfAsync(() => openHosts({ hosts: [], policy: POLICY }))).toBe('usage')
    expect(await codeOfAsync(() => openHosts({ hosts: [host, host], policy: POLICY }))).toBe('usage')
  })

  it('a prefix of a registry that is not here is spoken for by nobody', async () => {
    const at = two({ registries: { 'com.acme': 'registry-elsewhere' } })
    const real = release(at.open)
    const review = await (await hostsOf(at)).review({ server: real.server, slot: 's', tools: toolsOf(real) })
    expect([review.verdict, review.allowed]).toEqual(['registry-mismatch', []])
  })
})
