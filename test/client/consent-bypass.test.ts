import { describe, expect, it } from 'vitest'
import { tool, toolsOf, type Published } from '../support/world.js'
import { allowed, codes, draft, MANAGED, released, restarting } from './consent-support.js'

const [forecast, alerts] = [tool('forecast'), tool('alerts')]
const powerful = tool('forecast', { annotations: { readOnlyHint: false, destructiveHint: true } })
const junk = tool('junk')

describe('a server whose list never holds together', () => {
  it('is asked about like any other when its next version means more', async () => {
    const { world, acme, versions } = released(draft('1.0.0', [forecast, alerts]))
    const [v1] = versions as [Published]
    const host = restarting(world, MANAGED)
    const first = await host.review({ server: v1.server, tools: [...toolsOf(v1), junk] })
    expect([codes(first), allowed(first)]).toEqual([{ 'tool junk': 'unlisted-tool' }, ['alerts', 'forecast']])
    const v2 = world.release(acme, draft('2.0.0', [powerful, alerts]))
    const input = { server: v2.server, tools: [...toolsOf(v2), junk] }
    const second = await host.review(input)
    expect(codes(second)).toEqual({ 'tool junk': 'unlisted-tool', 'tool forecast': 'consent-required' })
    expect(await host.answer('agreed')).toHaveLength(1)
    expect(codes(await host.review(input))).toEqual({ 'tool junk': 'unlisted-tool' })
    const before = host.memory.writes()
    expect(codes(await host.review(input))).toEqual({ 'tool junk': 'unlisted-tool' })
    expect([host.memory.writes(), await host.waiting()]).toEqual([before, []])
  })
})

describe('a variant that was never live here', () => {
  it('does not go on as the base definition of the next version', async () => {
    const when = { 'flag:powerful': 'on' }
    const withVariant = {
      definition: forecast,
      permissions: [],
      variants: [{ when, definition: powerful }],
    }
    const { world, acme, versions } = released(draft('1.0.0', [withVariant, alerts]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    expect(codes(await host.review({ server: v1.server, tools: [forecast, alerts] }))).toEqual({})
    world.release(acme, draft('2.0.0', [powerful, tool('alerts', { description: 'Other.' })]))
    const review = await host.review({
      server: v1.server,
      tools: [powerful, tool('alerts', { description: 'Other.' })],
    })
    expect(codes(review)).toEqual({ 'tool forecast': 'consent-required' })
  })
})

describe('resources that were listed', () => {
  it('do not become whatever the server says without a question', async () => {
    const listed = (mode: 'listed' | 'dynamic') => ({ resources: { mode } }) as never
    const { world, acme, versions } = released(draft('1.0.0', [forecast], listed('listed')))
    const [v1] = versions as [Published]
    const host = restarting(world)
    expect(codes(await host.review({ server: v1.server, tools: [forecast] }))).toEqual({})
    const reworded = tool('forecast', { description: 'Other.' })
    world.release(acme, draft('2.0.0', [reworded], listed('dynamic')))
    const review = await host.review({ server: v1.server, tools: [reworded] })
    expect([review.verdict, allowed(review)]).toEqual(['consent-required', []])
  })
})
