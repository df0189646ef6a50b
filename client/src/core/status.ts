import { utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import { leafShape, proofShape } from './bundle.js'
import { encodeBase64 } from './lexical.js'
import { checkShape, literal, object, optional, text } from './shape.js'
import { parseStrictJson } from './strict-json.js'

export const STATUS_FORMAT = 'countersign/status/v1'
/** A status document, in bytes: a note with at most 64 cosignatures, and one proof. */
export const MAX_STATUS_BYTES = 512 * 1024

/** A snapshot as the last entry of a tree; its index is the tree's size minus one. */
export interface ProvenSnapshot {
  readonly event: string
  readonly proof: readonly Uint8Array[]
}

/**
 * A newer tree that the log signed and no quorum has cosigned yet. Good for refusing more, never for allowing anything
 * (PROTOCOL 7).
 */
export interface Denials {
  /** The note with the log's signature alone. */
  readonly checkpoint: string
  readonly snapshot: ProvenSnapshot
}

/** The one small object that moves: what is current, and which revocation list (PROTOCOL 9). */
export interface Status {
  readonly format: typeof STATUS_FORMAT
  readonly registry: string
  /** The newest published checkpoint's note with its cosignatures. */
  readonly checkpoint: string
  readonly snapshot: ProvenSnapshot
  /** While revocations wait for the quorum. */
  readonly denials?: Denials
}

const snapshot = object({ event: leafShape, proof: proofShape })
const checkpoint = text(1, 256 * 1024)
const SHAPE = object({
  format: literal(STATUS_FORMAT),
  registry: text(1, 128),
  checkpoint,
  snapshot,
  denials: optional(object({ checkpoint, snapshot })),
})

/**
 * Parses a status document's shape; proves nothing.
 * @throws CountersignError `status-malformed`, `input-too-large` or a `json-…` code
 */
export function parseStatus(bytes: Uint8Array): Status {
  const value = parseStrictJson(bytes, { maxBytes: MAX_STATUS_BYTES, maxDepth: 6 })
  return checkShape(SHAPE, value, 'status-malformed', 'status')
}

/** The bytes of a status document: JCS. */
export function formatStatus(status: Status): Uint8Array {
  const { snapshot, denials, ...rest } = status
  const encoded = ({ event, proof }: ProvenSnapshot) => ({ event, proof: proof.map(encodeBase64) })
  return utf8Bytes(
    canonicalize({
      ...rest,
      snapshot: encoded(snapshot),
      ...(denials && { denials: { ...denials, snapshot: encoded(denials.snapshot) } }),
    }),
  )
}
