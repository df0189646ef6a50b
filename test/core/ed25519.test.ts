import { hashes, Point, utils, verify } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  assertEnrolledKey,
  concatBytes,
  equalBytes,
  fromHex,
  signerFromSeed,
  toHex,
  utf8Bytes,
  verifyStrict,
} from 'countersign/core'
import { verifyStrictNoble, verifyStrictNode, type VerifySignature } from '../../client/src/core/ed25519.js'
import { readJson, vectors } from '../support/shared.js'

hashes.sha512 = sha512

const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })
const ORDER = Point.CURVE().n
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', true)

/** The verdict of both forms, which must be one. */
const verdict: VerifySignature = (publicKey, message, signature) => {
  expect(verifyStrictNode).toBeDefined()
  const byNode = verifyStrictNode!(publicKey, message, signature)
  expect(verifyStrictNoble(publicKey, message, signature)).toBe(byNode)
  expect(verifyStrict(publicKey, message, signature)).toBe(byNode)
  return byNode
}

interface CctvVector {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
  readonly flags: readonly string[] | null
}

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string }
    readonly tests: readonly {
      readonly tcId: number
      readonly msg: string
      readonly sig: string
      readonly result: string
    }[]
  }[]
}

describe('public vectors', () => {
  const cctv = vectors('C2SP+CCTV/ed25519/ed25519vectors.json')
  it.skipIf(!cctv)('CCTV: accepts what has no low order, no residue and one encoding', () => {
    const all = readJson(cctv!) as CctvVector[]
    const harmless = new Set(['low_order_component_A', 'low_order_component_R'])
    const accepted = all.filter(({ number, key, sig, msg, flags }) => {
      const expected = (flags ?? []).every((flag) => harmless.has(flag))
      const actual = verdict(fromHex(key), utf8Bytes(msg), fromHex(sig))
      expect({ number, accepted: actual }).toEqual({ number, accepted: expected })
      return actual
    })
    expect([all.length, accepted.length]).toEqual([914, 43])
  })

  const wycheproof = vectors('C2SP+wycheproof/ed25519_test.json')
  it.skipIf(!wycheproof)('Wycheproof: every verdict', () => {
    const { testGroups } = readJson(wycheproof!) as WycheproofFile
    const tests = testGroups.flatMap(({ publicKey, tests }) =>
      tests.map((test) => ({ ...test, pk: publicKey.pk })),
    )
    for (const { tcId, pk, msg, sig, result } of tests) {
      const accepted = verdict(fromHex(pk), fromHex(msg), fromHex(sig))
      expect({ tcId, accepted }).toEqual({ tcId, accepted: result === 'valid' })
    }
    expect(tests).toHaveLength(151)
  })
})

