import { describe, expect, it } from 'vitest'
import { memoryInProcess, type HostPolicy, type Review, type ReviewInput } from 'countersign'
import { openWorld, signerNamed, tool, toolsOf, weather, type Draft, type World } from '../support/world.js'
import { BLOCK } from '../support/world.js'

const PIN: HostPolicy = { ...BLOCK, unknownServers: 'pin' }
const PASS: HostPolicy = { ...BLOCK, unknownServers: 'pass' }

const codes = (review: Review): Record<string, string> =>
  Object.fromEntries(review.withheld.map((one) => [one.name, one.code]))

/** 1.0.0 and 2.0.0 differ in one tool; 3.0.0 has another set. */
function versions(world: World = openWorld()) {
  const acme = world.enrol('com.acme')
  const [base, changed] = [tool('forecast'), tool('forecast', { description: 'Better.' })]
  const of = (version: string, ...definitions: ReturnType<typeof tool>[]): Draft =>
    weather(version, { tools: definitions.map((definition) => ({ definition, permissions: [] })) })
  const v1 = world.release(acme, of('1.0.0', base, tool('alerts')))
  const v2 = world.release(acme, of('2.0.0', changed, tool('alerts')))
  const v3 = world.release(acme, of('3.0.0', tool('alerts'), tool('radar')))
  return { world, acme, v1, v2, v3 }
}

/** A host with a memory of its own; each call opens it anew, as a restart does. */
function restarting(world: World, policy: HostPolicy = BLOCK) {
  const memory = memoryInProcess()
  return {
    memory,
    review: async (input: Partial<ReviewInput>) =>
      (await world.host({ memory, policy })).review({ slot: 'npx weather', tools: [], ...input }),
  }
}

const versionOf = (review: Review): string | undefined => review.manifest?.version

describe('PROTOCOL 10.8: which version', () => {
  it('the newest that holds every live item; the pin goes before it', async () => {
    const { world, v1, v2, v3 } = versions()
    for (const one of [v1, v2, v3]) {
      const review = await restarting(world).review({ server: one.server, tools: toolsOf(one) })
      expect([versionOf(review), codes(review)]).toEqual([one.version, {}])
    }
    const shared = [tool('alerts')]
    expect(versionOf(await restarting(world).review({ server: v1.server, tools: shared }))).toBe('3.0.0')
    const pinned = await restarting(world).review({ server: v1.server, version: '1.0.0', tools: toolsOf(v2) })
    expect([versionOf(pinned), codes(pinned)]).toEqual(['1.0.0', { forecast: 'version-mismatch' }])
  })

  it('a mixture of versions is version-mismatch where another version holds the item', async () => {
    const { world, v1, v2, v3 } = versions()
    const mixed = [...toolsOf(v1), ...toolsOf(v3).slice(1), tool('evil')]
    const review = await restarting(world).review({ server: v2.server, tools: mixed })
    expect(versionOf(review)).toBe('3.0.0')
    expect(codes(review)).toEqual({ forecast: 'version-mismatch', evil: 'unlisted-tool' })
  })

  it('waiting, rejected and unknown versions say so', async () => {
    const { world, acme, v1 } = versions()
    world.publish(acme, weather('4.0.0'))
    const of = async (version: string) =>
      (await restarting(world).review({ server: v1.server, version })).verdict
    expect(await of('4.0.0')).toBe('pending')
    expect(await of('9.9.9')).toBe('unknown-server')
    expect((await restarting(world).review({ server: 'com.acme/none' })).verdict).toBe('unknown-server')
  })

  it('a registry that lists what it cannot show, or shows another version, is refused', async () => {
    const { world, v1, v2 } = versions()
    const lying = async (manifest: typeof v1.digest, version: string) => {
      const api = world.api({
        fetchVersions: async () => [{ version, manifest, role: 'publisher', status: 'approved', index: 0 }],
      })
      return (await (await world.host({ registry: api })).review({ server: v1.server, slot: 'x', tools: [] }))
        .verdict
    }
    expect(await lying(v1.digest, '1.0.0')).toBe('verified')
    expect(await lying(`sha256:${'1'.repeat(64)}`, '1.0.0')).toBe('proof-invalid')
    expect(await lying(v2.digest, '9.0.0')).toBe('version-mismatch')
    const api = world.api({ fetchBundle: async () => world.bundleBytes(v2) })
    const swapped = await (
      await world.host({ registry: api })
    ).review({ server: v1.server, version: '1.0.0', slot: 'x', tools: [] })
    expect(swapped.verdict).toBe('proof-invalid')
  })
})

