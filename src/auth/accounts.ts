import type { Store } from '../storage/store.js'
import { accountAdministration } from './accounts/administration.js'
import type { Accounts, AccountsDesk } from './accounts/desk.js'
import { openFailureRecord } from './accounts/failures.js'
import { accountCodes } from './accounts/handed-codes.js'
import { openLockout, type LockoutLimits } from './accounts/lockout.js'
import { accountLogins } from './accounts/login.js'
import type { PasswordVerifier } from './accounts/passwords.js'

export type { Accounts, PasswordAttempt } from './accounts/desk.js'
export { resetPassword } from './accounts/handed-codes.js'
export type { NewCode } from './accounts/codes.js'
export type { ServiceRequest } from './accounts/services.js'

export interface AccountsOptions {
  readonly store: Store
  readonly verifier: PasswordVerifier
  /** Milliseconds. */
  readonly now: () => number
  readonly lockoutLimits?: LockoutLimits
}

export function openAccounts({ store, verifier, now, lockoutLimits }: AccountsOptions): Accounts {
  const desk: AccountsDesk = {
    ...{ store, verifier, now, lockout: openLockout(store, lockoutLimits) },
    recordFailure: openFailureRecord({ store, now }),
    record: (account, action, target, detail = {}) =>
      store.addAuditRecord({ at: now(), account, action, target, detail: JSON.stringify(detail) }),
  }
  return { ...accountLogins(desk), ...accountCodes(desk), ...accountAdministration(desk) }
}
