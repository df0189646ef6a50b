import { formatManifest, itemDigests, manifestItems, parseManifest, utf8Bytes } from 'countersign/core'
import { describe, expect, it } from 'vitest'

const tool = {
  definition: { name: 'add', description: 'Adds', inputSchema: { type: 'object' } },
  permissions: [],
}
const base = {
  format: 'countersign/manifest/v1',
  registry: 'registry-aaaaaaaaaaaaaaaaaaaa',
  server: 'com.example/calc',
  version: '1.0.0',
  role: 'publisher',
  tools: [tool],
}
const parse = (change: object, from: object = base) =>
  parseManifest(utf8Bytes(JSON.stringify({ ...from, ...change })))
const refused = expect.objectContaining({ code: 'manifest-invalid' }) as unknown

describe('parseManifest', () => {
  it('takes the smallest manifest and one with every member', () => {
    expect(parse({}).tools).toHaveLength(1)
    const all = parse({
      role: 'voucher',
      subject: { server: 'org.else/calc', packages: [{ registryType: 'npm', identifier: '@else/calc' }] },
      title: 'Calc',
      description: 'A calculator',
      repository: { url: 'https://git.example/calc', source: 'git' },
      websiteUrl: 'https://calc.example',
      icons: [{ src: 'https://calc.example/i.png' }],
      packages: [
        {
          registryType: 'npm',
          identifier: '@else/calc',
          version: '1.0.0',
          integrity: `sha512-${'A'.repeat(86)}==`,
        },
      ],
      remotes: [{ type: 'streamable-http', url: 'https://calc.example/mcp' }],
      launch: { command: 'npx', args: ['-y', '@else/calc@1.0.0'], env: ['CALC_KEY'] },
      instructions: { definition: { text: 'Use add.' } },
      prompts: [{ definition: { name: 'sum' } }],
      resourceTemplates: [{ definition: { uriTemplate: 'calc://{id}', name: 'entry' } }],
      resources: { mode: 'dynamic' },
      authorization: { resource: 'https://calc.example/mcp', issuers: ['https://id.example'] },
      expires: '2027-01-01T00:00:00Z',
      tools: [
        {
          definition: { name: 'add', description: 'On {hostname}', inputSchema: { type: 'object' } },
          slots: [{ pointer: '/description', parts: ['On ', { fact: 'hostname' }] }],
          variants: [
            {
              when: { locale: 'de' },
              definition: { name: 'add', description: 'Addiert', inputSchema: { type: 'object' } },
            },
          ],
          permissions: [{ scope: 'calc:read', reason: 'reads', required: true }],
        },
      ],
    })
    expect(manifestItems(all).map((one) => one.kind)).toEqual(['instructions', 'tool', 'prompt', 'template'])
    expect(new Set(itemDigests('tool', all.tools[0]!)).size).toBe(2)
    expect(parseManifest(formatManifest(all))).toEqual(all)
  })

  it.each([
    ['an unknown member', { owner: 'me' }],
    ['another format', { format: 'countersign/manifest/v2' }],
    ['a range as version', { version: '^1.0.0' }],
    ['a name without namespace', { server: 'calc' }],
    ['a publisher with a subject', { subject: { server: 'org.else/calc' } }],
    ['a voucher without one', { role: 'voucher' }],
    ['a tool twice', { tools: [tool, tool] }],
    ['an input schema of no type', { tools: [{ ...tool, definition: { name: 'add', inputSchema: {} } }] }],
    ['no input schema', { tools: [{ ...tool, definition: { name: 'add' } }] }],
    [
      'an uncovered member in a definition',
      { tools: [{ ...tool, definition: { ...tool.definition, id: 7 } }] },
    ],
    ['a tool name with a space', { tools: [{ ...tool, definition: { ...tool.definition, name: 'a b' } }] }],
    [
      'a forged slot marker',
      { tools: [{ ...tool, definition: { ...tool.definition, _meta: { $slot: [] } } }] },
    ],
    [
      'a slot whose text is not the template',
      { tools: [{ ...tool, slots: [{ pointer: '/description', parts: [{ fact: 'os' }] }] }] },
    ],
    ['a slot in the name', { tools: [{ ...tool, slots: [{ pointer: '/name', parts: [{ fact: 'os' }] }] }] }],
    [
      'a variant with another name',
      {
        tools: [
          {
            ...tool,
            variants: [
              { when: { locale: 'de' }, definition: { name: 'sub', inputSchema: { type: 'object' } } },
            ],
          },
        ],
      },
    ],
    [
      'a variant by whim',
      { tools: [{ ...tool, variants: [{ when: { mood: 'x' }, definition: tool.definition }] }] },
    ],
    ['a tool without permissions', { tools: [{ definition: tool.definition }] }],
    [
      'a definition of 300 KB',
      { tools: [{ ...tool, definition: { ...tool.definition, description: 'x'.repeat(300_000) } }] },
    ],
    ['a javascript: URL', { websiteUrl: 'javascript:alert(1)' }],
    ['the value of a variable', { launch: { command: 'x', args: [], env: ['KEY=secret'] } }],
    ['an expiry without a zone', { expires: '2027-01-01T00:00:00' }],
    ['null for absent', { title: null }],
    [
      'a host name in a remote server’s text',
      {
        remotes: [{ type: 'sse', url: 'https://a.example' }],
        tools: [
          {
            definition: { name: 'a', description: '{hostname}', inputSchema: { type: 'object' } },
            slots: [{ pointer: '/description', parts: [{ fact: 'hostname' }] }],
            permissions: [],
          },
        ],
      },
    ],
  ])('refuses %s', (_, change) => {
    expect(() => parse(change)).toThrow(refused)
  })

  it('refuses what is not strict JSON before it looks at a member', () => {
    const bytes = utf8Bytes(JSON.stringify(base).replace('"role":', '"role":"voucher","\\u0072ole":'))
    expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: 'json-duplicate-member' }))
    expect(() => parseManifest(new Uint8Array(5 * 1024 * 1024))).toThrow(
      expect.objectContaining({ code: 'input-too-large' }),
    )
  })

  it('keeps a parameter called constructor or __proto__ as data', () => {
    const properties = JSON.parse('{"constructor":{"type":"string"},"__proto__":{"type":"string"}}') as object
    const definition = { name: 'make', inputSchema: { type: 'object', properties } }
    const parsed = parse({ tools: [{ definition, permissions: [] }] })
    expect(JSON.stringify(parsed.tools[0]?.definition)).toContain('"__proto__":{"type":"string"}')
  })
})
