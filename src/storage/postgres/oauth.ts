import { present, type Desk, type Queries } from './desk.js'
import { openSweep } from './sweep.js'
import type { AccountStore, ClientRow, OAuthKeys, OAuthStore } from '../store.js'

interface ClientRecord {
  client_id: string
  account: string | null
  name: string
  auth_method: ClientRow['authMethod']
  secret_hash: string | null
  jwks: string | null
  redirect_uris: string
  grant_types: string
  scopes: string
  disabled: 0 | 1
  created_at: number
}

type ClientStore = Pick<AccountStore, 'createClient' | 'readClient' | 'listClients' | 'disableClient'>

const COLUMNS = `client_id, account, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scopes,
  disabled, created_at`
const LIST = `SELECT ${COLUMNS} FROM oauth_clients
  WHERE client_id > $1 AND ($2::text IS NULL OR account = $2) ORDER BY client_id LIMIT $3`

/** OAuth clients. */
export function clientStore({ db }: Pick<Desk, 'db'>): ClientStore {
  return {
    async createClient(row) {
      await db.run(
        `INSERT INTO oauth_clients (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        columnsOf(row),
      )
    },
    async readClient(clientId) {
      const sql = `SELECT ${COLUMNS} FROM oauth_clients WHERE client_id = $1`
      const record = await db.get<ClientRecord>(sql, [clientId])
      return record === undefined ? undefined : clientOf(record)
    },
    async listClients(limit, after = '', account) {
      return (await db.all<ClientRecord>(LIST, [after, account ?? null, limit])).map(clientOf)
    },
    disableClient: async (clientId, disabled) =>
      !clientId.includes('\0') &&
      (await db.run('UPDATE oauth_clients SET disabled = $1 WHERE client_id = $2', [
        Number(disabled),
        clientId,
      ])) === 1,
  }
}

function clientOf(record: ClientRecord): ClientRow {
  return {
    ...{ clientId: record.client_id, name: record.name, authMethod: record.auth_method },
    ...present({ account: record.account, secretHash: record.secret_hash, jwks: record.jwks }),
    redirectUris: JSON.parse(record.redirect_uris) as string[],
    grantTypes: JSON.parse(record.grant_types) as string[],
    scopes: JSON.parse(record.scopes) as string[],
    ...{ disabled: record.disabled === 1, createdAt: record.created_at },
  }
}

function columnsOf(row: ClientRow): (string | number | null)[] {
  return [
    ...[row.clientId, row.account ?? null, row.name, row.authMethod, row.secretHash ?? null],
    ...[row.jwks ?? null, JSON.stringify(row.redirectUris), JSON.stringify(row.grantTypes)],
    ...[JSON.stringify(row.scopes), Number(row.disabled), row.createdAt],
  ]
}

interface PayloadRecord {
  payload: string
}

const SWEPT = { table: 'oauth', key: 'model, id', expires: 'expires_at', perSecond: 1 } as const

const KEYS: Readonly<Record<keyof OAuthKeys, string>> = {
  uid: 'uid',
  userCode: 'user_code',
  grantId: 'grant_id',
  accountId: 'account_id',
}

const PUT = `INSERT INTO oauth (model, id, payload, uid, user_code, grant_id, account_id, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, uid = excluded.uid,
    user_code = excluded.user_code, grant_id = excluded.grant_id, account_id = excluded.account_id,
    expires_at = excluded.expires_at`

const READ = 'SELECT payload FROM oauth WHERE model = $1 AND (expires_at IS NULL OR expires_at > $2)'

/** The rows behind the authorization server's adapter. */
export function oauthStore({ db, transaction, now, seconds }: Desk): OAuthStore {
  const sweep = openSweep(db, now, SWEPT)
  const readBy = async (model: string, column: string, value: string): Promise<string | undefined> =>
    (await db.get<PayloadRecord>(`${READ} AND ${column} = $3 LIMIT 1`, [model, seconds(), value]))?.payload
  return {
    async putOAuth(model, id, payload, keys, expiresAt) {
      await sweep()
      const { uid = null, userCode = null, grantId = null, accountId = null } = keys
      await db.run(PUT, [model, id, payload, uid, userCode, grantId, accountId, expiresAt ?? null])
    },
    readOAuth: (model, id) => readBy(model, 'id', id),
    readOAuthBy: (model, key, value) => readBy(model, KEYS[key], value),
    consumeOAuth: (model, id, at) =>
      transaction(async (tx) => {
        const sql = 'SELECT payload FROM oauth WHERE model = $1 AND id = $2 FOR UPDATE'
        const record = await tx.get<PayloadRecord>(sql, [model, id])
        if (record === undefined) return
        // Not in SQL: its JSON has no NUL, and what a stranger put into a login's parameters may.
        const payload = { ...(JSON.parse(record.payload) as object), consumed: Math.trunc(at) }
        await tx.run('UPDATE oauth SET payload = $1 WHERE model = $2 AND id = $3', [
          ...[JSON.stringify(payload), model, id],
        ])
      }),
    async deleteOAuth(model, id) {
      await db.run('DELETE FROM oauth WHERE model = $1 AND id = $2', [model, id])
    },
    deleteOAuthGrant: (grantId) => dropRows(db, 'grant_id', grantId),
    deleteOAuthAccount: (accountId) => dropRows(db, 'account_id', accountId),
  }
}

/** In one order for everybody: two who delete some of the same rows never wait for each other. */
export async function dropRows(db: Queries, column: 'grant_id' | 'account_id', value: string): Promise<void> {
  const held = `SELECT model, id FROM oauth WHERE ${column} = $1 ORDER BY model, id FOR UPDATE`
  await db.run(`DELETE FROM oauth WHERE (model, id) IN (${held})`, [value])
}
