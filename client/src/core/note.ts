import { isWellFormed, utf8Bytes } from './bytes.js'
import { verifyCosignature } from './cosignature.js'
import { verifyStrict } from './ed25519.js'
import { refuse } from './errors.js'
import type { Signer } from './key.js'
import { decodeBase64, parseText } from './lexical.js'
import { formatSignatureLine, isKeyName, readUint32, type VerifierKey, verifierKey } from './note-key.js'
import { recode } from './recode.js'

export * from './note-key.js'

// C2SP signed-note v1.0.0. Everything here works on the text as received; nothing is formatted again to be
// verified.

/** Longest note read: 256 KiB. */
export const MAX_NOTE_BYTES = 256 * 1024

/** Most signature lines of a note. */
export const MAX_NOTE_SIGNATURES = 64

/** One signature line. Nothing is known about it until {@link openNote} has verified it. */
export interface NoteSignature {
  readonly name: string
  readonly keyId: number
  /** The signature without the four bytes of the key id. */
  readonly signature: Uint8Array
  /** The whole line in its one spelling, without LF. */
  readonly line: string
}

/** A note split into text and signatures, unverified: never act on this text, see {@link openNote}. */
export interface ParsedNote {
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A verified signature; `timestamp` (POSIX seconds) for cosignatures. */
export interface VerifiedSignature {
  readonly key: VerifierKey
  readonly timestamp?: number
  readonly line: string
}

/** What {@link openNote} proved. */
export interface OpenedNote {
  readonly text: string
  /** At least one, each by another key, in the order of the note. */
  readonly verified: readonly VerifiedSignature[]
  /** Lines of keys nobody asked about, kept so that the note can be handed on. */
  readonly unverified: readonly NoteSignature[]
}

/** Options of {@link parseNote}. */
export interface ParseNoteOptions {
  /**
   * Accept base64 of signatures whose unused pad bits are not zero. For witnesses alone, who must tell a bad
   * signature from a malformed note; `line` has the canonical spelling all the same.
   */
  readonly tolerantPadBits?: boolean
}

/** Someone who signs notes under a name. */
export interface NoteSigner {
  readonly name: string
  readonly key: VerifierKey
  /**
   * A whole signature line over `text`, without LF. Throws `note-malformed` for a text that cannot be a
   * note's.
   */
  sign(text: string): string
}

const LF = '\n'
const SEPARATOR = '\n\n'
// U+2014, name, base64: the name is checked by its own rule.
const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/

/**
 * Splits a note at its last empty line. Throws `input-too-large`, `utf8-invalid`, or `note-malformed` for a
 * text without final line feed, control characters, a line that is no signature line, or more than 64
 * signatures.
 */
export function parseNote(note: string | Uint8Array, options: ParseNoteOptions = {}): ParsedNote {
  const whole = readNoteText(note)
  // The text may have empty lines of its own: the separator is the last one.
  const end = whole.lastIndexOf(SEPARATOR)
  const lines = whole.slice(end + SEPARATOR.length)
  if (end < 0 || !lines.endsWith(LF)) refuse('note-malformed', 'the note has no signatures')
  const signatures = lines.slice(0, -1).split(LF)
  if (signatures.length > MAX_NOTE_SIGNATURES) refuse('note-malformed', 'the note has too many signatures')
  return {
    text: whole.slice(0, end + 1),
    signatures: signatures.map((line) => parseSignatureLine(line, options.tolerantPadBits === true)),
  }
}

function readNoteText(note: string | Uint8Array): string {
  // A text has at least as many bytes as it has code units.
  if (note.length > MAX_NOTE_BYTES)
    refuse('input-too-large', 'the note is too large', { maxBytes: MAX_NOTE_BYTES })
  const text = parseText(typeof note === 'string' ? utf8Bytes(note) : note, MAX_NOTE_BYTES)
  assertPlainText(text)
  return text
}

/** No control character of ASCII but the line feed. */
function assertPlainText(text: string): void {
  if (!isWellFormed(text) || /[\u0000-\u0009\u000b-\u001f]/.test(text)) {
    refuse('note-malformed', 'the note has a control character')
  }
}

function parseSignatureLine(line: string, tolerantPadBits: boolean): NoteSignature {
  const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? []
  if (name === undefined || encoded === undefined || !isKeyName(name)) {
    refuse('note-malformed', 'a line after the text is not a signature', { line: line.slice(0, 80) })
  }
  const canonical = tolerantPadBits ? clearPadBits(encoded) : encoded
  const bytes = recode('note-malformed', 'a signature', () => decodeBase64(canonical))
  if (bytes.length < 5) refuse('note-malformed', 'a signature is too short', { name })
  const keyId = readUint32(bytes)
  const signature = bytes.subarray(4)
  return { name, keyId, signature, line: formatSignatureLine(name, keyId, signature) }
}

/** The same base64 with the bits that stand for no byte set to zero. */
function clearPadBits(encoded: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const pads = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0
  if (pads === 0) return encoded
  const at = encoded.length - pads - 1
  const value = letters.indexOf(encoded.charAt(at))
  const unused = pads === 2 ? 16 : 4
  return encoded.slice(0, at) + letters.charAt(value - (value % unused)) + '='.repeat(pads)
}

/**
 * Verifies a note against known keys and returns its text only then. A line of a known key must verify, or
 * the whole note is refused; further lines of the same key are ignored, and so are lines of unknown keys.
 *
 * Throws what {@link parseNote} throws; `note-signature-invalid` or `cosignature-invalid` when a known key's
 * line does not verify; `note-unverified` when no known key signed; `policy-malformed` when two of
 * `verifiers` have the name and id of a line.
 *
 * @example
 * const { text, verified } = openNote(note, [parseVerifierKey(vkey)])
 */
export function openNote(
  note: string | Uint8Array | ParsedNote,
  verifiers: readonly VerifierKey[],
): OpenedNote {
  const { text, signatures } = typeof note === 'string' || note instanceof Uint8Array ? parseNote(note) : note
  const verified: VerifiedSignature[] = []
  const unverified: NoteSignature[] = []
  const seen = new Set<VerifierKey | string>()
  for (const signature of signatures) {
    const key = findVerifier(verifiers, signature)
    if (seen.has(key ?? signature.line)) continue
    seen.add(key ?? signature.line)
    if (key) verified.push(verifySignature(key, text, signature))
    else unverified.push(signature)
  }
  if (verified.length === 0) refuse('note-unverified', 'no known key signed the note')
  return { text, verified, unverified }
}

function findVerifier(
  verifiers: readonly VerifierKey[],
  { name, keyId }: NoteSignature,
): VerifierKey | undefined {
  const [found, other] = verifiers.filter((key) => key.keyId === keyId && key.name === name)
  // Which of the two is meant cannot be told: an error of the configuration, not of the note.
  if (other) refuse('policy-malformed', 'two known keys have the same name and id', { name })
  return found
}

function verifySignature(
  key: VerifierKey,
  text: string,
  { signature, line }: NoteSignature,
): VerifiedSignature {
  if (key.type === 4) return { key, timestamp: verifyCosignature(key, text, signature), line }
  if (!verifyStrict(key.publicKey, utf8Bytes(text), signature)) {
    refuse('note-signature-invalid', 'the signature of a known key is not valid', { name: key.name })
  }
  return { key, line }
}

/**
 * Puts a note together. Throws `note-malformed` unless parsing the result gives the same text and lines.
 *
 * @example
 * const note = formatNote(text, [signer.sign(text)])
 */
export function formatNote(text: string, lines: readonly string[]): string {
  const note = `${text}${LF}${lines.map((line) => line + LF).join('')}`
  const parsed = parseNote(note)
  const isSame = parsed.text === text && parsed.signatures.every(({ line }, i) => line === lines[i])
  if (!isSame || parsed.signatures.length !== lines.length)
    refuse('note-malformed', 'not a text and its signatures')
  return note
}

/** Signs notes with a key of type 0x01. Throws `key-invalid` for a name that cannot name a key. */
export function noteSigner(name: string, signer: Signer): NoteSigner {
  const key = verifierKey(name, 1, signer.publicKey)
  return {
    name,
    key,
    sign: (text) => {
      assertSignableText(text)
      return formatSignatureLine(name, key.keyId, signer.sign(utf8Bytes(text)))
    },
  }
}

function assertSignableText(text: string): void {
  assertPlainText(text)
  // Such a text signed with a key of type 0x01 is, byte for byte, a cosignature.
  if (!text.endsWith(LF) || text.startsWith('cosignature/'))
    refuse('note-malformed', 'not a text that can be signed')
}
