import type { Connection } from './connection.js'
import { present } from './desk.js'
import { StoreError } from '../errors.js'
import type { AccountChange, AccountRow, CodeRow, Role } from '../store.js'

interface AccountRecord {
  account: string
  kind: AccountRow['kind']
  login: string | null
  roles: string
  disabled: 0 | 1
  password_hash: string | null
  password_once: 0 | 1
  owner: string | null
  tokens_before: number | null
  roles_at: number | null
  issuer: string | null
  sub: string | null
  created_at: number
}

interface CodeRecord {
  hash: string
  kind: CodeRow['kind']
  account: string | null
  roles: string | null
  made_by: string
  expires_at: number
}

/** Reads of people and service accounts, on whichever connection; `now` is POSIX milliseconds. */
export function accountReads(db: Connection, now: () => number) {
  const by = (condition: string) =>
    db.prepare<string[], AccountRecord>(`SELECT * FROM accounts WHERE ${condition}`)
  const one = by('account = ?')
  const login = by('login = ?')
  const subject = by('issuer = ? AND sub = ?')
  const list = db.prepare<[string, number], AccountRecord>(
    'SELECT * FROM accounts WHERE account > ? ORDER BY account LIMIT ?',
  )
  const count = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM accounts')
  const code = db.prepare<[string, string, number], CodeRecord>(
    'SELECT * FROM codes WHERE hash = ? AND kind = ? AND expires_at > ?',
  )
  return {
    account: (name: string): AccountRow | undefined => optional(one.get(name), accountOf),
    byLogin: (name: string): AccountRow | undefined => optional(login.get(name), accountOf),
    bySubject: (issuer: string, sub: string): AccountRow | undefined =>
      optional(subject.get(issuer, sub), accountOf),
    list: (limit: number, after = ''): AccountRow[] => list.all(after, limit).map(accountOf),
    count: (): number => count.get()?.n ?? 0,
    code: (hash: string, kind: CodeRow['kind']): CodeRow | undefined =>
      optional(code.get(hash, kind, now()), codeOf),
  }
}

function optional<R, T>(record: R | undefined, of: (record: R) => T): T | undefined {
  return record === undefined ? undefined : of(record)
}

function accountOf(record: AccountRecord): AccountRow {
  const { account, kind, issuer, sub } = record
  return {
    ...{ account, kind, roles: JSON.parse(record.roles) as Role[], disabled: record.disabled === 1 },
    ...present({ login: record.login, passwordHash: record.password_hash, owner: record.owner }),
    ...present({ tokensBefore: record.tokens_before, rolesAt: record.roles_at }),
    ...(record.password_once === 1 && { passwordOnce: true }),
    ...(issuer !== null && sub !== null && { subject: { issuer, sub } }),
    createdAt: record.created_at,
  }
}

function codeOf({ hash, kind, account, roles, made_by, expires_at }: CodeRecord): CodeRow {
  return {
    ...{ hash, kind, by: made_by, expiresAt: expires_at },
    ...present({ account }),
    ...(roles !== null && { roles: JSON.parse(roles) as Role[] }),
  }
}

