import { compareManifests, type ChangeClass, type ChangeKind } from 'countersign/change'
import type { JsonObject } from 'countersign/core'
import { describe, expect, it } from 'vitest'
import { manifest, tool } from './manifest.js'

type Row = readonly [
  name: string,
  level: ChangeClass,
  kinds: ChangeKind | readonly ChangeKind[],
  before: JsonObject,
  after: JsonObject,
]

const npm = (more: JsonObject = {}): JsonObject => ({
  registryType: 'npm',
  identifier: '@acme/mail',
  version: '1.0.0',
  ...more,
})
const packages = (...refs: JsonObject[]): JsonObject => ({ packages: refs })
const remotes = (...urls: string[]): JsonObject => ({
  remotes: urls.map((url) => ({ type: 'streamable-http', url })),
})
const headers = (...list: JsonObject[]): JsonObject => ({
  remotes: [{ type: 'sse', url: 'https://a.dev/', headers: list }],
})
const launch = (args: string[], env?: string[]): JsonObject => ({
  ...packages(npm()),
  launch: { command: 'npx', args, ...(env !== undefined && { env }) },
})
const scopes = (...permissions: [scope: string, required: boolean][]): JsonObject => ({
  tools: [
    {
      ...tool('a'),
      permissions: permissions.map(([scope, required]) => ({ scope, reason: 'to work', required })),
    },
  ],
})
const subject = (more: JsonObject): JsonObject => ({
  role: 'voucher',
  subject: { server: 'com.acme/mail', ...more },
})
const integrity = (letter: string): string => `sha512-${letter.repeat(86)}==`
const instructions = (text: string): JsonObject => ({ instructions: { definition: { text } } })
const prompt = (more: JsonObject): JsonObject => ({ prompts: [{ definition: { name: 'p', ...more } }] })
const resources = (mode: string, ...uris: string[]): JsonObject => ({
  resources: { mode, items: uris.map((uri) => ({ definition: { uri, name: 'r' } })) },
})
const form = (description: string, more: JsonObject = {}): JsonObject => ({
  definition: { name: 'a', description, inputSchema: { type: 'object' } },
  ...more,
})
const variants = (...list: [locale: string, description: string][]): JsonObject => ({
  tools: [
    form('Sends.', {
      permissions: [],
      ...(list.length > 0 && {
        variants: list.map(([locale, text]) => ({ when: { locale }, ...form(text) })),
      }),
    }),
  ],
})
const slot = (parts: (string | JsonObject)[]): JsonObject => ({
  tools: [
    form(parts.map((part) => (typeof part === 'string' ? part : `{${part['fact'] as string}}`)).join(''), {
      permissions: [],
      slots: [{ pointer: '/description', parts }],
    }),
  ],
})
const fixed = (text: string): JsonObject => ({ tools: [form(text, { permissions: [] })] })
const oneOf = (...values: string[]): JsonObject => ({ fact: 'enum', values })

