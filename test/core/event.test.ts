import {
  encodeKeyX,
  eventPayload,
  eventSignatureKid,
  eventTarget,
  formatEvent,
  parseEvent,
} from 'countersign/core'
import {
  publishLeaf,
  signDetached,
  signerFromSeed,
  signKeyAddEvent,
  signKeyRevokeEvent,
} from 'countersign/core'
import { signNamespaceEvent, verifyEventSignature, type ApproveEvent, type LogEvent } from 'countersign/core'
import { describe, expect, it } from 'vitest'

const own = signerFromSeed(new Uint8Array(32).fill(1))
const sign = signerFromSeed(new Uint8Array(32).fill(2))
const registry = 'registry-aaaaaaaaaaaaaaaaaaaa'
const digest = `sha256:${'ab'.repeat(32)}` as const
const namespace = signNamespaceEvent(
  { namespace: 'com.example', proof: 'admin', account: 'acct-1' },
  registry,
  own,
)
const added = signKeyAddEvent({ namespace: 'com.example', role: 'sign', after: 3 }, registry, sign, own)
const revoked = signKeyRevokeEvent(
  { namespace: 'com.example', kid: sign.kid, reason: 'compromise', after: 5 },
  registry,
  own,
)
const approve: ApproveEvent = {
  v: 1,
  t: 'approve',
  server: 'com.example/a',
  version: '1.0.0',
  manifest: digest,
  policy: digest,
  deciders: ['acct-2'],
  after: 6,
}
const publish = {
  server: 'com.example/a',
  version: '1.0.0',
  role: 'publisher',
  kid: sign.kid,
  manifest: digest,
  envelope: digest,
} as const
const root = Buffer.alloc(32).toString('base64')
const all: LogEvent[] = [
  namespace,
  added,
  revoked,
  { v: 1, t: 'publish', ...publish },
  approve,
  { v: 1, t: 'reject', target: 'manifest', digest, reason: 'unclear', deciders: ['a'], after: 6 },
  { v: 1, t: 'revoke', target: 'server', name: 'com.example/a', reason: 'stolen', deciders: ['a'] },
  { v: 1, t: 'reinstate', target: 'tool', digest, reason: 'clean', deciders: ['a', 'b'], after: 9 },
  { v: 1, t: 'root', version: 1, digest },
  { v: 1, t: 'continue', origin: 'x/log', size: 4, root },
  { v: 1, t: 'snapshot', asOf: 7, revocations: root, count: 0, rootVersion: 1 },
]

describe('leaves', () => {
  it.each(all.map((event) => [event.t, event] as const))('%s has one spelling', (_, event) => {
    const leaf = formatEvent(event)
    expect(parseEvent(leaf)).toEqual(event)
    expect(leaf).not.toMatch(/[\n\r]/)
    expect(() => parseEvent(` ${leaf}`)).toThrow(expect.objectContaining({ code: 'json-not-canonical' }))
    expect(() => parseEvent(leaf.replace('{', '{"a":1,'))).toThrow(
      expect.objectContaining({ code: 'event-invalid' }),
    )
  })

  it('is rebuilt by a host from the envelope alone', () => {
    expect(publishLeaf(publish)).toBe(formatEvent({ v: 1, t: 'publish', ...publish }))
  })

  it.each([
    ['an unknown event', { v: 1, t: 'gift' }],
    ['an event called constructor', { v: 1, t: 'constructor' }],
    ['another version of the format', { ...approve, v: 2 }],
    ['a decision about nothing', { v: 1, t: 'revoke', target: 'manifest', reason: 'x', deciders: ['a'] }],
    [
      'a decision about two things',
      { v: 1, t: 'revoke', target: 'server', name: 'com.example/a', digest, reason: 'x', deciders: ['a'] },
    ],
    ['no decider', { ...approve, deciders: [] }],
    ['personal data for a decider', { ...approve, deciders: ['Someone <a@b.example>'] }],
    ['a kid that is not of the key', { ...added, kid: own.kid }],
    ['an unsigned key', { ...added, sig: undefined }],
    [
      'a reason of two lines',
      { v: 1, t: 'reject', target: 'manifest', digest, reason: 'a\nb', deciders: ['a'] },
    ],
    ['a short root', { v: 1, t: 'snapshot', asOf: 7, revocations: 'AAAA', count: 0, rootVersion: 1 }],
  ])('refuses %s', (_, event) => {
    const json = JSON.stringify(event, Object.keys(event).sort())
    expect(() => parseEvent(json)).toThrow(expect.objectContaining({ code: 'event-invalid' }))
  })

  it('refuses a leaf of more than 4 KiB', () => {
    const deciders = Array.from({ length: 16 }, (_, i) => `${i}`.padStart(128, 'a'))
    const sigs = Array.from({ length: 10 }, () => `${'a'.repeat(250)}..${'b'.repeat(86)}`)
    expect(() => formatEvent({ ...approve, deciders, sigs })).toThrow(
      expect.objectContaining({ code: 'event-invalid' }),
    )
  })
})

describe('signatures of events', () => {
  it('binds the event, the registry and what came before', () => {
    expect(() => verifyEventSignature(added, added.sig ?? '', registry, own.publicKey)).not.toThrow()
    expect(() => verifyEventSignature(added, added.pop, registry, sign.publicKey)).not.toThrow()
    expect(eventSignatureKid(added, added.pop)).toBe(sign.kid)
    const invalid = expect.objectContaining({ code: 'signature-invalid' }) as unknown
    expect(() => verifyEventSignature(added, added.sig ?? '', 'registry-b', own.publicKey)).toThrow(invalid)
    expect(() =>
      verifyEventSignature({ ...added, after: 4 }, added.sig ?? '', registry, own.publicKey),
    ).toThrow(invalid)
    expect(() =>
      verifyEventSignature({ ...added, role: 'own' }, added.sig ?? '', registry, own.publicKey),
    ).toThrow(invalid)
    expect(() => verifyEventSignature(revoked, revoked.sig ?? '', registry, sign.publicKey)).toThrow(invalid)
  })

  it('keeps key events and decisions apart', () => {
    const forged = signDetached('countersign-key-event+json', eventPayload(approve, registry), own)
    expect(() => verifyEventSignature(approve, forged, registry, own.publicKey)).toThrow(
      expect.objectContaining({ code: 'envelope-malformed' }),
    )
  })

  it('names what an event is about', () => {
    expect(all.map(eventTarget)).toEqual([
      ...Array<string>(3).fill('namespace:com.example'),
      ...Array<string>(3).fill(`manifest:${digest}`),
      'server:com.example/a',
      `tool:${digest}`,
      undefined,
      undefined,
      undefined,
    ])
    expect(encodeKeyX(own.publicKey)).toBe(namespace.x)
  })
})
