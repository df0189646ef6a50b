import { toHex, utf8Bytes } from './bytes.js'
import { canonicalize, parseCanonicalJson } from './canonical-json.js'
import { refuse } from './errors.js'
import { decodeKeyX } from './key.js'
import { parseDecimal } from './lexical.js'
import { isRegistryIdentity } from './name.js'
import { verifierKey, type VerifierKey } from './note-key.js'
import { openNote, parseNote } from './note.js'
import { recode } from './recode.js'
import type { TrustRoot } from './root.js'
import { isJsonObject, type JsonObject } from './strict-json.js'

export const HOST_POLICY_FORMAT = 'countersign/host-policy/v1'
/** A host policy, signed or not, in bytes. */
export const MAX_POLICY_BYTES = 64 * 1024

/** A policy for the hosts of a registry, as a note (PROTOCOL 13). Only {@link openPolicyNote} verifies signatures. */
export interface PolicyNote {
  /** The registry whose hosts it is for. */
  readonly identity: string
  /** Counts upwards; a host never goes back to a lower one. */
  readonly version: number
  /** The policy document, its members unchecked. */
  readonly body: JsonObject
  /** The signed text. */
  readonly text: string
  /** The whole note, as it arrived. */
  readonly note: string
}

/** Whether a served or kept policy is a note, or a plain document that nobody signed. */
export function isPolicyNote(input: string): boolean {
  return input.startsWith(`${HOST_POLICY_FORMAT}\n`)
}

/**
 * Splits a policy note. Verifies NO signature: see {@link openPolicyNote}.
 * @throws CountersignError `policy-malformed`, or the lexical code of a part
 */
export function parsePolicyNote(note: string): PolicyNote {
  if (utf8Bytes(note).length > MAX_POLICY_BYTES)
    refuse('input-too-large', `a host policy has at most ${MAX_POLICY_BYTES} bytes`)
  const { text } = parseNote(note)
  const [format, identity = '', version = '', line = '', end, ...more] = text.split('\n')
  if (format !== HOST_POLICY_FORMAT || end !== '' || more.length > 0)
    refuse('policy-malformed', `a signed host policy has four lines, the first ${HOST_POLICY_FORMAT}`)
  if (!isRegistryIdentity(identity)) refuse('policy-malformed', 'line 2 is no registry identity')
  const number = parseDecimal(version)
  if (number < 1) refuse('policy-malformed', 'the first version is 1')
  const body = parseCanonicalJson(line, { maxBytes: MAX_POLICY_BYTES, maxDepth: 4 })
  if (!isJsonObject(body)) refuse('policy-malformed', 'line 4 is no object')
  return { identity, version: number, body, text, note }
}

/** The text to be signed with `formatNote`: identity of the registry, version from 1 on, the document as JCS. */
export function formatPolicyText(identity: string, version: number, body: JsonObject): string {
  return `${HOST_POLICY_FORMAT}\n${identity}\n${version}\n${canonicalize(body)}\n`
}

/** The name under which an authority of a registry signs notes; its key stands in the trust root. */
export function authorityName(identity: string): string {
  return `${identity}/authority`
}

/** Who must sign a policy: the root's authorities, or its root keys where it names none. */
export function policyVerifiers(root: TrustRoot): {
  readonly keys: readonly VerifierKey[]
  readonly threshold: number
} {
  const { authorities, identity, rootVerifiers, threshold } = root
  if (authorities === undefined) return { keys: rootVerifiers, threshold }
  const name = authorityName(identity)
  return {
    keys: authorities.keys.map((x) => verifierKey(name, 1, decodeKeyX(x))),
    threshold: authorities.threshold,
  }
}

/**
 * Verifies a policy note: for this registry, signed by a threshold of those who may (PROTOCOL 13), keys counted by raw
 * bytes. Its members are checked by `checkHostPolicy`.
 * @throws CountersignError `policy-malformed`, `registry-mismatch`, `signature-invalid`, or a lexical code
 */
export function openPolicyNote(note: string, root: TrustRoot): PolicyNote {
  const policy = parsePolicyNote(note)
  if (policy.identity !== root.identity) {
    const detail = { expected: root.identity, found: policy.identity }
    refuse('registry-mismatch', 'the host policy is for the hosts of another registry', detail)
  }
  const { keys, threshold } = policyVerifiers(root)
  const { verified } = recode('signature-invalid', 'the host policy', () => openNote(note, keys))
  const distinct = new Set(verified.map(({ key }) => toHex(key.publicKey))).size
  if (distinct < threshold) {
    const detail = { signatures: distinct, threshold }
    refuse('signature-invalid', `${distinct} of ${threshold} signatures under the host policy`, detail)
  }
  return policy
}
