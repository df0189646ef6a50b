import { utf8Bytes } from './bytes.js'
import { verifyStrict } from './ed25519.js'
import { CountersignError, refuse } from './errors.js'
import { keyThumbprint, type Signer } from './key.js'
import { decodeBase64url, type Digest, digestOf, digestOfText, encodeBase64url } from './lexical.js'

/** What a signature is for: the `typ` of its header. */
export type EnvelopeType =
  | 'countersign-manifest+json'
  | 'countersign-key-event+json'
  | 'countersign-decision+json'
  | 'countersign-namespace-proof+json'

/** Largest envelope, as text and so in bytes: 6 MiB (PROTOCOL 4). */
export const MAX_ENVELOPE_BYTES = 6 * 1024 * 1024

// PROTOCOL 5: a compact JWS (RFC 7515) with one possible header for each key and type. Nothing in a header is ever
// interpreted; it is compared. So there is no algorithm to confuse, no crit, no b64, no embedded key.

/**
 * A compact JWS over exactly these bytes. Throws `input-too-large`, `envelope-malformed` for no bytes at all, and
 * `signature-invalid` when the signer does not sign with the key it names.
 */
export function signEnvelope(type: EnvelopeType, payload: Uint8Array, signer: Signer): string {
  if (payload.length === 0) refuse('envelope-malformed', 'an envelope has a payload')
  const body = encodeBase64url(payload)
  const jws = `${headerPart(type, signer.kid)}.${body}.${signaturePart(type, body, signer)}`
  if (jws.length > MAX_ENVELOPE_BYTES) tooLarge()
  return jws
}

/**
 * The kid an envelope names, its header checked byte for byte. UNVERIFIED: good for choosing among keys the log
 * gives, for nothing else. Throws `envelope-malformed` or `input-too-large`.
 */
export function readEnvelopeKid(jws: string, type: EnvelopeType): string {
  return readKid(splitEnvelope(jws), type)
}

/**
 * The payload bytes that `publicKey` signed as this `type`; nothing of them is parsed before the signature holds.
 * Throws `envelope-malformed` for any other form than the one {@link signEnvelope} writes, `input-too-large`,
 * and `signature-invalid` when the envelope is by another key or the signature does not hold.
 */
export function verifyEnvelope(jws: string, type: EnvelopeType, publicKey: Uint8Array): Uint8Array {
  const parts = splitEnvelope(jws)
  const payload = decodePart(parts.body)
  verifyParts(parts, type, publicKey)
  return payload
}

/** A detached compact JWS (RFC 7515 appendix F), `header..signature`. Throws as {@link signEnvelope} does. */
export function signDetached(type: EnvelopeType, payload: Uint8Array, signer: Signer): string {
  return `${headerPart(type, signer.kid)}..${signaturePart(type, encodeBase64url(payload), signer)}`
}

/** {@link readEnvelopeKid} for a detached signature. UNVERIFIED. */
export function readDetachedKid(jws: string, type: EnvelopeType): string {
  return readKid(splitDetached(jws), type)
}

/** Returns when `publicKey` signed exactly `payload` as this `type`. Throws as {@link verifyEnvelope} does. */
export function verifyDetached(
  jws: string,
  type: EnvelopeType,
  payload: Uint8Array,
  publicKey: Uint8Array,
): void {
  const parts = splitDetached(jws)
  const body = encodeBase64url(payload)
  verifyParts({ ...parts, body, signed: `${parts.header}.${body}` }, type, publicKey)
}

/** The digest that names a manifest: SHA-256 of its payload bytes. */
export function manifestDigest(payload: Uint8Array): Digest {
  return digestOf(payload)
}

/** The digest that names an envelope: SHA-256 of the compact JWS in ASCII. */
export function envelopeDigest(jws: string): Digest {
  return digestOfText(jws)
}

interface Parts {
  readonly header: string
  readonly body: string
  readonly signature: string
  /** What is signed (RFC 7515 5.1): header and body with the full stop between them. */
  readonly signed: string
}

function headerPart(type: EnvelopeType, kid: string): string {
  return encodeBase64url(utf8Bytes(`{"alg":"Ed25519","kid":"${kid}","typ":"${type}"}`))
}

function signaturePart(type: EnvelopeType, body: string, signer: Signer): string {
  const input = utf8Bytes(`${headerPart(type, signer.kid)}.${body}`)
  const signature = signer.sign(input)
  // A signer that answers for another key is found here, not by the first stranger who verifies.
  const itsKey = signer.kid === keyThumbprint(signer.publicKey)
  if (!itsKey || !verifyStrict(signer.publicKey, input, signature)) {
    refuse('signature-invalid', 'the signer does not sign with the key it names', { kid: signer.kid })
  }
  return encodeBase64url(signature)
}

function splitEnvelope(jws: string): Parts {
  const parts = split(jws)
  if (parts.body === '') refuse('envelope-malformed', 'the envelope has no payload')
  return parts
}

function splitDetached(jws: string): Parts {
  const parts = split(jws)
  if (parts.body !== '') refuse('envelope-malformed', 'a detached signature carries no payload')
  return parts
}

function split(jws: string): Parts {
  if (jws.length > MAX_ENVELOPE_BYTES) tooLarge()
  const first = jws.indexOf('.')
  const last = jws.lastIndexOf('.')
  const [header, body, signature] = [jws.slice(0, first), jws.slice(first + 1, last), jws.slice(last + 1)]
  if (first < 1 || last === first || signature === '' || body.includes('.')) {
    return refuse('envelope-malformed', 'a compact envelope has three parts')
  }
  return { header, body, signature, signed: jws.slice(0, last) }
}

function tooLarge(): never {
  return refuse('input-too-large', 'the envelope is too large', { maxBytes: MAX_ENVELOPE_BYTES })
}

/** A part that is not base64url is a malformed envelope, whatever the decoder calls it. */
function decodePart(part: string): Uint8Array {
  try {
    return decodeBase64url(part)
  } catch (cause) {
    throw new CountersignError('envelope-malformed', 'a part is not strict base64url', {}, { cause })
  }
}

const KID = /^\{"alg":"Ed25519","kid":"([A-Za-z0-9_-]{43})"/

function readKid({ header }: Parts, type: EnvelopeType): string {
  // The kid is 43 characters, so every header of a type has one length: nothing long is decoded.
  const expected = headerPart(type, 'A'.repeat(43)).length
  const text = header.length === expected ? new TextDecoder().decode(decodePart(header)) : ''
  const kid = KID.exec(text)?.[1]
  if (kid === undefined || headerPart(type, kid) !== header) {
    return refuse('envelope-malformed', 'the protected header is not the one of this type', { type })
  }
  return kid
}

function verifyParts(parts: Parts, type: EnvelopeType, publicKey: Uint8Array): void {
  const kid = readKid(parts, type)
  const expected = keyThumbprint(publicKey)
  if (parts.signature.length !== 86) refuse('envelope-malformed', 'an Ed25519 signature has 64 bytes')
  const signature = decodePart(parts.signature)
  if (kid !== expected) refuse('signature-invalid', 'the envelope is by another key', { kid, expected })
  if (!verifyStrict(publicKey, utf8Bytes(parts.signed), signature)) {
    refuse('signature-invalid', 'the signature does not hold', { kid })
  }
}
