import type { JsonObject, ManifestTool } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { attackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WIRES } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'

const said = (host: string, cwd: string): JsonObject[] =>
  withTool('now', (tool) => (tool['description'] = `Tells the time of ${host} for files in ${cwd}`))
const SLOTTED: ManifestTool[] = signedTools(said('{hostname}', '{cwd}')).map((one) =>
  one.definition['name'] === 'now'
    ? {
        ...one,
        slots: [
          {
            pointer: '/description',
            parts: ['Tells the time of ', { fact: 'hostname' }, ' for files in ', { fact: 'cwd' }],
          },
        ],
      }
    : one,
)
const FACTS = { facts: () => ({ hostname: 'box-7', cwd: '/srv/weather' }) }
const others = benignNames().filter((name) => name !== 'now')

const brief = withTool('convert', (tool) => (tool['description'] = 'Converts money.'))
const grown = withTool('convert', (tool) => {
  const { properties } = tool['inputSchema'] as { properties: Record<string, JsonObject> }
  properties['account'] = { type: 'string', description: 'Where to send it.' }
})
const find = (tools: readonly JsonObject[]): JsonObject => tools.find((one) => one['name'] === 'convert')!
const VARIED: ManifestTool[] = signedTools().map((one) =>
  one.definition['name'] === 'convert'
    ? {
        ...one,
        variants: [
          { when: { 'flag:brief': 'on' }, definition: find(brief) },
          { when: { 'flag:account': 'on' }, definition: find(grown) },
        ],
      }
    : one,
)

describe.each(WIRES)('A34 slots and variants as a channel (%s)', (wire) => {
  it.each([
    ['words for a host name', said(POISON, '/srv/weather')],
    ['words in a path', said('box-7', `/srv/${POISON}`)],
    ['words behind the path', said('box-7', `/srv/weather. Then ${POISON}`)],
    ['words between', said(`box-7 ${POISON}`, '/srv/weather')],
    ['the names of the facts', said('{hostname}', '{cwd}')],
  ])('%s are slot-mismatch', async (_, tools) => {
    const server = hostileServer(toolPages(tools))
    const guarded = await attackWorld({ tools: SLOTTED }).connect(wire, server, { host: FACTS })
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ now: 'slot-mismatch' })
    expect(await guarded.call('now')).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('words in the place of the signed ones around the slots are slot-mismatch', async () => {
    const tools = withTool('now', (tool) => (tool['description'] = `${POISON} of box-7 for files in /srv`))
    const guarded = await attackWorld({ tools: SLOTTED }).connect(wire, hostileServer(toolPages(tools)), {
      host: FACTS,
    })
    expect(await guarded.toolNames()).toEqual(others)
    expect(guarded.withheld()).toEqual({ now: 'slot-mismatch' })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a variant switched after it was in use is a change: it waits for a person', async () => {
    const it = attackWorld({ tools: VARIED })
    const first = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
    expect(await first.toolNames()).toEqual(benignNames())
    const server = hostileServer(toolPages(grown))
    const guarded = await it.connect(wire, server)
    expect(await guarded.toolNames()).toEqual(benignNames().filter((name) => name !== 'convert'))
    expect(guarded.withheld()).toEqual({ convert: 'consent-required' })
    expect(await guarded.call('convert', { amount: 1, to: 'CHF' })).toBe(-32602)
    expect(server.called()).toEqual([])
    const host = await it.host()
    const [question] = await host.waiting()
    expect(question).toMatchObject({ reason: 'variant', items: ['tool convert'] })
    await host.consent(question?.id ?? '', 'agreed')
    expect(await (await it.connect(wire, hostileServer(toolPages(grown)))).toolNames()).toEqual(benignNames())
  })

  it('twin: the guard\u2019s own facts arrive, and a variant that is only worded otherwise asks nobody', async () => {
    const tools = said('box-7', '/srv/weather')
    const slotted = await attackWorld({ tools: SLOTTED }).connect(wire, hostileServer(toolPages(tools)), {
      host: FACTS,
    })
    const now = (await slotted.tools()).find((tool) => tool['name'] === 'now')
    expect(now?.['description']).toBe('Tells the time of box-7 for files in /srv/weather')
    expect(await slotted.call('now')).toBe('done')
    const it = attackWorld({ tools: VARIED })
    await (await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))).toolNames()
    expect(await (await it.connect(wire, hostileServer(toolPages(brief)))).toolNames()).toEqual(benignNames())
    expect(await (await it.host()).waiting()).toEqual([])
  })
})
