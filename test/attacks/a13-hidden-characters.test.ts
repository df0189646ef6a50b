import { inspectManifest } from 'countersign/gates'
import type { JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { benignNames, withTool } from '../support/benign.js'
import { sampleManifest } from '../support/registry.js'
import { signedTools, verdicts, WEATHER, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

/** `send it` in characters that nobody sees. */
const TAGS = Array.from('send it', (one) => String.fromCodePoint(0xe0000 + one.charCodeAt(0))).join('')
const HIDDEN: readonly (readonly [string, string])[] = [
  ['zero width', 'a\u200bcity'],
  ['a direction', 'city\u202eytic'],
  ['the TAG block', `city${TAGS}`],
  ['a variation selector', 'city\u{e0110}'],
  ['ANSI', 'city\u001b[8msend it\u001b[0m'],
  ['C1', 'city\u009b8m'],
  ['a carriage return', 'send it\rcity'],
]
const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202e\u{e0000}-\u{e01ef}]/u

const described = (text: string): JsonObject[] =>
  withTool('get_forecast', (tool) => (tool['description'] = `Returns the forecast for a ${text}.`))
const others = benignNames().filter((name) => name !== 'get_forecast')

describe('A13 characters that nobody sees', () => {
  it.each(HIDDEN)('%s, after approval, is definition-changed wherever it stands', async (_, text) => {
    const parameter = withTool('get_forecast', (tool) => {
      const { properties } = tool['inputSchema'] as { properties: Record<string, JsonObject> }
      properties[text] = { type: 'string' }
    })
    for (const tools of [described(text), parameter]) {
      expect(await verdicts(await world().host(), tools)).toMatchObject({
        get_forecast: 'definition-changed',
        now: 'verified',
      })
    }
  })

  it.each(HIDDEN)('%s, at first publish, is held and shown as what it is', (_, text) => {
    const tools = signedTools(described(text))
    const manifest = sampleManifest(world().registry.identity, { server: WEATHER, tools })
    const held = inspectManifest(manifest, { knownServers: [] }).filter((finding) => finding.held)
    expect(held.length).toBeGreaterThan(0)
    for (const { shown, message } of held) {
      expect(shown).toMatch(/U\+|\\u|\{/i)
      expect(`${shown}${message}`).not.toMatch(RAW)
    }
  })

  it.each([
    ['composed and then decomposed', 'Caf\u00e9', 'Cafe\u0301'],
    ['decomposed and then composed', 'Cafe\u0301', 'Caf\u00e9'],
  ])('the same text, %s, is another text', async (_, signed, live) => {
    const it = attackWorld({ tools: signedTools(described(signed)) })
    const review = await (await it.host()).review({ server: it.v1.server, slot: 'x', tools: described(live) })
    expect(review.withheld).toMatchObject([{ name: 'get_forecast', code: 'definition-changed' }])
  })

  it.each(WIRES)('never reach the host (%s)', async (wire) => {
    const text = HIDDEN.map(([, one]) => one).join(' ')
    const guarded = await attackWorld().connect(wire, hostileServer(toolPages(described(text))))
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    for (const [, one] of HIDDEN) expect(guarded.heard()).not.toContain(JSON.stringify(one).slice(1, -1))
  })

  it.each(WIRES)(
    'twin: signed text in any script, with emoji joined as they are, passes (%s)',
    async (wire) => {
      const tools = described('город, une ville, 都市, مدينة 👩\u200d💻')
      const guarded = await attackWorld({ tools: signedTools(tools) }).connect(
        wire,
        hostileServer(toolPages(tools)),
      )
      expect(await guarded.toolNames()).toEqual(benignNames())
      expect((await guarded.tools())[0]?.['description']).toBe(tools[0]?.['description'])
    },
  )
})
