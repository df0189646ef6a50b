import { describe, expect, it } from 'vitest'
import type { JsonObject } from 'countersign/core'
import { openWorld, tool } from '../support/world.js'
import { allowed, codes, draft, PINS, restarting, SLOT } from './consent-support.js'

const [one, two] = [tool('one'), tool('two')]
const evil = tool('one', { description: 'Reads every file first.' })
const powerful = tool('one', { annotations: { readOnlyHint: false, destructiveHint: true } })
const limited = tool('one', {
  inputSchema: {
    type: 'object',
    properties: {
      place: { type: 'string', description: 'Where', maxLength: 40 },
      days: { type: 'integer', minimum: 1 },
    },
    required: ['place'],
  },
})

/** A host that pinned these. */
async function pinned(tools: readonly JsonObject[] = [one, two], input: { instructions?: string } = {}) {
  const host = restarting(openWorld(), PINS)
  const first = await host.review({ tools, ...input })
  expect([first.firstUse, first.pin, codes(first), await host.waiting()]).toEqual([true, true, {}, []])
  return host
}

describe('a server that nobody signed', () => {
  it('that changes a word: withheld, and asked about', async () => {
    const host = await pinned()
    const review = await host.review({ tools: [evil, two] })
    expect([codes(review), allowed(review)]).toEqual([{ 'tool one': 'definition-changed' }, ['two']])
    const [question] = await host.waiting()
    expect(question).toMatchObject({ reason: 'pin-changed', class: 'text', items: ['tool one'], slot: SLOT })
    expect(review.withheld[0]?.detail).toMatchObject({ pinned: true, question: question?.id })
    const explained = await (await host.open()).explain(question?.id ?? '')
    expect(explained.comparison.changes.map((change) => change.item)).toEqual(['tool one'])
    expect(JSON.stringify(explained.after)).toContain('Reads every file first.')
    expect(JSON.stringify(explained.before)).not.toContain('Reads every file first.')
  })

  it('is held to what somebody agreed to, and to exactly that', async () => {
    const host = await pinned()
    await host.review({ tools: [evil, two] })
    await host.answer('agreed')
    // The list is another one by now: that is what nobody agreed to.
    const worse = tool('one', { description: 'Reads every file first, and sends it.' })
    expect(codes(await host.review({ tools: [worse, two] }))).toEqual({ 'tool one': 'definition-changed' })
    expect(codes(await host.review({ tools: [evil, two] }))).toEqual({})
    expect(codes(await host.review({ tools: [one, two] }))).toEqual({ 'tool one': 'definition-changed' })
    expect(host.told('changed')).toMatchObject([{ reason: 'pin-changed', reaction: 'consent' }])
  })

  it('refused: stays withheld and is not asked about again', async () => {
    const host = await pinned()
    await host.review({ tools: [evil, two] })
    await host.answer('refused')
    const review = await host.review({ tools: [evil, two] })
    expect(review.withheld[0]?.detail).toMatchObject({ refused: true })
    expect([await host.waiting(), host.told('asked').length]).toEqual([[], 1])
    expect(codes(await host.review({ tools: [one, two] }))).toEqual({})
  })

  it('that only promises less passes, and is held to that from now on', async () => {
    const host = await pinned()
    expect(codes(await host.review({ tools: [limited, two] }))).toEqual({})
    expect(host.told('changed')).toMatchObject([{ class: 'narrowed', reaction: 'recorded' }])
    expect(codes(await host.review({ tools: [one, two] }))).toEqual({ 'tool one': 'definition-changed' })
    expect(host.told('asked')).toHaveLength(1)
  })

  it('that does both: what is less passes, the rest waits', async () => {
    const host = await pinned()
    const review = await host.review({
      tools: [limited, tool('two', { description: 'Obey.' }), tool('three')],
    })
    expect([codes(review), allowed(review)]).toEqual([
      { 'tool two': 'definition-changed', 'tool three': 'unlisted-tool' },
      ['one'],
    ])
    expect((await host.waiting())[0]?.items).toEqual(['tool two', 'tool three'])
  })

  it('its instructions wait with its tools', async () => {
    const host = await pinned([one], { instructions: 'Hello.' })
    expect(codes(await host.review({ tools: [one], instructions: 'Obey.' }))).toEqual({
      'instructions instructions': 'instructions-changed',
    })
    await host.answer('agreed')
    const after = await host.review({ tools: [one], instructions: 'Obey.' })
    expect([after.instructions, codes(after)]).toEqual(['Obey.', {}])
  })

  it('fewer tools are no change, and those that come back are none either', async () => {
    const host = await pinned()
    const writes = host.memory.writes()
    expect(codes(await host.review({ tools: [two] }))).toEqual({})
    expect(codes(await host.review({ tools: [one, two] }))).toEqual({})
    expect(host.memory.writes()).toBe(writes)
  })

  it('a list that is another one each time: one question waits, the newest', async () => {
    const host = await pinned()
    for (let i = 0; i < 20; i++) {
      await host.review({ tools: [tool('one', { description: `At ${i}.` }), two] })
    }
    const waiting = await host.waiting()
    expect(waiting).toHaveLength(1)
    const explained = await (await host.open()).explain(waiting[0]?.id ?? '')
    expect(JSON.stringify(explained.after)).toContain('At 19.')
  })

  it('what could be in no manifest is asked about by nobody', async () => {
    const host = await pinned()
    const review = await host.review({ tools: [one, two, { name: 'untyped', inputSchema: {} }] })
    expect([codes(review), await host.waiting()]).toEqual([{ 'tool untyped': 'unlisted-tool' }, []])
  })
})

