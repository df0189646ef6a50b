import {
  formatBundle,
  formatStatus,
  parseBundle,
  parseStatus,
  utf8Bytes,
  type Bundle,
} from 'countersign/core'
import { describe, expect, it } from 'vitest'

const hash = new Uint8Array(32).fill(7)
const leaf = (index: number) => ({ index, event: '{"v":1}', proof: [hash] })
const bundle: Bundle = {
  format: 'countersign/bundle/v1',
  registry: 'registry-aaaaaaaaaaaaaaaaaaaa',
  envelope: 'a.b.c',
  checkpoint: 'note\n',
  events: [leaf(1), leaf(2), leaf(5)],
}
const text = new TextDecoder().decode(formatBundle(bundle))
const malformed = expect.objectContaining({ code: 'bundle-malformed' }) as unknown

describe('bundles', () => {
  it('have one spelling', () => {
    expect(parseBundle(formatBundle(bundle))).toEqual(bundle)
  })

  it.each([
    ['an event twice', text.replace('"index":2', '"index":1')],
    ['events out of order', text.replace('"index":2', '"index":9')],
    ['an unknown member', text.replace('{', '{"a":1,')],
    ['a short hash', text.replace(/"proof":\["[^"]+"/, '"proof":["AAAA"')],
    ['a negative index', text.replace('"index":1', '"index":-1')],
    ['a fraction', text.replace('"index":1', '"index":1.5')],
  ])('refuse %s', (_, changed) => {
    expect(() => parseBundle(utf8Bytes(changed))).toThrow(malformed)
  })

  it('refuse a hash with bits behind its padding', () => {
    const encoded = Buffer.from(hash).toString('base64')
    const changed = text.replace(encoded, `${encoded.slice(0, -2)}${encoded.at(-2) === 'c' ? 'd' : 'd'}=`)
    expect(changed).not.toBe(text)
    expect(() => parseBundle(utf8Bytes(changed))).toThrow(malformed)
  })

  it('refuse a proof that is too long, and too many events', () => {
    const long = {
      ...bundle,
      events: [leaf(1), leaf(2), { ...leaf(3), proof: Array<Uint8Array>(64).fill(hash) }],
    }
    expect(() => parseBundle(formatBundle(long))).toThrow(malformed)
    const many = { ...bundle, events: Array.from({ length: 257 }, (_, i) => leaf(i)) }
    expect(() => parseBundle(formatBundle(many))).toThrow(malformed)
  })
})

describe('status documents', () => {
  const status = {
    format: 'countersign/status/v1',
    registry: bundle.registry,
    checkpoint: 'note\n',
    snapshot: { event: '{"v":1}', proof: [hash] },
  } as const

  it('have one spelling and no unknown member', () => {
    expect(parseStatus(formatStatus(status))).toEqual(status)
    const more = new TextDecoder().decode(formatStatus(status)).replace('{', '{"a":1,')
    expect(() => parseStatus(utf8Bytes(more))).toThrow(expect.objectContaining({ code: 'status-malformed' }))
    expect(() => parseStatus(new Uint8Array(600_000))).toThrow(
      expect.objectContaining({ code: 'input-too-large' }),
    )
  })
})
