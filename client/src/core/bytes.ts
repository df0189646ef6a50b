import { sha256 as portableSha256 } from '@noble/hashes/sha2.js'
import { refuse } from './errors.js'
import { nodeCrypto } from './runtime.js'

const encoder = new TextEncoder()

/** Whether a string has no lone surrogate, so that it has exactly one UTF-8 form. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

/** UTF-8 of `text`. Throws `utf8-invalid` for lone surrogates, which encoders silently replace: two texts, one hash. */
export function utf8Bytes(text: string): Uint8Array {
  if (!isWellFormed(text)) refuse('utf8-invalid', 'the text has a lone surrogate')
  return encoder.encode(text)
}

/** One array with all parts in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Same length and same bytes. Not constant-time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}

/** Lexicographic order of unsigned bytes, a prefix first: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte] ?? ''
  return text
}

/** Inverse of {@link toHex}. Throws `digest-invalid` for upper case, odd length or anything else. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) refuse('digest-invalid', 'not lower-case hexadecimal')
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** SHA-256 (FIPS 180-4) of the parts one after the other; 32 bytes, synchronous on every runtime. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  const whole = first && parts.length === 1 ? first : concatBytes(...parts)
  return nodeCrypto ? new Uint8Array(nodeCrypto.hash('sha256', whole, 'buffer')) : portableSha256(whole)
}

/** SHA-256 of UTF-8 text, in hexadecimal: the hash of `utf8Bytes(text)`. Throws `utf8-invalid` as that does. */
export function sha256HexOfText(text: string): string {
  if (nodeCrypto === undefined) return toHex(sha256(utf8Bytes(text)))
  if (!isWellFormed(text)) refuse('utf8-invalid', 'the text has a lone surrogate')
  return nodeCrypto.hash('sha256', text, 'hex')
}

/** `length` bytes (at most 65536) from the runtime's cryptographic generator. */
export function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length))
}
