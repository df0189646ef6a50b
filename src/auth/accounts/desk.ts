import type { AccountRow, Role, Store } from '../../storage/store.js'
import type { NewCode } from './codes.js'
import type { RecordFailure } from './failures.js'
import type { Lockout } from './lockout.js'
import type { PasswordVerifier } from './passwords.js'
import type { ServiceRequest } from './services.js'

/** What a person typed, and where from. */
export interface PasswordAttempt {
  readonly login: string
  readonly password: string
  /** What the address is counted as (`addressKey`). */
  readonly address: string
}

/** People, service accounts, passwords and codes. What is refused is an AuthError; what happened is in the audit. */
export interface Accounts {
  /**
   * Whose login and password these are. Whatever is wrong (no such login, no person, no password, disabled, another
   * password) costs one password check, counts once, and gives `credentials-invalid`.
   * Also throws `locked` (with `retryAfter`), `busy`, `password-change-required`.
   */
  checkPassword(given: PasswordAttempt): Promise<AccountRow>
  /** The account whose password it now is; its sessions, grants and tokens are over. Also throws `password-invalid`. */
  changePassword(given: PasswordAttempt & { readonly newPassword: string }): Promise<string>
  /** Throws `account-invalid` for no roles. */
  invite(by: string, roles: readonly Role[]): Promise<NewCode>
  /** Throws `code-invalid`, `login-invalid`, `login-taken`, `password-invalid`, `locked`. */
  acceptInvitation(given: PasswordAttempt & { readonly code: string }): Promise<AccountRow>
  /** Throws `account-unknown`; `account-invalid` when there is no password to recover. */
  startRecovery(by: string, account: string): Promise<NewCode>
  /**
   * The account whose password it now is; its sessions, grants and tokens are over, and a lock-out is lifted. Throws
   * `code-invalid`, `password-invalid`, `locked`.
   */
  recover(given: {
    readonly code: string
    readonly password: string
    readonly address: string
  }): Promise<string>
  /** By name, after `after`. */
  list(limit: number, after?: string): Promise<AccountRow[]>
  /** Throws `account-unknown`, as does all that follows. */
  read(account: string): Promise<AccountRow>
  /** Throws `last-admin`. */
  setRoles(by: string, account: string, roles: readonly Role[]): Promise<AccountRow>
  /** Throws `last-admin`. Disabling also ends what the account is logged in with. */
  setDisabled(by: string, account: string, disabled: boolean): Promise<AccountRow>
  /** Ends every session, grant and token, those of this very second included. */
  signOut(by: string, account: string): Promise<AccountRow>
  /** Throws `account-taken`, `account-invalid`, `account-unknown` (the owner). */
  createService(by: string, request: ServiceRequest): Promise<AccountRow>
}

/** What the parts of this room work with. */
export interface AccountsDesk {
  readonly store: Store
  readonly verifier: PasswordVerifier
  readonly lockout: Lockout
  readonly now: () => number
  /** One audit record; `detail` without personal data. */
  readonly record: (by: string, action: string, target: string, detail?: object) => Promise<void>
  readonly recordFailure: RecordFailure
}
