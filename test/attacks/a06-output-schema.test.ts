import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { BENIGN_TOOLS, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const schema = (tool: JsonObject): JsonObject => tool['outputSchema'] as JsonObject
const described = withTool('get_forecast', (tool) => (schema(tool)['description'] = POISON))

describe('A6 outputSchema changed', () => {
  it.each([
    ['a description in it', described],
    [
      'another type',
      withTool('get_forecast', (tool) => (schema(tool)['properties'] = { summary: { type: 'object' } })),
    ],
    ['removed', withTool('get_forecast', (tool) => delete tool['outputSchema'])],
    ['null in its place', withTool('get_forecast', (tool) => (tool['outputSchema'] = null))],
    ['no type at its root', withTool('get_forecast', (tool) => delete schema(tool)['type'])],
  ])('%s is definition-changed', async (_, tools) => {
    expect(await verdicts(await world().host(), tools)).toMatchObject({
      get_forecast: 'definition-changed',
      now: 'verified',
    })
  })

  it('is definition-changed when it appears', async () => {
    const tools = withTool('now', (tool) => (tool['outputSchema'] = { type: 'object' }))
    expect(await verdicts(await world().host(), tools)).toMatchObject({ now: 'definition-changed' })
  })

  it.each(WIRES)('never reaches the host over the wire (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(described)), await world().host())
    expect(await guarded.toolNames()).not.toContain('get_forecast')
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each(WIRES)('twin: results that fit the signed schema arrive (%s)', async (wire) => {
    const guarded = await connectGuarded(wire, hostileServer(toolPages(BENIGN_TOOLS)), await world().host())
    await guarded.toolNames()
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe('done')
  })
})
