import type { Connection } from './connection.js'
import type { AccountRow, AuditRow, ClientRow, OAuthKeys, Role } from './store.js'

interface AccountRecord {
  account: string
  roles: string
  disabled: 0 | 1
  password_hash: string | null
}

interface ClientRecord {
  client_id: string
  account: string
  name: string
  secret_hash: string
  scopes: string
  disabled: 0 | 1
}

interface AuditRecord {
  id: number
  at: number
  account: string
  action: string
  target: string
  detail: string
  idx: number | null
}

export function accountReads(db: Connection) {
  const account = db.prepare<[string], AccountRecord>('SELECT * FROM accounts WHERE account = ?')
  const count = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM accounts')
  const client = db.prepare<[string], ClientRecord>('SELECT * FROM oauth_clients WHERE client_id = ?')
  const audit = db.prepare<[number, number], AuditRecord>(
    'SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?',
  )
  return {
    account: (name: string): AccountRow | undefined => {
      const record = account.get(name)
      return record === undefined ? undefined : accountOf(record)
    },
    count: (): number => count.get()?.n ?? 0,
    client: (id: string): ClientRow | undefined => {
      const record = client.get(id)
      return record === undefined ? undefined : clientOf(record)
    },
    audit: (limit: number, before = Number.MAX_SAFE_INTEGER) => audit.all(before, limit).map(auditOf),
  }
}

function accountOf({ account, roles, disabled, password_hash }: AccountRecord): AccountRow {
  return {
    ...{ account, roles: JSON.parse(roles) as Role[], disabled: disabled === 1 },
    ...(password_hash !== null && { passwordHash: password_hash }),
  }
}

function clientOf({ client_id, account, name, secret_hash, scopes, disabled }: ClientRecord): ClientRow {
  return {
    ...{ clientId: client_id, account, name, secretHash: secret_hash },
    ...{ scopes: JSON.parse(scopes) as string[], disabled: disabled === 1 },
  }
}

function auditOf({ idx, ...record }: AuditRecord): AuditRow & { id: number } {
  return { ...record, ...(idx !== null && { index: idx }) }
}

/** Writes of accounts and the audit trail; the caller holds the transaction. */
export function accountWrites(db: Connection) {
  const account = db.prepare(
    'INSERT INTO accounts (account, roles, disabled, password_hash) VALUES (?, ?, ?, ?)',
  )
  const consume = db.prepare(
    'UPDATE accounts SET password_hash = NULL WHERE account = ? AND password_hash = ?',
  )
  const client = db.prepare('INSERT INTO oauth_clients VALUES (?, ?, ?, ?, ?, ?)')
  const audit = db.prepare(
    'INSERT INTO audit (at, account, action, target, detail, idx) VALUES (?, ?, ?, ?, ?, ?)',
  )
  return {
    createAccount: (row: AccountRow): void =>
      void account.run(
        row.account,
        JSON.stringify(row.roles),
        Number(row.disabled),
        row.passwordHash ?? null,
      ),
    consumePassword: (name: string, hash: string): boolean => consume.run(name, hash).changes === 1,
    createClient: (row: ClientRow): void => {
      const { clientId, account: owner, name, secretHash, scopes, disabled } = row
      client.run(clientId, owner, name, secretHash, JSON.stringify(scopes), Number(disabled))
    },
    audit: (row: AuditRow): void =>
      void audit.run(row.at, row.account, row.action, row.target, row.detail, row.index ?? null),
  }
}

interface PayloadRecord {
  payload: string
}

const LIVE = '(expires_at IS NULL OR expires_at > ?)'

export function oauthReads(db: Connection, seconds: () => number) {
  const one = db.prepare<[string, string, number], PayloadRecord>(
    `SELECT payload FROM oauth WHERE model = ? AND id = ? AND ${LIVE}`,
  )
  const by = (column: string) =>
    db.prepare<[string, string, number], PayloadRecord>(
      `SELECT payload FROM oauth WHERE model = ? AND ${column} = ? AND ${LIVE}`,
    )
  const byKey = { uid: by('uid'), userCode: by('user_code'), grantId: by('grant_id') }
  return {
    read: (model: string, id: string): string | undefined => one.get(model, id, seconds())?.payload,
    readBy: (model: string, key: keyof OAuthKeys, value: string): string | undefined =>
      byKey[key].get(model, value, seconds())?.payload,
  }
}

export function oauthWrites(db: Connection, seconds: () => number) {
  const put = db.prepare('INSERT OR REPLACE INTO oauth VALUES (?, ?, ?, ?, ?, ?, ?)')
  const sweep = db.prepare('DELETE FROM oauth WHERE expires_at <= ?')
  const consume = db.prepare(
    "UPDATE oauth SET payload = json_set(payload, '$.consumed', ?) WHERE model = ? AND id = ?",
  )
  const drop = db.prepare('DELETE FROM oauth WHERE model = ? AND id = ?')
  const dropGrant = db.prepare('DELETE FROM oauth WHERE grant_id = ?')
  return {
    put: (model: string, id: string, payload: string, keys: OAuthKeys, expiresAt?: number): void => {
      sweep.run(seconds())
      const { uid = null, userCode = null, grantId = null } = keys
      put.run(model, id, payload, uid, userCode, grantId, expiresAt ?? null)
    },
    consume: (model: string, id: string, at: number): void => void consume.run(Math.trunc(at), model, id),
    delete: (model: string, id: string): void => void drop.run(model, id),
    deleteGrant: (grantId: string): void => void dropGrant.run(grantId),
  }
}
