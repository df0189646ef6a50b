import { describe, expect, it } from 'vitest'
import type { RegistryApi } from 'countersign'
import type { JsonObject } from 'countersign/core'
import { openWorld, tool, toolsOf, weather, type Published, type World } from '../support/world.js'

/** The verdicts over a list by a host that sees the registry so. */
async function review(
  world: World,
  server: string,
  tools: readonly JsonObject[],
  api: Partial<RegistryApi> = {},
) {
  const host = await world.host({ registry: world.api(api) })
  const { allowed, withheld, verdict } = await host.review({ server, slot: 'test', tools })
  return {
    verdict,
    allowed: allowed.map((one) => one.name),
    codes: [...new Set(withheld.map((one) => one.code))],
  }
}

/** A registry that answers for one server with what it has of another. */
const passOff = (world: World, as: Published): Partial<RegistryApi> => ({
  fetchVersions: async () => [{ ...world.summary(as), version: '1.0.0' }],
})

describe('A21 good evidence of something else', () => {
  it("another server's manifest, approved in the same namespace, is namespace-mismatch", async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const other = world.release(acme, weather('1.0.0', { server: 'com.acme/notes' }))
    expect(await review(world, 'com.acme/weather', toolsOf(other), passOff(world, other))).toEqual({
      verdict: 'namespace-mismatch',
      allowed: [],
      codes: ['namespace-mismatch'],
    })
  })

  it("another namespace's manifest is namespace-mismatch", async () => {
    const world = openWorld()
    world.release(world.enrol('com.acme'), weather())
    const evil = world.release(world.enrol('org.evil'), weather('1.0.0', { server: 'org.evil/weather' }))
    expect(await review(world, 'com.acme/weather', toolsOf(evil), passOff(world, evil))).toMatchObject({
      verdict: 'namespace-mismatch',
      allowed: [],
    })
  })

  it("a manifest that a stranger's key signed for the namespace is refused", async () => {
    const world = openWorld()
    world.enrol('com.acme')
    const evil = world.enrol('org.evil')
    const forged = world.approve(world.publish(evil, weather()))
    expect(await review(world, 'com.acme/weather', toolsOf(forged))).toMatchObject({
      verdict: 'namespace-mismatch',
      allowed: [],
    })
  })

  it('a manifest signed for another registry is registry-mismatch', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const replayed = world.approve(
      world.publish(acme, weather(), { registry: openWorld({ name: 'other' }).identity }),
    )
    expect(await review(world, 'com.acme/weather', toolsOf(replayed))).toMatchObject({
      verdict: 'registry-mismatch',
      allowed: [],
    })
  })

  it("another registry's bundle is registry-mismatch", async () => {
    const [world, other] = [openWorld(), openWorld({ name: 'other' })]
    const mine = world.release(world.enrol('com.acme'), weather())
    const theirs = other.release(other.enrol('com.acme'), weather())
    const found = await review(world, mine.server, toolsOf(mine), {
      fetchBundle: async () => other.bundleBytes(theirs),
    })
    expect(found).toMatchObject({ verdict: 'registry-mismatch', allowed: [] })
  })

  it('parts of two approved versions together are version-mismatch', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const words = (version: string): JsonObject[] =>
      ['a', 'b', 'c'].map((name) => tool(name, { description: `${name} as of ${version}` }))
    const release = (version: string): Published =>
      world.release(
        acme,
        weather(version, { tools: words(version).map((definition) => ({ definition, permissions: [] })) }),
      )
    release('1.0.0')
    release('3.0.0')
    const mixed = [...words('1.0.0').slice(0, 1), ...words('3.0.0').slice(1)]
    expect(await review(world, 'com.acme/weather', mixed)).toEqual({
      verdict: 'verified',
      allowed: ['b', 'c'],
      codes: ['version-mismatch'],
    })
    expect(await review(world, 'com.acme/weather', words('1.0.0'))).toMatchObject({
      allowed: ['a', 'b', 'c'],
    })
  })

  it('a tool of one signed server on another is unlisted-tool', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const mine = world.release(acme, weather())
    const mailer = world.release(
      acme,
      weather('1.0.0', {
        server: 'com.acme/mail',
        tools: [{ definition: tool('send_mail'), permissions: [] }],
      }),
    )
    expect(await review(world, mine.server, [...toolsOf(mine), ...toolsOf(mailer)])).toMatchObject({
      allowed: toolsOf(mine).map((one) => one['name']),
      codes: ['unlisted-tool'],
    })
  })

  it('a stripped signature is refused', async () => {
    const world = openWorld()
    const mine = world.release(world.enrol('com.acme'), weather())
    const [header, payload] = mine.envelope.split('.')
    for (const envelope of [`${header}.${payload}.`, `.${payload}.`, `${header}.${payload}`]) {
      const found = await review(world, mine.server, toolsOf(mine), {
        fetchBundle: async () => rewrite(world.bundleBytes(mine), mine.envelope, envelope),
      })
      expect(found).toMatchObject({ allowed: [] })
      expect(['signature-invalid', 'proof-invalid']).toContain(found.verdict)
    }
  })

  it('a server without any manifest is unknown-server', async () => {
    const world = openWorld()
    expect(await review(world, 'com.acme/weather', [tool('a')])).toEqual({
      verdict: 'unknown-server',
      allowed: [],
      codes: ['unknown-server'],
    })
  })

  it('twin: the evidence where it belongs verifies', async () => {
    const world = openWorld()
    const mine = world.release(world.enrol('com.acme'), weather())
    expect(await review(world, mine.server, toolsOf(mine))).toMatchObject({ verdict: 'verified', codes: [] })
  })
})

function rewrite(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = new TextDecoder().decode(bytes)
  if (!text.includes(from)) throw new Error('nothing to rewrite')
  return new TextEncoder().encode(text.replace(from, () => to))
}
