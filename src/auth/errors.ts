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
  | 'login-taken'
  | 'login-invalid'
  | 'password-invalid'
  /** The password was given out by somebody else: its owner chooses another before anything else. */
  | 'password-change-required'
  /** An invitation or recovery code that is unknown, used or expired. */
  | 'code-invalid'
  /** Too many wrong passwords or codes; `retryAfter` says when to come again. */
  | 'locked'
  /** Nobody could administer the registry any more. */
  | 'last-admin'
  | 'client-unknown'
  | 'client-invalid'
  | 'trusted-publisher-unknown'
  | 'trusted-publisher-invalid'
  | 'issuer-unreachable'
  /** The browser's login is over, or is not this browser's. */
  | 'interaction-gone'
  /** A token of trusted publishing at a route that is not for it. */
  | 'token-limited'
  /** The DPoP proof is missing, wrong or was seen before (RFC 9449). */
  | 'dpop-invalid'
  /** This route takes only tokens that are bound to a key. */
  | 'dpop-required'
  | 'busy'

export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthCode
  /** The scope a route asks for, when that is what was missing. */
  readonly scope: string | undefined
  /** Seconds, of `locked`. */
  readonly retryAfter: number | undefined

  constructor(
    code: AuthCode,
    message: string,
    options: { scope?: string; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.scope = options.scope
    this.retryAfter = options.retryAfter
  }
}

/** A key file that must not be used as it is; the operator can mend it. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
  readonly code = 'key-file-unusable'
}
