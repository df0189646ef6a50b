import type { AccountRow } from '../../storage/store.js'
import type { Accounts, AccountsDesk, PasswordAttempt } from './desk.js'
import { AuthError } from '../errors.js'
import { foldLogin } from './logins.js'
import { assertPassword, hashPassword } from './passwords.js'

type Logins = Pick<Accounts, 'checkPassword' | 'changePassword'>

export function accountLogins(desk: AccountsDesk): Logins {
  const { verify, refuse } = openVerification(desk)
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
      const row = await verify(given)
      const { account, passwordHash: oldPasswordHash = '' } = row
      const passwordHash = await hashPassword(newPassword)
      const tokensBefore = Math.floor(desk.now() / 1000)
      // A one-time password that was traded meanwhile, or one that a recovery replaced, changes nothing any more.
      const change = { passwordHash, oldPasswordHash, tokensBefore }
      if (!(await desk.store.updateAccount(account, change))) return refuse(row)
      await desk.record(account, 'password.change', account)
      return account
    },
  }
}

/** The one place where a password is held against an account. Every outcome but `right` looks the same from outside. */
function openVerification({ store, verifier, lockout, recordFailure }: AccountsDesk) {
  const refuse = async (row: AccountRow | undefined): Promise<never> => {
    await recordFailure(row?.account)
    throw new AuthError('credentials-invalid', 'the login or the password is wrong')
  }
  const verify = async ({ login, password, address }: PasswordAttempt): Promise<AccountRow> => {
    const folded = foldLogin(login)
    const row = await store.readAccountByLogin(folded)
    const kept = row !== undefined && row.kind === 'person' && !row.disabled ? row.passwordHash : undefined
    const isRight = () => verifier.verify(kept, password)
    const right = await lockout.password({ login: folded, address }, isRight)
    if (!right || row === undefined) return refuse(row)
    // The check takes its time: a password that was replaced meanwhile, or an account that was disabled, is refused.
    const now = await store.readAccount(row.account)
    return now?.passwordHash === kept && !now?.disabled ? row : refuse(row)
  }
  return { verify, refuse }
}
