import { describe, expect, it } from 'vitest'
import { DEFAULT_HOST_POLICY, parseHostPolicy } from 'countersign'
import { hostLimits, registryFor } from '../../client/src/host-policy.js'
import { hostPolicy as POLICY_SCHEMA } from '../../src/http/schemas/host-policy.js'
import { codeOf } from './support.js'

const text = (change: object = {}): string =>
  JSON.stringify({ format: 'countersign/host-policy/v1', ...change })

const prefixes = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`com.acme${i}`, 'registry-a']))

const REFUSED: Readonly<Record<string, object>> = {
  'an unknown member': { allow: ['*'] },
  'a member of every object': { __proto__: null, constructor: 'x' },
  'a reaction in place of reactions': { consent: 'none' },
  'a class that is none': { consent: { harmless: 'silent' } },
  'a dangerous change that passes in silence': { consent: { dangerous: 'silent' } },
  'a reaction that is none': { consent: { text: 'ask' } },
  'another mode': { mode: 'off' },
  'another choice': { unknownServers: 'allow' },
  'a flag that is a text': { managed: 'yes' },
  'another flag that is a number': { uniqueToolNames: 1 },
  'a registry that is none': { registries: { com: 'No Identity' } },
  'an empty prefix': { registries: { '': 'registry-a' } },
  'a prefix that could match nothing': { registries: { 'com.acme.': 'registry-a' } },
  'a prefix that is a pattern': { registries: { 'com.*': 'registry-a' } },
  'a prefix twice, in two spellings': { registries: { 'com.acme': 'registry-a', 'com.Acme': 'registry-b' } },
  'too many prefixes': { registries: prefixes(257) },
  'no seconds': { offlineMaxSeconds: 0 },
  'half a second': { refreshSeconds: 0.5 },
  'seconds as a text': { maxSeconds: '60' },
  'more than a year': { maxSeconds: 31_536_001 },
  'strictness that is none': { scopes: 'warn' },
  'arguments that are changed': { arguments: 'coerce' },
  'results by a flag': { results: true },
  'resources that are blocked': { dynamicResources: 'block' },
  'refusals that are loud': { refusals: 'shout' },
  'a null': { mode: null },
  'another format': { format: 'countersign/host-policy/v2' },
}

const ACCEPTED: Readonly<Record<string, object>> = {
  nothing: {},
  'no registries': { registries: {} },
  'no reactions': { consent: {} },
  'many prefixes': { registries: prefixes(256) },
  'a name as a prefix': { registries: { 'com.acme/x_y.z-1': 'registry-a' } },
}

describe('parseHostPolicy', () => {
  it('has the defaults of the protocol; managed hosts block', () => {
    expect(parseHostPolicy(text())).toEqual(DEFAULT_HOST_POLICY)
    expect(parseHostPolicy(text({ managed: true })).unknownServers).toBe('block')
    expect(parseHostPolicy(text({ managed: true, unknownServers: 'pin' })).unknownServers).toBe('pin')
    const whole = {
      mode: 'observe',
      unknownServers: 'pass',
      managed: true,
      registries: { '*': 'registry-a', 'com.acme': 'registry-b', 'com.acme/x': 'registry-c' },
      offlineMaxSeconds: 10,
      refreshSeconds: 60,
      maxSeconds: 3600,
      consent: {
        none: 'silent',
        cosmetic: 'recorded',
        narrowed: 'consent',
        text: 'consent',
        widened: 'recorded',
        dangerous: 'recorded',
      },
      scopes: 'enforce',
      arguments: 'report',
      results: 'off',
      uniqueToolNames: true,
      dynamicResources: 'drop',
      refusals: 'explain',
    }
    expect(parseHostPolicy(text(whole))).toEqual(whole)
    expect(POLICY_SCHEMA.safeParse({ format: 'countersign/host-policy/v1', ...whole }).success).toBe(true)
  })

  it.each(Object.entries(REFUSED))(
    'refuses %s, and so does the registry that would serve it',
    (_what, change) => {
      expect(codeOf(() => parseHostPolicy(text(change)))).toBe('policy-malformed')
      const document = { format: 'countersign/host-policy/v1', ...change }
      expect(POLICY_SCHEMA.safeParse(document).success).toBe(false)
    },
  )

  it.each(Object.entries(ACCEPTED))('takes %s, and so does the registry', (_what, change) => {
    expect(codeOf(() => parseHostPolicy(text(change)))).toBeUndefined()
    const document = { format: 'countersign/host-policy/v1', ...change }
    expect(POLICY_SCHEMA.safeParse(document).success).toBe(true)
  })

  it('refuses a duplicate member', () => {
    const twice = '{"format":"countersign/host-policy/v1","mode":"enforce","mode":"observe"}'
    expect(codeOf(() => parseHostPolicy(twice))).toBe('json-duplicate-member')
  })
})

describe('registryFor', () => {
  const policy = {
    ...DEFAULT_HOST_POLICY,
    registries: { com: 'registry-a', 'com.acme': 'registry-b', 'com.acme/x': 'registry-c' },
  }
  it.each([
    ['com.acme/x', 'registry-c'],
    ['com.acme/xy', 'registry-b'],
    ['com.acme.sub/x', 'registry-b'],
    ['com.acmeevil/x', 'registry-a'],
    ['COM.ACME/X', 'registry-c'],
    ['org.acme/x', undefined],
  ])('%s -> %s', (server, identity) => {
    expect(registryFor(policy, server)).toBe(identity)
  })

  it('* is for what no prefix fits, and for nothing else', () => {
    const whole = { registries: { ...policy.registries, '*': 'registry-z' } }
    expect(registryFor(whole, 'org.acme/x')).toBe('registry-z')
    expect(registryFor(whole, 'com.acme/x')).toBe('registry-c')
  })
})

describe('hostLimits', () => {
  const root = { refreshSeconds: 300, maxSeconds: 3600, offlineMaxSeconds: 86_400 }
  it('may only ask more often and believe for a shorter time; offline may only be longer', () => {
    const stricter = { refreshSeconds: 60, maxSeconds: 600, offlineMaxSeconds: 100_000 }
    expect(hostLimits(root, { ...DEFAULT_HOST_POLICY, ...stricter })).toEqual(stricter)
    const looser = { refreshSeconds: 900, maxSeconds: 7200, offlineMaxSeconds: 60 }
    expect(hostLimits(root, { ...DEFAULT_HOST_POLICY, ...looser })).toEqual(root)
    expect(hostLimits(root, DEFAULT_HOST_POLICY)).toEqual(root)
  })
})
