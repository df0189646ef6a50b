import { inspectManifest } from 'countersign/gates'
import { describe, expect, it } from 'vitest'
import { isOneEdit, skeleton } from '../../client/src/gates/names.js'
import { corpus } from '../support/shared.js'
import { packageNames, serverNameOf } from '../corpus/servers.js'
import { manifest } from './support.js'

function inspectName(server: string, known: readonly string[], subject?: string) {
  const knownServers = known.map((name) => ({ server: name, namespace: name.slice(0, name.indexOf('/')) }))
  const voucher = subject === undefined ? {} : { role: 'voucher', subject: { server: subject } }
  return inspectManifest(manifest({ server, ...voucher }), { knownServers })
}

describe('look-alikes of another owner are held (A14)', () => {
  it.each([
    ['a separator more', 'com.exam-ple/weather', 'com.example/weather'],
    ['a separator less', 'com.foobar/x', 'com.foo-bar/x'],
    ['the slash elsewhere', 'com.example.weather/api', 'com.example/weather-api'],
    ['rn for m', 'com.exarnple/weather', 'com.example/weather'],
    ['vv for w', 'com.vveather/x', 'com.weather/x'],
    ['0 for O', 'com.g00gle/maps', 'com.google/maps'],
    ['1 for l', 'com.goog1e/maps', 'com.google/maps'],
    ['I for l', 'com.googIe/maps', 'com.google/maps'],
    ['case and underscores', 'com.Foo.Bar/y_z', 'com.foobar/y.z'],
    ['another tool of the look-alike namespace', 'com.exarnple/brand-new', 'com.example/weather'],
    ['a letter other', 'com.microsaft/azure', 'com.microsoft/azure'],
    ['a letter less', 'com.micrsoft/azure', 'com.microsoft/azure'],
    ['a letter more', 'com.microssoft/azure', 'com.microsoft/azure'],
    ['two letters swapped', 'com.mircosoft/azure', 'com.microsoft/azure'],
    ['another top-level domain', 'co.microsoft/azure', 'com.microsoft/azure'],
  ])('%s', (_, server, known) => {
    expect(inspectName(server, ['org.unrelated/thing', known])).toMatchObject([
      { rule: 'name-lookalike', pointer: '/server', severity: 'high', held: true, refuse: false },
    ])
  })

  it('punycode labels', () => {
    expect(inspectName('com.xn--exmple-cua/weather', [])).toMatchObject([
      { rule: 'name-punycode', held: true, refuse: false },
    ])
  })

  it('what a voucher speaks of', () => {
    const found = inspectName('com.acme/mirror', ['com.example/weather'], 'com.exarnple/weather')
    expect(found).toMatchObject([{ rule: 'name-lookalike', pointer: '/subject/server' }])
    expect(inspectName('com.acme/mirror', ['com.example/weather'], 'com.example/weather')).toEqual([])
  })

  it('names at most five of many', () => {
    const many = Array.from({ length: 300 }, (_, i) => `com.example/tool${i}`)
    expect(inspectName('com.exarnple/tool', many)).toHaveLength(5)
  })
})

describe('honest names pass', () => {
  it.each([
    ['the same name', 'com.example/weather', 'com.example/weather'],
    ['the same name in other letters', 'com.example/Weather', 'com.example/weather'],
    ['near-names of one owner', 'com.example/get_users', 'com.example/get_user'],
    ['look-alikes of one owner', 'com.example/rn', 'com.example/m'],
    ['near-names of two owners', 'com.alpha/get-users', 'com.beta/get-user'],
    ['one local name of two owners', 'com.alpha/github', 'com.beta/github'],
    ['short namespaces', 'com.abc/x', 'com.abd/x'],
    ['near namespaces with different tools', 'io.github.john1/mail', 'io.github.john2/weather'],
    ['a namespace below another', 'com.example.eu/weather', 'com.example/weather'],
  ])('%s', (_, server, known) => {
    expect(inspectName(server, [known])).toEqual([])
  })
})

describe('how often honest package names are held', () => {
  const folder = corpus('servers')
  it.skipIf(folder === undefined)('at most one in fifty of the corpus', () => {
    const names = packageNames(folder!).map(serverNameOf)
    const held = names.filter(
      (name) =>
        inspectName(
          name,
          names.filter((other) => other !== name),
        ).length > 0,
    )
    console.log(
      `look-alike names: ${held.length} of ${names.length} honest packages held (${held.join(', ')})`,
    )
    expect(names.length).toBeGreaterThan(100)
    expect(held.length / names.length).toBeLessThanOrEqual(0.02)
  })
})

describe('the pieces', () => {
  it('one edit, and no more', () => {
    for (const [a, b] of [
      ['ab', 'abc'],
      ['abc', 'axc'],
      ['abcd', 'acbd'],
      ['', 'a'],
      ['aab', 'ab'],
    ] as const) {
      expect([isOneEdit(a, b), isOneEdit(b, a)]).toEqual([true, true])
    }
    for (const [a, b] of [
      ['a', 'a'],
      ['ab', 'cd'],
      ['abc', 'cba'],
      ['ab', 'abcd'],
      ['abcd', 'badc'],
    ] as const) {
      expect([isOneEdit(a, b), isOneEdit(b, a)]).toEqual([false, false])
    }
  })

  it('what the eye keeps', () => {
    expect(skeleton('Exarnp1e-VV0rd')).toBe(skeleton('example.word'))
    expect(skeleton('i')).toBe(skeleton('1'))
  })
})