describe('PROTOCOL 10.9: floor and continuity', () => {
  it('a lower version than was used needs consent; a revoked one was no floor', async () => {
    const { world, v1, v3, v2 } = versions()
    const host = restarting(world)
    expect((await host.review({ server: v3.server, tools: toolsOf(v3) })).verdict).toBe('verified')
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('consent-required')
    expect((await host.review({ server: v1.server, version: '1.0.0', tools: toolsOf(v1) })).verdict).toBe(
      'consent-required',
    )
    world.revoke({ kind: 'manifest', digest: v3.digest })
    const after = await host.review({ server: v2.server, tools: toolsOf(v2) })
    expect([after.verdict, versionOf(after)]).toEqual(['verified', '2.0.0'])
    expect((await host.review({ server: v3.server, tools: toolsOf(v3), version: '3.0.0' })).verdict).toBe(
      'revoked',
    )
  })

  it('a hostile list raises no floor', async () => {
    const { world, v1 } = versions()
    const host = restarting(world)
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('verified')
    await host.review({
      server: v1.server,
      tools: [tool('forecast', { description: 'evil' }), tool('alerts')],
    })
    await host.review({ server: v1.server, tools: [] })
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('verified')
  })

  it('keys that no remembered own key stands behind need consent', async () => {
    const { world, v1 } = versions()
    const host = restarting(world)
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('verified')
    await host.memory.updateServer(
      { identity: world.identity, server: v1.server, slot: 'npx weather' },
      (old) =>
        old && {
          ...old,
          ownKids: [signerNamed('another own').kid],
          signKids: [signerNamed('another sign').kid],
        },
    )
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('consent-required')
  })
})

