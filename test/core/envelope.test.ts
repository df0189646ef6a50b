import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { compactVerify, CompactSign, importJWK } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  type CountersignError,
  decodeBase64url,
  digestOf,
  encodeBase64url,
  encodeKeyX,
  envelopeDigest,
  type EnvelopeType,
  manifestDigest,
  MAX_ENVELOPE_BYTES,
  parseText,
  readDetachedKid,
  readEnvelopeKid,
  signDetached,
  signEnvelope,
  signerFromSeed,
  utf8Bytes,
  verifyDetached,
  verifyEnvelope,
} from 'countersign/core'
import { readJson, vectors } from '../support/shared.js'

const code = (wanted: string): unknown => expect.objectContaining({ name: 'CountersignError', code: wanted })
const TYPE: EnvelopeType = 'countersign-manifest+json'
const signer = signerFromSeed(new Uint8Array(32).fill(1))
const stranger = signerFromSeed(new Uint8Array(32).fill(2))
const payload = utf8Bytes('{"format":"countersign/manifest/v1"}')
const header = `{"alg":"Ed25519","kid":"${signer.kid}","typ":"${TYPE}"}`
const jws = signEnvelope(TYPE, payload, signer)
const [p0, p1, p2] = jws.split('.') as [string, string, string]
const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url')

/** A JWS whose signature holds over whatever parts it is given: only the form can be refused. */
function signed(headerPart: string, bodyPart: string): string {
  return `${headerPart}.${bodyPart}.${encodeBase64url(signer.sign(utf8Bytes(`${headerPart}.${bodyPart}`)))}`
}

const withHeader = (text: string): string => signed(base64url(text), p1)

function refusal(text: string, type: EnvelopeType = TYPE): string {
  try {
    verifyEnvelope(text, type, signer.publicKey)
  } catch (error) {
    return (error as CountersignError).code
  }
  return 'accepted'
}