const ITEMS: readonly Row[] = [
  ['a new tool', 'widened', 'item-added', { tools: [tool('a')] }, { tools: [tool('a'), tool('b')] }],
  [
    'a tool that is gone',
    'narrowed',
    'item-removed',
    { tools: [tool('a'), tool('b')] },
    { tools: [tool('b')] },
  ],
  [
    'a renamed tool',
    'widened',
    ['item-added', 'item-removed'],
    { tools: [tool('a')] },
    { tools: [tool('b')] },
  ],
  [
    'another order of tools',
    'none',
    [],
    { tools: [tool('a'), tool('b')] },
    { tools: [tool('b'), tool('a')] },
  ],
  [
    'a new tool that names a new host',
    'dangerous',
    ['item-added', 'new-host'],
    { tools: [] },
    { tools: [tool('a', { description: 'https://evil.dev' })] },
  ],
  [
    'a new tool that names a known host',
    'widened',
    'item-added',
    { websiteUrl: 'https://a.dev/', tools: [] },
    { websiteUrl: 'https://a.dev/', tools: [tool('a', { description: 'https://a.dev/b' })] },
  ],
  [
    'a new tool with a header',
    'dangerous',
    ['header', 'item-added'],
    { tools: [] },
    { tools: [tool('a', { inputSchema: { type: 'object', properties: { t: { 'x-mcp-header': 'T' } } } })] },
  ],
  [
    'a new tool that demands a new scope',
    'dangerous',
    ['item-added', 'scope-added'],
    { tools: [] },
    scopes(['mail.send', true]),
  ],
  ['reworded instructions', 'text', 'text', instructions('Ask.'), instructions('Ask first.')],
  ['instructions where there were none', 'widened', 'item-added', {}, instructions('Ask.')],
  ['a new prompt', 'widened', 'item-added', {}, prompt({})],
  [
    'a new argument of a prompt',
    'widened',
    'parameter-added',
    prompt({ arguments: [] }),
    prompt({ arguments: [{ name: 'x' }] }),
  ],
  [
    'an argument of a prompt that is required',
    'widened',
    'parameter-required',
    prompt({ arguments: [{ name: 'x' }] }),
    prompt({ arguments: [{ name: 'x', required: true }] }),
  ],
  [
    'another order of arguments',
    'none',
    'rewritten',
    prompt({ arguments: [{ name: 'x' }, { name: 'y' }] }),
    prompt({ arguments: [{ name: 'y' }, { name: 'x' }] }),
  ],
  [
    'a reworded argument of a prompt',
    'text',
    'text',
    prompt({ arguments: [{ name: 'x', description: 'a' }] }),
    prompt({ arguments: [{ name: 'x', description: 'b' }] }),
  ],
  [
    'a new template',
    'widened',
    'item-added',
    {},
    { resourceTemplates: [{ definition: { uriTemplate: 'mail:{id}', name: 'm' } }] },
  ],
  ['a new resource', 'widened', 'item-added', resources('listed'), resources('listed', 'mail:1')],
  ['resources that nobody signed', 'widened', 'resources-mode', resources('listed'), resources('dynamic')],
  ['resources that are signed', 'narrowed', 'resources-mode', resources('dynamic'), resources('listed')],
  [
    'another size of a resource',
    'text',
    'text',
    { resources: { mode: 'listed', items: [{ definition: { uri: 'a:1', name: 'r', size: 1 } }] } },
    { resources: { mode: 'listed', items: [{ definition: { uri: 'a:1', name: 'r', size: 2 } }] } },
  ],
  [
    'for whom a resource is',
    'widened',
    'hint',
    {
      resources: {
        mode: 'listed',
        items: [{ definition: { uri: 'a:1', name: 'r', annotations: { audience: ['user'] } } }],
      },
    },
    {
      resources: {
        mode: 'listed',
        items: [{ definition: { uri: 'a:1', name: 'r', annotations: { audience: ['assistant'] } } }],
      },
    },
  ],
]

const FORMS: readonly Row[] = [
  ['a new variant', 'widened', ['text', 'variant-added'], variants(), variants(['de', 'Sendet.'])],
  ['a variant that is gone', 'text', ['text', 'variant-removed'], variants(['de', 'Sendet.']), variants()],
  [
    'a variant that is gone and said the same',
    'narrowed',
    'variant-removed',
    variants(['de', 'Sends.']),
    variants(),
  ],
  [
    'another order of variants',
    'none',
    [],
    variants(['de', 'Sendet.'], ['fr', 'Envoie.']),
    variants(['fr', 'Envoie.'], ['de', 'Sendet.']),
  ],
  ['a reworded variant', 'text', 'text', variants(['de', 'Sendet.']), variants(['de', 'Sendet es.'])],
  [
    'the worst variant counts',
    'dangerous',
    ['new-host', 'text'],
    variants(['de', 'Sendet.']),
    variants(['de', 'Sendet an https://evil.dev']),
  ],
  [
    'a fact where a text was',
    'widened',
    ['slot', 'text'],
    fixed('Runs on a.'),
    slot(['Runs on ', { fact: 'hostname' }]),
  ],
  [
    'a text where a fact was',
    'text',
    ['slot', 'text'],
    slot(['Runs on ', { fact: 'hostname' }]),
    fixed('Runs on a.'),
  ],
  [
    'another fact',
    'widened',
    ['slot', 'text'],
    slot(['Runs on ', oneOf('a', 'b')]),
    slot(['Runs on ', { fact: 'hostname' }]),
  ],
  [
    'more words to choose from',
    'widened',
    'slot',
    slot(['Runs on ', oneOf('a')]),
    slot(['Runs on ', oneOf('a', 'b')]),
  ],
  [
    'fewer words to choose from',
    'narrowed',
    'slot',
    slot(['Runs on ', oneOf('a', 'b')]),
    slot(['Runs on ', oneOf('b')]),
  ],
  [
    'another order of words',
    'none',
    'rewritten',
    slot(['Runs on ', oneOf('a', 'b')]),
    slot(['Runs on ', oneOf('b', 'a')]),
  ],
  [
    'a wider range',
    'widened',
    'slot',
    slot(['Port ', { fact: 'integer', min: 1, max: 9 }]),
    slot(['Port ', { fact: 'integer', min: 0, max: 9 }]),
  ],
  ['a new required scope', 'dangerous', 'scope-added', scopes(), scopes(['mail.send', true])],
  ['a new optional scope', 'widened', 'scope-added', scopes(), scopes(['mail.send', false])],
  [
    'a scope that is required now',
    'dangerous',
    'scope-required',
    scopes(['mail.send', false]),
    scopes(['mail.send', true]),
  ],
  [
    'a scope that is required by its second line',
    'dangerous',
    ['scope-required', 'text'],
    scopes(['mail.send', false]),
    scopes(['mail.send', false], ['mail.send', true]),
  ],
  [
    'a scope that is optional now',
    'narrowed',
    'scope-optional',
    scopes(['mail.send', true]),
    scopes(['mail.send', false]),
  ],
  ['a scope that is gone', 'narrowed', 'scope-removed', scopes(['mail.send', true]), scopes()],
]