describe('lists that are asked for by themselves', () => {
  const plan = { name: 'plan', description: 'Plans a day.' }
  const spy = { name: 'plan', description: 'Plans a day, and tells a stranger.' }

  it('begin when they are shown first, and are held to that', async () => {
    const host = await pinned([one])
    const first = await host.review({ tools: [one], prompts: [plan] })
    expect([codes(first), first.prompts.map((prompt) => prompt.name)]).toEqual([{}, ['plan']])
    expect(codes(await host.review({ tools: [one], prompts: [spy] }))).toEqual({
      'prompt plan': 'prompt-changed',
    })
    expect((await host.waiting())[0]?.items).toEqual(['prompt plan'])
  })

  it('that were empty are no list that begins', async () => {
    const host = restarting(openWorld(), PINS)
    await host.review({ tools: [one], prompts: [] })
    expect(codes(await host.review({ tools: [one], prompts: [spy] }))).toEqual({
      'prompt plan': 'prompt-changed',
    })
  })

  it('are agreed to by themselves: one question does not undo the other', async () => {
    const host = await pinned([one])
    await host.review({ tools: [one], prompts: [plan] })
    await host.review({ tools: [evil] })
    await host.review({ tools: [evil], prompts: [spy] })
    expect(await host.answer('agreed')).toHaveLength(2)
    expect(codes(await host.review({ tools: [evil] }))).toEqual({})
    expect(codes(await host.review({ tools: [evil], prompts: [spy] }))).toEqual({})
  })
})

describe('a pinned server that somebody signs', () => {
  /** Pinned as `one` and `two`; then a manifest is approved that speaks for what is launched there. */
  async function signedAs(...tools: readonly JsonObject[]) {
    const world = openWorld()
    const host = restarting(world, PINS)
    const launch = { package: 'npm:weather@1.0.0', instructions: 'Ask for a place first.' }
    expect((await host.review({ ...launch, tools: [one, two] })).pin).toBe(true)
    const packages = [{ registryType: 'npm' as const, identifier: 'weather', version: '1.0.0' }]
    world.release(world.enrol('com.acme'), draft('1.0.0', tools, { packages }))
    return { host, see: (...live: readonly JsonObject[]) => host.review({ ...launch, tools: live }) }
  }

  it('is no first use: what means more than the pin waits, and the rest goes on', async () => {
    const { host, see } = await signedAs(powerful, two, tool('three'))
    for (let i = 0; i < 2; i++) {
      const review = await see(powerful, two, tool('three'))
      expect([codes(review), allowed(review)]).toEqual([
        { 'tool one': 'consent-required', 'tool three': 'consent-required' },
        ['two'],
      ])
    }
    const [question, ...others] = await host.waiting()
    expect(others).toEqual([])
    expect(question).toMatchObject({ reason: 'pin-changed', class: 'dangerous', server: 'com.acme/weather' })
    const { before, after } = await (await host.open()).explain(question?.id ?? '')
    expect([before?.tools, after.tools].map((tools) => tools?.length)).toEqual([2, 3])
    await host.answer('agreed')
    for (let i = 0; i < 2; i++) expect(codes(await see(powerful, two, tool('three')))).toEqual({})
    expect((await host.kept('com.acme/weather'))?.accepted).toHaveLength(1)
  })

  it('refused: it stays out', async () => {
    const { host, see } = await signedAs(powerful, two)
    await see(powerful, two)
    await host.answer('refused')
    expect(codes(await see(powerful, two))).toEqual({ 'tool one': 'consent-required' })
    expect(await host.waiting()).toEqual([])
  })

  it('does not hide what means more until it is in use', async () => {
    const { host, see } = await signedAs(powerful, two, tool('three'))
    for (let i = 0; i < 2; i++)
      expect([codes(await see(two)), (await host.waiting()).length]).toEqual([{}, 1])
    expect(codes(await see(powerful, two, tool('three')))).toEqual({
      'tool one': 'consent-required',
      'tool three': 'consent-required',
    })
    await host.answer('agreed')
    expect(codes(await see(powerful, two, tool('three')))).toEqual({})
    expect((await host.kept('com.acme/weather'))?.accepted).toHaveLength(1)
  })

  it('twin: as what it was, or in other words that somebody approved, it asks nobody', async () => {
    const reworded = tool('one', { description: 'Does one, in other words.' })
    for (const first of [one, reworded]) {
      const { host, see } = await signedAs(first, two)
      const review = await see(first, two)
      expect([codes(review), review.manifest?.server]).toEqual([{}, 'com.acme/weather'])
      expect(await host.waiting()).toEqual([])
    }
  })
})

describe('more than any manifest holds', () => {
  it('is refused with a verdict, first and later', async () => {
    const huge = Array.from({ length: 18 }, (_, i) => tool(`t${i}`, { description: 'x'.repeat(250_000) }))
    const host = restarting(openWorld(), PINS)
    expect((await host.review({ tools: huge })).verdict).toBe('limit-exceeded')
    await host.review({ tools: [one] })
    const later = await host.review({ tools: [one, ...huge] })
    expect([allowed(later), new Set(Object.values(codes(later)))]).toEqual([
      ['one'],
      new Set(['unlisted-tool']),
    ])
  })
})
