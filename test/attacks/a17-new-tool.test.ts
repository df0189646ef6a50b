import { describe, expect, it } from 'vitest'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const brandNew = { name: 'send_mail', description: POISON, inputSchema: { type: 'object' } }

describe.each(WIRES)('A17 a tool nobody signed beside signed ones (%s)', (wire) => {
  it.each([
    ['brand-new', [...BENIGN_TOOLS, brandNew], benignNames(), 'send_mail'],
    [
      'renamed',
      withTool('now', (tool) => (tool['name'] = 'now_v2')),
      benignNames().filter((name) => name !== 'now'),
      'now_v2',
    ],
    [
      'in another case',
      withTool('now', (tool) => (tool['name'] = 'Now')),
      benignNames().filter((name) => name !== 'now'),
      'Now',
    ],
  ])('%s is unlisted-tool, the others pass', async (_, tools, passing, name) => {
    const server = hostileServer(toolPages(tools))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).toEqual(passing)
    expect(guarded.withheld()).toEqual({ [name]: 'unlisted-tool' })
    expect(await guarded.call(name)).toBe(-32602)
    expect(await guarded.call('convert', { amount: 1, to: 'CHF' })).toBe('done')
    expect(server.called()).toEqual(['convert'])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('twin: a subset in another order passes', async () => {
    const some = [BENIGN_TOOLS[4]!, BENIGN_TOOLS[1]!, BENIGN_TOOLS[0]!]
    const guarded = await connectGuarded(wire, hostileServer(toolPages(some)), await world().host())
    expect(await guarded.toolNames()).toEqual(['now', 'search_notes', 'get_forecast'])
    expect(guarded.withheld()).toEqual({})
  })
})
