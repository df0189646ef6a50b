export type StoreErrorCode =
  /** Another process holds this database. */
  | 'locked'
  /** The state row is not what the batch was built on. */
  | 'lost-race'
  /** COMMIT failed: whether it happened is known only by reading again. */
  | 'commit-unknown'
  /** Another process's batch has not ended in time. */
  | 'busy'
  /** The database cannot be reached, or ended the connection: what was asked may not have happened. */
  | 'unavailable'
  | 'not-initialised'
  | 'already-initialised'
  | 'duplicate'
  | 'constraint'
  /** A change would leave nobody who can administer the registry. */
  | 'last-admin'
  | 'limit'
  /** A batch used after its end, or appended to twice. */
  | 'misuse'
  | 'migration-changed'
  | 'migration-unknown'
  | 'migration-malformed'
  | 'closed'
  | 'io'

/** Every failure of the cellar; `code` is stable, the message is for the operator. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
