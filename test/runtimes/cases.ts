import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, toHex, utf8Bytes } from 'countersign/core'
import { readJson, vectors } from '../support/shared.js'
import type { Case } from './verdicts.js'

const ORDER = Point.CURVE().n
/** A point of order 8; its multiples are all points of low order. */
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', true)
const TORSION = Array.from({ length: 8 }, (_, i) => (i === 0 ? Point.ZERO : T8.multiply(BigInt(i))))

/** Every public vector at hand, and the signatures that split lenient verifiers from strict ones. */
export function allCases(): Case[] {
  return [...cctv(), ...wycheproof(), ...crafted()]
}

interface CctvVector {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
}

function cctv(): Case[] {
  const path = vectors('C2SP+CCTV/ed25519/ed25519vectors.json')
  const all = path === undefined ? [] : (readJson(path) as CctvVector[])
  return all.map(({ number, key, sig, msg }) => ({
    name: `cctv ${number}`,
    key,
    sig,
    msg: toHex(utf8Bytes(msg)),
  }))
}

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string }
    readonly tests: readonly { readonly tcId: number; readonly msg: string; readonly sig: string }[]
  }[]
}

function wycheproof(): Case[] {
  const path = vectors('C2SP+wycheproof/ed25519_test.json')
  const groups = path === undefined ? [] : (readJson(path) as WycheproofFile).testGroups
  return groups.flatMap(({ publicKey, tests }) =>
    tests.map(({ tcId, msg, sig }) => ({ name: `wycheproof ${tcId}`, key: publicKey.pk, msg, sig })),
  )
}

/**
 * The owner of an honest key can shift R by a point of low order, or enrol a shifted key: verifiers that multiply by
 * the cofactor accept, others refuse. Several messages each, so that the shift sometimes cancels out.
 */
export function crafted(): Case[] {
  return TORSION.flatMap((shift, i) =>
    Array.from({ length: 10 }, (_, n) => [
      shifted(`R+${i}T8 #${n}`, n, Point.ZERO, shift),
      shifted(`A+${i}T8 #${n}`, n, shift, Point.ZERO),
      shifted(`A+${i}T8 R-${i}T8 #${n}`, n, shift, shift.negate()),
    ]).flat(),
  )
}

function shifted(name: string, n: number, keyShift: Point, rShift: Point): Case {
  const message = utf8Bytes(`message ${n}`)
  const [a, r] = [scalar('key', n), scalar('nonce', n)]
  const key = Point.BASE.multiply(a).add(keyShift).toBytes()
  const commitment = Point.BASE.multiply(r).add(rShift).toBytes()
  const k = littleEndian(sha512(concatBytes(commitment, key, message))) % ORDER
  const s = (r + k * a) % ORDER
  const sig = concatBytes(commitment, bytesOf(s))
  return { name, key: toHex(key), msg: toHex(message), sig: toHex(sig) }
}

function scalar(label: string, n: number): bigint {
  return (littleEndian(sha512(utf8Bytes(`${label} ${n}`))) % (ORDER - 1n)) + 1n
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`)
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
}