describe('by package and URL', () => {
  const voucher = (version: string, change: Partial<Draft> = {}): Draft => ({
    server: 'org.voucher/weather',
    version,
    role: 'voucher',
    subject: {
      packages: [{ registryType: 'npm', identifier: '@acme/weather', version }],
      remotes: [{ url: 'https://mcp.acme.example/mcp' }],
    },
    tools: [{ definition: tool('vouched'), permissions: [] }],
    ...change,
  })

  it('a voucher speaks for what it names; the publisher’s own goes before it', async () => {
    const world = openWorld()
    const org = world.enrol('org.voucher')
    const vouched = world.release(org, voucher('1.0.0'))
    const byPackage = await restarting(world).review({
      package: 'npm:@acme/weather@1.0.0',
      tools: toolsOf(vouched),
    })
    expect([byPackage.verdict, byPackage.manifest?.role]).toEqual(['verified', 'voucher'])
    const byUrl = await restarting(world).review({
      url: 'https://mcp.acme.example/mcp',
      tools: toolsOf(vouched),
    })
    expect(byUrl.manifest?.server).toBe('org.voucher/weather')
    const { v1 } = versions(world)
    const both = await restarting(world).review({ package: 'npm:@acme/weather@1.0.0', tools: toolsOf(v1) })
    expect(both.manifest?.server).toBe('com.acme/weather')
    expect((await restarting(world).review({ url: 'https://other.example/mcp', tools: [] })).verdict).toBe(
      'unknown-server',
    )
  })

  it('a hint the manifest does not bear out is artifact-mismatch', async () => {
    const { world, v1 } = versions()
    const hint = world.api({
      lookup: async () => [{ server: v1.server, role: 'publisher', versions: [world.summary(v1)] }],
    })
    const host = await world.host({ registry: hint })
    const other = await host.review({ slot: 'x', package: 'npm:left-pad@1.0.0', tools: toolsOf(v1) })
    expect(other.verdict).toBe('artifact-mismatch')
    expect(
      (await host.review({ slot: 'y', package: 'npm:@acme/weather@1.0.0', tools: toolsOf(v1) })).verdict,
    ).toBe('verified')
  })

  it('the launched version goes before the newest, and an unapproved one is not a server nobody signed', async () => {
    const { world, v1 } = versions()
    const named = await restarting(world).review({
      server: v1.server,
      package: 'npm:@acme/weather@1.0.0',
      tools: [tool('alerts')],
    })
    expect(versionOf(named)).toBe('1.0.0')
    const host = restarting(world, PIN)
    const review = await host.review({ package: 'npm:@acme/weather@7.0.0', tools: [tool('any')] })
    expect([review.verdict, review.allowed]).toEqual(['unknown-server', []])
  })

  it('a server that was taken back is refused, not pinned as one nobody signed', async () => {
    const world = openWorld()
    const vouched = world.release(world.enrol('org.voucher'), voucher('1.0.0'))
    const about = [
      { package: 'npm:@acme/weather@1.0.0' },
      { package: 'npm:@acme/weather' },
      { url: 'https://mcp.acme.example/mcp' },
    ]
    for (const one of about) {
      const before = await restarting(world, PIN).review({ ...one, tools: toolsOf(vouched) })
      expect(before.verdict, JSON.stringify(one)).toBe('verified')
    }
    world.revoke({ kind: 'manifest', digest: vouched.digest })
    const registry = world.api({
      lookup: async () => [
        {
          server: vouched.server,
          role: 'voucher',
          versions: [{ ...world.summary(vouched), status: 'revoked' }],
        },
      ],
    })
    for (const one of about) {
      const host = await world.host({ registry, policy: PIN })
      const { verdict, allowed } = await host.review({ ...one, slot: 'fresh', tools: toolsOf(vouched) })
      expect([verdict, allowed], JSON.stringify(one)).toEqual(['revoked', []])
    }
  })

  it('a name that is asked for does not excuse another package or address', async () => {
    const { world, v1 } = versions()
    const verdict = async (about: Partial<ReviewInput>) =>
      (await restarting(world).review({ server: v1.server, tools: toolsOf(v1), ...about })).verdict
    expect(await verdict({ package: 'npm:@evil/weather@1.0.0' })).toBe('artifact-mismatch')
    expect(await verdict({ package: 'npm:@acme/weather@7.0.0' })).toBe('artifact-mismatch')
    expect(await verdict({ package: 'npm:@acme/weather' })).toBe('verified')
    // It names no address: there is nothing to hold this one against.
    expect(await verdict({ url: 'https://mcp.acme.example/mcp' })).toBe('verified')
    const forgetful = await world.host({ registry: world.api({ lookup: async () => [] }) })
    const about = { server: v1.server, slot: 'x', tools: toolsOf(v1) }
    expect((await forgetful.review({ ...about, package: 'npm:@evil/weather@1.0.0' })).verdict).toBe(
      'artifact-mismatch',
    )
  })

  it('another server in the same slot needs consent; a name that is asked for does not', async () => {
    const world = openWorld()
    const vouched = world.release(world.enrol('org.voucher'), voucher('1.0.0'))
    const host = restarting(world)
    const input = { package: 'npm:@acme/weather@1.0.0' }
    expect((await host.review({ ...input, tools: toolsOf(vouched) })).verdict).toBe('verified')
    const { v1 } = versions(world)
    expect((await host.review({ ...input, tools: toolsOf(v1) })).verdict).toBe('consent-required')
    expect((await host.review({ server: v1.server, tools: toolsOf(v1) })).verdict).toBe('verified')
  })
})

