import { fromHex, sha256, sha256HexOfText, toHex } from './bytes.js'
import { CountersignError, refuse } from './errors.js'
import { nodeBuffer } from './runtime.js'

// PROTOCOL 1: one spelling of each value. Decoders format again and compare.

/** Largest input any parser of this package takes unless told otherwise: 6 MiB. */
export const MAX_INPUT_BYTES = 6 * 1024 * 1024

// ignoreBOM keeps the mark in the text: a decoder that drops it makes the text differ from what was signed.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Bytes to text. Throws `input-too-large`, or `utf8-invalid` for malformed UTF-8 and for a byte order mark. */
export function parseText(bytes: Uint8Array, maxBytes: number = MAX_INPUT_BYTES): string {
  if (bytes.length > maxBytes) refuse('input-too-large', 'the input is too large', { maxBytes })
  const text = decodeUtf8(bytes)
  if (text.startsWith('\ufeff')) refuse('utf8-invalid', 'the text starts with a byte order mark')
  return text
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new CountersignError('utf8-invalid', 'the bytes are not UTF-8', {}, { cause })
  }
}

/** A non-negative safe integer in decimal without sign, leading zeros or exponent. Throws `decimal-invalid`. */
export function parseDecimal(text: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value))
    refuse('decimal-invalid', 'not a decimal number', { text: text.slice(0, 40) })
  return value
}

/** Inverse of {@link parseDecimal}. Throws `decimal-invalid` for anything but a non-negative safe integer. */
export function formatDecimal(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) refuse('decimal-invalid', 'not a non-negative safe integer')
  return String(value)
}

type Variant = 'base64' | 'base64url'

function encode(bytes: Uint8Array, variant: Variant): string {
  if (nodeBuffer === undefined) return encodePortably(bytes, variant)
  return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(variant)
}

function encodePortably(bytes: Uint8Array, variant: Variant): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  const text = btoa(binary)
  if (variant === 'base64') return text
  return text
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/={1,2}$/, '')
}

function decode(text: string, variant: Variant): Uint8Array {
  // Both decoders take more than one spelling; the comparison leaves one text for each sequence of bytes.
  const bytes =
    nodeBuffer === undefined ? decodePortably(text, variant) : new Uint8Array(nodeBuffer.from(text, variant))
  if (encode(bytes, variant) !== text) refuse('base64-invalid', 'not the canonical base64 of its bytes')
  return bytes
}

function decodePortably(text: string, variant: Variant): Uint8Array {
  const standard = variant === 'base64' ? text : text.replaceAll('-', '+').replaceAll('_', '/')
  try {
    return Uint8Array.from(atob(standard), (char) => char.charCodeAt(0))
  } catch (cause) {
    throw new CountersignError('base64-invalid', 'a character outside the base64 alphabet', {}, { cause })
  }
}

/** Base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return encode(bytes, 'base64')
}

/** Inverse of {@link encodeBase64}. Throws `base64-invalid` for every other spelling, pad bits included. */
export function decodeBase64(text: string): Uint8Array {
  return decode(text, 'base64')
}

/** Base64 for URLs without padding (RFC 4648 section 5), as JOSE uses it. */
export function encodeBase64url(bytes: Uint8Array): string {
  return encode(bytes, 'base64url')
}

/** Inverse of {@link encodeBase64url}. Throws `base64-invalid` for every other spelling, pad bits included. */
export function decodeBase64url(text: string): Uint8Array {
  return decode(text, 'base64url')
}

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = `sha256:${string}`

/** Whether `value` is a {@link Digest}. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
}

/** The text as a {@link Digest}. Throws `digest-invalid`. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) refuse('digest-invalid', 'not a sha256 digest', { text: text.slice(0, 80) })
  return text
}

/** SHA-256 of the bytes as a {@link Digest}. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${toHex(sha256(bytes))}`
}

/** SHA-256 of the text's UTF-8 as a {@link Digest}. Throws `utf8-invalid` for a lone surrogate. */
export function digestOfText(text: string): Digest {
  return `sha256:${sha256HexOfText(text)}`
}

/** The 32 bytes a {@link Digest} names. Throws `digest-invalid`. */
export function digestBytes(digest: Digest): Uint8Array {
  return fromHex(parseDigest(digest).slice('sha256:'.length))
}
