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