const ARTIFACTS: readonly Row[] = [
  [
    'the same package in another version',
    'text',
    'artifact',
    packages(npm()),
    packages(npm({ version: '1.0.1' })),
  ],
  [
    'other bytes of the same version',
    'text',
    'artifact',
    packages(npm({ integrity: integrity('A') })),
    packages(npm({ integrity: integrity('B') })),
  ],
  [
    'bytes that are bound no longer',
    'widened',
    'artifact',
    packages(npm({ integrity: integrity('A') })),
    packages(npm()),
  ],
  [
    'a version that is another package',
    'dangerous',
    'package',
    packages(npm()),
    packages(npm({ version: 'npm:evil@1.0.0' })),
  ],
  [
    'another package',
    'dangerous',
    ['package', 'package'],
    packages(npm()),
    packages(npm({ identifier: '@acme/mai1' })),
  ],
  [
    'another package registry',
    'dangerous',
    ['new-host', 'package', 'package'],
    packages(npm()),
    packages(npm({ registryBaseUrl: 'https://evil.dev' })),
  ],
  [
    'a second package',
    'dangerous',
    'package',
    packages(npm()),
    packages(npm(), { registryType: 'pypi', identifier: 'mail' }),
  ],
  [
    'a package less',
    'narrowed',
    'package',
    packages(npm(), { registryType: 'pypi', identifier: 'mail' }),
    packages(npm()),
  ],
  [
    'another tag of the same image',
    'text',
    ['artifact'],
    packages({ registryType: 'oci', identifier: 'ghcr.io/a/b:1.0' }),
    packages({ registryType: 'oci', identifier: 'ghcr.io/a/b:1.1' }),
  ],
  [
    'another image',
    'dangerous',
    ['package', 'package'],
    packages({ registryType: 'oci', identifier: 'ghcr.io/a/b:1.0' }),
    packages({ registryType: 'oci', identifier: 'ghcr.io/a/c:1.0' }),
  ],
  [
    'another release of the same bundle',
    'text',
    ['artifact', 'artifact'],
    packages({ registryType: 'mcpb', identifier: 'https://a.dev/v1.0.0/x.mcpb', version: '1.0.0' }),
    packages({ registryType: 'mcpb', identifier: 'https://a.dev/v1.0.1/x.mcpb', version: '1.0.1' }),
  ],
  [
    'a bundle of somebody else',
    'dangerous',
    ['package', 'package'],
    packages({ registryType: 'mcpb', identifier: 'https://a.dev/me/v1.0.0/x.mcpb', version: '1.0.0' }),
    packages({ registryType: 'mcpb', identifier: 'https://a.dev/you/v1.0.0/x.mcpb', version: '1.0.0' }),
  ],
  [
    'another argument of the package',
    'dangerous',
    'launch',
    packages(npm()),
    packages(npm({ packageArguments: [{ type: 'positional', value: '--all' }] })),
  ],
  [
    'another file of the package',
    'dangerous',
    'launch',
    packages(npm({ entry: 'a.js' })),
    packages(npm({ entry: 'b.js' })),
  ],
  [
    'one more variable of the package',
    'widened',
    'environment',
    packages(npm({ environmentVariables: [] })),
    packages(npm({ environmentVariables: [{ name: 'TOKEN' }] })),
  ],
  [
    'another value of a variable',
    'dangerous',
    'environment',
    packages(npm({ environmentVariables: [{ name: 'URL' }] })),
    packages(npm({ environmentVariables: [{ name: 'URL', value: 'x' }] })),
  ],
  [
    'a reworded variable',
    'text',
    'environment',
    packages(npm({ environmentVariables: [{ name: 'URL' }] })),
    packages(npm({ environmentVariables: [{ name: 'URL', description: 'x' }] })),
  ],
  [
    'another launch',
    'dangerous',
    'launch',
    launch(['-y', '@acme/mail']),
    launch(['-y', '@acme/mail', '--all']),
  ],
  [
    'the launch of another version',
    'text',
    ['artifact', 'artifact'],
    launch(['-y', '@acme/mail@1.0.0']),
    { ...launch(['-y', '@acme/mail@1.0.1']), ...packages(npm({ version: '1.0.1' })) },
  ],
  [
    'the launch of a version that the manifest does not name',
    'dangerous',
    'launch',
    launch(['-y', '@acme/mail@1.0.0']),
    launch(['-y', '@acme/mail@1.0.1']),
  ],
  ['one more variable of the launch', 'widened', 'environment', launch([]), launch([], ['TOKEN'])],
  ['a variable less', 'narrowed', 'environment', launch([], ['TOKEN']), launch([])],
  ['a launch where there was none', 'dangerous', 'launch', packages(npm()), launch([])],
  ['no launch any more', 'widened', 'launch', launch([]), packages(npm())],
  [
    'another remote URL',
    'dangerous',
    ['remote', 'remote'],
    remotes('https://a.dev/mcp'),
    remotes('https://a.dev/mcp2'),
  ],
  [
    'another remote host',
    'dangerous',
    ['new-host', 'remote', 'remote'],
    remotes('https://a.dev/mcp'),
    remotes('https://b.dev/mcp'),
  ],
  [
    'a remote less',
    'narrowed',
    'remote',
    remotes('https://a.dev/1', 'https://a.dev/2'),
    remotes('https://a.dev/2'),
  ],
  [
    'another order of remotes',
    'none',
    [],
    remotes('https://a.dev/1', 'https://a.dev/2'),
    remotes('https://a.dev/2', 'https://a.dev/1'),
  ],
  ['one more header', 'widened', 'environment', headers(), headers({ name: 'X-Key' })],
  [
    'another value of a header',
    'dangerous',
    'environment',
    headers({ name: 'X-Key', value: 'a' }),
    headers({ name: 'X-Key', value: 'b' }),
  ],
]

