import { describe, expect, it } from 'vitest'
import type { ManifestTool } from 'countersign/core'
import { EMPTY_SERVER_MEMORY } from '../../client/src/memory.js'
import { tool, type Published } from '../support/world.js'
import { allowed, codes, draft, released, restarting, SLOT } from './consent-support.js'

const base = tool('forecast')
const brief = tool('forecast', { description: 'Does forecast.' })
const wide = tool('forecast', {
  inputSchema: { type: 'object', properties: { place: { type: 'string' }, path: { type: 'string' } } },
})
const both: ManifestTool = {
  definition: base,
  permissions: [],
  variants: [
    { when: { 'flag:brief': 'on' }, definition: brief },
    { when: { 'flag:wide': 'on' }, definition: wide },
  ],
}

function world() {
  const { world, versions } = released(draft('1.0.0', [both, tool('alerts')]))
  const [v1] = versions as [Published]
  const host = restarting(world)
  const see = (...tools: readonly unknown[]) => host.review({ server: v1.server, tools })
  return { host, v1, see }
}

describe('a variant switched after consent (A34)', () => {
  it('is asked about no longer when the next version is in use', async () => {
    const { world, acme, versions } = released(draft('1.0.0', [both, tool('alerts')]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    const see = (...tools: readonly unknown[]) => host.review({ server: v1.server, tools })
    await see(base, tool('alerts'))
    await see(wide, tool('alerts'))
    expect(await host.waiting()).toHaveLength(1)
    const reworded = tool('alerts', { description: 'Other words.' })
    world.release(acme, draft('2.0.0', [both, reworded]))
    expect(codes(await see(base, reworded))).toEqual({})
    expect(await host.waiting()).toEqual([])
    expect(codes(await see(wide, reworded))).toEqual({ 'tool forecast': 'consent-required' })
    expect(await host.waiting()).toMatchObject([{ reason: 'variant', to: { version: '2.0.0' } }])
    // A service that is being rolled out shows the version before in turn: the question stays one.
    for (const alerts of [tool('alerts'), reworded, tool('alerts')]) await see(base, alerts)
    expect([host.told('asked').length, (await host.waiting()).length]).toEqual([2, 1])
  })

  it('that says more waits; its neighbours go on', async () => {
    const { host, see } = world()
    expect(codes(await see(base, tool('alerts')))).toEqual({})
    const review = await see(wide, tool('alerts'))
    expect([codes(review), allowed(review)]).toEqual([{ 'tool forecast': 'consent-required' }, ['alerts']])
    const [question] = await host.waiting()
    expect(question).toMatchObject({
      reason: 'variant',
      class: 'widened',
      items: ['tool forecast'],
      from: { variant: '' },
      to: { variant: '{"flag:wide":"on"}' },
    })
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect(explained.before?.tools[0]?.definition).toEqual(base)
    expect(explained.after.tools[0]?.definition).toEqual(wide)
    await host.answer('agreed')
    expect(codes(await see(wide, tool('alerts')))).toEqual({})
    // Both were accepted here: neither is a change any more.
    const writes = host.memory.writes()
    for (const form of [base, wide, base]) expect(codes(await see(form, tool('alerts')))).toEqual({})
    expect([host.memory.writes(), await host.waiting()]).toEqual([writes, []])
  })

  it('that is only worded otherwise is taken, and asks nobody', async () => {
    const { host, see } = world()
    await see(base)
    expect(codes(await see(brief))).toEqual({})
    expect(await host.waiting()).toEqual([])
  })

  it('of which one is live at first use is what the server is held to', async () => {
    const { host, see } = world()
    expect([codes(await see(wide)), await host.waiting()]).toEqual([{}, []])
    const review = await see(base)
    // From wide to base a parameter changes its description and one is required: more is asked of a model.
    expect(codes(review)).toEqual({ 'tool forecast': 'consent-required' })
    await host.answer('refused')
    expect((await see(base)).withheld[0]?.detail).toMatchObject({ reason: 'variant', refused: true })
  })

  it('of many items at once, each in its own way: asked about in turns, and each question stays', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `tool_${i}`)
    const inForm = (name: string, form: typeof base) => ({ ...form, name })
    const { world, versions } = released(
      draft(
        '1.0.0',
        names.map((name) => ({
          definition: inForm(name, base),
          permissions: [],
          variants: [{ when: { [`flag:${name}`]: 'on' }, definition: inForm(name, wide) }],
        })),
      ),
    )
    const [v1] = versions as [Published]
    const host = restarting(world)
    const see = (form: typeof base) =>
      host.review({ server: v1.server, tools: names.map((name) => inForm(name, form)) })
    expect(codes(await see(base))).toEqual({})
    for (const left of [40, 24, 8]) {
      expect(Object.values(codes(await see(wide)))).toEqual(Array(left).fill('consent-required'))
      const waiting = await host.waiting()
      const asked = host.told('asked').length
      expect(Object.keys(codes(await see(wide)))).toHaveLength(left)
      expect([await host.waiting(), host.told('asked').length]).toEqual([waiting, asked])
      await host.answer('agreed')
    }
    expect([codes(await see(wide)), host.told('asked').length]).toEqual([{}, 40])
  })

  it('is told apart by what older memories kept', async () => {
    const { host, v1, see } = world()
    await see(wide)
    const key = { identity: (await host.open()).identity, server: v1.server, slot: SLOT }
    await host.memory.updateServer(key, (old) => {
      const { seen, ...rest } = old ?? EMPTY_SERVER_MEMORY
      expect(seen).toBeDefined()
      return rest
    })
    expect(codes(await see(wide))).toEqual({})
    expect(codes(await see(base))).toEqual({ 'tool forecast': 'consent-required' })
  })
})
