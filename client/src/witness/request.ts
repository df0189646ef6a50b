import {
  CountersignError,
  decodeBase64,
  formatCheckpointBody,
  EMPTY_ROOT,
  HASH_BYTES,
  MAX_PROOF_HASHES,
  openNote,
  parseCheckpointBody,
  parseDecimal,
  parseNote,
  parseText,
  type Checkpoint,
  type PinnedLog,
} from '../core/index.js'
import { decline, type WitnessCode } from './refusal.js'

/** Longest request that is read: proof, checkpoint and 64 signatures fit many times. */
export const MAX_REQUEST_BYTES = 128 * 1024

/** A request of `add-checkpoint`, taken apart; nothing in it is verified. */
export interface Submission {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  /** First line of the note: says which log's key to verify it with, and is believed for nothing else. */
  readonly origin: string
  readonly note: string
}

/** The checkpoint a pinned log signed, with the line that proves it in its one spelling. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly line: string
}

/** Steps 1 and 2 of add-checkpoint: old size, proof, and which log this is about. */
export function parseSubmission(body: Uint8Array): Submission {
  const text = recoded('request-malformed', 'the request is not text', () =>
    parseText(body, MAX_REQUEST_BYTES),
  )
  const end = text.indexOf('\n\n')
  const [first = '', ...hashes] = text.slice(0, Math.max(end, 0)).split('\n')
  if (end < 0 || !first.startsWith('old ')) decline('request-malformed', 'no old size and empty line')
  if (hashes.length > MAX_PROOF_HASHES) decline('request-malformed', 'too many hashes in the proof')
  const note = text.slice(end + 2)
  return {
    old: recoded('request-malformed', 'the old size', () => parseDecimal(first.slice('old '.length))),
    proof: hashes.map(parseHash),
    origin: note.slice(0, Math.max(note.indexOf('\n'), 0)),
    note,
  }
}

function parseHash(line: string): Uint8Array {
  const hash = recoded('request-malformed', 'a hash of the proof', () => decodeBase64(line))
  if (hash.length !== HASH_BYTES) decline('request-malformed', 'a hash of the proof has not 32 bytes')
  return hash
}

/** Steps 3 and 4: the log signed this text, and it is a checkpoint of that log. */
export function openSubmission({ note }: Submission, log: PinnedLog): SignedCheckpoint {
  // Pad bits are tolerated so that a damaged signature is told from a malformed note; `line` is re-encoded.
  const parsed = recoded('note-malformed', 'invalid input: not a signed note', () =>
    parseNote(note, { tolerantPadBits: true }),
  )
  // No other key is known here: a line in our own name is a stranger's, and is dropped like one.
  const { text, verified } = recoded('signature-invalid', 'invalid signature of the log', () =>
    openNote(parsed, [log.key]),
  )
  const checkpoint = recoded('checkpoint-malformed', 'invalid checkpoint', () => parseBody(text))
  const [signature] = verified
  if (signature === undefined || checkpoint.origin !== log.origin)
    decline('checkpoint-malformed', 'invalid checkpoint: another origin')
  return { checkpoint, line: signature.line }
}

/** As the core reads it, but an empty tree with a wrong root is told from what is malformed. */
function parseBody(text: string): Checkpoint {
  const [origin = '', size, root = ''] = text.split('\n')
  if (size !== '0') return parseCheckpointBody(text)
  const bytes = decodeBase64(root)
  const body = formatCheckpointBody({ origin, size: 0, root: EMPTY_ROOT })
  const isSpelled = text === `${origin}\n0\n${root}\n` && bytes.length === HASH_BYTES
  return isSpelled ? { ...parseCheckpointBody(body), root: bytes } : parseCheckpointBody(text)
}

/** A refusal of the core becomes the witness's own, with a message that says no more than its name. */
function recoded<T>(code: WitnessCode, message: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    if (cause instanceof CountersignError) decline(code, message, { cause })
    throw cause
  }
}