describe('envelope', () => {
  it('has exactly the header of PROTOCOL 5', () => {
    expect(parseText(decodeBase64url(p0))).toBe(header)
    expect(p2).toHaveLength(86)
  })

  it('gives back the payload bytes, parsed by nobody', () => {
    expect(verifyEnvelope(jws, TYPE, signer.publicKey)).toEqual(payload)
    const noJson = Uint8Array.of(0xff, 0x00, 0x7b)
    expect(verifyEnvelope(signEnvelope(TYPE, noJson, signer), TYPE, signer.publicKey)).toEqual(noJson)
    expect(readEnvelopeKid(jws, TYPE)).toBe(signer.kid)
  })

  it('is a JWS to other implementations', async () => {
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: encodeKeyX(signer.publicKey) }, 'Ed25519')
    const verified = await compactVerify(jws, key, { algorithms: ['Ed25519'] })
    expect(verified.payload).toEqual(payload)
    expect(verified.protectedHeader).toEqual({ alg: 'Ed25519', kid: signer.kid, typ: TYPE })
  })

  it('takes one that another implementation signed', async () => {
    const jwk = {
      kty: 'OKP',
      crv: 'Ed25519',
      x: encodeKeyX(signer.publicKey),
      d: encodeBase64url(new Uint8Array(32).fill(1)),
    }
    const other = new CompactSign(payload).setProtectedHeader({ alg: 'Ed25519', kid: signer.kid, typ: TYPE })
    expect(await other.sign(await importJWK(jwk, 'Ed25519'))).toBe(jws)
  })

  it('names manifests by payload and envelopes by text', () => {
    expect(manifestDigest(payload)).toBe(digestOf(payload))
    expect(envelopeDigest(jws)).toBe(digestOf(utf8Bytes(jws)))
  })

  it('refuses another key', () => {
    expect(() => verifyEnvelope(jws, TYPE, stranger.publicKey)).toThrow(code('signature-invalid'))
  })

  it("refuses a stranger's signature under the kid of the key", () => {
    const forged = encodeBase64url(stranger.sign(utf8Bytes(`${p0}.${p1}`)))
    expect(refusal(`${p0}.${p1}.${forged}`)).toBe('signature-invalid')
  })

  it('refuses the signature of the key under the kid of a stranger', () => {
    expect(refusal(withHeader(header.replace(signer.kid, stranger.kid)))).toBe('signature-invalid')
  })

  it('refuses every change of a character', () => {
    for (let at = 0; at < jws.length; at++) {
      for (const other of [jws[at] === 'A' ? 'B' : 'A', '.', '=', ' ', 'é']) {
        if (other === jws[at]) continue
        const changed = jws.slice(0, at) + other + jws.slice(at + 1)
        expect(['envelope-malformed', 'signature-invalid']).toContain(refusal(changed))
      }
    }
  })

  it('refuses every shortening and every insertion', () => {
    for (let at = 0; at < jws.length; at++) {
      expect(refusal(jws.slice(0, at))).toMatch(/^(envelope-malformed|signature-invalid)$/)
      expect(refusal(jws.slice(0, at) + 'A' + jws.slice(at))).toMatch(
        /^(envelope-malformed|signature-invalid)$/,
      )
    }
  })

  it('is bound to its type', () => {
    expect(refusal(jws, 'countersign-decision+json')).toBe('envelope-malformed')
    expect(() => readEnvelopeKid(jws, 'countersign-key-event+json')).toThrow(code('envelope-malformed'))
  })

  it('caps its size before anything else', () => {
    expect(refusal('.'.repeat(MAX_ENVELOPE_BYTES + 1))).toBe('input-too-large')
    expect(refusal('.'.repeat(MAX_ENVELOPE_BYTES))).toBe('envelope-malformed')
    expect(() => signEnvelope(TYPE, new Uint8Array(MAX_ENVELOPE_BYTES), signer)).toThrow(
      code('input-too-large'),
    )
  })

  it('has a payload', () => {
    expect(() => signEnvelope(TYPE, new Uint8Array(), signer)).toThrow(code('envelope-malformed'))
    expect(refusal(signed(p0, ''))).toBe('envelope-malformed')
  })

  it('is not written by a signer that signs with another key than it names', () => {
    const sign = (message: Uint8Array): Uint8Array => stranger.sign(message)
    expect(() => signEnvelope(TYPE, payload, { ...signer, sign })).toThrow(code('signature-invalid'))
    expect(() => signEnvelope(TYPE, payload, { ...signer, kid: stranger.kid })).toThrow(
      code('signature-invalid'),
    )
  })
})

