import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { BENIGN_TOOLS, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const retitled = withTool('get_forecast', (tool) => (tool['title'] = POISON))

describe('A8 what people see of a tool is swapped', () => {
  it.each([
    ['title', retitled],
    [
      'annotations.title',
      withTool('get_forecast', (tool) => ((tool['annotations'] as JsonObject)['title'] = POISON)),
    ],
    ['a title removed', withTool('get_forecast', (tool) => delete tool['title'])],
    [
      'an icon of another origin',
      withTool('get_forecast', (tool) => (tool['icons'] = [{ src: 'https://attacker.example/i.png' }])),
    ],
    [
      'the same icon with other bytes',
      withTool(
        'get_forecast',
        (tool) => (tool['icons'] = [{ src: 'data:image/svg+xml;base64,AAAA', mimeType: 'image/svg+xml' }]),
      ),
    ],
  ])('%s is definition-changed', async (_, tools) => {
    expect(await verdicts(await world().host(), tools)).toMatchObject({
      get_forecast: 'definition-changed',
      now: 'verified',
    })
  })

  it.each(WIRES)('never reaches the host over the wire (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(retitled)), await world().host())
    expect(await guarded.toolNames()).not.toContain('get_forecast')
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each(WIRES)('twin: the signed title and icon arrive (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(BENIGN_TOOLS)), await world().host())
    const { title, icons } = BENIGN_TOOLS[0]!
    expect((await guarded.tools())[0]).toMatchObject({ title, icons })
  })
})
