import { describe, expect, it } from 'vitest'
import { BLOCK, tool, toolsOf, type Published } from '../support/world.js'
import { allowed, codes, draft, MANAGED, released, restarting, SLOT } from './consent-support.js'

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

describe('a variant that the next version leaves out', () => {
  const when = { platform: 'linux' }
  const withVariant = (definition: typeof forecast, variant: typeof forecast) => ({
    definition,
    permissions: [],
    variants: [{ when, definition: variant }],
  })

  it.each([
    ['the base definition that nobody saw here', [powerful]],
    ['a new variant of the same power', [withVariant(powerful, { ...powerful, title: 'Forecast' })]],
  ])('does not make way for %s', async (_what, tools) => {
    for (const policy of [MANAGED, BLOCK]) {
      const { world, acme, versions } = released(draft('1.0.0', [withVariant(powerful, forecast), alerts]))
      const [v1] = versions as [Published]
      const host = restarting(world, policy)
      const first = await host.review({ server: v1.server, tools: [forecast, alerts] })
      expect([codes(first), allowed(first)]).toEqual([{}, ['alerts', 'forecast']])
      world.release(acme, draft('2.0.0', [...tools, alerts]))
      const review = await host.review({ server: v1.server, tools: [powerful, alerts] })
      expect([codes(review), allowed(review)]).toEqual([{ 'tool forecast': 'consent-required' }, ['alerts']])
    }
  })

  it('asks nobody where the base definition only reads differently', async () => {
    const brief = tool('forecast', { description: 'Says what the weather will be.' })
    const { world, acme, versions } = released(draft('1.0.0', [withVariant(forecast, brief), alerts]))
    const [v1] = versions as [Published]
    const host = restarting(world)
    expect(codes(await host.review({ server: v1.server, tools: [brief, alerts] }))).toEqual({})
    world.release(acme, draft('2.0.0', [forecast, alerts]))
    const review = await host.review({ server: v1.server, tools: [forecast, alerts] })
    expect([codes(review), review.manifest?.version]).toEqual([{}, '2.0.0'])
  })
})

describe('a lower version that was looked at before the floor rose', () => {
  const asking = (...names: readonly string[]) => ({
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  })
  const [narrow, wide, wider] = [['a'], ['a', 'b'], ['a', 'b', 'c']].map((names) =>
    tool('forecast', { inputSchema: asking(...names) }),
  ) as [typeof forecast, typeof forecast, typeof forecast]

  /** One host waits for an answer about 2.0.0; another process accepts 3.0.0, which asks for more still. */
  async function overtaken() {
    const { world, versions } = released(
      draft('1.0.0', [narrow]),
      draft('2.0.0', [wide]),
      draft('3.0.0', [wider]),
    )
    const [v1, v2, v3] = versions as [Published, Published, Published]
    const { memory, open, kept } = restarting(world)
    const [stays, other] = [await open(), await open()]
    const at = (one: Published) => ({ slot: SLOT, server: one.server, tools: toolsOf(one) })
    expect(codes(await stays.review(at(v1)))).toEqual({})
    expect(codes(await stays.review(at(v2)))).toEqual({ 'tool forecast': 'consent-required' })
    return { world, memory, stays, other, v1, v2, v3, at, kept }
  }

  it('stays below it in the process that looked', async () => {
    const { stays, other, v2, v3, at, kept } = await overtaken()
    await other.review(at(v3))
    for (const { id, to } of await other.waiting())
      if (to.version === '3.0.0') await other.consent(id, 'agreed')
    expect(codes(await other.review(at(v3)))).toEqual({})
    const review = await stays.review(at(v2))
    expect([review.verdict, review.withheld[0]?.detail['reason']]).toEqual([
      'consent-required',
      'lower-version',
    ])
    expect((await kept(v2.server))?.accepted.map(({ version }) => version)).toEqual(['1.0.0', '3.0.0'])
  })

  it('stays below it in a process that is about to accept', async () => {
    const { world, memory, other, v2, v3, at, kept } = await overtaken()
    await other.review(at(v3))
    for (const { id } of await other.waiting()) await other.consent(id, 'agreed')
    let isFirst = true
    const racing = {
      ...memory,
      updateServer: async (...given: Parameters<typeof memory.updateServer>) => {
        if (given[0].server !== '' && isFirst) {
          isFirst = false
          expect(codes(await other.review(at(v3)))).toEqual({})
        }
        return memory.updateServer(...given)
      },
    }
    const late = await world.host({ memory: racing })
    const review = await late.review(at(v2))
    expect([review.verdict, review.withheld[0]?.detail['reason']]).toEqual([
      'consent-required',
      'lower-version',
    ])
    expect((await kept(v2.server))?.accepted.map(({ version }) => version)).toEqual(['1.0.0', '3.0.0'])
  })

  it('twin: agreed to by another process it is in use, and nothing is asked of the registry again', async () => {
    const { stays, other, v2, at } = await overtaken()
    for (const { id } of await other.waiting()) await other.consent(id, 'agreed')
    expect(codes(await other.review(at(v2)))).toEqual({})
    for (let i = 0; i < 2; i++) expect(codes(await stays.review(at(v2)))).toEqual({})
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
