import { StoreError } from '../errors.js'
import { present, type Desk, type Queries } from './desk.js'
import { clientStore, dropRows } from './oauth.js'
import { openSweep } from './sweep.js'
import type { AccountChange, AccountRow, AccountStore, CodeRow, Role } from '../store.js'

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

const COLUMNS = `account, kind, login, roles, disabled, password_hash, password_once, owner, tokens_before,
  roles_at, issuer, sub, created_at`
const CODE_COLUMNS = 'hash, kind, account, roles, made_by, expires_at'

export type AccountReads = Pick<
  AccountStore,
  | 'readAccount'
  | 'readAccountByLogin'
  | 'readAccountBySubject'
  | 'listAccounts'
  | 'countAccounts'
  | 'readCode'
>

/** Reads of people and service accounts; `now` is POSIX milliseconds. */
export function accountReads(db: Queries, now: () => number): AccountReads {
  const one = async (condition: string, values: readonly string[]): Promise<AccountRow | undefined> => {
    const record = await db.get<AccountRecord>(`SELECT ${COLUMNS} FROM accounts WHERE ${condition}`, values)
    return record === undefined ? undefined : accountOf(record)
  }
  return {
    readAccount: (account) => one('account = $1', [account]),
    readAccountByLogin: (login) => one('login = $1', [login]),
    readAccountBySubject: (issuer, sub) => one('issuer = $1 AND sub = $2', [issuer, sub]),
    async listAccounts(limit, after = '') {
      const sql = `SELECT ${COLUMNS} FROM accounts WHERE account > $1 ORDER BY account LIMIT $2`
      return (await db.all<AccountRecord>(sql, [after, limit])).map(accountOf)
    },
    countAccounts: async () => (await db.get<{ n: number }>('SELECT count(*) AS n FROM accounts'))?.n ?? 0,
    async readCode(hash, kind) {
      const sql = `SELECT ${CODE_COLUMNS} FROM codes WHERE hash = $1 AND kind = $2 AND expires_at > $3`
      const record = await db.get<CodeRecord>(sql, [hash, kind, now()])
      return record === undefined ? undefined : codeOf(record)
    },
  }
}

/** People, service accounts, codes and clients. */
export function accountStore(desk: Desk): AccountStore {
  const { db, transaction, now } = desk
  return {
    ...accountReads(db, now),
    ...clientStore(desk),
    createAccount: (row) => createAccount(db, row),
    updateAccount: (account, change) => transaction((tx) => updateAccount(tx, account, change)),
    consumePassword: async (account, hash) =>
      !account.includes('\0') &&
      (await db.run(
        'UPDATE accounts SET password_hash = NULL, password_once = 0 WHERE account = $1 AND password_hash = $2',
        [account, hash],
      )) === 1,
    ...codeStore(desk),
  }
}

const SWEPT = { table: 'codes', key: 'hash', expires: 'expires_at', perSecond: 1000 } as const

type CodeStore = Pick<AccountStore, 'putCode' | 'redeemInvitation' | 'redeemRecovery'>

function codeStore({ db, transaction, now }: Desk): CodeStore {
  const sweep = openSweep(db, now, SWEPT)
  return {
    async putCode(row) {
      await sweep()
      await transaction((tx) => putCode(tx, row))
    },
    redeemInvitation: (hash, row) =>
      transaction(async (tx) => {
        // Whoever comes second waits here until the first one has the account, or has failed.
        if ((await takeCode(tx, hash, 'invitation', now())) === undefined) return false
        await createAccount(tx, row)
        return true
      }),
    redeemRecovery: (hash, passwordHash, tokensBefore) =>
      transaction(async (tx) => {
        await lockOwner(tx, hash)
        const account = (await takeCode(tx, hash, 'recovery', now()))?.account
        if (account == null) return undefined
        await updateAccount(tx, account, { passwordHash, tokensBefore })
        return account
      }),
  }
}