describe('what JOSE libraries are lenient about (the signature holds in each)', () => {
  const kid = signer.kid
  const tail = `"kid":"${kid}","typ":"${TYPE}"}`
  const jwk = `{"kty":"OKP","crv":"Ed25519","x":"${encodeKeyX(signer.publicKey)}"}`

  it('would accept the honest one made the same way', () => {
    expect(withHeader(header)).toBe(jws)
    expect(refusal(withHeader(header))).toBe('accepted')
  })

  it.each([
    ['alg none', `{"alg":"none",${tail}`],
    ['alg EdDSA', `{"alg":"EdDSA",${tail}`],
    ['alg in other case', `{"alg":"ed25519",${tail}`],
    ['alg missing', `{${tail}`],
    ['alg HS256', `{"alg":"HS256",${tail}`],
    ['a duplicate alg, the last right', `{"alg":"none","alg":"Ed25519",${tail}`],
    ['a duplicate alg, the first right', `{"alg":"Ed25519",${tail.slice(0, -1)},"alg":"none"}`],
    ['a duplicate alg by escape', `{"alg":"Ed25519","\\u0061lg":"none",${tail}`],
    ['a duplicate kid', `{"alg":"Ed25519","kid":"${stranger.kid}",${tail}`],
    ['an escape in alg', `{"alg":"Ed2551\\u0039",${tail}`],
    ['b64 false without crit', `{"alg":"Ed25519","b64":false,${tail}`],
    ['b64 false with crit', `{"alg":"Ed25519","b64":false,"crit":["b64"],${tail}`],
    ['an unknown crit', `{"alg":"Ed25519","crit":["x"],${tail.slice(0, -1)},"x":1}`],
    ['an embedded jwk', `{"alg":"Ed25519","jwk":${jwk},${tail}`],
    ['a jku', `{"alg":"Ed25519","jku":"https://keys.example/",${tail}`],
    ['an x5c', `{"alg":"Ed25519",${tail.slice(0, -1)},"x5c":[]}`],
    ['a cty', `{"alg":"Ed25519","cty":"json",${tail}`],
    ['another order', `{"kid":"${kid}","alg":"Ed25519","typ":"${TYPE}"}`],
    ['a space', `{"alg": "Ed25519",${tail}`],
    ['a trailing space', `${header} `],
    ['a line end', `${header}\n`],
    ['a byte order mark', `\ufeff${header}`],
    ['another typ', `{"alg":"Ed25519","kid":"${kid}","typ":"JWT"}`],
    ['typ in other case', header.replace('+json', '+JSON')],
    ['no typ', `{"alg":"Ed25519","kid":"${kid}"}`],
    ['no kid', `{"alg":"Ed25519","typ":"${TYPE}"}`],
    ['a kid that is longer', header.replace(kid, `${kid}A`)],
    ['a kid that injects', header.replace(kid, `","alg":"none","x":"${'A'.repeat(24)}`)],
    ['no object', '[]'],
    ['no JSON', 'header'],
  ])('refuses %s', (_, text) => {
    expect(refusal(withHeader(text))).toBe('envelope-malformed')
    expect(() => readEnvelopeKid(withHeader(text), TYPE)).toThrow(code('envelope-malformed'))
  })

  it('refuses an HMAC under the bytes of the public key', () => {
    for (const text of [header, `{"alg":"HS256",${tail}`]) {
      const input = `${base64url(text)}.${p1}`
      const mac = createHmac('sha256', signer.publicKey).update(input).digest('base64url')
      expect(refusal(`${input}.${mac}`)).toBe('envelope-malformed')
    }
  })

  it('refuses the JSON serialisations, whatever their unprotected headers say', () => {
    const flattened = { payload: p1, protected: p0, signature: p2 }
    for (const form of [
      flattened,
      { ...flattened, header: { kid: stranger.kid, jku: 'https://keys.example/' } },
      { payload: p1, header: { alg: 'Ed25519' }, signature: p2 },
      {
        payload: p1,
        signatures: [
          { protected: p0, signature: p2 },
          { protected: p0, signature: 'AAAA' },
        ],
      },
    ]) {
      expect(refusal(JSON.stringify(form))).toBe('envelope-malformed')
    }
  })

  it.each([
    ['padding after the signature', `${jws}==`],
    ['padding after the payload', `${p0}.${p1}=.${p2}`],
    ['a line end after', `${jws}\n`],
    ['a space before', ` ${jws}`],
    ['a line end in the payload', `${p0}.${p1}\n.${p2}`],
    ['a fourth part', `${jws}.`],
    ['a fourth part with text', `${jws}.${p2}`],
    ['two parts', `${p0}.${p1}`],
    ['no signature', `${p0}.${p1}.`],
    ['no header', `.${p1}.${p2}`],
    ['nothing', ''],
    ['two dots', '..'],
    ['the standard alphabet', `${p0}.${p1}.${p2.replaceAll('_', '/').replaceAll('-', '+')}=`],
    ['a lone surrogate', `${p0}.\ud800.${p2}`],
  ])('refuses %s', (_, text) => {
    expect(refusal(text)).toBe('envelope-malformed')
  })

  it('refuses pad bits: one signature has one spelling', () => {
    const last = p2.slice(-1)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? ''
    const changed = jws.slice(0, -1) + twin
    expect(Buffer.from(p2.slice(0, -1) + twin, 'base64url')).toEqual(Buffer.from(p2, 'base64url'))
    expect(refusal(changed)).toBe('envelope-malformed')
  })

  it('refuses a signed payload in another spelling', () => {
    for (const body of [`${p1}==`, `${p1}\n`, ` ${p1}`, 'QR', 'Q', '+/+/']) {
      expect(refusal(signed(p0, body))).toBe('envelope-malformed')
    }
  })

  it('refuses signatures of other lengths', () => {
    for (const length of [0, 63, 65, 96]) {
      expect(refusal(`${p0}.${p1}.${encodeBase64url(new Uint8Array(length))}`)).toBe('envelope-malformed')
    }
  })

  const wycheproof = vectors('C2SP+wycheproof/json_web_signature_test.json')
  it.skipIf(!wycheproof)('refuses every JWS of Wycheproof: none is ours', () => {
    const { testGroups } = readJson(wycheproof!) as { testGroups: { tests: { jws: string }[] }[] }
    const all = testGroups.flatMap(({ tests }) => tests.map((test) => test.jws))
    expect(all).toHaveLength(401)
    for (const foreign of all) {
      expect(refusal(foreign)).toBe('envelope-malformed')
      expect(() => readEnvelopeKid(foreign, TYPE)).toThrow(code('envelope-malformed'))
      expect(() => readDetachedKid(foreign, TYPE)).toThrow(code('envelope-malformed'))
    }
  })
})

