import { getPublicKey, hashes, sign } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { Buffer } from 'node:buffer'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  decodeKeyX,
  encodeKeyX,
  fromHex,
  keyThumbprint,
  signerFromSeed,
  toHex,
  utf8Bytes,
} from 'countersign/core'

hashes.sha512 = sha512
const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })

describe('keys', () => {
  it('has the thumbprint of RFC 8037 appendix A.3', () => {
    const publicKey = decodeKeyX('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo')
    expect(keyThumbprint(publicKey)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  it('has the thumbprint other implementations compute', async () => {
    const { kid, publicKey } = signerFromSeed(new Uint8Array(32).fill(3))
    expect(kid).toBe(
      await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: encodeKeyX(publicKey) }, 'sha256'),
    )
  })

  it.each([
    '',
    'AAAA',
    'A'.repeat(42),
    'A'.repeat(44),
    'A'.repeat(42) + 'B',
    'A'.repeat(42) + '=',
    'A'.repeat(42) + '+',
    'A'.repeat(42) + '\n',
  ])('refuses the x %j', (x) => {
    expect(() => decodeKeyX(x)).toThrow(code('key-invalid'))
  })

  it('round-trips x', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        expect(toHex(decodeKeyX(encodeKeyX(key)))).toBe(toHex(key))
      }),
    )
  })

  it.each([0, 31, 33, 64])('refuses a key and a seed of %i bytes', (length) => {
    expect(() => encodeKeyX(new Uint8Array(length))).toThrow(code('key-invalid'))
    expect(() => keyThumbprint(new Uint8Array(length))).toThrow(code('key-invalid'))
    expect(() => signerFromSeed(new Uint8Array(length))).toThrow(code('key-invalid'))
  })
})

describe('signerFromSeed', () => {
  it('signs as RFC 8032 test 2 does', () => {
    const signer = signerFromSeed(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
    expect(toHex(signer.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    expect(toHex(signer.sign(Uint8Array.of(0x72)))).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    )
  })

  it('is the portable library, byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array(), (seed, message) => {
        const signer = signerFromSeed(seed)
        expect(toHex(signer.publicKey)).toBe(toHex(getPublicKey(seed)))
        expect(toHex(signer.sign(message))).toBe(toHex(sign(message, seed)))
      }),
      { numRuns: 25 },
    )
  })

  it('keeps a copy of the seed, and shows it to nobody', () => {
    const seed = new Uint8Array(32).fill(5)
    const signer = signerFromSeed(seed)
    const before = toHex(signer.sign(utf8Bytes('m')))
    seed.fill(0)
    expect(toHex(signer.sign(utf8Bytes('m')))).toBe(before)
    expect(Object.keys(signer).sort()).toEqual(['kid', 'publicKey', 'sign'])
  })
})

describe("without Node's crypto", () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.resetModules()
  })

  it.each([
    ['nothing', undefined],
    ['half of it', { hash: () => Uint8Array.of(0), verify: () => true }],
  ])('finding %s, keys, signatures and hashes are the same', async (_, found) => {
    const native = signerFromSeed(new Uint8Array(32).fill(6))
    const message = utf8Bytes('m')
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(found)
    vi.resetModules()
    const portableEd25519 = await import('../../client/src/core/ed25519.js')
    const seed = Buffer.alloc(32, 6)
    const portable = (await import('../../client/src/core/key.js')).signerFromSeed(seed)
    seed.fill(0) // a Buffer's slice is a view: the signer must hold a copy
    expect(portableEd25519.verifyStrictNode).toBeUndefined()
    expect(portable.kid).toBe(native.kid)
    expect(toHex(portable.publicKey)).toBe(toHex(native.publicKey))
    expect(toHex(portable.sign(message))).toBe(toHex(native.sign(message)))
    expect(portableEd25519.verifyStrict(native.publicKey, message, native.sign(message))).toBe(true)
    expect(portableEd25519.verifyStrict(native.publicKey, utf8Bytes('n'), native.sign(message))).toBe(false)
  })
})
