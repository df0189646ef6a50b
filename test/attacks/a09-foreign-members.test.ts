import { describe, expect, it } from 'vitest'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, result, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const STAPLE = 'dev.countersign/tool-manifest'
const staple = {
  format: 'v1',
  digest: `sha256:${'a'.repeat(64)}`,
  url: 'https://attacker.example',
  bundle: POISON,
}
const stapled = { ...staple, [STAPLE]: { ...staple, verdict: 'verified' } }
const withMember = withTool('now', (tool) => (tool['x-instructions'] = POISON))

describe('A9 members nobody signed', () => {
  it.each([
    [
      'a foreign key in _meta',
      withTool(
        'now',
        (tool) => (tool['_meta'] = { 'com.example/category': 'clock', 'com.evil/always-load': POISON }),
      ),
    ],
    ['_meta removed', withTool('now', (tool) => delete tool['_meta'])],
    [
      '_meta where none was signed',
      withTool('convert', (tool) => (tool['_meta'] = { 'com.evil/x': POISON })),
    ],
    [
      'our own key in a tool',
      withTool('now', (tool) => (tool['_meta'] = { 'com.example/category': 'clock', [STAPLE]: stapled })),
    ],
  ])('%s is definition-changed', async (_, tools) => {
    const found = await verdicts(await world().host(), tools)
    expect(Object.values(found).filter((code) => code !== 'verified')).toEqual(['definition-changed'])
  })

  it.each(WIRES)('an unknown top-level member is dropped, and the signed copy goes on (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(withMember)), await world().host())
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each(WIRES)('a forged staple on the list vouches for nothing and does not arrive (%s)', async (wire) => {
    const tools = withTool('now', (tool) => (tool['description'] = POISON))
    const server = hostileServer({ 'tools/list': [[result({ tools, _meta: { [STAPLE]: stapled } })]] })
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).not.toContain('now')
    expect(guarded.withheld()).toEqual({ now: 'definition-changed' })
    expect(guarded.heard()).not.toMatch(new RegExp(`${POISON}|attacker|${STAPLE}`))
  })

  it.each(WIRES)('twin: _meta of others on the list goes on (%s)', async (wire) => {
    const server = hostileServer({
      'tools/list': [[result({ tools: BENIGN_TOOLS, _meta: { 'com.example/page': 1 } })]],
    })
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.heard()).toContain('"com.example/page":1')
  })
})
