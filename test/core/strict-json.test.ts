import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isJsonObject, parseStrictJson, utf8Bytes } from 'countersign/core'
import { corpus, filesIn } from '../support/shared.js'

const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('parseStrictJson', () => {
  it.each([
    'null',
    'true',
    'false',
    '0',
    '-1',
    '10',
    '0.5',
    '1e3',
    '1E+3',
    '25e-1',
    '""',
    '"a"',
    '[]',
    '{}',
    '[[],{}]',
    ' \t\r\n[ 1 , 2 ]\n',
    '{"a":{"b":[null,"c"]},"d":1}',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\ud83d\\ude00"',
    '"\u2028\u2029\u007f"',
    '"é€😀"',
    '{"":1}',
    '{"a":1,"A":2}',
    '{"é":1,"e\u0301":2}',
  ])('reads %s as JSON.parse does', (text) => {
    const expected: unknown = JSON.parse(text)
    expect(parseStrictJson(text)).toEqual(expected)
    expect(parseStrictJson(utf8Bytes(text))).toEqual(expected)
  })

  it.each([
    '',
    ' ',
    'nul',
    'nulll',
    'True',
    'undefined',
    'NaN',
    'Infinity',
    '-Infinity',
    '-',
    '+1',
    '01',
    '-01',
    '1.',
    '.5',
    '1.e3',
    '1e',
    '1e+',
    '0x10',
    '1_000',
    '1n',
    '[',
    ']',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1 2]',
    '{',
    '}',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{1:2}',
    '"',
    '"a',
    '"\\',
    '"\\"',
    '"\\x41"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u{41}"',
    "'a'",
    '"a\nb"',
    '"a\tb"',
    '"\u0000"',
    '"\u001f"',
    '// c\n1',
    '/**/1',
    '1 2',
    '1,',
    '[]]',
    '{}{}',
    '\u00a01',
    '\u000b1',
    '1\u2028',
    '[1]\0',
  ])('refuses %j', (text) => {
    expect(() => parseStrictJson(text)).toThrow(code('json-malformed'))
  })

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '[{"x":{"":0,"":0}}]',
    '{"\\ud83d\\ude00":1,"😀":2}',
  ])('refuses a member written twice: %s', (text) => {
    expect(() => parseStrictJson(text)).toThrow(code('json-duplicate-member'))
  })

  it.each([
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"a\\ud83d"',
    '{"\\udfff":1}',
    '"\\ud83d\\u0041"',
    '"\ud800"',
    '["a","\udc00"]',
  ])('refuses the lone surrogate of %j', (text) => {
    expect(() => parseStrictJson(text)).toThrow(code('json-lone-surrogate'))
  })

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '1152921504606846976',
    '333333333.33333329',
    '0.1000000000000000055511151231257827',
    '1e400',
    '-1e400',
    '1e-400',
    '1.7976931348623159e308',
    '123456789012345678901',
    '1e99999999999999999999',
    '1e-99999999999999999999',
    '{"a":[1e999]}',
  ])('refuses %s, which no double says', (text) => {
    expect(() => parseStrictJson(text)).toThrow(code('json-number-inexact'))
  })

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['-9007199254740991', -9007199254740991],
    ['1.0', 1],
    ['1e0', 1],
    ['10E-1', 1],
    ['0.10', 0.1],
    ['100e-3', 0.1],
    ['1e23', 1e23],
    ['1152921504606847000', 2 ** 60],
    ['5e-324', 5e-324],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['0.0', 0],
    ['0e999', 0],
    ['0.000e-7', 0],
    [`1${'0'.repeat(400)}e-400`, 1],
    [`0.${'0'.repeat(400)}1e401`, 1],
    ['12345.678900', 12345.6789],
  ])('reads %s', (text, value) => {
    expect(parseStrictJson(text)).toBe(value)
  })

  it.each(['-0', '-0.0', '-0e5'])('reads %s as zero without a sign', (text) => {
    expect(Object.is(parseStrictJson(text), 0)).toBe(true)
  })

  it('is linear over hostile digits', () => {
    expect(() => parseStrictJson(`1${'0'.repeat(200_000)}1e-200001`)).toThrow(code('json-number-inexact'))
  })

  it('makes objects that inherit nothing, where __proto__ is data', () => {
    const value = parseStrictJson(
      '{"__proto__":{"polluted":true},"constructor":1,"toString":2,"hasOwnProperty":3}',
    )
    const prototype = Object.getPrototypeOf(value) as object
    expect(Reflect.ownKeys(prototype)).toEqual([])
    expect(Object.getPrototypeOf(prototype)).toBeNull()
    expect(Object.isFrozen(prototype)).toBe(true)
    expect('valueOf' in (value as object)).toBe(false)
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    expect((value as { polluted?: boolean }).polluted).toBeUndefined()
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('stops at 64 containers inside each other, or where it is told', () => {
    expect(parseStrictJson(nested(64))).toBeInstanceOf(Array)
    expect(() => parseStrictJson(nested(65))).toThrow(code('json-too-deep'))
    expect(() => parseStrictJson('{"a":'.repeat(65) + '1' + '}'.repeat(65))).toThrow(code('json-too-deep'))
    expect(() => parseStrictJson('['.repeat(5_000_000))).toThrow(code('json-too-deep'))
    expect(() => parseStrictJson('[[1]]', { maxDepth: 1 })).toThrow(code('json-too-deep'))
    expect(parseStrictJson('1', { maxDepth: 0 })).toBe(1)
  })

  it('counts bytes of UTF-8 before it reads', () => {
    expect(parseStrictJson('"é"', { maxBytes: 4 })).toBe('é')
    expect(() => parseStrictJson('"é"', { maxBytes: 3 })).toThrow(code('input-too-large'))
    expect(parseStrictJson(utf8Bytes('"é"'), { maxBytes: 4 })).toBe('é')
    expect(() => parseStrictJson(utf8Bytes('"é"'), { maxBytes: 3 })).toThrow(code('input-too-large'))
    expect(() => parseStrictJson('"\ud800"', { maxBytes: 4 })).toThrow(code('input-too-large'))
    expect(() => parseStrictJson(' '.repeat(6 * 1024 * 1024 + 1))).toThrow(code('input-too-large'))
  })

  it('refuses byte order marks and malformed UTF-8', () => {
    expect(() => parseStrictJson('\ufeff1')).toThrow(code('utf8-invalid'))
    expect(() => parseStrictJson(utf8Bytes('\ufeff1'))).toThrow(code('utf8-invalid'))
    expect(() => parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(code('utf8-invalid'))
    expect(() => parseStrictJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toThrow(code('utf8-invalid'))
  })

  it('says where', () => {
    expect(() => parseStrictJson('{"a":1,"a":2}')).toThrow(
      expect.objectContaining({ detail: { at: 10, found: 'a' } }),
    )
  })
})

describe('parseStrictJson beside JSON.parse', () => {
  it('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom('', ' ', '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const expected: unknown = JSON.parse(text)
        expect(parseStrictJson(text)).toEqual(expected)
        expect(parseStrictJson(utf8Bytes(text))).toEqual(expected)
      }),
    )
  })

  const token = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"b"',
      '"\\u0061"',
      '"',
      '\\',
      '1',
      '0',
      '-',
      '.5',
      'e2',
      'true',
      'null',
      ' ',
      '\n',
      'x',
      '\u0001',
    ],
  )
  it('accepts nothing JSON.parse refuses, and reads the same', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const text = tokens.join('')
        const strict = attempt(() => parseStrictJson(text))
        const lenient = attempt<unknown>(() => JSON.parse(text))
        if (strict.ok) expect(withoutMinusZero(lenient)).toEqual(strict)
        if (!lenient.ok) expect(strict.ok).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })

  const folder = corpus('servers')
  it.skipIf(!folder)('reads the lists of real servers', () => {
    for (const file of filesIn(folder!, '.json')) {
      const { tools } = JSON.parse(readFileSync(file, 'utf8')) as { tools?: unknown }
      const text = JSON.stringify(tools ?? [])
      expect(JSON.stringify(parseStrictJson(text))).toBe(text)
    }
  })
})

interface Attempt<T> {
  readonly ok: boolean
  readonly value?: T
}

function attempt<T>(run: () => T): Attempt<T> {
  try {
    return { ok: true, value: run() }
  } catch {
    return { ok: false }
  }
}

function withoutMinusZero(attempted: Attempt<unknown>): Attempt<unknown> {
  return JSON.parse(JSON.stringify(attempted)) as Attempt<unknown>
}

describe('isJsonObject', () => {
  it('knows objects of JSON from everything else', () => {
    expect(isJsonObject({})).toBe(true)
    expect(isJsonObject(parseStrictJson('{}'))).toBe(true)
    for (const other of [null, undefined, [], 'a', 1, new Map(), new Date(0), () => 1, new URL('x:y')]) {
      expect(isJsonObject(other)).toBe(false)
    }
  })
})
