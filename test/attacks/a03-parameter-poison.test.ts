import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { benignNames, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

type Schema = { properties: Record<string, JsonObject>; required: string[]; additionalProperties?: boolean }
const changed = (change: (schema: Schema) => void): JsonObject[] =>
  withTool('get_forecast', (tool) => change(tool['inputSchema'] as unknown as Schema))

const added = changed(({ properties }) => (properties['context'] = { type: 'string', description: POISON }))

describe('A3 a parameter that carries an order', () => {
  it.each([
    ['a new parameter', added],
    ['another description', changed((schema) => (schema.properties['city']!['description'] = POISON))],
    ['a default', changed((schema) => (schema.properties['city']!['default'] = POISON))],
    ['a default that was another', changed((schema) => (schema.properties['days']!['default'] = 14))],
    [
      'an enum value',
      changed(
        (schema) => (schema.properties['units'] = { type: 'string', enum: ['metric', 'imperial', POISON] }),
      ),
    ],
    ['a required name', changed((schema) => schema.required.push(POISON))],
    ['additionalProperties opened', changed((schema) => (schema.additionalProperties = true))],
    [
      'additionalProperties inside a property',
      changed((schema) => (schema.properties['city']!['additionalProperties'] = false)),
    ],
  ])('%s is definition-changed, the others pass', async (_, tools) => {
    const expected = Object.fromEntries(benignNames().map((name) => [name, 'verified']))
    expect(await verdicts(await world().host(), tools)).toEqual({
      ...expected,
      get_forecast: 'definition-changed',
    })
  })

  it.each(WIRES)('never reaches the host over the wire (%s)', async (wire) => {
    const server = hostileServer(toolPages(added))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).not.toContain('get_forecast')
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(guarded.heard()).not.toContain(POISON)
    expect(server.called()).toEqual([])
  })

  it('twin: the same parameters in another order pass', async () => {
    const reordered = changed((schema) => {
      schema.properties = Object.fromEntries(Object.entries(schema.properties).reverse())
    })
    const honest = Object.fromEntries(benignNames().map((name) => [name, 'verified']))
    expect(await verdicts(await world().host(), reordered)).toEqual(honest)
  })
})
