import { describe, expect, it } from 'vitest'
import { ZodError } from 'zod'
import { cutAtWord, serverDetailOf } from '../../src/http/mcp-registry/detail.js'
import { SERVER_SCHEMA } from '../../src/http/mcp-registry/server-json.js'
import { sampleManifest } from '../support/registry.js'

const of = (change: object) =>
  serverDetailOf({
    ...sampleManifest('registry-a', { server: 'com.example/weather' }),
    ...change,
  })

describe('server.json of a manifest', () => {
  it('names the schema, and nothing the manifest does not say', () => {
    expect(of({})).toEqual({
      $schema: SERVER_SCHEMA,
      name: 'com.example/weather',
      title: 'Weather',
      description: 'Weather reports and forecasts.',
      version: '1.0.0',
    })
  })

  it('always has a description: its own, the title, or the name', () => {
    expect(of({ description: '  ' }).description).toBe('Weather')
    expect(of({ description: undefined, title: undefined }).description).toBe('com.example/weather')
  })

  it('says of a voucher what it speaks of', () => {
    const subject = {
      packages: [{ registryType: 'pypi', identifier: 'x' }],
      remotes: [{ url: 'https://a.example/mcp' }],
    }
    const { packages, remotes } = of({ role: 'voucher', subject })
    expect(packages).toEqual([{ registryType: 'pypi', identifier: 'x', transport: { type: 'stdio' } }])
    expect(remotes).toEqual([{ type: 'streamable-http', url: 'https://a.example/mcp' }])
  })

  it('leaves out what binds a package to its bytes: that is for hosts, and in the manifest', () => {
    const one = {
      registryType: 'npm',
      identifier: 'x',
      integrity: 'sha512-x',
      lock: { sha256: 'x' },
      entry: 'a.js',
    }
    expect(of({ packages: [one] }).packages).toEqual([
      { registryType: 'npm', identifier: 'x', transport: { type: 'stdio' } },
    ])
  })

  it('leaves out ornaments that have another shape there', () => {
    const icons = [
      { src: 'http://a.example/icon.png' },
      { src: 'javascript:alert(1)' },
      { src: 'https://a.example/icon.png', sizes: ['48x48'], alert: 1 },
      { src: 'https://a.example/icon.gif', mimeType: 'image/gif' },
    ]
    expect(of({ icons }).icons).toEqual([{ src: 'https://a.example/icon.png', sizes: ['48x48'] }])
    expect(of({ icons: icons.slice(0, 2) }).icons).toBeUndefined()
    expect(of({ repository: { url: 'https://git.example/x' } }).repository).toBeUndefined()
    expect(of({ repository: { url: 'https://git.example/x', source: 'own' } }).repository).toEqual({
      url: 'https://git.example/x',
      source: 'own',
    })
    expect(of({ repository: { url: 'https://gitlab.com/x' } }).repository?.source).toBe('gitlab')
  })

  it.each<[string, object]>([
    [
      'a transport nobody knows',
      { packages: [{ registryType: 'npm', identifier: 'x', transport: { type: 'pigeon' } }] },
    ],
    [
      'a transport without its URL',
      { packages: [{ registryType: 'npm', identifier: 'x', transport: { type: 'sse' } }] },
    ],
    [
      'a package of the latest version',
      { packages: [{ registryType: 'npm', identifier: 'x', version: 'latest' }] },
    ],
    [
      'a variable without a name',
      { packages: [{ registryType: 'npm', identifier: 'x', environmentVariables: [{}] }] },
    ],
    [
      'a variable whose name is a number',
      { packages: [{ registryType: 'npm', identifier: 'x', environmentVariables: [{ name: 5 }] }] },
    ],
    [
      'an argument of no type',
      { packages: [{ registryType: 'npm', identifier: 'x', packageArguments: [{ value: 'x' }] }] },
    ],
    [
      'a positional argument of nothing',
      { packages: [{ registryType: 'npm', identifier: 'x', packageArguments: [{ type: 'positional' }] }] },
    ],
    [
      'a header that is none',
      { remotes: [{ type: 'sse', url: 'https://a.example/', headers: [{ value: 'x' }] }] },
    ],
    ['a remote of another kind', { remotes: [{ type: 'ftp', url: 'https://a.example/' }] }],
  ])('is none for %s', (_what, change) => {
    expect(() => of(change)).toThrow(ZodError)
  })

  it('says arguments, variables and headers whole', () => {
    const packages = [
      {
        registryType: 'npm',
        identifier: 'x',
        version: '1.2.3',
        runtimeHint: 'npx',
        runtimeArguments: [{ type: 'named', name: '-y', isRepeated: false }],
        packageArguments: [{ type: 'positional', valueHint: 'dir', format: 'filepath', isRequired: true }],
        transport: {
          type: 'streamable-http',
          url: 'http://localhost:{port}/mcp',
          headers: [{ name: 'X', value: 'y' }],
        },
      },
    ]
    expect(of({ packages }).packages).toEqual(packages)
  })
})

describe('a long text is cut', () => {
  it('behind a word, and says so', () => {
    expect(cutAtWord('short', 10)).toBe('short')
    expect(cutAtWord('exactly 10', 10)).toBe('exactly 10')
    expect(cutAtWord('some words too many', 12)).toBe('some words…')
    expect(cutAtWord('a  verylongwordindeed', 10)).toBe('a  verylo…')
  })

  it('never within a character', () => {
    for (let most = 4; most < 24; most++) {
      const cut = cutAtWord('👩‍👩‍👧‍👦'.repeat(4), most)
      expect(cut.length).toBeLessThanOrEqual(most)
      expect(cut.replaceAll('👩‍👩‍👧‍👦', '')).toBe('…')
    }
  })
})