describe('servers nobody signed', () => {
  const tools = [tool('one'), tool('two')]

  it('are blocked, passed, or pinned, as the policy says', async () => {
    const world = openWorld()
    expect((await restarting(world).review({ tools })).allowed).toEqual([])
    const passed = await restarting(world, PASS).review({ tools, instructions: 'Hello.' })
    expect([passed.verdict, passed.allowed.length, passed.instructions]).toEqual([
      'unknown-server',
      2,
      'Hello.',
    ])
    const pinned = await restarting(world, PIN).review({ tools })
    expect([pinned.verdict, pinned.pin, pinned.firstUse, pinned.allowed.length]).toEqual([
      'unknown-server',
      true,
      true,
      2,
    ])
  })

  it('a pin holds the server to what it showed first, also after a restart', async () => {
    const host = restarting(openWorld(), PIN)
    await host.review({ tools: [...tools, { name: 'untyped', inputSchema: {} }], instructions: 'Hello.' })
    const changed = await host.review({
      tools: [
        tool('one', { description: 'evil' }),
        tool('two'),
        tool('three'),
        { name: 'untyped', inputSchema: {} },
      ],
      instructions: 'Obey.',
    })
    expect(codes(changed)).toEqual({
      one: 'definition-changed',
      three: 'unlisted-tool',
      untyped: 'unlisted-tool',
      instructions: 'instructions-changed',
    })
    expect([changed.pin, changed.firstUse, changed.allowed.map((one) => one.name)]).toEqual([
      true,
      false,
      ['two'],
    ])
    expect((await host.review({ tools, slot: 'another' })).firstUse).toBe(true)
  })

  it('a pin that this host did not sign for this slot is refused', async () => {
    const world = openWorld()
    const host = restarting(world, PIN)
    await host.review({ tools, slot: 'a' })
    const key = (slot: string) => ({ identity: world.identity, server: '', slot })
    const pin = (await host.memory.readServer(key('a')))?.pin
    await host.memory.updateServer(key('b'), () => ({
      v: 1,
      accepted: [],
      ownKids: [],
      signKids: [],
      variants: {},
      tools: [],
      ...(pin !== undefined && { pin }),
    }))
    expect((await host.review({ tools, slot: 'b' })).verdict).toBe('signature-invalid')
    expect((await host.review({ tools, slot: 'a' })).allowed).toHaveLength(2)
  })

  it('a slot that once had a verified manifest never falls back', async () => {
    const { world, v1 } = versions()
    for (const policy of [PIN, PASS]) {
      const memory = memoryInProcess()
      const host = await world.host({ memory, policy })
      const input = { slot: 's', package: 'npm:@acme/weather@1.0.0', tools: toolsOf(v1) }
      expect((await host.review(input)).verdict).toBe('verified')
      const forgetful = world.api({ lookup: async () => [], fetchVersions: async () => [] })
      const later = await world.host({ memory, policy, registry: forgetful })
      const review = await later.review(input)
      expect([review.verdict, review.allowed]).toEqual(['unknown-server', []])
    }
  })

  it('a server that is named is never pinned or passed because the registry knows nothing of it', async () => {
    const { world, v1 } = versions()
    const forgetful = world.api({ lookup: async () => [], fetchVersions: async () => [] })
    for (const policy of [PIN, PASS]) {
      const host = await world.host({ policy, registry: forgetful })
      const review = await host.review({ server: v1.server, slot: 's', tools: [tool('evil')] })
      expect([review.verdict, review.allowed, review.pin]).toEqual(['unknown-server', [], undefined])
    }
  })

  it('a prefix that belongs to another registry is so in any case, and for a name nobody knows', async () => {
    const world = openWorld()
    const loud = world.release(world.enrol('com.Acme'), weather('1.0.0', { server: 'com.Acme/weather' }))
    for (const server of [loud.server, 'com.acme/none']) {
      const policy = { ...PASS, registries: { 'com.ACME': 'registry-other' } }
      const host = await world.host({ policy })
      const review = await host.review({ server, slot: 's', tools: toolsOf(loud) })
      expect([review.verdict, review.allowed]).toEqual(['registry-mismatch', []])
    }
  })

  it('a prefix that belongs to another registry never falls through', async () => {
    const { world, v1 } = versions()
    const input = { server: v1.server, slot: 's', tools: toolsOf(v1) }
    const of = async (registries: Record<string, string>) =>
      (await (await world.host({ policy: { ...BLOCK, registries } })).review(input)).verdict
    expect(await of({ 'com.acme': 'registry-other' })).toBe('registry-mismatch')
    expect(await of({ com: 'registry-other', 'com.acme': world.identity })).toBe('verified')
    expect(await of({ 'com.ac': 'registry-other' })).toBe('verified')
  })
})

describe('observe', () => {
  it('says the mode and the verdicts all the same', async () => {
    const { world, v1 } = versions()
    const host = await world.host({ policy: { ...BLOCK, mode: 'observe' } })
    const review = await host.review({ server: v1.server, slot: 's', tools: [tool('evil')] })
    expect([review.mode, codes(review)]).toEqual(['observe', { evil: 'unlisted-tool' }])
  })
})
