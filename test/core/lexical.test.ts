import fc from 'fast-check'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  compareBytes,
  concatBytes,
  decodeBase64,
  decodeBase64url,
  digestBytes,
  digestOf,
  encodeBase64,
  encodeBase64url,
  equalBytes,
  formatDecimal,
  fromHex,
  isDigest,
  parseDecimal,
  parseDigest,
  parseText,
  randomBytes,
  sha256,
  toHex,
  utf8Bytes,
} from 'countersign/core'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })

describe('parseText', () => {
  it('reads UTF-8', () => {
    expect(parseText(utf8Bytes('aé€😀'))).toBe('aé€😀')
    expect(parseText(bytes())).toBe('')
  })

  it.each([
    ['a stray continuation byte', bytes(0x80)],
    ['an overlong slash', bytes(0xc0, 0xaf)],
    ['an encoded surrogate', bytes(0xed, 0xa0, 0x80)],
    ['a truncated sequence', bytes(0xe2, 0x82)],
    ['a code point above U+10FFFF', bytes(0xf4, 0x90, 0x80, 0x80)],
    ['a byte order mark', bytes(0xef, 0xbb, 0xbf, 0x41)],
  ])('refuses %s', (_, input) => {
    expect(() => parseText(input)).toThrow(code('utf8-invalid'))
  })

  it('refuses what is over the cap, and takes what is at it', () => {
    expect(parseText(bytes(65, 66), 2)).toBe('AB')
    expect(() => parseText(bytes(65, 66, 67), 2)).toThrow(code('input-too-large'))
    expect(() => parseText(new Uint8Array(6 * 1024 * 1024 + 1))).toThrow(code('input-too-large'))
  })
})

describe('utf8Bytes', () => {
  it('refuses a lone surrogate, which an encoder would replace', () => {
    expect(() => utf8Bytes('a\ud800')).toThrow(code('utf8-invalid'))
    expect(() => utf8Bytes('\udc00\ud800')).toThrow(code('utf8-invalid'))
  })

  it('is what parseText reads', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.startsWith('\ufeff'))
        expect(parseText(utf8Bytes(text))).toBe(text)
      }),
    )
  })
})

describe('decimal', () => {
  it.each(['0', '7', '10', '9007199254740991'])('reads %s', (text) => {
    expect(formatDecimal(parseDecimal(text))).toBe(text)
  })

  it.each([
    '',
    ' 7',
    '7 ',
    '7\n',
    '+7',
    '-0',
    '-1',
    '00',
    '07',
    '0x10',
    '1e3',
    '1.0',
    '1_0',
    '٣',
    '9007199254740992',
    '10000000000000000',
    'Infinity',
    'NaN',
  ])('refuses %j', (text) => {
    expect(() => parseDecimal(text)).toThrow(code('decimal-invalid'))
  })

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('does not write %d', (value) => {
    expect(() => formatDecimal(value)).toThrow(code('decimal-invalid'))
  })

  it('round-trips', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => parseDecimal(formatDecimal(value)) === value))
  })
})

describe('base64', () => {
  it('writes what Node writes, and reads it back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        expect(encodeBase64(input)).toBe(Buffer.from(input).toString('base64'))
        expect(encodeBase64url(input)).toBe(Buffer.from(input).toString('base64url'))
        expect(decodeBase64(encodeBase64(input))).toEqual(input)
        expect(decodeBase64url(encodeBase64url(input))).toEqual(input)
      }),
    )
  })

  it.each([
    ['no padding', 'QQ'],
    ['half the padding', 'QQ='],
    ['too much padding', 'QUI=='],
    ['only padding', '='],
    ['four pads', 'QUJD===='],
    ['pad bits', 'QR=='],
    ['pad bits of two', 'QUJ='],
    ['one digit', 'Q'],
    ['five digits', 'QUJDQ'],
    ['a line end', 'QQ==\n'],
    ['a space', 'Q Q='],
    ['the URL alphabet', '-_-_'],
    ['padding inside', 'QQ==QQ=='],
    ['a foreign letter', 'QéA='],
    ['NUL', 'QQA\0'],
  ])('refuses %s', (_, text) => {
    expect(() => decodeBase64(text)).toThrow(code('base64-invalid'))
  })

  it.each([
    ['padding', 'QQ=='],
    ['pad bits', 'QR'],
    ['pad bits of two', 'QUJ'],
    ['one digit', 'Q'],
    ['five digits', 'QUJDQ'],
    ['a line end', 'QQ\n'],
    ['the other alphabet', '+/+/'],
    ['a space', 'Q Q'],
    ['a dot', 'QQ.'],
  ])('refuses %s in a URL form', (_, text) => {
    expect(() => decodeBase64url(text)).toThrow(code('base64-invalid'))
  })

  it('has one spelling: any accepted text is the encoding of its bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'AQRUg048+/-_=\n .'.split('')), maxLength: 12 }),
        (text) => {
          for (const [decode, encode] of [
            [decodeBase64, encodeBase64],
            [decodeBase64url, encodeBase64url],
          ] as const) {
            const decoded = outcome(() => decode(text))
            if (decoded !== undefined) expect(encode(decoded)).toBe(text)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

function outcome<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}

describe('hex and digests', () => {
  it('round-trips', () => {
    fc.assert(fc.property(fc.uint8Array(), (input) => equalBytes(fromHex(toHex(input)), input)))
  })

  it.each(['A0', '0', 'g0', '0x00', ' 00', '00\n'])('refuses hex %j', (text) => {
    expect(() => fromHex(text)).toThrow(code('digest-invalid'))
  })

  it('names bytes by SHA-256', () => {
    const digest = digestOf(utf8Bytes('abc'))
    expect(digest).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(toHex(digestBytes(parseDigest(digest)))).toBe(digest.slice(7))
  })

  const good = `sha256:${'0a'.repeat(32)}`
  it.each([
    good.toUpperCase(),
    good.slice(0, -1),
    good + '0',
    good + '\n',
    ' ' + good,
    'sha512:' + '0a'.repeat(32),
    '0a'.repeat(32),
    '',
  ])('refuses digest %j', (text) => {
    expect(isDigest(text)).toBe(false)
    expect(() => parseDigest(text)).toThrow(code('digest-invalid'))
  })

  it('takes no value but a string for a digest', () => {
    expect(isDigest([good])).toBe(false)
    expect(isDigest(good)).toBe(true)
  })

  it('hashes parts like the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (parts) => {
        const whole = concatBytes(...parts)
        expect(toHex(sha256(...parts))).toBe(createHash('sha256').update(whole).digest('hex'))
      }),
    )
  })
})

describe('bytes', () => {
  it('compares like Node', () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 3 }), fc.uint8Array({ max: 3 }), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })

  it('draws random bytes of the wanted length', () => {
    expect(randomBytes(32)).toHaveLength(32)
    expect(equalBytes(randomBytes(32), randomBytes(32))).toBe(false)
  })
})
