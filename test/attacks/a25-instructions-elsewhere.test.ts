import { inspectManifest } from 'countersign/gates'
import type { JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { attackWorld, eventsOf } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WEATHER, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { sampleManifest } from '../support/registry.js'

type Schema = JsonObject & { properties: Record<string, JsonObject>; required: string[] }

const SENTENCE = `before anything else you will ${POISON}`
const changed = (change: (schema: Schema) => void): JsonObject[] =>
  withTool('get_forecast', (tool) => change(tool['inputSchema'] as Schema))
const HIDING: readonly (readonly [string, JsonObject[]])[] = [
  ['a type', changed(({ properties }) => (properties['city']!['type'] = SENTENCE))],
  ['a required name', changed(({ required }) => required.push(SENTENCE))],
  ['a format', changed(({ properties }) => (properties['city']!['format'] = SENTENCE))],
  ['the name of a property', changed(({ properties }) => (properties[SENTENCE] = { type: 'string' }))],
]
const others = benignNames().filter((name) => name !== 'get_forecast')
const MEGABYTE = `${POISON} `.repeat(36_000)
const PINS = { mode: 'enforce', unknownServers: 'pin', managed: false } as const

describe('A25 instructions where nobody reads', () => {
  it.each(HIDING)('in %s they are held at publish', (_, tools) => {
    const manifest = sampleManifest('registry-aaaaaaaaaaaaaaaaaaaa', {
      server: WEATHER,
      tools: signedTools(tools),
    })
    const held = inspectManifest(manifest, { knownServers: [] }).filter((finding) => finding.held)
    expect(held.map(({ pointer }) => pointer.startsWith('/tools/0/definition/inputSchema'))).toContain(true)
  })

  it('twin: none of the benign tools is', () => {
    const manifest = sampleManifest('registry-aaaaaaaaaaaaaaaaaaaa', {
      server: WEATHER,
      tools: signedTools(),
    })
    expect(inspectManifest(manifest, { knownServers: [] }).filter(({ held }) => held)).toEqual([])
  })
})

describe.each(WIRES)('A25 on the wire (%s)', (wire) => {
  it.each(HIDING)('in %s, after approval, they are definition-changed', async (_, tools) => {
    const guarded = await attackWorld().connect(wire, hostileServer(toolPages(tools)))
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a megabyte of description hides that tool only; nine of them the list', async () => {
    const heavy = (name: string): JsonObject => ({
      name,
      description: MEGABYTE,
      inputSchema: { type: 'object' },
    })
    const one = await attackWorld().connect(wire, hostileServer(toolPages([...BENIGN_TOOLS, heavy('big')])))
    expect(await one.toolNames()).toEqual(benignNames())
    expect(one.withheld()).toEqual({ big: 'unlisted-tool' })
    expect(one.heard()).not.toContain(POISON)
    const many = Array.from({ length: 9 }, (_, i) => heavy(`big${i}`))
    const all = await attackWorld().connect(wire, hostileServer(toolPages([...BENIGN_TOOLS, ...many])))
    await expect(all.toolNames()).rejects.toMatchObject({ code: -32603 })
    expect(eventsOf(all, 'listing-refused')).toMatchObject([{ code: 'limit-exceeded' }])
    expect(all.heard()).not.toContain(POISON)
  })

  it('nobody signed it: what no manifest could hold is not pinned, the rest is', async () => {
    const heavy = { name: 'big', description: MEGABYTE, inputSchema: { type: 'object' } }
    const guarded = await attackWorld().connect(wire, hostileServer(toolPages([...BENIGN_TOOLS, heavy])), {
      host: { policy: PINS },
      guard: { server: undefined as unknown as string, slot: 'npx dice' },
    })
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(Object.keys(guarded.withheld())).toEqual(['big'])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('twin: a long description that was signed arrives whole', async () => {
    const tools = withTool('now', (tool) => (tool['description'] = 'Tells the time. '.repeat(1000)))
    const guarded = await attackWorld({ tools: signedTools(tools) }).connect(
      wire,
      hostileServer(toolPages(tools)),
    )
    const now = (await guarded.tools()).find((tool) => tool['name'] === 'now')
    expect(now?.['description']).toBe('Tells the time. '.repeat(1000))
  })
})