/** A signature whose key and R carry i and j times a point of order 8: made by the honest-looking owner of a key. */
function signWithTorsion(seed: Uint8Array, message: Uint8Array, i: number, j: number) {
  const { scalar, point } = utils.getExtendedPublicKey(seed)
  const nonce = littleEndian(sha512(concatBytes(seed, message))) % ORDER
  const publicKey = point.add(T8.multiply(BigInt(i), false)).toBytes()
  const r = Point.BASE.multiply(nonce, false)
    .add(T8.multiply(BigInt(j), false))
    .toBytes()
  const k = littleEndian(sha512(concatBytes(r, publicKey, message))) % ORDER
  const signature = concatBytes(r, bytes32((nonce + k * scalar) % ORDER))
  return { publicKey, signature, residue: (BigInt(j) + k * BigInt(i)) % 8n }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`)
}

function bytes32(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0')).reverse()
}

describe('verifyStrict', () => {
  const seed = new Uint8Array(32).fill(7)
  const signer = signerFromSeed(seed)
  const message = utf8Bytes('message')
  const signature = signer.sign(message)

  it('accepts an honest signature', () => {
    expect(verdict(signer.publicKey, message, signature)).toBe(true)
    expect(verdict(signer.publicKey, new Uint8Array(), signer.sign(new Uint8Array()))).toBe(true)
  })

  it('refuses every single-bit change of key, message and signature', () => {
    for (let bit = 0; bit < 512; bit++)
      expect(verdict(signer.publicKey, message, flip(signature, bit))).toBe(false)
    for (let bit = 0; bit < 256; bit++)
      expect(verdict(flip(signer.publicKey, bit), message, signature)).toBe(false)
    for (let bit = 0; bit < 56; bit++)
      expect(verdict(signer.publicKey, flip(message, bit), signature)).toBe(false)
  })

  it('leaves its arguments alone, also as Buffers, whose slices are views', () => {
    const high = Array.from({ length: 50 }, (_, i) => signerFromSeed(new Uint8Array(32).fill(i)))
    const signed = high.find((one) => (one.publicKey[31]! & one.sign(message)[31]! & 0x80) !== 0)!
    const key = Buffer.from(signed.publicKey)
    const mark = Buffer.from(signed.sign(message))
    expect(verdict(key, Buffer.from(message), mark)).toBe(true)
    assertEnrolledKey(key)
    expect([toHex(key), toHex(mark)]).toEqual([toHex(signed.publicKey), toHex(signed.sign(message))])
  })

  it('refuses other lengths', () => {
    for (const length of [0, 31, 33, 64])
      expect(verdict(resize(signer.publicKey, length), message, signature)).toBe(false)
    for (const length of [0, 32, 63, 65, 128])
      expect(verdict(signer.publicKey, message, resize(signature, length))).toBe(false)
  })

  it('refuses S + L, the same signature in another spelling', () => {
    const s = littleEndian(signature.slice(32))
    expect(verdict(signer.publicKey, message, concatBytes(signature.slice(0, 32), bytes32(s + ORDER)))).toBe(
      false,
    )
  })

  it('refuses R + T8, which a cofactored verifier takes', () => {
    const crafted = signWithTorsion(seed, message, 0, 1)
    expect(equalBytes(crafted.publicKey, signer.publicKey)).toBe(true)
    expect(verify(crafted.signature, message, crafted.publicKey, { zip215: false })).toBe(true)
    expect(verdict(crafted.publicKey, message, crafted.signature)).toBe(false)
  })

  it('gives one verdict for every torsion of key and R: true when they cancel', () => {
    const eighth = fc.integer({ min: 0, max: 7 })
    const seen = { true: 0, false: 0 }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), eighth, eighth, (anySeed, i, j) => {
        const made = signWithTorsion(anySeed, message, i, j)
        const accepted = verdict(made.publicKey, message, made.signature)
        seen[`${accepted}`] += 1
        expect(accepted).toBe(made.residue === 0n)
      }),
      {
        numRuns: 60,
        examples: [
          [seed, 0, 0],
          [seed, 1, 1],
        ],
      },
    )
    expect(seen.true).toBeGreaterThan(0)
    expect(seen.false).toBeGreaterThan(0)
  })

  it('refuses the key that signs anything', () => {
    const identity = bytes32(1n)
    const anything = concatBytes(identity, bytes32(0n))
    expect(verify(anything, message, identity)).toBe(true)
    expect(verdict(identity, message, anything)).toBe(false)
  })

  it('refuses keys and R that are no points', () => {
    const off = firstOffCurve()
    expect(verdict(off, message, signature)).toBe(false)
    expect(verdict(signer.publicKey, message, concatBytes(off, signature.slice(32)))).toBe(false)
  })
})

function flip(input: Uint8Array, bit: number): Uint8Array {
  const output = input.slice()
  output[bit >> 3]! ^= 1 << (bit & 7)
  return output
}

function resize(input: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length)
  output.set(input.subarray(0, length))
  return output
}

function firstOffCurve(): Uint8Array {
  for (let y = 2n; ; y++) {
    try {
      Point.fromBytes(bytes32(y), false)
    } catch {
      return bytes32(y)
    }
  }
}

describe('assertEnrolledKey', () => {
  const { publicKey } = signerFromSeed(new Uint8Array(32).fill(9))

  it('takes an honest key, again and again', () => {
    for (let i = 0; i < 3; i++) expect(() => assertEnrolledKey(publicKey)).not.toThrow()
  })

  it('keeps its verdicts beyond the size of its cache', () => {
    const mixed = Point.fromBytes(publicKey).add(T8).toBytes()
    for (let i = 1; i <= 600; i++) assertEnrolledKey(Point.BASE.multiply(BigInt(i), false).toBytes())
    expect(() => assertEnrolledKey(mixed)).toThrow(code('key-invalid'))
    expect(() => assertEnrolledKey(publicKey)).not.toThrow()
  })

  it.each([1, 2, 3, 4, 5, 6, 7])('refuses a key with %i times the point of order 8 in it', (i) => {
    const mixed = Point.fromBytes(publicKey).add(T8.multiply(BigInt(i), false))
    expect(() => assertEnrolledKey(mixed.toBytes())).toThrow(code('key-invalid'))
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('refuses the point of low order number %i', (i) => {
    expect(() => assertEnrolledKey(T8.multiply(BigInt(i), false).toBytes())).toThrow(code('key-invalid'))
  })

  it.each([
    ['nothing', new Uint8Array()],
    ['31 bytes', publicKey.slice(1)],
    ['33 bytes', concatBytes(publicKey, Uint8Array.of(0))],
    ['y = p', fromHex('ed' + 'ff'.repeat(30) + '7f')],
    ['y = p + 3', fromHex('f0' + 'ff'.repeat(30) + '7f')],
    ['y = p + 18', fromHex('ff'.repeat(31) + '7f')],
    ['all bits', fromHex('ff'.repeat(32))],
    ['no point', firstOffCurve()],
    ['the identity with x = -0', fromHex('01' + '00'.repeat(30) + '80')],
  ])('refuses %s', (_, key) => {
    expect(() => assertEnrolledKey(key)).toThrow(code('key-invalid'))
  })
})
