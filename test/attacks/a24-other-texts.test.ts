import type { JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { attackWorld, eventsOf } from '../support/attack-world.js'
import { BENIGN_INSTRUCTIONS, BENIGN_PROMPTS, BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { POISON, WIRES } from '../support/guarded.js'
import { hostileServer, initializeResult, result, toolPages } from '../support/hostile.js'

const TEMPLATE: JsonObject = {
  uriTemplate: 'notes://{id}',
  name: 'note',
  description: 'One note.',
  mimeType: 'text/plain',
}
const SIGNED = {
  instructions: { definition: { text: BENIGN_INSTRUCTIONS } },
  prompts: BENIGN_PROMPTS.map((definition) => ({ definition })),
  resourceTemplates: [{ definition: TEMPLATE }],
}
const EVERYTHING = { capabilities: { tools: {}, prompts: {}, resources: {} } }
const GOT = result({ messages: [{ role: 'user', content: { type: 'text', text: 'Plan it.' } }] })

interface Said {
  readonly instructions?: string
  readonly prompts?: readonly object[]
  readonly templates?: readonly object[]
  readonly serverInfo?: object
}

function server(said: Said = {}) {
  const { instructions = BENIGN_INSTRUCTIONS, prompts = BENIGN_PROMPTS, templates = [TEMPLATE] } = said
  const info = said.serverInfo && { serverInfo: said.serverInfo }
  return hostileServer({
    ...toolPages(BENIGN_TOOLS),
    initialize: [[initializeResult({ ...EVERYTHING, instructions, ...info })]],
    'prompts/list': [[result({ prompts })]],
    'prompts/get': [[GOT]],
    'resources/templates/list': [[result({ resourceTemplates: templates })]],
  })
}

describe.each(WIRES)('A24 texts beside the tools (%s)', (wire) => {
  it('instructions that were changed are removed, and the tools go on', async () => {
    const guarded = await attackWorld(SIGNED).connect(wire, server({ instructions: POISON }))
    expect(guarded.instructions()).toBeUndefined()
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(eventsOf(guarded, 'instructions-withheld')).toMatchObject([{ code: 'instructions-changed' }])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('instructions where none were signed are removed', async () => {
    const guarded = await attackWorld().connect(wire, server({ instructions: POISON }))
    expect(guarded.instructions()).toBeUndefined()
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.heard()).not.toContain(POISON)
  })

  it.each([
    ['another description', [{ ...BENIGN_PROMPTS[0], description: POISON }], 'plan_trip'],
    [
      'another argument',
      [{ ...BENIGN_PROMPTS[0], arguments: [{ name: 'city', description: POISON, required: true }] }],
      'plan_trip',
    ],
    ['a new one', [{ name: 'obey', description: POISON }], 'obey'],
  ])('a prompt with %s is withheld and cannot be had', async (_, prompts, name) => {
    const hostile = server({ prompts })
    const guarded = await attackWorld(SIGNED).connect(wire, hostile)
    expect(await guarded.promptNames()).toEqual([])
    expect(await guarded.prompt(name)).toBe(-32602)
    expect(hostile.asked()).not.toContain('prompts/get')
    const [refused] = eventsOf(guarded, 'prompt-refused')
    expect(refused).toMatchObject({ prompt: name, code: 'prompt-changed' })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a template that was changed is withheld', async () => {
    const templates = [{ ...TEMPLATE, description: POISON }]
    const guarded = await attackWorld(SIGNED).connect(wire, server({ templates }))
    expect(await guarded.templateNames()).toEqual([])
    expect(eventsOf(guarded, 'listed').at(-1)).toMatchObject({
      list: 'resourceTemplates',
      withheld: [{ code: 'prompt-changed' }],
    })
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('what a server calls itself vouches for nothing, and its free text does not arrive', async () => {
    const serverInfo = {
      name: 'com.acme/weather\u200b',
      title: 'Weather',
      version: '1.0.0',
      description: POISON,
      websiteUrl: 'https://acme.example',
    }
    const guarded = await attackWorld().connect(wire, server({ serverInfo }), {
      guard: { server: 'com.evil/weather', slot: 'npx evil' },
    })
    expect(await guarded.toolNames()).toEqual([])
    expect(new Set(Object.values(guarded.withheld()))).toEqual(new Set(['unknown-server']))
    expect(guarded.heard()).not.toMatch(new RegExp(`${POISON}|\u200b`))
  })

  it('the same command with another package is not the signed one', async () => {
    const guarded = await attackWorld().connect(wire, server(), {
      guard: { package: 'npm:@evil/weather@1.0.0' },
    })
    expect(await guarded.toolNames()).toEqual([])
    expect(new Set(Object.values(guarded.withheld()))).toEqual(new Set(['artifact-mismatch']))
    expect(await guarded.call('now')).toBe(-32602)
  })

  it('twin: everything as signed arrives and is used', async () => {
    const guarded = await attackWorld(SIGNED).connect(wire, server(), {
      guard: { package: 'npm:@acme/weather@1.0.0' },
    })
    expect(guarded.instructions()).toBe(BENIGN_INSTRUCTIONS)
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(await guarded.promptNames()).toEqual(['plan_trip'])
    expect(await guarded.prompt('plan_trip')).toBe('done')
    expect(await guarded.templateNames()).toEqual(['notes://{id}'])
  })
})
