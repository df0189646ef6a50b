import { describe, expect, it } from 'vitest'
import type { RegistryApi } from 'countersign'
import { parseStatus } from 'countersign/core'
import { attackWorld, draft, eventsOf, type AttackWorld } from '../support/attack-world.js'
import { BENIGN_TOOLS, benignNames, withTool } from '../support/benign.js'
import { POISON, signedTools, WIRES, type Guarded } from '../support/guarded.js'
import { hostileServer, toolPages, type HostileServer } from '../support/hostile.js'
import type { Published } from '../support/world.js'

// The registry says something else while a client is connected.

const HOSTILE = withTool('now', (tool) => (tool['description'] = POISON))

const checkpointOf = async (view: RegistryApi): Promise<string> =>
  parseStatus(await view.fetchStatus()).checkpoint

/** A registry whose answers come from whatever view of it is the present one. */
function switched(first: RegistryApi): {
  readonly registry: RegistryApi
  readonly show: (view: RegistryApi) => void
} {
  let view = first
  const registry: RegistryApi = {
    fetchStatus: () => view.fetchStatus(),
    fetchBundle: (digest) => view.fetchBundle(digest),
    fetchConsistency: (from, to, log) => view.fetchConsistency(from, to, log),
    fetchRevocations: (root) => view.fetchRevocations(root),
    fetchRoot: (version) => view.fetchRoot(version),
    fetchVersions: (server) => view.fetchVersions(server),
    lookup: (query) => view.lookup(query),
  }
  return { registry, show: (next) => (view = next) }
}

async function expectOpen(guarded: Guarded): Promise<void> {
  expect(await guarded.toolNames()).toEqual(benignNames())
  expect(guarded.withheld()).toEqual({})
  expect(await guarded.call('now')).toBe('done')
}

/** Nothing is listed, each thing for this reason, and no call leaves the host. */
async function expectClosed(guarded: Guarded, server: HostileServer, code: string): Promise<void> {
  const [heard, called] = [guarded.heard().length, server.called()]
  expect(await guarded.call('now')).toBe(-32602)
  expect(eventsOf(guarded, 'call-refused').at(-1)).toMatchObject({ tool: 'now', code })
  expect(await guarded.toolNames()).toEqual([])
  expect([...new Set(Object.values(guarded.withheld()))]).toEqual([code])
  expect(Object.keys(guarded.withheld())).toEqual(expect.arrayContaining(benignNames()))
  expect(server.called()).toEqual(called)
  expect(guarded.heard().slice(heard)).not.toContain(POISON)
}

/** A recheck that takes something away tells the host to list anew. */
async function recheckTells(guarded: Guarded): Promise<void> {
  await guarded.transport.recheck()
  await expect.poll(() => eventsOf(guarded, 'list-changed-injected').length).toBeGreaterThan(0)
}

describe.each(WIRES)('A26 a second view (%s)', (wire) => {
  /** One past; here nothing comes after it that matters, there the server turns. */
  function forked() {
    const it = attackWorld()
    const there = it.world.fork()
    it.release('1.0.1', {})
    const turned = draft('2.0.0', { tools: signedTools(HOSTILE) })
    there.release(it.acme, turned)
    return { it, here: it.world.api(), there: there.api() }
  }

  it('closes a running connection and every later one, under either view, with both as evidence', async () => {
    const { it, here, there } = forked()
    const { registry, show } = switched(here)
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const running = await it.connect(wire, server, { host: { registry } })
    await expectOpen(running)
    show(there)
    await recheckTells(running)
    await expectClosed(running, server, 'equivocation')
    show(here)
    await running.transport.recheck()
    await expectClosed(running, server, 'equivocation')
    const turned = hostileServer(toolPages(HOSTILE))
    await expectClosed(await it.connect(wire, turned, { host: { registry: there } }), turned, 'equivocation')
    const notes = [await checkpointOf(here), await checkpointOf(there)]
    const kept = await it.memory.readWorld(it.world.identity)
    expect(new Set(kept?.evidence[0]?.notes)).toEqual(new Set(notes))
  })

  it('twin: is welcome where it only lags and proves so', async () => {
    const it = attackWorld()
    const old = it.world.frozenApi()
    it.release('1.0.1', { title: 'a later one' })
    const { registry, show } = switched(it.world.api())
    const server = hostileServer(toolPages(BENIGN_TOOLS))
    const guarded = await it.connect(wire, server, { host: { registry } })
    await expectOpen(guarded)
    show(it.world.lagging(old))
    await guarded.transport.recheck()
    await expectOpen(guarded)
    expect((await it.memory.readWorld(it.world.identity))?.evidence).toEqual([])
  })
})

describe.each(WIRES)('A36 witnesses that do not answer (%s)', (wire) => {
  /** From here on the quorum stands behind nothing; this is revoked all the same. */
  async function denied(it: AttackWorld, { digest }: Published): Promise<void> {
    const before = await checkpointOf(it.world.api())
    it.world.hold()
    it.world.revoke({ kind: 'manifest', digest })
    expect(await checkpointOf(it.world.api())).toBe(before)
  }

  it('hold up no revocation: a running connection closes, and a newcomer gets nothing', async () => {
    const it = attackWorld({ tools: signedTools(HOSTILE) }, { witnesses: 2 })
    const server = hostileServer(toolPages(HOSTILE))
    const running = await it.connect(wire, server)
    await expectOpen(running)
    await denied(it, it.v1)
    await recheckTells(running)
    await expectClosed(running, server, 'revoked')
    const fresh = hostileServer(toolPages(HOSTILE))
    await expectClosed(await it.connect(wire, fresh), fresh, 'revoked')
    expect(server.called()).toEqual(['now'])
  })

  it('twin: take nothing from a server that is not revoked', async () => {
    const it = attackWorld({}, { witnesses: 2 })
    const other = it.release('1.0.0', { server: 'com.acme/notes' })
    const guarded = await it.connect(wire, hostileServer(toolPages(BENIGN_TOOLS)))
    await expectOpen(guarded)
    await denied(it, other)
    await guarded.transport.recheck()
    await expectOpen(guarded)
  })
})
