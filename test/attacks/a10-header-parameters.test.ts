import type { IncomingHttpHeaders } from 'node:http'
import type { JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { isHttp, isModern, POISON, signedTools, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'

/** What a model writes into the parameter goes into a header, where proxies and logs read it. */
const withHeader = (name: string): JsonObject[] =>
  withTool('get_forecast', (tool) => {
    const { properties } = tool['inputSchema'] as { properties: Record<string, JsonObject> }
    properties['city']!['x-mcp-header'] = name
  })

const others = benignNames().filter((name) => name !== 'get_forecast')
const paramHeaders = (seen: readonly IncomingHttpHeaders[]): string[] =>
  seen.flatMap((headers) => Object.keys(headers).filter((name) => name.startsWith('mcp-param-')))

describe.each(WIRES)('A10 a parameter that becomes a header (%s)', (wire) => {
  it('after approval is definition-changed, and no header is sent', async () => {
    const server = hostileServer(toolPages(withHeader(POISON)))
    const seen: IncomingHttpHeaders[] = []
    const guarded = await attackWorld().connect(wire, server, {
      raw: (_, _response, __, headers) => seen.push(headers) === 0,
    })
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ get_forecast: 'definition-changed' })
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    expect(await guarded.call('now')).toBe('done')
    expect(guarded.heard()).not.toContain(POISON)
    expect(paramHeaders(seen)).toEqual([])
  })

  it('as an approved update is dangerous: it waits for a person, however mild the policy', async () => {
    const it = attackWorld()
    const before = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
    expect(await before.toolNames()).toEqual(benignNames())
    it.release('1.0.1', { tools: signedTools(withHeader('City')) })
    const server = hostileServer(toolPages(withHeader('City')))
    const consent = { text: 'silent', widened: 'silent' } as const
    const policy = { mode: 'enforce', unknownServers: 'block', managed: false, consent } as const
    const guarded = await it.connect(wire, server, { host: { policy } })
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ get_forecast: 'consent-required' })
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(await (await it.host()).waiting()).toMatchObject([{ reason: 'changed', class: 'dangerous' }])
  })

  it('twin: signed from the start it is used, as the era has it', async () => {
    const tools = withHeader('City')
    const seen: IncomingHttpHeaders[] = []
    const it = attackWorld({ tools: signedTools(tools) })
    const guarded = await it.connect(wire, hostileServer(toolPages(tools)), {
      raw: (_, _response, __, headers) => seen.push(headers) === 0,
    })
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.call('get_forecast', { city: 'Bern' })).toBe('done')
    expect(paramHeaders(seen)).toEqual(isHttp(wire) && isModern(wire) ? ['mcp-param-city'] : [])
  })
})