const ABOUT: readonly Row[] = [
  ['another server', 'dangerous', 'identity', {}, { server: 'com.acme/other' }],
  ['another registry', 'dangerous', 'identity', {}, { registry: 'registry-b' }],
  ['a voucher in place of the publisher', 'dangerous', ['identity', 'identity'], {}, subject({})],
  [
    'a voucher of another version',
    'text',
    'artifact',
    subject({ packages: [npm()] }),
    subject({ packages: [npm({ version: '2.0.0' })] }),
  ],
  [
    'a voucher of something else',
    'dangerous',
    'identity',
    subject({ packages: [npm()] }),
    subject({ packages: [npm({ identifier: 'x' })] }),
  ],
  [
    'a host of a tool that stays as it is, named by a new one',
    'widened',
    'item-added',
    { tools: [tool('a', { description: 'Asks https://a.dev' })] },
    {
      tools: [
        tool('a', { description: 'Asks https://a.dev' }),
        tool('b', { description: 'Asks https://a.dev' }),
      ],
    },
  ],
  [
    'a new host beside a tool that stays as it is',
    'dangerous',
    ['new-host', 'text'],
    { tools: [tool('a', { description: 'Asks https://a.dev' }), tool('b', { description: 'Asks' })] },
    {
      tools: [
        tool('a', { description: 'Asks https://a.dev' }),
        tool('b', { description: 'Asks https://evil.dev' }),
      ],
    },
  ],
  [
    'tools with hosts that change places',
    'none',
    [],
    {
      tools: [
        tool('a', { description: 'Asks https://a.dev' }),
        tool('b', { description: 'Asks https://b.dev' }),
      ],
    },
    {
      tools: [
        tool('b', { description: 'Asks https://b.dev' }),
        tool('a', { description: 'Asks https://a.dev' }),
      ],
    },
  ],
  ['another version', 'none', [], {}, { version: '2.0.0' }],
  ['another looking title', 'cosmetic', 'typography', { title: 'ACME Mail' }, { title: 'Acme mail' }],
  ['another title', 'text', 'text', { title: 'ACME Mail' }, { title: 'ACME Bank' }],
  [
    'another page of the website',
    'text',
    'text',
    { websiteUrl: 'https://a.dev/a' },
    { websiteUrl: 'https://a.dev/b' },
  ],
  [
    'another website',
    'dangerous',
    ['new-host', 'text'],
    { websiteUrl: 'https://a.dev/a' },
    { websiteUrl: 'https://b.dev/a' },
  ],
  [
    'another repository',
    'text',
    'text',
    { repository: { url: 'https://a.dev/a' } },
    { repository: { url: 'https://a.dev/b' } },
  ],
  [
    'another icon of the same origin',
    'cosmetic',
    'icon',
    { icons: [{ src: 'https://a.dev/a.png' }] },
    { icons: [{ src: 'https://a.dev/b.png' }] },
  ],
  [
    'tokens from elsewhere',
    'dangerous',
    'authorization',
    { authorization: { resource: 'https://a.dev/', issuers: ['https://a.dev/'] } },
    { authorization: { resource: 'https://a.dev/', issuers: ['https://a.dev/', 'https://a.dev/2'] } },
  ],
  [
    'tokens from fewer places',
    'narrowed',
    'authorization',
    { authorization: { resource: 'https://a.dev/', issuers: ['https://a.dev/', 'https://a.dev/2'] } },
    { authorization: { resource: 'https://a.dev/', issuers: ['https://a.dev/'] } },
  ],
  ['an end that comes sooner', 'narrowed', 'expiry', {}, { expires: '2027-01-01T00:00:00Z' }],
  [
    'an end that comes later',
    'text',
    'expiry',
    { expires: '2027-01-01T00:00:00Z' },
    { expires: '2027-01-02T00:00:00Z' },
  ],
]

