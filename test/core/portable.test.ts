import * as native from '../../client/src/core/index.js'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

type Core = typeof native
let portable: Core

/** Core as a browser loads it: without Node's crypto and Buffer. */
beforeAll(async () => {
  vi.resetModules()
  const builtin = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
  portable = await import('../../client/src/core/index.js')
  builtin.mockRestore()
})
afterAll(() => vi.resetModules())

function verdict(decode: (text: string) => Uint8Array, text: string): string {
  try {
    return Buffer.from(decode(text)).toString('hex')
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('core without Node', () => {
  it('is another instance, so that the comparison means something', () => {
    expect(portable.sha256).not.toBe(native.sha256)
  })

  it('gives every short text the same verdict as base64 and base64url', () => {
    const alphabet = ['', 'A', 'Q', 'g', '9', '+', '/', '-', '_', '=', ' ', '\n', '\u00e9', '\ud800']
    const counts = { accepted: 0, refused: 0 }
    const differing: string[][] = []
    for (const a of alphabet)
      for (const b of alphabet)
        for (const c of alphabet)
          for (const d of alphabet) {
            const text = a + b + c + d
            for (const name of ['decodeBase64', 'decodeBase64url'] as const) {
              const expected = verdict(native[name], text)
              const got = verdict(portable[name], text)
              if (got !== expected) differing.push([name, text, got, expected])
              counts[expected.endsWith('-invalid') ? 'refused' : 'accepted'] += 1
            }
          }
    expect(differing).toEqual([])
    expect(counts.accepted).toBeGreaterThan(100)
    expect(counts.refused).toBeGreaterThan(1000)
  })

  it('encodes, hashes and digests alike', () => {
    for (let length = 0; length < 200; length += 7) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255)
      expect(portable.encodeBase64(bytes)).toBe(native.encodeBase64(bytes))
      expect(portable.encodeBase64url(bytes)).toBe(native.encodeBase64url(bytes))
      expect(portable.sha256(bytes)).toEqual(native.sha256(bytes))
    }
    for (const text of ['', 'a', 'naïve \u{1f600}', 'x'.repeat(1000)]) {
      expect(portable.digestOfText(text)).toBe(native.digestOfText(text))
    }
    for (const core of [native, portable]) {
      expect(() => core.digestOfText('\ud800')).toThrow(expect.objectContaining({ code: 'utf8-invalid' }))
    }
  })

  it('signs and verifies what the other does', () => {
    const seed = new Uint8Array(32).fill(9)
    const [a, b] = [native.signerFromSeed(seed), portable.signerFromSeed(seed)]
    expect(a.kid).toBe(b.kid)
    const payload = native.utf8Bytes('{"a":1}')
    const jws = native.signEnvelope('countersign-manifest+json', payload, a)
    expect(portable.signEnvelope('countersign-manifest+json', payload, b)).toBe(jws)
    expect(portable.verifyEnvelope(jws, 'countersign-manifest+json', b.publicKey)).toEqual(payload)
  })
})
