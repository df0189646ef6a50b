import { createHash } from 'node:crypto'
import { Point } from '@noble/ed25519'
import { describe, expect, it } from 'vitest'
import {
  assertEnrolledKey,
  concatBytes,
  encodeBase64url,
  fromHex,
  keyThumbprint,
  signEnvelope,
  utf8Bytes,
  verifyEnvelope,
  verifyStrict,
} from 'countersign/core'
import { verifyStrictNoble, verifyStrictNode } from '../../client/src/core/ed25519.js'
import { codeOf, testSigner } from '../support/tlog.js'
import { openWorld, signerNamed, toolsOf, weather, type Published, type World } from '../support/world.js'

const TYPE = 'countersign-manifest+json'
const signer = testSigner(7)
const payload = utf8Bytes('{"a":1}')
const envelope = signEnvelope(TYPE, payload, signer)
const [header, body, signature] = envelope.split('.') as [string, string, string]

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
const IDENTITY = fromHex(`01${'00'.repeat(31)}`)
const ORDER_8 = fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
/** y = p + 1: the identity, spelled a second way. */
const NON_CANONICAL = fromHex(`ee${'ff'.repeat(30)}7f`)
const T8 = Point.fromBytes(ORDER_8)

const hashToScalar = (...parts: Uint8Array[]): bigint => {
  const digest = createHash('sha512')
    .update(concatBytes(...parts))
    .digest()
  return [...digest].reverse().reduce((value, byte) => (value << 8n) + BigInt(byte), 0n) % ORDER
}
const toBytes = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))

/** A signature of a key with known scalar whose R or A carries a point of order 8: verifiers differ about these. */
function mixed(message: Uint8Array, torsion: { readonly r: boolean; readonly a: boolean }) {
  const [secret, nonce] = [123456789n, 987654321n]
  const withTorsion = (point: Point, add: boolean): Uint8Array => (add ? point.add(T8) : point).toBytes()
  const publicKey = withTorsion(Point.BASE.multiply(secret), torsion.a)
  const r = withTorsion(Point.BASE.multiply(nonce), torsion.r)
  const s = (nonce + hashToScalar(r, publicKey, message) * secret) % ORDER
  return { publicKey, message, signature: concatBytes(r, toBytes(s)) }
}

describe('A23 points that verifiers differ about', () => {
  const message = utf8Bytes('approve everything')
  const honest = mixed(message, { r: false, a: false })
  const highS = concatBytes(
    honest.signature.subarray(0, 32),
    toBytes(BigInt(`0x${Buffer.from(honest.signature.subarray(32)).reverse().toString('hex')}`) + ORDER),
  )

  it.each([
    [
      'a key of order 1',
      { publicKey: IDENTITY, message, signature: concatBytes(IDENTITY, new Uint8Array(32)) },
    ],
    [
      'a key of order 8',
      { publicKey: ORDER_8, message, signature: concatBytes(IDENTITY, new Uint8Array(32)) },
    ],
    [
      'a key spelled a second way',
      { publicKey: NON_CANONICAL, message, signature: concatBytes(IDENTITY, new Uint8Array(32)) },
    ],
    ['R of low order', { ...honest, signature: concatBytes(ORDER_8, honest.signature.subarray(32)) }],
    [
      'R spelled a second way',
      { ...honest, signature: concatBytes(NON_CANONICAL, honest.signature.subarray(32)) },
    ],
    ['R plus a point of order 8', mixed(message, { r: true, a: false })],
    ['s not reduced', { ...honest, signature: highS }],
    ['a signature too short', { ...honest, signature: honest.signature.subarray(1) }],
  ])('%s is refused, by every implementation alike', (_, forged) => {
    for (const verify of [verifyStrict, verifyStrictNode, verifyStrictNoble]) {
      expect(verify?.(forged.publicKey, forged.message, forged.signature)).toBe(false)
    }
  })

  it.each([
    ['of order 1', IDENTITY],
    ['of order 8', ORDER_8],
    ['spelled a second way', NON_CANONICAL],
    ['with torsion', mixed(message, { r: false, a: true }).publicKey],
    ['that is no point', fromHex(`02${'00'.repeat(31)}`)],
    ['too short', new Uint8Array(31)],
  ])('a key %s cannot be enrolled', (_, key) => {
    expect(codeOf(() => assertEnrolledKey(key))).toBe('key-invalid')
  })

  it('twin: an honest signature made by the same arithmetic verifies everywhere', () => {
    for (const verify of [verifyStrict, verifyStrictNode, verifyStrictNoble]) {
      expect(verify?.(honest.publicKey, honest.message, honest.signature)).toBe(true)
    }
    expect(codeOf(() => assertEnrolledKey(honest.publicKey))).toBe('accepted')
  })
})

