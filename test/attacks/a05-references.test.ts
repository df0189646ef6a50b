import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compareTools } from 'countersign/change'
import type { JsonObject } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openValidator } from '../../client/src/validate/index.js'
import { attackWorld, eventsOf } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, verdicts, WEATHER, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import { sampleManifest, signManifest } from '../support/registry.js'
import { signedWorld } from './world.js'

const world = signedWorld()

/** Whoever follows a reference comes by here. */
const elsewhere = { url: '', visits: 0 }
const server = createServer((request, response) => {
  // Others may come by who take this for whoever had the port before.
  if (request.url?.startsWith('/schema.json')) elsewhere.visits += 1
  response.writeHead(200, { 'content-type': 'application/json' }).end(`{"description":"${POISON}"}`)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  elsewhere.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/schema.json`
})
afterAll(() => server.close())

type Schema = JsonObject & { properties: Record<string, JsonObject> }
const changed = (change: (schema: Schema) => void): JsonObject[] =>
  withTool('get_forecast', (tool) => change(tool['inputSchema'] as Schema))

const BOMB: JsonObject = {
  type: 'object',
  properties: { a: { $ref: '#/$defs/n0' } },
  $defs: Object.fromEntries<JsonObject>([
    ...Array.from({ length: 24 }, (_, i): [string, JsonObject] => [
      `n${i}`,
      { allOf: [{ $ref: `#/$defs/n${i + 1}` }, { $ref: `#/$defs/n${i + 1}` }] },
    ]),
    ['n24', { type: 'array', items: { $ref: '#/$defs/n0' } }],
  ]),
}

describe('A5 schemas that point elsewhere', () => {
  it.each([
    ['a $ref to a URL', (schema: Schema) => void (schema.properties['city'] = { $ref: elsewhere.url })],
    ['a $dynamicRef', (schema: Schema) => void (schema.properties['city'] = { $dynamicRef: '#city' })],
    ['an $id that moves the base', (schema: Schema) => void (schema['$id'] = elsewhere.url)],
  ])('%s, after approval, is definition-changed and not followed', async (_, change) => {
    expect(await verdicts(await world().host(), changed(change))).toMatchObject({
      get_forecast: 'definition-changed',
      now: 'verified',
    })
    expect(elsewhere.visits).toBe(0)
  })

  it('another $schema is noise of an SDK: what goes on is the signed copy, without it', async () => {
    const tools = changed((schema) => void (schema['$schema'] = elsewhere.url))
    const { allowed } = await (await world().host()).review({ server: WEATHER, slot: 'test', tools })
    expect(allowed.map(({ name }) => name)).toEqual(benignNames())
    expect(allowed[0]?.signed).not.toContain('$schema')
    expect(elsewhere.visits).toBe(0)
  })

  it('cannot be published', async () => {
    const { registry, publisher } = world()
    const tools = signedTools(changed((schema) => (schema.properties['city'] = { $ref: elsewhere.url })))
    const manifest = sampleManifest(registry.identity, { server: WEATHER, version: '1.5.0', tools })
    const reply = await publisher.caller.post('/v1/manifests', signManifest(manifest, publisher.key))
    expect([reply.status, reply.body.code]).toEqual([422, 'manifest-refused'])
    expect(reply.body['explanation']).toMatchObject({
      findings: [expect.objectContaining({ rule: 'schema-remote-ref', refuse: true })],
    })
    expect(elsewhere.visits).toBe(0)
  })

  it.each(WIRES)('is withheld on the wire, and followed by nobody (%s)', async (wire) => {
    const tools = changed((schema) => (schema.properties['city'] = { $ref: `${elsewhere.url}?${POISON}` }))
    const guarded = await attackWorld().connect(wire, hostileServer(toolPages(tools)))
    expect(await guarded.toolNames()).not.toContain('get_forecast')
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    expect(guarded.heard()).not.toContain(POISON)
    expect(elsewhere.visits).toBe(0)
  })

  it.each(WIRES)(
    'that somebody signed all the same is checked no further, and not followed (%s)',
    async (wire) => {
      const tools = changed((schema) => (schema.properties['city'] = { $ref: elsewhere.url }))
      const guarded = await attackWorld({ tools: signedTools(tools) }).connect(
        wire,
        hostileServer(toolPages(tools)),
        { guard: { validator: openValidator() } },
      )
      await guarded.toolNames()
      for (const city of ['Bern', 'Basel']) expect(await guarded.call('get_forecast', { city })).toBe('done')
      expect(eventsOf(guarded, 'schema-unchecked')).toMatchObject([
        { tool: 'get_forecast', part: 'arguments', reason: 'reference' },
      ])
      expect(elsewhere.visits).toBe(0)
    },
  )

  it.each(WIRES)('a recursion that explodes ends the call, not the guard (%s)', async (wire) => {
    const tools = withTool('now', (tool) => (tool['inputSchema'] = BOMB))
    const guarded = await attackWorld({ tools: signedTools(tools) }).connect(
      wire,
      hostileServer(toolPages(tools)),
      {
        guard: { validator: openValidator() },
        host: { policy: { mode: 'enforce', unknownServers: 'block', managed: false, arguments: 'enforce' } },
      },
    )
    await guarded.toolNames()
    expect(await guarded.call('now', { a: [[[[[[]]]]]] })).toBe(-32602)
    expect(eventsOf(guarded, 'call-refused')).toMatchObject([{ tool: 'now', code: 'schema-violation' }])
    expect(await guarded.call('convert', { amount: 1, to: 'CHF' })).toBe('done')
  })

  it.each(WIRES)('twin: references inside the schema are followed, and checked by (%s)', async (wire) => {
    const policy = { mode: 'enforce', unknownServers: 'block', managed: false, arguments: 'enforce' } as const
    const guarded = await attackWorld().connect(wire, hostileServer(toolPages(BENIGN_TOOLS)), {
      guard: { validator: openValidator() },
      host: { policy },
    })
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.call('search_notes', { sort: 'title' })).toBe('done')
    expect(await guarded.call('search_notes', { sort: 'price' })).toBe(-32602)
    expect(eventsOf(guarded, 'schema-unchecked')).toEqual([])
  })

  it.each(WIRES)(
    'twin: an update that moves a schema into $defs changes nothing and asks nobody (%s)',
    async (wire) => {
      const flat = BENIGN_TOOLS[0]!
      const [hoisted] = changed((schema) => {
        schema['$defs'] = { city: schema.properties['city']! }
        schema.properties['city'] = { $ref: '#/$defs/city' }
      })
      expect(compareTools(flat, hoisted).class).toBe('none')
      const it = attackWorld()
      const before = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
      expect(await before.toolNames()).toEqual(benignNames())
      const tools = [hoisted!, ...BENIGN_TOOLS.slice(1)]
      it.release('1.1.0', { tools: signedTools(tools) })
      const after = await it.connect(wire, hostileServer(toolPages(tools)))
      expect(await after.toolNames()).toEqual(benignNames())
      expect(await (await it.host()).waiting()).toEqual([])
    },
  )
})
