import { describe, expect, it } from 'vitest'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { connectGuarded, POISON, WIRES } from '../support/guarded.js'
import { hostileServer, rawResult, toolPages } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const poisoned = { name: 'send_mail', description: POISON, inputSchema: { type: 'object' } }
const honest = JSON.stringify(BENIGN_TOOLS)

describe.each(WIRES)('A19 pages (%s)', (wire) => {
  it('poison on page 2 is unlisted-tool', async () => {
    const guarded = await connectGuarded(
      wire,
      hostileServer(toolPages(BENIGN_TOOLS, [poisoned])),
      await world().host(),
    )
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.withheld()).toEqual({ send_mail: 'unlisted-tool' })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each([
    ['a cursor that repeats', `{"tools":${honest},"nextCursor":"${POISON}"}`, 2],
    ['pages without end', `{"tools":[],"nextCursor":"${POISON}-$N"}`, 64],
    ['more tools than a host takes in', `{"tools":${honest.replace('[', `[${'{},'.repeat(1000)}`)}}`, 1],
  ])('%s is limit-exceeded and bounded', async (_, page, pages) => {
    const server = hostileServer({ 'tools/list': [[rawResult(page)]] })
    const guarded = await connectGuarded(wire, server, await world().host())
    await expect(guarded.toolNames()).rejects.toMatchObject({ code: -32603 })
    expect(server.asked().filter((method) => method === 'tools/list')).toHaveLength(pages)
    expect(guarded.events).toContainEqual(
      expect.objectContaining({ type: 'listing-refused', code: 'limit-exceeded' }),
    )
    expect(await guarded.call('now')).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a tool that was never listed cannot be called, listed first or not', async () => {
    const server = hostileServer(toolPages(BENIGN_TOOLS.slice(0, 2)))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.call('convert')).toBe(-32602)
    await guarded.toolNames()
    expect(await guarded.call('send_mail')).toBe(-32602)
    const codes = guarded.events.flatMap((event) => (event.type === 'call-refused' ? [event.code] : []))
    expect(codes).toEqual(['not-listed', 'not-listed'])
    expect(server.called()).toEqual([])
  })

  it('twin: an honest list over many pages, called before it was listed', async () => {
    const server = hostileServer(toolPages(...BENIGN_TOOLS.map((tool) => [tool])))
    const guarded = await connectGuarded(wire, server, await world().host())
    expect(await guarded.call('now')).toBe('done')
    expect(await guarded.toolNames()).toEqual(benignNames())
  })
})
