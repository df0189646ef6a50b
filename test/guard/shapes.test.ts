import {
  ListPromptsResultSchema,
  ListResourcesResultSchema,
  ListResourceTemplatesResultSchema,
  ListToolsResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import { isReadable } from '../../client/src/guard/shapes.js'
import { allow, eventsOf, FakeServer, fakeReviewer, MODERN, openGuard, signedTool } from './support.js'

const inputSchema = { type: 'object' }
const tool = { name: 't', inputSchema }

/** Read by the client of SDK 1.x, which takes a list whole or not at all. */
const sdkReads = {
  tools: (one: object) => ListToolsResultSchema.safeParse({ tools: [one] }).success,
  prompts: (one: object) => ListPromptsResultSchema.safeParse({ prompts: [one] }).success,
  resources: (one: object) => ListResourcesResultSchema.safeParse({ resources: [one] }).success,
  resourceTemplates: (one: object) =>
    ListResourceTemplatesResultSchema.safeParse({ resourceTemplates: [one] }).success,
}

describe('an item that the official clients cannot read', () => {
  it.each([
    ['tools', tool, true],
    [
      'tools',
      {
        ...tool,
        title: 'T',
        annotations: { readOnlyHint: true, other: 1 },
        icons: [{ src: 'data:,' }],
        _meta: { a: 1 },
      },
      true,
    ],
    ['tools', { ...tool, outputSchema: { type: 'object', properties: { a: {} }, required: [] } }, true],
    ['tools', { ...tool, inputSchema: { type: 'object', properties: { a: [] } } }, true],
    ['tools', { name: 't' }, false],
    ['tools', { inputSchema }, false],
    ['tools', { ...tool, description: null }, false],
    ['tools', { ...tool, inputSchema: {} }, false],
    ['tools', { ...tool, inputSchema: { type: 'array' } }, false],
    ['tools', { ...tool, inputSchema: { type: 'object', properties: { a: true } } }, false],
    ['tools', { ...tool, inputSchema: { type: 'object', required: 'a' } }, false],
    ['tools', { ...tool, inputSchema: { type: 'object', properties: [] } }, false],
    ['tools', { ...tool, outputSchema: { type: 'array' } }, false],
    ['tools', { ...tool, outputSchema: null }, false],
    ['tools', { ...tool, annotations: { readOnlyHint: 'yes' } }, false],
    ['tools', { ...tool, icons: [{}] }, false],
    ['tools', { ...tool, icons: {} }, false],
    ['tools', { ...tool, execution: { taskSupport: 'maybe' } }, false],
    ['tools', { ...tool, _meta: [] }, false],
    ['prompts', { name: 'p', arguments: [{ name: 'a', required: true }] }, true],
    ['prompts', { name: 'p', arguments: [{ required: true }] }, false],
    ['prompts', { name: 'p', arguments: {} }, false],
    ['resources', { uri: 'a:b', name: 'r', size: 1, annotations: { audience: ['user'], priority: 1 } }, true],
    ['resources', { uri: 'a:b', name: 'r', annotations: { lastModified: '2026-01-02T03:04:05Z' } }, true],
    ['resources', { uri: 'a:b', name: 'r', annotations: { lastModified: 'soon' } }, false],
    ['resources', { uri: 'a:b' }, false],
    ['resources', { uri: 'a:b', name: 'r', annotations: { priority: 2 } }, false],
    ['resourceTemplates', { uriTemplate: 'a:{b}', name: 'r', mimeType: 'text/plain' }, true],
    ['resourceTemplates', { uriTemplate: 'a:{b}', name: 'r', mimeType: 7 }, false],
  ] as const)('%s %j: %s', (list, item, readable) => {
    expect(sdkReads[list](item)).toBe(readable)
    expect(isReadable(list, item, false)).toBe(readable)
  })

  it('may have a result of any type in the 2026 era', () => {
    const listing = { ...tool, outputSchema: { type: 'array' } }
    expect(isReadable('tools', listing, true)).toBe(true)
    expect(isReadable('tools', listing, false)).toBe(false)
  })

  it('is withheld by itself and the others are given', async () => {
    const broken = signedTool({
      name: 'broken',
      inputSchema: { type: 'object', properties: { a: true } },
    } as { name: string })
    const server = new FakeServer({ 'tools/list': () => ({ result: { tools: [] } }) })
    const good = allow('good').allowed ?? []
    const { ask, heard } = await openGuard(server, {
      host: fakeReviewer(() => ({ allowed: [...good, broken] })),
    })
    expect(await ask(1, 'tools/list')).toMatchObject({ result: { tools: [{ name: 'good' }] } })
    expect(eventsOf(heard, 'listed')[0]?.withheld).toMatchObject([{ name: 'broken', code: 'malformed-tool' }])
    expect(await ask(2, 'tools/call', { name: 'broken', ...MODERN })).toMatchObject({
      error: { code: -32602 },
    })
    expect(eventsOf(heard, 'call-refused')).toMatchObject([{ code: 'malformed-tool' }])
  })
})
