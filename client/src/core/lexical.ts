import { fromHex, sha256, toHex } from './bytes.js'
import { CountersignError, refuse } from './errors.js'
import { nodeBuffer } from './runtime.js'

// PROTOCOL 1: one spelling of each value. Decoders format again and compare.

/** Largest input any parser of this package takes unless told otherwise: 6 MiB. */
export const MAX_INPUT_BYTES = 6 * 1024 * 1024

// ignoreBOM keeps the mark in the text: a decoder that drops it makes the text differ from what was signed.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const ascii = new TextDecoder()

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

interface Alphabet {
  readonly codes: Uint8Array
  readonly values: Int16Array
  readonly padded: boolean
}

function alphabet(last: string, padded: boolean): Alphabet {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789' + last
  const codes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0))
  const values = new Int16Array(128).fill(-1)
  codes.forEach((code, value) => (values[code] = value))
  return { codes, values, padded }
}

const STANDARD = alphabet('+/', true)
const URL_SAFE = alphabet('-_', false)
const PAD = 61

function encode(bytes: Uint8Array, letters: Alphabet): string {
  if (nodeBuffer === undefined) return encodePortably(bytes, letters)
  const native = nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return native.toString(letters.padded ? 'base64' : 'base64url')
}

function encodePortably(bytes: Uint8Array, { codes, padded }: Alphabet): string {
  const full = Math.ceil((bytes.length * 4) / 3)
  const out = new Uint8Array(padded ? Math.ceil(bytes.length / 3) * 4 : full).fill(PAD)
  for (let i = 0, o = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let shift = 18; shift >= 0 && o < full; shift -= 6) out[o++] = codes[(group >> shift) & 63] ?? PAD
  }
  return ascii.decode(out)
}

function decode(text: string, letters: Alphabet): Uint8Array {
  // Node's decoder takes anything; the comparison leaves one text for each sequence of bytes.
  const bytes =
    nodeBuffer === undefined
      ? decodePortably(text, letters)
      : new Uint8Array(nodeBuffer.from(text, letters.padded ? 'base64' : 'base64url'))
  if (encode(bytes, letters) !== text) refuse('base64-invalid', 'not the canonical base64 of its bytes')
  return bytes
}

function decodePortably(text: string, letters: Alphabet): Uint8Array {
  const digits = letters.padded ? text.replace(/={1,2}$/, '') : text
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let held = 0
  let bits = 0
  let o = 0
  for (let i = 0; i < digits.length; i++) {
    const value = letters.values[digits.charCodeAt(i)] ?? -1
    if (value < 0) refuse('base64-invalid', 'a character outside the base64 alphabet', { at: i })
    held = ((held << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[o++] = held >> bits
    }
  }
  // Wrong padding, wrong length and non-zero pad bits: the caller compares.
  return bytes
}

/** Base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return encode(bytes, STANDARD)
}

/** Inverse of {@link encodeBase64}. Throws `base64-invalid` for every other spelling, pad bits included. */
export function decodeBase64(text: string): Uint8Array {
  return decode(text, STANDARD)
}

/** Base64 for URLs without padding (RFC 4648 section 5), as JOSE uses it. */
export function encodeBase64url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE)
}

/** Inverse of {@link encodeBase64url}. Throws `base64-invalid` for every other spelling, pad bits included. */
export function decodeBase64url(text: string): Uint8Array {
  return decode(text, URL_SAFE)
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

/** The 32 bytes a {@link Digest} names. Throws `digest-invalid`. */
export function digestBytes(digest: Digest): Uint8Array {
  return fromHex(parseDigest(digest).slice('sha256:'.length))
}