describe('detached signatures', () => {
  const type: EnvelopeType = 'countersign-key-event+json'
  const detached = signDetached(type, payload, signer)

  it('are header, nothing, signature', () => {
    expect(detached.split('.').map((part) => part.length > 0)).toEqual([true, false, true])
    expect(readDetachedKid(detached, type)).toBe(signer.kid)
    expect(() => verifyDetached(detached, type, payload, signer.publicKey)).not.toThrow()
  })

  it('sign what the attached form signs', () => {
    const [head, , signature] = detached.split('.') as [string, string, string]
    expect(
      verifyEnvelope(`${head}.${encodeBase64url(payload)}.${signature}`, type, signer.publicKey),
    ).toEqual(payload)
  })

  it('refuse other payloads, keys and types', () => {
    const other = utf8Bytes('{"format":"countersign/manifest/v2"}')
    expect(() => verifyDetached(detached, type, other, signer.publicKey)).toThrow(code('signature-invalid'))
    expect(() => verifyDetached(detached, type, new Uint8Array(), signer.publicKey)).toThrow(
      code('signature-invalid'),
    )
    expect(() => verifyDetached(detached, type, payload, stranger.publicKey)).toThrow(
      code('signature-invalid'),
    )
    expect(() => verifyDetached(detached, 'countersign-decision+json', payload, signer.publicKey)).toThrow(
      code('envelope-malformed'),
    )
  })

  it('refuse every change of a character', () => {
    for (let at = 0; at < detached.length; at++) {
      const changed = detached.slice(0, at) + (detached[at] === 'A' ? 'B' : 'A') + detached.slice(at + 1)
      expect(() => verifyDetached(changed, type, payload, signer.publicKey)).toThrow()
    }
  })

  it('are not envelopes, and envelopes are not detached', () => {
    const attached = signEnvelope(type, payload, signer)
    expect(() => verifyDetached(attached, type, payload, signer.publicKey)).toThrow(
      code('envelope-malformed'),
    )
    expect(() => readDetachedKid(attached, type)).toThrow(code('envelope-malformed'))
    expect(() => verifyEnvelope(detached, type, signer.publicKey)).toThrow(code('envelope-malformed'))
    expect(() => readEnvelopeKid(detached, type)).toThrow(code('envelope-malformed'))
  })
})