/** Writes of people and service accounts; the caller holds the transaction. */
export function accountWrites(db: Connection, now: () => number) {
  const insert = db.prepare(`INSERT INTO accounts (account, kind, login, roles, disabled, password_hash,
    password_once, owner, tokens_before, roles_at, issuer, sub, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const consume = db.prepare(
    'UPDATE accounts SET password_hash = NULL, password_once = 0 WHERE account = ? AND password_hash = ?',
  )
  const signOut = db.prepare('DELETE FROM oauth WHERE account_id = ?')
  const update = accountUpdate(db)
  const codes = codeWrites(db, now)

  const createAccount = (row: AccountRow): void => void insert.run(...columnsOf(row))
  const updateAccount = (account: string, change: AccountChange): boolean => {
    if (!update(account, change)) return false
    if (change.tokensBefore !== undefined) signOut.run(account)
    if (change.disabled === true || change.passwordHash !== undefined) codes.dropRecoveries(account)
    return true
  }
  return {
    createAccount,
    updateAccount,
    consumePassword: (name: string, hash: string): boolean => consume.run(name, hash).changes === 1,
    putCode: codes.put,
    redeemInvitation: (hash: string, row: AccountRow): boolean => {
      if (codes.take(hash, 'invitation') === undefined) return false
      createAccount(row)
      return true
    },
    redeemRecovery: (hash: string, passwordHash: string, tokensBefore: number): string | undefined => {
      const account = codes.take(hash, 'recovery')?.account
      if (account == null) return undefined
      updateAccount(account, { passwordHash, tokensBefore })
      return account
    },
  }
}

function accountUpdate(db: Connection): (account: string, change: AccountChange) => boolean {
  const update = db.prepare(`UPDATE accounts SET roles = coalesce(?, roles), disabled = coalesce(?, disabled),
    password_hash = coalesce(?, password_hash), password_once = coalesce(?, password_once),
    tokens_before = coalesce(?, tokens_before), login = coalesce(?, login), roles_at = coalesce(?, roles_at)
    WHERE account = ? AND password_hash IS coalesce(?, password_hash)
      AND coalesce(roles_at, 0) <= coalesce(?, roles_at, 0)`)
  const admins = db.prepare<[], { n: number }>(
    `SELECT count(*) AS n FROM accounts, json_each(accounts.roles)
     WHERE disabled = 0 AND json_each.value = 'admin'`,
  )
  return (account, change) => {
    const { roles, disabled, passwordHash, oldPasswordHash, tokensBefore, login, keepAdmin, rolesAt } = change
    const { changes } = update.run(
      roles === undefined ? null : JSON.stringify(roles),
      disabled === undefined ? null : Number(disabled),
      passwordHash ?? null,
      passwordHash === undefined ? null : 0,
      tokensBefore ?? null,
      login ?? null,
      rolesAt ?? null,
      account,
      oldPasswordHash ?? null,
      rolesAt ?? null,
    )
    if (changes === 1 && keepAdmin === true && admins.get()?.n === 0) {
      throw new StoreError('last-admin', 'no account could administer the registry any more')
    }
    return changes === 1
  }
}

function codeWrites(db: Connection, now: () => number) {
  const sweep = db.prepare('DELETE FROM codes WHERE expires_at <= ?')
  const dropRecoveries = db.prepare("DELETE FROM codes WHERE account = ? AND kind = 'recovery'")
  const put = db.prepare(
    'INSERT INTO codes (hash, kind, account, roles, made_by, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const take = db.prepare<[string, string, number], { account: string | null }>(
    'DELETE FROM codes WHERE hash = ? AND kind = ? AND expires_at > ? RETURNING account',
  )
  return {
    put: ({ hash, kind, account, roles, by, expiresAt }: CodeRow): void => {
      sweep.run(now())
      if (account !== undefined) dropRecoveries.run(account)
      put.run(hash, kind, account ?? null, roles === undefined ? null : JSON.stringify(roles), by, expiresAt)
    },
    take: (hash: string, kind: CodeRow['kind']) => take.get(hash, kind, now()),
    dropRecoveries: (account: string): void => void dropRecoveries.run(account),
  }
}

function columnsOf(row: AccountRow): (string | number | null)[] {
  return [
    ...[row.account, row.kind, row.login ?? null, JSON.stringify(row.roles), Number(row.disabled)],
    ...[row.passwordHash ?? null, Number(row.passwordOnce === true), row.owner ?? null],
    ...[
      row.tokensBefore ?? null,
      row.rolesAt ?? null,
      row.subject?.issuer ?? null,
      row.subject?.sub ?? null,
      row.createdAt,
    ],
  ]
}
