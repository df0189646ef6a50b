import { compareVersions, foldServerName, isRegistryIdentity, isToolName } from 'countersign/core'
import { parseNamespace, parseServerName, parseVersion, registryIdentity } from 'countersign/core'
import { describe, expect, it } from 'vitest'

describe('server names', () => {
  it.each(['com.example/weather', 'io.github.Some-One/a.b_c-d', 'internal.acme/x', 'a.b/c'])(
    'accepts %s',
    (name) => {
      const parsed = parseServerName(name)
      expect(`${parsed.namespace}/${parsed.local}`).toBe(name)
    },
  )

  it.each([
    '',
    'weather',
    'example/weather',
    'com.example/',
    '/weather',
    'com..example/x',
    'com.-example/x',
    'com.example-/x',
    'com.example/a/b',
    'com.example/wea ther',
    'com.example/wetter\u200b',
    'com.exаmple/weather',
    'com.example/../etc',
    'com.example/.',
    'com.example/..',
    `com.example/${'x'.repeat(200)}`,
    `${'a'.repeat(64)}.example/x`,
  ])('refuses %j', (name) => {
    expect(() => parseServerName(name)).toThrow(expect.objectContaining({ code: 'name-invalid' }))
  })

  it('treats names that differ in case as one', () => {
    expect(foldServerName('com.Example/Weather')).toBe(foldServerName('com.example/weather'))
  })

  it('demands two labels of a namespace', () => {
    expect(parseNamespace('com.example')).toBe('com.example')
    expect(() => parseNamespace('example')).toThrow(expect.objectContaining({ code: 'name-invalid' }))
  })
})

describe('versions', () => {
  // The order of SemVer 2.0.0, 11, with our additions around it.
  const ascending = [
    '0.9.9',
    '1.0.0-0',
    '1.0.0-2',
    '1.0.0-11',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '1.2.0',
    '1.10.0',
    '2.0.0',
    '2025.1.14',
    '2026.8.31',
  ]

  it('orders every pair as the specification says', () => {
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) {
        expect(Math.sign(compareVersions(parseVersion(a), parseVersion(b))), `${a} ${b}`).toBe(
          Math.sign(i - j),
        )
      }
    }
  })

  it('orders long numeric identifiers by value, not by rounding', () => {
    const a = parseVersion('1.0.0-9007199254740992')
    const b = parseVersion('1.0.0-9007199254740993')
    expect(compareVersions(a, b)).toBeLessThan(0)
  })

  it('ignores build metadata in precedence', () => {
    expect(compareVersions(parseVersion('1.0.0+a'), parseVersion('1.0.0+b'))).toBe(0)
  })

  it.each([
    'latest',
    '1',
    '1.2',
    '^1.2.3',
    '1.x',
    '>=1.0.0',
    '01.2.3',
    '1.2.3-01',
    'v1.2.3',
    '1.2.3 ',
    '1.2.3-',
    '',
  ])('refuses %j', (version) => {
    expect(() => parseVersion(version)).toThrow(expect.objectContaining({ code: 'version-invalid' }))
  })
})

describe('tool names and identities', () => {
  it('knows a tool name', () => {
    expect(['a', 'read_file', 'a.b-c', 'x'.repeat(128)].every(isToolName)).toBe(true)
    expect(['', 'read file', 'x'.repeat(129), 'naïve', 'a\n', 3, null].some(isToolName)).toBe(false)
  })

  it('derives an identity from a root key, and every derived one is well-formed', () => {
    const a = registryIdentity(new Uint8Array(32))
    const b = registryIdentity(new Uint8Array(32).fill(1))
    expect(a).toMatch(/^registry-[a-z2-7]{20}$/)
    expect(a).not.toBe(b)
    expect(isRegistryIdentity(a)).toBe(true)
    expect(isRegistryIdentity('Registry A')).toBe(false)
  })
})
