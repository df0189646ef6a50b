import { type Checkpoint, parseCheckpointBody } from './checkpoint.js'
import { refuse } from './errors.js'
import { openNote, type OpenedNote } from './note.js'
import type { VerifierKey } from './note-key.js'

/** The log a caller means: both halves are pinned, neither follows from the other. */
export interface PinnedLog {
  readonly origin: string
  readonly key: VerifierKey
}

/** A cosignature that verified: who had seen the checkpoint, and when (POSIX seconds). */
export interface Cosignature {
  readonly key: VerifierKey
  readonly timestamp: number
}

/** A checkpoint whose log signature verified. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly cosignatures: readonly Cosignature[]
  readonly note: OpenedNote
}

/**
 * Opens the checkpoint of a pinned log. Throws what {@link openNote} and {@link parseCheckpointBody} throw,
 * and `checkpoint-invalid` when the pinned key did not sign or the origin is another log's. Whether the
 * cosignatures are enough is for a policy to say.
 */
export function openCheckpoint(
  note: string | Uint8Array,
  log: PinnedLog,
  cosigners: readonly VerifierKey[] = [],
): OpenedCheckpoint {
  const opened = openNote(note, [log.key, ...cosigners])
  if (!opened.verified.some(({ key }) => key === log.key)) {
    refuse('checkpoint-invalid', 'the log did not sign the checkpoint', { origin: log.origin })
  }
  const checkpoint = parseCheckpointBody(opened.text)
  // Keys do not say which log they sign for: the origin is compared on its own.
  if (checkpoint.origin !== log.origin) {
    refuse('checkpoint-invalid', 'the checkpoint is of another log', { origin: checkpoint.origin })
  }
  const cosignatures = opened.verified.flatMap(({ key, timestamp }) =>
    timestamp === undefined ? [] : [{ key, timestamp }],
  )
  return { checkpoint, cosignatures, note: opened }
}