describe('A23 envelopes', () => {
  const code = (jws: string): string => codeOf(() => verifyEnvelope(jws, TYPE, signer.publicKey))
  const headed = (members: object): string =>
    `${encodeBase64url(utf8Bytes(JSON.stringify(members)))}.${body}.${signature}`
  const honest = { alg: 'Ed25519', kid: signer.kid, typ: TYPE }

  it.each([
    ['alg none', headed({ ...honest, alg: 'none' })],
    ['alg none without a signature', `${encodeBase64url(utf8Bytes('{"alg":"none"}'))}.${body}.`],
    ['HS256', headed({ ...honest, alg: 'HS256' })],
    ['EdDSA', headed({ ...honest, alg: 'EdDSA' })],
    ['crit', headed({ ...honest, crit: ['b64'] })],
    ['b64', headed({ ...honest, b64: false })],
    ['jku', headed({ ...honest, jku: 'https://attacker.example/jwks' })],
    ['jwk', headed({ ...honest, jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' } })],
    ['x5u', headed({ ...honest, x5u: 'https://attacker.example' })],
    ['another typ', headed({ ...honest, typ: 'countersign-key-event+json' })],
    ['members in another order', headed({ kid: signer.kid, alg: 'Ed25519', typ: TYPE })],
    ['a kid that walks folders', headed({ ...honest, kid: '../../../etc/passwd' })],
    ['a kid that is no text', headed({ ...honest, kid: 7 })],
    ['padding', `${header}=.${body}.${signature}`],
    ['four parts', `${envelope}.AAAA`],
    ['white space', ` ${envelope}`],
    ['a standard alphabet', envelope.replaceAll('-', '+').replaceAll('_', '/') + '+'],
  ])('%s is refused', (_, jws) => {
    expect(['envelope-malformed', 'signature-invalid']).toContain(code(jws))
  })

  it('a signature by another key under this kid is signature-invalid', () => {
    const other = testSigner(8)
    const forged = encodeBase64url(other.sign(utf8Bytes(`${header}.${body}`)))
    expect(code(`${header}.${body}.${forged}`)).toBe('signature-invalid')
    expect(keyThumbprint(other.publicKey)).not.toBe(signer.kid)
  })

  it('twin: the honest envelope gives its payload', () => {
    expect(verifyEnvelope(envelope, TYPE, signer.publicKey)).toEqual(payload)
  })
})

describe('A23 keys in the log', () => {
  const verdict = async (world: World, released: Published): Promise<string> => {
    const { server, version } = released
    return (await (await world.host()).review({ server, version, slot: 'test', tools: toolsOf(released) }))
      .verdict
  }

  it('what a revoked key signed after its end is key-revoked, what it signed before stands', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const before = world.release(acme, weather('1.0.0'))
    world.revokeKey(acme, acme.sign.kid)
    expect(await verdict(world, before)).toBe('verified')
    const after = world.release(acme, weather('2.0.0', { tools: weather().tools!.slice(1) }))
    expect(await verdict(world, after)).toBe('key-revoked')
  })

  it('an earlier invalidFrom takes back what was signed since', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const released = world.release(acme, weather())
    expect(await verdict(world, released)).toBe('verified')
    world.revokeKey(acme, acme.sign.kid, { invalidFrom: released.index, by: acme.sign })
    expect(await verdict(world, released)).toBe('key-revoked')
  })

  it('a key that signs before it is enrolled, or never is, is key-unknown', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const early = signerNamed('early')
    const released = world.approve(world.publish(acme, weather(), { by: early }))
    expect(await verdict(world, released)).toBe('key-unknown')
    world.addKey(acme, 'sign', early)
    expect(await verdict(world, released)).toBe('key-unknown')
  })

  it('an own key does not sign manifests', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    expect(await verdict(world, world.approve(world.publish(acme, weather(), { by: acme.own })))).toBe(
      'key-unknown',
    )
  })

  it('twin: a second key, endorsed, signs the next version', async () => {
    const world = openWorld()
    const acme = world.enrol('com.acme')
    const next = signerNamed('next')
    world.addKey(acme, 'sign', next)
    expect(await verdict(world, world.approve(world.publish(acme, weather(), { by: next })))).toBe('verified')
  })
})
