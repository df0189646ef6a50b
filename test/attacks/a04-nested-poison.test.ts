import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const signed = BENIGN_TOOLS.find((tool) => tool['name'] === 'search_notes')!
const at = (path: readonly string[], value: unknown): JsonObject[] =>
  BENIGN_TOOLS.map((tool) => (tool === signed ? setIn(structuredClone({ ...tool }), path, value) : tool))

function setIn(target: JsonObject, [head, ...rest]: readonly string[], value: unknown): JsonObject {
  const key = head ?? ''
  target[key] = (
    rest.length === 0 ? value : setIn((target[key] ?? {}) as JsonObject, rest, value)
  ) as JsonObject
  return target
}

const nested = at(
  ['inputSchema', 'properties', 'filters', 'items', 'properties', 'field', 'description'],
  POISON,
)

describe('A4 an order deep inside a schema', () => {
  it.each([
    ['items', nested],
    ['anyOf', at(['inputSchema', 'properties', 'range', 'anyOf', '0', 'description'], POISON)],
    ['$defs', at(['inputSchema', '$defs', 'order', 'description'], POISON)],
    ['$defs that nothing uses', at(['inputSchema', '$defs', 'extra'], { description: POISON })],
    ['patternProperties', at(['inputSchema', 'patternProperties', '^x-', 'description'], POISON)],
    ['if', at(['inputSchema', 'if', 'properties', 'sort', 'const'], POISON)],
    ['then', at(['inputSchema', 'then', 'required', '0'], POISON)],
    ['else', at(['inputSchema', 'else'], { description: POISON })],
    ['examples', at(['inputSchema', 'examples', '0', 'filters'], [POISON])],
    ['$comment', at(['inputSchema', '$comment'], POISON)],
    ['schema title', at(['inputSchema', 'title'], POISON)],
    ['an unknown keyword', at(['inputSchema', 'properties', 'sort', 'x-note'], POISON)],
  ])('in %s is definition-changed, the others pass', async (_, tools) => {
    const expected = Object.fromEntries(benignNames().map((name) => [name, 'verified']))
    expect(await verdicts(await world().host(), tools)).toEqual({
      ...expected,
      search_notes: 'definition-changed',
    })
  })

  it.each(WIRES)('never reaches the host over the wire (%s)', async (wire) => {
    const server = hostileServer(toolPages(nested))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.toolNames()).not.toContain('search_notes')
    expect(await guarded.call('search_notes')).toBe(-32602)
    expect(guarded.heard()).not.toContain(POISON)
    expect(server.called()).toEqual([])
  })

  it('twin: the same schema with its members in another order passes', async () => {
    const reversed = withTool('search_notes', (tool) => {
      tool['inputSchema'] = Object.fromEntries(Object.entries(tool['inputSchema'] as JsonObject).reverse())
    })
    expect((await verdicts(await world().host(), reversed))['search_notes']).toBe('verified')
  })
})
