import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { AccountRow } from '../storage/store.js'
import type { Accounts, AccountsDesk, PasswordAttempt } from './accounts.js'
import { AuthError } from './errors.js'
import { foldLogin } from './logins.js'
import { assertPassword, hashPassword } from './passwords.js'

type Logins = Pick<Accounts, 'checkPassword' | 'changePassword'>

/** Failed logins that get an audit record of their own; a flood of more is one story, and must not fill the disk. */
const RECORDED_FAILURES = { points: 600, duration: 3600 }

export function accountLogins(desk: AccountsDesk): Logins {
  const verify = openVerification(desk)
  return {
    async checkPassword(given) {
      const row = await verify(given)
      if (row.passwordOnce === true) {
        throw new AuthError('password-change-required', 'this password is good for choosing another one')
      }
      await desk.record(row.account, 'login', row.account)
      return row
    },
    async changePassword({ newPassword, ...given }) {
      assertPassword(newPassword, foldLogin(given.login))
      if (newPassword === given.password) {
        throw new AuthError('password-invalid', 'newPassword: the new password is another one')
      }
      const { account } = await verify(given)
      const passwordHash = await hashPassword(newPassword)
      await desk.store.updateAccount(account, { passwordHash, tokensBefore: Math.floor(desk.now() / 1000) })
      await desk.record(account, 'password.change', account)
      return account
    },
  }
}

/** The one place where a password is held against an account. Every outcome but `right` looks the same from outside. */
function openVerification({ store, verifier, lockout, record }: AccountsDesk) {
  const recorded = new RateLimiterMemory(RECORDED_FAILURES)
  const refuse = async (row: AccountRow | undefined): Promise<never> => {
    // The same steps for a login that is nobody's: a missing write would tell as much as another answer.
    const account = row?.account ?? 'unknown'
    const isCounted = await recorded.consume('all').then(
      () => true,
      () => false,
    )
    if (isCounted) await record(account, 'login.failed', account)
    throw new AuthError('credentials-invalid', 'the login or the password is wrong')
  }
  return async ({ login, password, address }: PasswordAttempt): Promise<AccountRow> => {
    const folded = foldLogin(login)
    const row = await store.readAccountByLogin(folded)
    const kept = row !== undefined && row.kind === 'person' && !row.disabled ? row.passwordHash : undefined
    const isRight = () => verifier.verify(kept, password)
    const right = await lockout.password({ login: folded, address }, isRight)
    return right && row !== undefined ? row : refuse(row)
  }
}
