import npmCanonicalize from 'canonicalize'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canonicalize, parseCanonicalJson, parseStrictJson, toHex, utf8Bytes } from 'countersign/core'
import { corpus, filesIn, readJson, vectors } from '../support/shared.js'

const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })

describe('RFC 8785 files', () => {
  const folder = vectors('cyberphone+json-canonicalization')
  const files = folder ? filesIn(join(folder, 'input'), '.json').map((path) => basename(path, '.json')) : []
  const expected = (name: string): string => readFileSync(join(folder!, 'output', `${name}.json`), 'utf8')

  it.skipIf(!folder)('are all here', () => {
    expect(files).toEqual(['arrays', 'french', 'structures', 'unicode', 'values', 'weird'])
  })

  it.skipIf(!folder).each(files)('%s: output and its bytes', (name) => {
    const text = canonicalize(readJson(join(folder!, 'input', `${name}.json`)))
    const hex = readFileSync(join(folder!, 'outhex', `${name}.txt`), 'utf8').replaceAll(/\s/g, '')
    expect(text).toBe(expected(name))
    expect(toHex(utf8Bytes(text))).toBe(hex)
  })

  it.skipIf(!folder).each(files)('%s: the output is canonical, the input is read strictly', (name) => {
    expect(canonicalize(parseCanonicalJson(expected(name)))).toBe(expected(name))
    const input = readFileSync(join(folder!, 'input', `${name}.json`))
    // `values` writes 333333333.33333329, a number that does not survive: refused at the door, as PROTOCOL 1 has it.
    if (name === 'values') expect(() => parseStrictJson(input)).toThrow(code('json-number-inexact'))
    else expect(canonicalize(parseStrictJson(input))).toBe(expected(name))
  })
})

describe('canonicalize', () => {
  // RFC 8785 appendix B: IEEE 754 bits and their text.
  it.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555555', '333333333.3333333'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('writes the double %s as %s', (bits, text) => {
    const view = new DataView(new ArrayBuffer(8))
    view.setBigUint64(0, BigInt(`0x${bits}`))
    expect(canonicalize(view.getFloat64(0))).toBe(text)
  })

  it('sorts members by UTF-16 code unit, integer-like ones as strings', () => {
    expect(canonicalize({ 9: 1, 10: 2, b: 3, B: 4, '': 5 })).toBe('{"":5,"10":2,"9":1,"B":4,"b":3}')
    expect(canonicalize({ '\ufb33': 1, '\u{1f600}': 2 })).toBe('{"\u{1f600}":2,"\ufb33":1}')
  })

  it('does not normalise', () => {
    expect(canonicalize({ 'e\u0301': 1, '\u00e9': 2 })).toBe('{"e\u0301":1,"\u00e9":2}')
  })

  it('escapes exactly what RFC 8785 says', () => {
    expect(canonicalize('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028')).toBe(
      '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028"',
    )
  })

  it('takes __proto__ for data, and reads nothing inherited', () => {
    const hostile = '{"__proto__":{"a":1},"toJSON":{"b":2}}'
    expect(canonicalize(JSON.parse(hostile))).toBe(hostile)
    expect(canonicalize(parseStrictJson(hostile))).toBe(hostile)
    expect(
      canonicalize(Object.create(null, { hidden: { value: 1 }, seen: { value: 2, enumerable: true } })),
    ).toBe('{"seen":2}')
  })

  it('never calls toJSON', () => {
    const toJSON = (): string => 'called'
    expect(() => canonicalize({ toJSON })).toThrow(code('json-malformed'))
    expect(() => canonicalize(new Date(0))).toThrow(code('json-malformed'))
    Object.defineProperty(Object.prototype, 'toJSON', { value: toJSON, configurable: true })
    try {
      expect(canonicalize({ a: ['b', {}] })).toBe('{"a":["b",{}]}')
    } finally {
      Reflect.deleteProperty(Object.prototype, 'toJSON')
    }
  })

  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a bigint', 1n],
    ['an undefined member', { a: undefined }],
    ['an undefined element', [undefined]],
    ['a hole', new Array<unknown>(2)],
    ['a map', new Map([['a', 1]])],
    ['a set', new Set([1])],
    ['bytes', Uint8Array.of(1)],
    ['a boxed string', Object('a')],
    ['an error', new Error('a')],
    ['a pattern', /a/],
    [
      'an instance',
      new (class A {
        b = 1
      })(),
    ],
    ['an object that inherits', Object.create({ inherited: 1 })],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalize(value)).toThrow(code('json-malformed'))
    expect(() => canonicalize({ deep: [value] })).toThrow(code('json-malformed'))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %d', (value) => {
    expect(() => canonicalize([value])).toThrow(code('json-number-inexact'))
  })

  it.each(['\ud800', 'a\udc00', '\udc00\ud800'])('refuses the lone surrogate of %j', (text) => {
    expect(() => canonicalize(text)).toThrow(code('json-lone-surrogate'))
    expect(() => canonicalize({ [text]: 1 })).toThrow(code('json-lone-surrogate'))
  })

  it('stops at 64 containers, as the parser does, and so at cycles', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    expect(canonicalize(JSON.parse('['.repeat(64) + ']'.repeat(64)))).toHaveLength(128)
    expect(() => canonicalize(JSON.parse('['.repeat(65) + ']'.repeat(65)))).toThrow(code('json-too-deep'))
    expect(() => canonicalize(cycle)).toThrow(code('json-too-deep'))
    expect(() => canonicalize([[]], { maxDepth: 1 })).toThrow(code('json-too-deep'))
  })

  it('is a fixed point, and one text for one value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const text = canonicalize(value)
        expect(canonicalize(parseStrictJson(text))).toBe(text)
        expect(canonicalize(parseCanonicalJson(utf8Bytes(text)))).toBe(text)
        expect(canonicalize(JSON.parse(JSON.stringify(value, null, 1)))).toBe(text)
        expect(npmCanonicalize(value)).toBe(text)
      }),
    )
  })

  const folder = corpus('servers')
  it.skipIf(!folder)('writes real tool lists as another implementation does', () => {
    for (const file of filesIn(folder!, '.json')) {
      const { tools = [] } = readJson(file) as { tools?: unknown }
      expect(canonicalize(tools)).toBe(npmCanonicalize(tools))
    }
  })
})

describe('parseCanonicalJson', () => {
  it.each([
    '{"b":1,"a":2}',
    '{ "a":1}',
    '[1 ]',
    '1.0',
    '1e2',
    '-0',
    '"\\u0041"',
    '"\\/"',
    '"\\u000A"',
    '{"a":1}\n',
    '"\\u00e9"',
  ])('refuses %s', (text) => {
    expect(() => parseCanonicalJson(text)).toThrow(code('json-not-canonical'))
    expect(() => parseCanonicalJson(utf8Bytes(text))).toThrow(code('json-not-canonical'))
  })

  it('throws what the strict parser throws', () => {
    expect(() => parseCanonicalJson('{"a":1,"a":1}')).toThrow(code('json-duplicate-member'))
    expect(() => parseCanonicalJson('[[]]', { maxDepth: 1 })).toThrow(code('json-too-deep'))
    expect(() => parseCanonicalJson('[1]', { maxBytes: 2 })).toThrow(code('input-too-large'))
    expect(() => parseCanonicalJson(utf8Bytes('[1]'), { maxBytes: 2 })).toThrow(code('input-too-large'))
    expect(() => parseCanonicalJson('\ufeff1')).toThrow(code('utf8-invalid'))
  })
})
