import { describe, expect, it } from 'vitest'
import { canonicalize, parseStrictJson } from 'countersign/core'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, verdicts } from '../support/guarded.js'
import { hostileServer, rawResult } from '../support/hostile.js'
import { signedWorld } from './world.js'

const world = signedWorld()

const honest = JSON.stringify(BENIGN_TOOLS)
function replaced(from: string, to: string): string {
  const text = honest.replace(from, () => to)
  if (text === honest) throw new Error('nothing was changed')
  return text
}

describe('A12 one meaning for every text', () => {
  it.each([
    ['a duplicate member', '{"a":1,"a":2}', 'json-duplicate-member'],
    ['a duplicate after unescaping', '{"a":1,"\\u0061":2}', 'json-duplicate-member'],
    ['2^53+1', '9007199254740993', 'json-number-inexact'],
    ['a number beyond every double', '1e400', 'json-number-inexact'],
    ['a lone surrogate', '"\\ud800"', 'json-lone-surrogate'],
    ['a lone surrogate in a name', '{"\\udc00":1}', 'json-lone-surrogate'],
    ['a depth of 10 000', '['.repeat(10_000) + ']'.repeat(10_000), 'json-too-deep'],
    ['a leading zero', '01', 'json-malformed'],
    ['a comment', '{}//', 'json-malformed'],
  ])('refuses %s', (_, text, code) => {
    expect(() => parseStrictJson(text)).toThrow(expect.objectContaining({ code }) as Error)
  })

  it('refuses a byte order mark', () => {
    expect(() => parseStrictJson(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toThrow()
  })

  it.each([
    ['1.0 is 1', '[1.0,1e0,10e-1]', '[1,1,1]'],
    ['-0 is 0', '[-0,0]', '[0,0]'],
    ['1e21 has one form', '[1e21,1000000000000000000000]', '[1e+21,1e+21]'],
    [
      'names are ordered by UTF-16 units',
      '{"\\ufb33":1,"\\ud83d\\ude00":2,"z":3}',
      '{"z":3,"😀":2,"\ufb33":1}',
    ],
    ['escapes are spelled one way', '"\\u0041\\/\\u000a"', '"A/\\n"'],
  ])('%s', (_, text, canonical) => {
    expect(canonicalize(parseStrictJson(text))).toBe(canonical)
  })

  it('numbers that are equal verify, others do not', async () => {
    const host = await world().host()
    expect(
      await verdicts(host, JSON.parse(replaced('"minimum":1,', '"minimum":1.0,')) as unknown[]),
    ).toMatchObject({ get_forecast: 'verified' })
    expect(
      await verdicts(host, JSON.parse(replaced('"minimum":1,', '"minimum":1.0000001,')) as unknown[]),
    ).toMatchObject({ get_forecast: 'definition-changed' })
    expect(
      await verdicts(
        host,
        JSON.parse(replaced('"exclusiveMinimum":0}', '"exclusiveMinimum":-0}')) as unknown[],
      ),
    ).toMatchObject({ convert: 'verified' })
  })

  it('lone surrogates and bottomless schemas are malformed, and the others pass', async () => {
    const host = await world().host()
    const surrogate = JSON.parse(replaced('Tells the time.', 'Tells \\ud800')) as unknown[]
    expect(await verdicts(host, surrogate)).toMatchObject({ now: 'malformed-tool', convert: 'verified' })
    const bottomless = JSON.parse(
      replaced(
        '"inputSchema":{"type":"object"}',
        `"inputSchema":{"type":"object","allOf":${'['.repeat(2000)}${']'.repeat(2000)}}`,
      ),
    ) as unknown[]
    expect(await verdicts(host, bottomless)).toMatchObject({ now: 'malformed-tool', convert: 'verified' })
  })

  const twice = (first: string, second: string): string =>
    `{"tools":${replaced('"description":"Tells the time."', `"description":"${first}","description":"${second}"`)}}`

  it.each(WIRES)(
    'a definition with two descriptions is the one that is signed or none (%s)',
    async (wire) => {
      const last = await connectGuarded(
        wire,
        hostileServer({ 'tools/list': [[rawResult(twice('Tells the time.', POISON))]] }),
        await world().host(),
      )
      expect(await last.toolNames()).not.toContain('now')
      expect(last.heard()).not.toContain(POISON)
      const first = await connectGuarded(
        wire,
        hostileServer({ 'tools/list': [[rawResult(twice(POISON, 'Tells the time.'))]] }),
        await world().host(),
      )
      expect(await first.toolNames()).toContain('now')
      expect(first.heard()).not.toContain(POISON)
    },
  )

  it.each(WIRES)('twin: honest bytes spelled differently pass (%s)', async (wire) => {
    const spelled = honest.replaceAll('"description"', '"\\u0064escription"').replaceAll(':14,', ':14.0,')
    const guarded = await connectGuarded(
      wire,
      hostileServer({ 'tools/list': [[rawResult(`{ "tools" : ${spelled} }`)]] }),
      await world().host(),
    )
    expect(await guarded.toolNames()).toEqual(benignNames())
  })
})
