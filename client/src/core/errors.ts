/** What a host concludes about an item, a server or a registry. The closed list of PROTOCOL 15. */
export type VerdictCode =
  | 'verified'
  // withheld
  | 'unknown-server'
  | 'unlisted-tool'
  | 'definition-changed'
  | 'duplicate-name'
  | 'malformed-tool'
  | 'limit-exceeded'
  | 'not-listed'
  | 'frozen'
  | 'slot-mismatch'
  | 'instructions-changed'
  | 'prompt-changed'
  // who signed, and for what
  | 'signature-invalid'
  | 'key-unknown'
  | 'key-revoked'
  | 'namespace-mismatch'
  | 'registry-mismatch'
  | 'version-mismatch'
  | 'expired'
  // what the log proves
  | 'proof-invalid'
  | 'checkpoint-invalid'
  | 'quorum-not-met'
  | 'equivocation'
  | 'rollback'
  | 'root-expired'
  | 'root-outdated'
  | 'clock-skew'
  // how fresh
  | 'stale'
  | 'registry-unreachable'
  // what was decided
  | 'pending'
  | 'rejected'
  | 'withdrawn'
  | 'revoked'
  // what the host's own policy and memory say
  | 'consent-required'
  | 'name-confusable'
  | 'name-shadowed'
  | 'artifact-mismatch'
  | 'launch-changed'
  | 'scope-missing'
  | 'schema-violation'
  | 'policy-denied'

/** Input that is not the one spelling its format allows. */
export type FormatCode =
  | 'input-too-large'
  | 'utf8-invalid'
  | 'decimal-invalid'
  | 'base64-invalid'
  | 'digest-invalid'
  | 'json-malformed'
  | 'json-duplicate-member'
  | 'json-too-deep'
  | 'json-lone-surrogate'
  | 'json-number-inexact'
  | 'json-not-canonical'
  | 'name-invalid'
  | 'version-invalid'
  | 'key-invalid'
  | 'envelope-malformed'
  | 'signature-malformed'
  | 'manifest-invalid'
  | 'event-invalid'
  | 'note-malformed'
  | 'note-signature-invalid'
  | 'note-unverified'
  | 'checkpoint-malformed'
  | 'cosignature-invalid'
  | 'policy-malformed'
  | 'proof-malformed'
  | 'proof-mismatch'
  | 'tile-path-invalid'
  | 'root-malformed'
  | 'root-unsigned'
  | 'snapshot-malformed'
  | 'bundle-malformed'
  | 'status-malformed'
  | 'slot-invalid'

/** Something around the protocol went wrong: the command line, the disk, the network. */
export type OperationCode =
  | 'usage'
  | 'io'
  | 'registry-error'
  | 'registry-refused'
  | 'not-logged-in'
  | 'capture-failed'
  | 'memory-locked'
  | 'memory-corrupt'

/** Every code a {@link CountersignError} can carry. Codes are stable; messages are for people and may change. */
export type ErrorCode = VerdictCode | FormatCode | OperationCode

/** The values that explain a failure. Never a secret, never more than the failure needs. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** The one error class of this package. Decide on `code`; show `message`; keep `detail` as evidence. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError'
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.detail = detail
  }
}

/**
 * Refuses input: throws a {@link CountersignError}. A function declaration, so that the compiler knows that
 * nothing after a call is reached.
 */
export function refuse(code: ErrorCode, message: string, detail?: ErrorDetail): never {
  throw new CountersignError(code, message, detail)
}
