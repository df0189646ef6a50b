import { utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import { MAX_ENVELOPE_BYTES } from './envelope.js'
import { decodeBase64, encodeBase64 } from './lexical.js'
import { refuse } from './errors.js'
import { MAX_EVENT_BYTES } from './event.js'
import { checkShape, list, literal, mismatch, object, optional, text, whole, type Check } from './shape.js'
import { parseStrictJson } from './strict-json.js'

export const BUNDLE_FORMAT = 'countersign/bundle/v1'
/** A bundle, in bytes: the envelope and the events with their proofs. */
export const MAX_BUNDLE_BYTES = MAX_ENVELOPE_BYTES + 1024 * 1024
const MAX_PROOF = 63
/** A publisher who endorses a new key each month, each by the one before, is at it for twenty years. */
const MAX_EVENTS = 256

/** A leaf, where it stands, and its inclusion proof at the bundle's checkpoint or at a frozen log's final tree. */
export interface ProvenLeaf {
  /** Origin of the frozen log it stands in; absent: the log of the bundle's checkpoint. */
  readonly log?: string
  /** Within its log. */
  readonly index: number
  readonly event: string
  readonly proof: readonly Uint8Array[]
}

/** The static evidence for one version (PROTOCOL 9). Nothing in it needs to be believed. */
export interface Bundle {
  readonly format: typeof BUNDLE_FORMAT
  readonly registry: string
  readonly envelope: string
  /** The note of the checkpoint that the proofs of all leaves without `log` lead to. */
  readonly checkpoint: string
  /** The key chain from the namespace event on, the publish event, the approve event, in log order. */
  readonly events: readonly ProvenLeaf[]
}

const hash: Check<Uint8Array> = (value, where) => {
  const bytes = typeof value === 'string' && value.length === 44 ? decodeBase64(value) : new Uint8Array()
  if (bytes.length !== 32) mismatch(where, 'must be a hash, base64 of 32 bytes')
  return bytes
}

/** A Merkle proof: at most 63 hashes, base64 with padding. */
export const proofShape = list(hash, 0, MAX_PROOF)
/** A leaf's text, at most 4 KiB. */
export const leafShape = text(2, MAX_EVENT_BYTES)

const SHAPE = object({
  format: literal(BUNDLE_FORMAT),
  registry: text(1, 128),
  envelope: text(1, MAX_ENVELOPE_BYTES),
  checkpoint: text(1, 256 * 1024),
  events: list(
    object({ log: optional(text(1, 255)), index: whole(), event: leafShape, proof: proofShape }),
    3,
    MAX_EVENTS,
  ),
})

/**
 * Parses a bundle's shape; proves nothing. Indexes ascend strictly within a log, so no leaf is counted twice; that the
 * logs follow each other as the trust root says is for who has the root.
 * @throws CountersignError `bundle-malformed`, `input-too-large` or a `json-…` code
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const value = parseStrictJson(bytes, { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 6 })
  const bundle = checkShape(SHAPE, value, 'bundle-malformed', 'bundle')
  for (let i = 1; i < bundle.events.length; i++) {
    const [before, leaf] = [bundle.events[i - 1], bundle.events[i]]
    if (before?.log === leaf?.log && (before?.index ?? 0) >= (leaf?.index ?? 0)) {
      refuse('bundle-malformed', 'the events of a bundle ascend strictly')
    }
  }
  return bundle
}

/** The bytes of a bundle: JCS. */
export function formatBundle(bundle: Bundle): Uint8Array {
  return utf8Bytes(
    canonicalize({
      ...bundle,
      events: bundle.events.map((leaf) => ({ ...leaf, proof: leaf.proof.map(encodeBase64) })),
    }),
  )
}
