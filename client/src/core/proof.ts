import { parseCheckpointBody } from './checkpoint.js'
import { refuse } from './errors.js'
import { decodeBase64, encodeBase64, formatDecimal, parseDecimal, parseText } from './lexical.js'
import { HASH_BYTES, inclusionCoords, MAX_PROOF_HASHES, verifyInclusion } from './merkle.js'
import { MAX_NOTE_BYTES, parseNote } from './note.js'
import type { VerifierKey } from './note-key.js'
import { recode } from './recode.js'
import { openCheckpoint, type OpenedCheckpoint, type PinnedLog } from './signed-checkpoint.js'

// C2SP tlog-proof@v1: an entry's index, its inclusion proof and the checkpoint it leads to, as one text.

/** What a proof file says. Nothing in it is known until {@link verifyTlogProof}. */
export interface TlogProof {
  /** Bytes of the application that nothing authenticates. */
  readonly extra?: Uint8Array
  readonly index: number
  readonly hashes: readonly Uint8Array[]
  /** The signed note, as received. */
  readonly checkpoint: string
}

/** Longest proof file read. */
export const MAX_TLOG_PROOF_BYTES = 2 * MAX_NOTE_BYTES

const HEADER = 'c2sp.org/tlog-proof@v1\n'

/** The text of a proof. Throws `decimal-invalid` for an index out of range. */
export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const extraLine = extra === undefined ? '' : `extra ${encodeBase64(extra)}\n`
  const hashLines = hashes.map((hash) => `${encodeBase64(hash)}\n`).join('')
  return `${HEADER}${extraLine}index ${formatDecimal(index)}\n${hashLines}\n${checkpoint}`
}

/**
 * Reads a proof. Throws `input-too-large`, `utf8-invalid`, what {@link parseNote} and
 * {@link parseCheckpointBody} throw for its checkpoint, and `proof-malformed` for another spelling or another number
 * of hashes than index and size ask for.
 */
export function parseTlogProof(proof: string | Uint8Array): TlogProof {
  const text = readProofText(proof)
  if (!text.startsWith(HEADER)) refuse('proof-malformed', 'not a proof of this format')
  // The first empty line ends the proof; the checkpoint has empty lines of its own.
  const end = text.indexOf('\n\n', HEADER.length)
  if (end < 0) refuse('proof-malformed', 'the proof has no checkpoint')
  const parsed = {
    ...parseProofLines(text.slice(HEADER.length, end).split('\n')),
    checkpoint: text.slice(end + 2),
  }
  assertShape(parsed)
  if (formatTlogProof(parsed) !== text) refuse('proof-malformed', 'not the one spelling of a proof')
  return parsed
}

function readProofText(proof: string | Uint8Array): string {
  if (proof.length > MAX_TLOG_PROOF_BYTES) refuse('input-too-large', 'the proof is too large')
  return typeof proof === 'string' ? proof : parseText(proof, MAX_TLOG_PROOF_BYTES)
}

function parseProofLines(lines: readonly string[]): Omit<TlogProof, 'checkpoint'> {
  const [first] = lines
  const hasExtra = first?.startsWith('extra ') === true
  const [indexLine, ...hashLines] = hasExtra ? lines.slice(1) : lines
  if (indexLine?.startsWith('index ') !== true || hashLines.length > MAX_PROOF_HASHES) {
    refuse('proof-malformed', 'the proof has no index line, or too many hashes')
  }
  return recode('proof-malformed', 'the proof', () => ({
    ...(hasExtra ? { extra: decodeBase64(first.slice('extra '.length)) } : {}),
    index: parseDecimal(indexLine.slice('index '.length)),
    hashes: hashLines.map(parseHash),
  }))
}

function parseHash(line: string): Uint8Array {
  const hash = decodeBase64(line)
  if (hash.length !== HASH_BYTES) refuse('proof-malformed', 'a hash has 32 bytes', { bytes: hash.length })
  return hash
}

function assertShape({ index, hashes, checkpoint }: TlogProof): void {
  const { size } = parseCheckpointBody(parseNote(checkpoint).text)
  const expected = inclusionCoords(index, size).length
  if (hashes.length !== expected) {
    refuse('proof-malformed', 'the proof has another number of hashes', { expected, found: hashes.length })
  }
}

/**
 * Proves that the entry with this leaf hash is in the log. Compute `leaf` from what the application knows; an
 * entry that came with the proof proves only itself. Throws what {@link openCheckpoint} throws, and
 * `proof-mismatch` when the entry is not the one at this index. Whether the cosignatures returned are enough
 * is for a policy to say.
 */
export function verifyTlogProof(
  proof: TlogProof,
  leaf: Uint8Array,
  log: PinnedLog,
  cosigners: readonly VerifierKey[] = [],
): OpenedCheckpoint {
  const opened = openCheckpoint(proof.checkpoint, log, cosigners)
  const { size, root } = opened.checkpoint
  verifyInclusion(proof.index, size, leaf, proof.hashes, root)
  return opened
}
