/** Why a caller is not let in, or not that far. A closed list; the HTTP room maps each to a status. */
export type AuthCode =
  | 'token-missing'
  | 'token-invalid'
  | 'account-disabled'
  | 'scope-missing'
  | 'role-missing'
  | 'credentials-invalid'
  | 'account-unknown'
  | 'account-taken'
  | 'account-invalid'
  | 'busy'

export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthCode
  /** The scope a route asks for, when that is what was missing. */
  readonly scope: string | undefined

  constructor(code: AuthCode, message: string, options: { scope?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.scope = options.scope
  }
}

/** A key file that must not be used as it is; the operator can mend it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
  readonly code = 'key-file-unusable'
}
