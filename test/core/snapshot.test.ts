import {
  EMPTY_ROOT,
  formatRevocationLine,
  formatRevocations,
  keyInvalidFrom,
  parseRevocationLine,
} from 'countersign/core'
import {
  compareBytes,
  parseRevocations,
  revocationRoot,
  signerFromSeed,
  sortRevocations,
  utf8Bytes,
} from 'countersign/core'
import type { RevocationLine } from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const { kid } = signerFromSeed(new Uint8Array(32).fill(3))
const digest = (byte: string) => `sha256:${byte.repeat(32)}` as const
const lines: RevocationLine[] = [
  { kind: 'tool', digest: digest('0a') },
  { kind: 'key', namespace: 'com.example', kid, invalidFrom: 12 },
  { kind: 'server', name: 'com.example/weather' },
  { kind: 'manifest', digest: digest('ff') },
  { kind: 'key', namespace: 'com.example', kid, invalidFrom: 7 },
]
const sorted = sortRevocations(lines.map(formatRevocationLine))
const expected = { root: revocationRoot(sorted), count: sorted.length }

describe('the revocation list', () => {
  it('is found again by its root, with the strictest line of a key', () => {
    const list = parseRevocations(formatRevocations(sorted), expected)
    expect([...list.manifests]).toEqual([digest('ff')])
    expect([...list.tools]).toEqual([digest('0a')])
    expect([...list.servers]).toEqual(['com.example/weather'])
    expect(keyInvalidFrom(list, 'com.example', kid)).toBe(7)
    expect(keyInvalidFrom(list, 'com.other', kid)).toBeUndefined()
  })

  it('may be empty', () => {
    expect(parseRevocations(new Uint8Array(), { root: EMPTY_ROOT, count: 0 }).count).toBe(0)
  })

  it.each([
    ['a line left out', formatRevocations(sorted.slice(1)), 'proof-mismatch'],
    [
      'a line added',
      formatRevocations(sortRevocations([...sorted, `server\0com.example/b`])),
      'proof-mismatch',
    ],
    ['another order', formatRevocations([...sorted].reverse()), 'snapshot-malformed'],
    ['a line twice', formatRevocations(sorted.flatMap((line) => [line, line])), 'snapshot-malformed'],
    ['no last LF', formatRevocations(sorted).slice(0, -1), 'snapshot-malformed'],
  ])('refuses %s', (_, bytes, code) => {
    expect(() => parseRevocations(bytes, expected)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses a right root with a wrong count', () => {
    expect(() => parseRevocations(formatRevocations(sorted), { ...expected, count: 4 })).toThrow(
      expect.objectContaining({ code: 'proof-mismatch' }),
    )
  })

  it('refuses every other line', () => {
    for (const text of [
      '',
      'key',
      'person\0x',
      `key\0com.example\0${kid}`,
      `key\0com.example\0${kid}\u0000007`,
      'server\0x\0y',
      'tool\0sha256:00',
    ]) {
      expect(() => parseRevocationLine(text), JSON.stringify(text)).toThrow()
    }
  })

  it('sorts by bytes, not by UTF-16 units', () => {
    expect(sortRevocations(['\u{1f600}', '\ufb33', 'a', 'a'])).toEqual(['a', '\ufb33', '\u{1f600}'])
    expect(utf8Bytes('\ufb33')[0]).toBe(0xef)
  })

  it('sorts any lines bytewise, below and above the surrogates', () => {
    const bytewise = (texts: readonly string[]): string[] =>
      [...new Set(texts)].sort((a, b) => compareBytes(utf8Bytes(a), utf8Bytes(b)))
    const edges = fc.constantFrom('\0', 'a', '\u007f', '\u0080', '\ud7ff', '\ue000', '\uffff', '\u{10000}')
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: edges, maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
        expect(sortRevocations(texts)).toEqual(bytewise(texts))
      }),
      { numRuns: 200 },
    )
  })

  it.each(['\ud800', 'a\udfff', '\udc00\ud800'])('refuses a lone surrogate beside any line', (text) => {
    expect(() => sortRevocations([text, 'a'])).toThrow(expect.objectContaining({ code: 'utf8-invalid' }))
  })
})
