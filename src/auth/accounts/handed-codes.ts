import { randomBytes } from 'node:crypto'
import { StoreError } from '../../storage/errors.js'
import type { AccountRow, CodeRow, Role, Store } from '../../storage/store.js'
import type { Accounts, AccountsDesk } from './desk.js'
import { ADMIN } from './bootstrap.js'
import { codeHash, createInvitation, createRecovery } from './codes.js'
import { AuthError } from '../errors.js'
import { parseLogin } from './logins.js'
import { assertPassword, hashPassword } from './passwords.js'
import { ROLES } from '../scopes.js'
import { sortRoles } from './services.js'

/** Whoever runs the registry: no account, and no name that one can have. */
const OPERATOR = 'operator'

type Codes = Pick<Accounts, 'invite' | 'acceptInvitation' | 'startRecovery' | 'recover'>

/** Codes that an admin hands to a person, and what they buy, once. */
export function accountCodes(desk: AccountsDesk): Codes {
  const { store, now, record } = desk
  return {
    async invite(by, roles) {
      if (roles.length === 0) throw new AuthError('account-invalid', 'roles: an invitation gives a role')
      const code = await createInvitation(store, by, sortRoles(roles), now())
      await record(by, 'account.invite', nameOf(code.code), { roles: sortRoles(roles) })
      return code
    },
    acceptInvitation: (given) => acceptInvitation(desk, given),
    async startRecovery(by, account) {
      await readPerson(store, account)
      const code = await createRecovery(store, by, account, now())
      await record(by, 'account.recover', account)
      return code
    },
    recover: (given) => recover(desk, given),
  }
}

/** What the audit calls an invitation: enough to find it again, nothing that opens it. */
function nameOf(code: string): string {
  return `invitation:${codeHash(code).slice(0, 16)}`
}

async function acceptInvitation(
  desk: AccountsDesk,
  given: Parameters<Accounts['acceptInvitation']>[0],
): Promise<AccountRow> {
  const { store, now, record } = desk
  // The code comes first: without one, nobody learns which logins are taken or makes us hash.
  const { by, roles = [] } = await findCode(desk, given, 'invitation')
  const login = parseLogin(given.login)
  assertPassword(given.password, login)
  const passwordHash = await hashPassword(given.password)
  const row: AccountRow = {
    ...{ account: makeAccountId(), kind: 'person', login, roles, disabled: false },
    ...{ passwordHash, createdAt: now() },
  }
  if (!(await store.redeemInvitation(codeHash(given.code), row).catch(refuseTaken))) throw codeInvalid()
  const detail = { kind: row.kind, by, roles, invitation: nameOf(given.code) }
  await record(row.account, 'account.create', row.account, detail)
  return row
}

function refuseTaken(cause: unknown): never {
  if (!(cause instanceof StoreError) || cause.code !== 'duplicate') throw cause
  throw new AuthError('login-taken', 'login: somebody has this login already', { cause })
}

/** 80 random bits that say nothing about the person: the log keeps them for ever. */
function makeAccountId(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  return `u-${Array.from(randomBytes(16), (byte) => alphabet.charAt(byte & 31)).join('')}`
}

async function recover(desk: AccountsDesk, given: Parameters<Accounts['recover']>[0]): Promise<string> {
  const { store, lockout, now, record } = desk
  const { account = '' } = await findCode(desk, given, 'recovery')
  const { login } = await readPerson(store, account)
  assertPassword(given.password, login)
  const passwordHash = await hashPassword(given.password)
  const redeemed = await store.redeemRecovery(codeHash(given.code), passwordHash, Math.floor(now() / 1000))
  if (redeemed === undefined) throw codeInvalid()
  await lockout.forgive({ login, address: given.address })
  await record(account, 'password.change', account, { recovered: true })
  return account
}

async function findCode(
  { store, lockout, recordFailure }: AccountsDesk,
  { code, address }: { readonly code: string; readonly address: string },
  kind: CodeRow['kind'],
): Promise<CodeRow> {
  const row = await lockout.code(address, () => store.readCode(codeHash(code), kind))
  if (row !== undefined && (await isAdmin(store, row.by))) return row
  await recordFailure(row?.account)
  throw codeInvalid()
}

/** Whoever made a code still may: an admin that was dismissed has no way back in, nor one for others. */
async function isAdmin(store: Store, by: string): Promise<boolean> {
  if (by === OPERATOR) return true
  const row = await store.readAccount(by)
  return row?.disabled === false && row.roles.includes('admin')
}

function codeInvalid(): AuthError {
  return new AuthError('code-invalid', 'code: the code is wrong, used or expired')
}

/** Somebody who logs in here with a password. */
async function readPerson(store: Store, account: string): Promise<AccountRow & { readonly login: string }> {
  const row = await store.readAccount(account)
  if (row === undefined) throw new AuthError('account-unknown', 'account: there is no such account')
  const { login } = row
  if (row.kind !== 'person' || row.subject !== undefined || login === undefined) {
    throw new AuthError('account-invalid', 'account: it has no password here that could be recovered')
  }
  return { ...row, login }
}

/**
 * The operator's way back in when every password is lost, with the registry stopped: a recovery code. The account is
 * enabled again, and `admin` is an admin again.
 * @throws AuthError `account-unknown`; `account-invalid` when there is no password to recover
 */
export async function resetPassword(
  store: Store,
  account: string = ADMIN,
  now: number = Date.now(),
): Promise<string> {
  const { roles, disabled } = await readPerson(store, account)
  const back: readonly Role[] = account === ADMIN && !roles.includes('admin') ? ROLES : roles
  if (disabled || back !== roles) await store.updateAccount(account, { disabled: false, roles: back })
  const { code } = await createRecovery(store, OPERATOR, account, now)
  const detail = JSON.stringify({ enabled: disabled, roles: back })
  await store.addAuditRecord({
    at: now,
    account: OPERATOR,
    action: 'account.recover',
    target: account,
    detail,
  })
  return code
}
