import { describe, expect, it } from 'vitest'
import { DEFAULT_HOST_POLICY, parseHostPolicy } from 'countersign'
import { registryFor } from '../../client/src/host-policy.js'
import { codeOf } from './support.js'

const text = (change: object = {}): string =>
  JSON.stringify({ format: 'countersign/host-policy/v1', ...change })

describe('parseHostPolicy', () => {
  it('has the defaults of the protocol; managed hosts block', () => {
    expect(parseHostPolicy(text())).toEqual(DEFAULT_HOST_POLICY)
    expect(parseHostPolicy(text({ managed: true })).unknownServers).toBe('block')
    expect(parseHostPolicy(text({ managed: true, unknownServers: 'pin' })).unknownServers).toBe('pin')
    const whole = {
      mode: 'observe',
      unknownServers: 'pass',
      managed: true,
      registries: { com: 'registry-a' },
      offlineMaxSeconds: 10,
    }
    expect(parseHostPolicy(text(whole))).toEqual(whole)
  })

  it.each([
    ['an unknown member', { consent: 'none' }],
    ['another mode', { mode: 'off' }],
    ['another choice', { unknownServers: 'allow' }],
    ['a flag that is a text', { managed: 'yes' }],
    ['a registry that is none', { registries: { com: 'No Identity' } }],
    ['no seconds', { offlineMaxSeconds: 0 }],
    ['another format', { format: 'countersign/host-policy/v2' }],
  ])('refuses %s', (_what, change) => {
    expect(codeOf(() => parseHostPolicy(text(change)))).toBe('policy-malformed')
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
    ['org.acme/x', undefined],
  ])('%s -> %s', (server, identity) => {
    expect(registryFor(policy, server)).toBe(identity)
  })
})
