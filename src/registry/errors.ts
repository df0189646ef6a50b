/** What the operator asked of a command that cannot be done; the message says what to do instead. */
export type OperatorCode =
  | 'file-unusable'
  | 'file-exists'
  | 'not-agreed'
  /** The registry has begun its log: a first root is for before. */
  | 'already-started'
  | 'not-started'
  /** Another process has the database. */
  | 'running'
  | 'root-malformed'
  /** The version before it is not given, or is not the one. */
  | 'previous-invalid'
  | 'root-key-unknown'
  | 'root-key-known'
  | 'threshold-invalid'
  | 'expires-invalid'
  | 'number-invalid'
  /** Under these limits hosts would find every answer stale. */
  | 'freshness-invalid'
  | 'name-invalid'
  /** The signed root is not the one that this recovery has begun with. */
  | 'recovery-mismatch'
  /** What is recovered from is no log of this registry. */
  | 'recovery-source'
  /** Signatures of offline root keys are needed before it goes on. */
  | 'recovery-unsigned'
  /** A recovery was begun and not finished: no start goes past it. */
  | 'recovery-begun'
  | 'log-damaged'
  /** An export of a registry whose keys are not here. */
  | 'other-registry'
  /** Other processes of this registry have other keys. */
  | 'other-keys'
  /** A database that was filled and never checked. */
  | 'import-unfinished'
  /** What is asked is not there on this engine; the message says what is. */
  | 'engine'

export class OperatorError extends Error {
  override readonly name = 'OperatorError'
  readonly code: OperatorCode

  constructor(code: OperatorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
