import { describe, expect, it } from 'vitest'
import { attackWorld, eventsOf } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WIRES, type Guarded } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'

const newer = withTool('now', (tool) => (tool['description'] = 'Tells the time of day.'))
const codesOf = (guarded: Guarded): string[] => [...new Set(Object.values(guarded.withheld()))]

/** All of it is withheld for this reason, and no call gets through. */
async function expectClosed(guarded: Guarded, code: string): Promise<void> {
  expect(await guarded.toolNames()).toEqual([])
  expect(codesOf(guarded)).toEqual([code])
  expect(await guarded.call('now')).toBe(-32602)
}

describe.each(WIRES)('A22 views from before (%s)', (wire) => {
  it('a downgrade to a version that was never in use here waits for a person', async () => {
    const it = attackWorld()
    it.release('2.0.0', { tools: signedTools(newer) })
    const current = await it.connect(wire, hostileServer(toolPages(newer)))
    expect(await current.toolNames()).toEqual(benignNames())
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const options = { guard: { version: '1.0.0' } }
    await expectClosed(await it.connect(wire, server, options), 'consent-required')
    expect(server.called()).toEqual([])
    expect(await (await it.host()).waiting()).toMatchObject([{ reason: 'lower-version' }])
  })

  it('what was revoked stays so under an older view, and under a clock that was set back', async () => {
    const it = attackWorld()
    const old = it.world.frozenApi()
    it.world.revoke({ kind: 'manifest', digest: it.v1.digest })
    await expectClosed(await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS))), 'revoked')
    for (const host of [{ registry: old }, { registry: old, now: () => (it.world.clock - 600) * 1000 }]) {
      const guarded = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)), { host })
      await expectClosed(guarded, 'rollback')
    }
  })

  it('a view that stands still closes when it is too old', async () => {
    const it = attackWorld()
    const registry = it.world.frozenApi()
    const now = (): number => (it.world.clock + 2 * 86_400) * 1000
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    await expectClosed(await it.connect(wire, server, { host: { registry, now } }), 'stale')
    expect(server.called()).toEqual([])
  })

  it('a revocation in the middle of a session is in force from the next recheck', async () => {
    const it = attackWorld()
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const guarded = await it.connect(wire, server)
    await guarded.toolNames()
    expect(await guarded.call('now')).toBe('done')
    it.world.revoke({ kind: 'manifest', digest: it.v1.digest })
    await guarded.transport.recheck()
    expect(await guarded.call('now')).toBe(-32602)
    expect(eventsOf(guarded, 'call-refused')).toMatchObject([{ code: 'revoked' }])
    await expect.poll(() => eventsOf(guarded, 'list-changed-injected').length).toBeGreaterThan(0)
    expect(server.called()).toEqual(['now'])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('twin: a version of 99.0.0 that was used and revoked is no floor for the honest ones', async () => {
    const it = attackWorld()
    const trap = it.release('99.0.0', { tools: signedTools(newer) })
    expect(await (await it.connect(wire, hostileServer(toolPages(newer)))).toolNames()).toEqual(benignNames())
    it.world.revoke({ kind: 'manifest', digest: trap.digest })
    const guarded = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.call('now')).toBe('done')
  })
})
