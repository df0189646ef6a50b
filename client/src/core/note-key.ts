import { concatBytes, sha256, utf8Bytes } from './bytes.js'
import { assertEnrolledKey } from './ed25519.js'
import { refuse } from './errors.js'
import { type Signer, signerFromSeed } from './key.js'
import { decodeBase64, encodeBase64 } from './lexical.js'
import { recode } from './recode.js'

// C2SP signed-note v1.0.0: named keys. The id is a hint and part of the name, never evidence.

/** 1: Ed25519 over the text of a note. 4: Ed25519 cosignature with a time, over a checkpoint. */
export type NoteKeyType = 1 | 4

/** The public key of a log, a witness or a root key holder. */
export interface VerifierKey {
  readonly name: string
  /** First four bytes of SHA-256(name || LF || type || key), as an unsigned number. */
  readonly keyId: number
  readonly type: NoteKeyType
  readonly publicKey: Uint8Array
}

/** A private key of a note, read from its text. */
export interface NotePrivateKey {
  readonly key: VerifierKey
  readonly signer: Signer
}

const MAX_KEY_TEXT = 2048

// The Unicode White_Space property is what Go tests; the \s of this language is another set.
const NOT_A_NAME = /[+\u0000-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/** Whether `name` can name a key: not empty, no `+`, no Unicode space, no control character of ASCII. */
export function isKeyName(name: string): boolean {
  return name !== '' && name.length <= MAX_KEY_TEXT && !NOT_A_NAME.test(name)
}

/** Throws `key-invalid` unless {@link isKeyName}. */
export function assertKeyName(name: string): void {
  if (!isKeyName(name)) refuse('key-invalid', 'not the name of a key', { name: name.slice(0, 80) })
}

/** The id of a key. */
export function noteKeyId(name: string, type: NoteKeyType, publicKey: Uint8Array): number {
  const hash = sha256(utf8Bytes(`${name}\n`), Uint8Array.of(type), publicKey)
  return readUint32(hash)
}

/** The four bytes at the start of `bytes`, big endian. */
export function readUint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
}

/**
 * Names a public key. Throws `key-invalid` for a bad name or a key that could not be enrolled (PROTOCOL 5).
 */
export function verifierKey(name: string, type: NoteKeyType, publicKey: Uint8Array): VerifierKey {
  assertKeyName(name)
  assertEnrolledKey(publicKey)
  return { name, keyId: noteKeyId(name, type, publicKey), type, publicKey }
}

/**
 * `name+id+base64(type || key)`, the text form of a public key. Throws `key-invalid` as {@link verifierKey}.
 */
export function formatVerifierKey(name: string, type: NoteKeyType, publicKey: Uint8Array): string {
  const { keyId } = verifierKey(name, type, publicKey)
  return `${name}+${formatKeyId(keyId)}+${encodeBase64(concatBytes(Uint8Array.of(type), publicKey))}`
}

/** Eight lower-case hexadecimal digits. */
export function formatKeyId(keyId: number): string {
  return keyId.toString(16).padStart(8, '0')
}

/**
 * Reads the text form of a public key. Throws `key-invalid` for another spelling, an id that is not the
 * key's, another algorithm than Ed25519, or a key that could not be enrolled.
 */
export function parseVerifierKey(vkey: string): VerifierKey {
  const { name, keyId, type, bytes } = parseKeyText(vkey)
  const key = verifierKey(name, type, bytes)
  if (key.keyId !== keyId) refuse('key-invalid', 'the id is not that of the key', { name })
  return key
}

interface KeyText {
  readonly name: string
  readonly keyId: number
  readonly type: NoteKeyType
  readonly bytes: Uint8Array
}

function parseKeyText(text: string): KeyText {
  if (text.length > MAX_KEY_TEXT) refuse('key-invalid', 'the text of the key is too long')
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text) ?? []
  if (name === undefined || id === undefined || encoded === undefined)
    refuse('key-invalid', 'not the text of a key')
  const decoded = recode('key-invalid', 'the text of the key', () => decodeBase64(encoded))
  const [type] = decoded
  if (decoded.length !== 33 || (type !== 1 && type !== 4)) {
    refuse('key-invalid', 'not an Ed25519 key of type 1 or 4', { name: name.slice(0, 80) })
  }
  return { name, keyId: Number.parseInt(id, 16), type, bytes: decoded.slice(1) }
}

const PRIVATE_PREFIX = 'PRIVATE+KEY+'

/**
 * The text form of a private key: `PRIVATE+KEY+name+id+base64(type || seed)`, with the id of the public key.
 * Looks like what it is, wherever it turns up. Throws `key-invalid` for a bad name or seed.
 */
export function formatPrivateKey(name: string, type: NoteKeyType, seed: Uint8Array): string {
  const { keyId } = verifierKey(name, type, signerFromSeed(seed).publicKey)
  return `${PRIVATE_PREFIX}${name}+${formatKeyId(keyId)}+${encodeBase64(concatBytes(Uint8Array.of(type), seed))}`
}

/** Inverse of {@link formatPrivateKey}. Throws `key-invalid`; the message never holds any of the text. */
export function parsePrivateKey(text: string): NotePrivateKey {
  if (!text.startsWith(PRIVATE_PREFIX)) refuse('key-invalid', 'not the text of a private key')
  const { name, keyId, type, bytes } = parseKeyText(text.slice(PRIVATE_PREFIX.length))
  const signer = signerFromSeed(bytes)
  const key = verifierKey(name, type, signer.publicKey)
  if (key.keyId !== keyId) refuse('key-invalid', 'the id is not that of the private key', { name })
  return { key, signer }
}

/** A signature line of a note, without LF: U+2014, name, base64(id || signature). */
export function formatSignatureLine(name: string, keyId: number, signature: Uint8Array): string {
  const id = new Uint8Array(4)
  new DataView(id.buffer).setUint32(0, keyId)
  return `\u2014 ${name} ${encodeBase64(concatBytes(id, signature))}`
}
