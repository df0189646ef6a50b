import {
  cosigner,
  formatCheckpointBody,
  formatNote,
  formatVerifierKey,
  fromHex,
  merkleRoot,
  noteSigner,
  openNote,
  parseCheckpointBody,
  parseNote,
  parseVerifierKey,
  signerFromSeed,
  toHex,
  utf8Bytes,
  verifyCosignature,
} from 'countersign/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, vectors } from '../support/shared.js'
import { byteLeaves, codeOf, flipped, testSigner } from '../support/tlog.js'

const file = vectors('sigsum+sigsum-go/cosignature.json')
describe.skipIf(!file)('published cosignatures', () => {
  interface Cosignatures {
    ed25519Seed: string
    publicKey: string
    logVkey: string
    signedCheckpoint: string
    witnessVkey: string
    cosignedText: string
    timestamp: string
    cosignatureLines: { line: string; expect: string }[]
  }
  const data = (file ? readJson(file) : { cosignatureLines: [] }) as Cosignatures
  const openLine = (line: string) =>
    openNote(`${data.cosignedText}\n${line}\n`, [parseVerifierKey(data.witnessVkey)])

  it('have the keys they say', () => {
    const signer = signerFromSeed(fromHex(data.ed25519Seed))
    expect(toHex(signer.publicKey)).toBe(data.publicKey)
    expect(formatVerifierKey('example.org/witness', 4, signer.publicKey)).toBe(data.witnessVkey)
    expect(toHex(parseVerifierKey(data.logVkey).publicKey)).toBe(data.publicKey)
  })

  it('open the signed checkpoint', () => {
    const { text } = openNote(data.signedCheckpoint, [parseVerifierKey(data.logVkey)])
    expect(parseCheckpointBody(text).size).toBe(10)
  })

  it('are made byte for byte', () => {
    const valid = data.cosignatureLines.find((one) => one.expect === 'valid')
    const witness = cosigner('example.org/witness', signerFromSeed(fromHex(data.ed25519Seed)))
    expect(witness.cosign(data.cosignedText, Number(data.timestamp))).toBe(valid?.line)
  })

  it.each(data.cosignatureLines)('$expect', ({ line, expect: expected }) => {
    if (expected === 'valid') {
      expect(openLine(line).verified.map(({ timestamp }) => timestamp)).toEqual([Number(data.timestamp)])
    } else if (expected.endsWith('ignore')) {
      expect(codeOf(() => openLine(line))).toBe('note-unverified')
    } else {
      // A known key whose line does not verify refuses the note, as signed notes have it.
      expect(codeOf(() => openLine(line))).toBe('cosignature-invalid')
    }
  })
})

const body = formatCheckpointBody({
  origin: 'registry.example/log',
  size: 16,
  root: merkleRoot(byteLeaves(16)),
})
const signer = testSigner(4)
const witness = cosigner('witness.example/w', signer)

/** The 72 bytes behind the key id of a line. */
const payload = (line: string): Uint8Array => parseNote(formatNote(body, [line])).signatures[0]!.signature

describe('a cosignature', () => {
  const bytes = payload(witness.cosign(body, 1_700_000_000))

  it('verifies over its body and gives its time', () => {
    expect(bytes).toHaveLength(72)
    expect(verifyCosignature(witness.key, body, bytes)).toBe(1_700_000_000)
    fc.assert(
      fc.property(fc.maxSafeNat(), (timestamp) => {
        expect(verifyCosignature(witness.key, body, payload(witness.cosign(body, timestamp)))).toBe(timestamp)
      }),
    )
  })

  it('fails with any byte changed, cut off or added', () => {
    for (let at = 0; at < 72; at++) {
      expect(codeOf(() => verifyCosignature(witness.key, body, flipped(bytes, at)))).toBe(
        'cosignature-invalid',
      )
    }
    for (const bad of [
      bytes.subarray(0, 71),
      bytes.subarray(8),
      Buffer.concat([bytes, bytes]),
      new Uint8Array(0),
    ]) {
      expect(codeOf(() => verifyCosignature(witness.key, body, bad))).toBe('cosignature-invalid')
    }
  })

  it('fails over another body and under another key', () => {
    const other = formatCheckpointBody({
      origin: 'registry.example/log',
      size: 17,
      root: merkleRoot(byteLeaves(17)),
    })
    const stranger = cosigner('witness.example/w', testSigner(5))
    expect(codeOf(() => verifyCosignature(witness.key, other, bytes))).toBe('cosignature-invalid')
    expect(codeOf(() => verifyCosignature(stranger.key, body, bytes))).toBe('cosignature-invalid')
  })

  it('has a time that can be counted', () => {
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(codeOf(() => witness.cosign(body, bad))).toBe('cosignature-invalid')
    }
    // Times as other implementations may sign them: past 2^53 here, and past the 2^63 - 1 of the format.
    for (const time of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const signed = Buffer.alloc(72)
      signed.writeBigUInt64BE(time)
      signed.set(signer.sign(utf8Bytes(`cosignature/v1\ntime ${time}\n${body}`)), 8)
      expect(codeOf(() => verifyCosignature(witness.key, body, signed))).toBe('cosignature-invalid')
    }
  })

  it('is of a checkpoint and of nothing else', () => {
    for (const bad of [
      '',
      'text\n',
      `${body}extension\n`,
      body.replace('16', '016'),
      'cosignature/v1\n1\nx\n',
    ]) {
      expect(codeOf(() => witness.cosign(bad, 1))).toBe('checkpoint-malformed')
    }
  })
})

describe('one key in two roles', () => {
  const asLog = noteSigner('witness.example/w', signer)

  it('makes signatures that do not pass for each other', () => {
    const cosigned = payload(witness.cosign(body, 9))
    const signed = payload(asLog.sign(body))
    expect(codeOf(() => verifyCosignature(asLog.key, body, cosigned))).toBe('cosignature-invalid')
    expect(codeOf(() => verifyCosignature(witness.key, body, signed))).toBe('cosignature-invalid')
    const padded = Buffer.concat([Buffer.alloc(8), signed])
    expect(codeOf(() => verifyCosignature(witness.key, body, padded))).toBe('cosignature-invalid')
  })

  it('would make a cosignature by signing a text that looks like one, which is refused at both ends', () => {
    const confusing = `cosignature/v1\ntime 9\n${body}`
    // The bytes are the same ones: that is the confusion.
    const forged = Buffer.concat([Buffer.alloc(8), signer.sign(utf8Bytes(confusing))])
    forged.writeBigUInt64BE(9n)
    expect(verifyCosignature(witness.key, body, forged)).toBe(9)
    // So no key of type 0x01 signs such a text, and no log has such an origin.
    expect(codeOf(() => asLog.sign(confusing))).toBe('note-malformed')
    const root = merkleRoot(byteLeaves(16))
    expect(codeOf(() => formatCheckpointBody({ origin: 'cosignature/v1', size: 16, root }))).toBe(
      'checkpoint-malformed',
    )
  })
})
