import { equalBytes, isWellFormed } from './bytes.js'
import { refuse } from './errors.js'
import { decodeBase64, encodeBase64, formatDecimal, parseDecimal } from './lexical.js'
import { EMPTY_ROOT, HASH_BYTES } from './merkle.js'
import { recode } from './recode.js'

// C2SP tlog-checkpoint v1.0.0 without extension lines, which implementations disagree about: none made, none
// read.

/** The state of a log: its tree of `size` entries has this root. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

const MAX_ORIGIN_LENGTH = 1024
const MAX_BODY_LENGTH = MAX_ORIGIN_LENGTH + 64

/** The text a log signs: origin, size and root on a line each. Throws `checkpoint-malformed`. */
export function formatCheckpointBody({ origin, size, root }: Checkpoint): string {
  assertOrigin(origin)
  if (root.length !== HASH_BYTES) refuse('checkpoint-malformed', 'the root has not 32 bytes')
  // A size-0 checkpoint with another root would commit to nothing anyone can check.
  if ((size === 0) !== equalBytes(root, EMPTY_ROOT)) {
    refuse('checkpoint-malformed', 'the root of the empty tree belongs to size 0, and to no other', { size })
  }
  const decimal = recode('checkpoint-malformed', 'the size', () => formatDecimal(size))
  return `${origin}\n${decimal}\n${encodeBase64(root)}\n`
}

function assertOrigin(origin: string): void {
  const isLine = origin !== '' && origin.length <= MAX_ORIGIN_LENGTH && isWellFormed(origin)
  if (!isLine || /[\u0000-\u001f]/.test(origin)) refuse('checkpoint-malformed', 'not an origin')
  // A checkpoint of such a log could be read as the cosignature of another one's.
  if (origin.startsWith('cosignature/')) refuse('checkpoint-malformed', 'a reserved origin')
}

/**
 * Inverse of {@link formatCheckpointBody}. Throws `checkpoint-malformed` for every other spelling and for
 * extension lines.
 */
export function parseCheckpointBody(text: string): Checkpoint {
  if (text.length > MAX_BODY_LENGTH) refuse('checkpoint-malformed', 'the checkpoint is too long')
  const [origin, size, root, end, ...more] = text.split('\n')
  if (origin === undefined || size === undefined || root === undefined || end !== '' || more.length > 0) {
    refuse('checkpoint-malformed', 'a checkpoint has exactly three lines')
  }
  const checkpoint = recode('checkpoint-malformed', 'the checkpoint', () => ({
    origin,
    size: parseDecimal(size),
    root: decodeBase64(root),
  }))
  if (formatCheckpointBody(checkpoint) !== text)
    refuse('checkpoint-malformed', 'not the one spelling of a checkpoint')
  return checkpoint
}