async function createAccount(db: Queries, row: AccountRow): Promise<void> {
  await db.run(
    `INSERT INTO accounts (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    columnsOf(row),
  )
}

const UPDATE = `UPDATE accounts SET roles = coalesce($1, roles), disabled = coalesce($2, disabled),
  password_hash = coalesce($3, password_hash), password_once = coalesce($4, password_once),
  tokens_before = coalesce($5, tokens_before), login = coalesce($6, login), roles_at = coalesce($9, roles_at)
  WHERE account = $7 AND password_hash IS NOT DISTINCT FROM coalesce($8, password_hash)
    AND coalesce(roles_at, 0) <= coalesce($9, roles_at, 0)`

async function updateAccount(tx: Queries, account: string, change: AccountChange): Promise<boolean> {
  // No account is called so, and the database could not even be asked.
  if (account.includes('\0')) return false
  const { roles, disabled, passwordHash, oldPasswordHash, tokensBefore, login, keepAdmin, rolesAt } = change
  if (keepAdmin === true) await lockAdmins(tx)
  const changed = await tx.run(UPDATE, [
    ...[roles === undefined ? null : JSON.stringify(roles), disabled === undefined ? null : Number(disabled)],
    ...[passwordHash ?? null, passwordHash === undefined ? null : 0, tokensBefore ?? null, login ?? null],
    ...[account, oldPasswordHash ?? null, rolesAt ?? null],
  ])
  if (changed !== 1) return false
  if (keepAdmin === true) await assertAdmin(tx)
  if (tokensBefore !== undefined) await dropRows(tx, 'account_id', account)
  if (disabled === true || passwordHash !== undefined) await dropRecoveries(tx, account)
  return true
}

const ADMINS = `FROM accounts WHERE disabled = 0 AND roles::jsonb @> '["admin"]'`

/**
 * Two who take the role from each other at once would each still count the other. So whoever might take one away holds
 * all of them first, in one order for everybody; a row that changed meanwhile is looked at again before it is held.
 */
async function lockAdmins(tx: Queries): Promise<void> {
  await tx.all(`SELECT account ${ADMINS} ORDER BY account FOR NO KEY UPDATE`)
}

async function assertAdmin(tx: Queries): Promise<void> {
  if ((await tx.get(`SELECT 1 AS is ${ADMINS} LIMIT 1`)) !== undefined) return
  throw new StoreError('last-admin', 'no account could administer the registry any more')
}

/** The account is held first, here as everywhere: two at once would each leave the code of the other. */
async function putCode(tx: Queries, row: CodeRow): Promise<void> {
  const { hash, kind, account, roles, by, expiresAt } = row
  if (account !== undefined) {
    await tx.get('SELECT account FROM accounts WHERE account = $1 FOR NO KEY UPDATE', [account])
    await dropRecoveries(tx, account)
  }
  const given = roles === undefined ? null : JSON.stringify(roles)
  await tx.run(`INSERT INTO codes (${CODE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)`, [
    ...[hash, kind, account ?? null, given, by, expiresAt],
  ])
}

/** Held before the code is, as by everybody else who needs both: nobody waits for each other in a circle. */
async function lockOwner(tx: Queries, hash: string): Promise<void> {
  const sql = `SELECT account FROM accounts
    WHERE account = (SELECT account FROM codes WHERE hash = $1) FOR NO KEY UPDATE`
  await tx.get(sql, [hash])
}

/** The one caller that deletes the row has it. */
function takeCode(
  tx: Queries,
  hash: string,
  kind: CodeRow['kind'],
  now: number,
): Promise<Pick<CodeRecord, 'account'> | undefined> {
  return tx.get('DELETE FROM codes WHERE hash = $1 AND kind = $2 AND expires_at > $3 RETURNING account', [
    ...[hash, kind, now],
  ])
}

async function dropRecoveries(tx: Queries, account: string): Promise<void> {
  await tx.run("DELETE FROM codes WHERE account = $1 AND kind = 'recovery'", [account])
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
