import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WIRES } from '../support/guarded.js'
import { hostileServer, result, toolPages } from '../support/hostile.js'

const pulled = withTool('get_forecast', (tool) => (tool['description'] = `Returns it. ${POISON}`))
const without = BENIGN_TOOLS.filter((tool) => tool['name'] !== 'get_forecast')
const others = benignNames().filter((name) => name !== 'get_forecast')
const lists = (...rounds: readonly (readonly object[])[]) =>
  hostileServer({ 'tools/list': rounds.map((tools) => [result({ tools })]) })

describe.each(WIRES)('A18 to wear a refusal out (%s)', (wire) => {
  it('asked again and again, it stays refused: also by another connection of the same host', async () => {
    const it = attackWorld()
    for (const server of [lists(pulled), lists(pulled)]) {
      const guarded = await it.connect(wire, server)
      for (let round = 0; round < 3; round++) {
        expect(await guarded.toolNames()).toEqual(others)
        expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
        expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
      }
      expect(server.called()).toEqual([])
      expect(guarded.heard()).not.toContain(POISON)
    }
  })

  it('taken away and brought back as another, it is held against what was signed', async () => {
    const guarded = await attackWorld().connect(wire, lists(BENIGN_TOOLS, without, pulled, BENIGN_TOOLS))
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.toolNames()).toEqual(others)
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(guarded.heard()).not.toContain(POISON)
    // The signed one may come back.
    expect(await guarded.toolNames()).toEqual(benignNames())
  })

  it('back to a version that was revoked: what only that one held is withheld, and the next start knows', async () => {
    const it = attackWorld()
    const next = withTool('now', (tool) => (tool['description'] = 'Tells the time of day.'))
    await (await it.connect(wire, lists(BENIGN_TOOLS))).toolNames()
    it.release('1.1.0', { tools: signedTools(next) })
    expect(await (await it.connect(wire, lists(next))).toolNames()).toEqual(benignNames())
    it.world.revoke({ kind: 'manifest', digest: it.v1.digest })
    const old = withTool('get_forecast', () => undefined)
    for (let start = 0; start < 2; start++) {
      const server = lists(old)
      const guarded = await it.connect(wire, server)
      // What the newest version holds as well goes on under its name; what only the revoked one held does not.
      expect(await guarded.toolNames()).not.toContain('now')
      expect(guarded.withheld()).toEqual({ now: 'definition-changed' })
      expect(await guarded.call('now')).toBe(-32602)
      expect(server.called()).toEqual([])
    }
    expect(await (await it.connect(wire, lists(next))).toolNames()).toEqual(benignNames())
  })

  it('the only version revoked: revoked', async () => {
    const it = attackWorld()
    await (await it.connect(wire, lists(BENIGN_TOOLS))).toolNames()
    it.world.revoke({ kind: 'manifest', digest: it.v1.digest })
    const server = lists(BENIGN_TOOLS)
    const guarded = await it.connect(wire, server)
    expect(await guarded.toolNames()).toEqual([])
    expect(new Set(Object.values(guarded.withheld()))).toEqual(new Set(['revoked']))
    expect(await guarded.call('now')).toBe(-32602)
    expect(server.called()).toEqual([])
  })

  it('a copy that somebody changes after the review changes nothing', async () => {
    const guarded = await attackWorld().connect(wire, lists(BENIGN_TOOLS))
    for (const tool of await guarded.tools()) (tool as { description: string }).description = POISON
    expect(JSON.stringify(await guarded.tools())).not.toContain(POISON)
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe('done')
  })

  it('twin: a version that was in use here comes back without a question', async () => {
    const it = attackWorld()
    const next = withTool('now', (tool) => (tool['description'] = 'Tells the time of day.'))
    await (await it.connect(wire, lists(BENIGN_TOOLS))).toolNames()
    it.release('1.1.0', { tools: signedTools(next) })
    for (const tools of [next, BENIGN_TOOLS, next]) {
      const guarded = await it.connect(wire, hostileServer(toolPages(tools)))
      expect(await guarded.toolNames()).toEqual(benignNames())
    }
    expect(await (await it.host()).waiting()).toEqual([])
  })
})