describe('compareManifests', () => {
  it.each([...ITEMS, ...FORMS, ...ARTIFACTS, ...ABOUT])('%s: %s', (_, level, kinds, before, after) => {
    const comparison = compareManifests(manifest(before), manifest(after))
    expect(comparison).toMatchObject({ class: level, more: 0 })
    expect(comparison.changes.map(({ kind }) => kind).sort()).toEqual([kinds].flat().sort())
  })

  it('an artifact that changed is never silent', () => {
    for (const [name, , , before, after] of ARTIFACTS) {
      const { class: level, changes } = compareManifests(manifest(before), manifest(after))
      if (changes.length > 0) expect(['none', 'cosmetic'], name).not.toContain(level)
    }
  })

  it('names item and place', () => {
    const before = manifest({ tools: [tool('x'), tool('a', { description: 'old' })] })
    const after = manifest({ tools: [tool('a', { description: 'new' })] })
    expect(compareManifests(before, after).changes).toMatchObject([
      {
        item: 'tool a',
        kind: 'text',
        pointer: '/tools/0/definition/description',
        before: 'old',
        after: 'new',
      },
      { item: 'tool x', kind: 'item-removed', pointer: '/tools/0' },
    ])
  })
})

// A2: a higher patch number says nothing.
describe('a validly signed version with more power', () => {
  it('asks whatever its number says', () => {
    const before = manifest({ version: '1.0.0', tools: [tool('a')] })
    const after = manifest({ version: '1.0.1', tools: [tool('a'), tool('run_command')] })
    expect(compareManifests(before, after).class).toBe('widened')
  })
})
