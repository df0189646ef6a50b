import type { Connection } from './connection.js'
import { present, type Desk } from './desk.js'
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

/** OAuth clients. */
export function clientStore({ reader, writer, read, write }: Desk): ClientStore {
  const one = reader.prepare<[string], ClientRecord>('SELECT * FROM oauth_clients WHERE client_id = ?')
  const list = reader.prepare<[string, number], ClientRecord>(
    'SELECT * FROM oauth_clients WHERE client_id > ? ORDER BY client_id LIMIT ?',
  )
  const listOf = reader.prepare<[string, string, number], ClientRecord>(
    'SELECT * FROM oauth_clients WHERE account = ? AND client_id > ? ORDER BY client_id LIMIT ?',
  )
  const insert =
    writer.prepare(`INSERT INTO oauth_clients (client_id, account, name, auth_method, secret_hash, jwks,
    redirect_uris, grant_types, scopes, disabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const disable = writer.prepare('UPDATE oauth_clients SET disabled = ? WHERE client_id = ?')
  return {
    createClient: (row) => write(() => void insert.run(...columnsOf(row))),
    readClient: (clientId) =>
      read(() => {
        const record = one.get(clientId)
        return record === undefined ? undefined : clientOf(record)
      }),
    listClients: (limit, after = '', account) =>
      read(() =>
        (account === undefined ? list.all(after, limit) : listOf.all(account, after, limit)).map(clientOf),
      ),
    disableClient: (clientId, disabled) => write(() => disable.run(Number(disabled), clientId).changes === 1),
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

/** The rows behind the authorization server's adapter. */
export function oauthStore({ reader, writer, read, write, seconds }: Desk): OAuthStore {
  const from = oauthReads(reader, seconds)
  const to = oauthWrites(writer, seconds)
  return {
    putOAuth: (model, id, payload, keys, expiresAt) =>
      write(() => to.put(model, id, payload, keys, expiresAt)),
    readOAuth: (model, id) => read(() => from.read(model, id)),
    readOAuthBy: (model, key, value) => read(() => from.readBy(model, key, value)),
    consumeOAuth: (model, id, at) => write(() => to.consume(model, id, at)),
    deleteOAuth: (model, id) => write(() => to.delete(model, id)),
    deleteOAuthGrant: (grantId) => write(() => to.deleteGrant(grantId)),
    deleteOAuthAccount: (accountId) => write(() => to.deleteAccount(accountId)),
  }
}

interface PayloadRecord {
  payload: string
}

const LIVE = '(expires_at IS NULL OR expires_at > ?)'

function oauthReads(db: Connection, seconds: () => number) {
  const one = db.prepare<[string, string, number], PayloadRecord>(
    `SELECT payload FROM oauth WHERE model = ? AND id = ? AND ${LIVE}`,
  )
  const by = (column: string) =>
    db.prepare<[string, string, number], PayloadRecord>(
      `SELECT payload FROM oauth WHERE model = ? AND ${column} = ? AND ${LIVE}`,
    )
  const byKey = {
    uid: by('uid'),
    userCode: by('user_code'),
    grantId: by('grant_id'),
    accountId: by('account_id'),
  }
  return {
    read: (model: string, id: string): string | undefined => one.get(model, id, seconds())?.payload,
    readBy: (model: string, key: keyof OAuthKeys, value: string): string | undefined =>
      byKey[key].get(model, value, seconds())?.payload,
  }
}

function oauthWrites(db: Connection, seconds: () => number) {
  const put = db.prepare(`INSERT OR REPLACE INTO oauth
    (model, id, payload, uid, user_code, grant_id, account_id, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const sweep = db.prepare('DELETE FROM oauth WHERE expires_at <= ?')
  const consume = db.prepare(
    "UPDATE oauth SET payload = json_set(payload, '$.consumed', ?) WHERE model = ? AND id = ?",
  )
  const drop = db.prepare('DELETE FROM oauth WHERE model = ? AND id = ?')
  const dropGrant = db.prepare('DELETE FROM oauth WHERE grant_id = ?')
  const dropAccount = db.prepare('DELETE FROM oauth WHERE account_id = ?')
  return {
    put: (model: string, id: string, payload: string, keys: OAuthKeys, expiresAt?: number): void => {
      sweep.run(seconds())
      const { uid = null, userCode = null, grantId = null, accountId = null } = keys
      put.run(model, id, payload, uid, userCode, grantId, accountId, expiresAt ?? null)
    },
    consume: (model: string, id: string, at: number): void => void consume.run(Math.trunc(at), model, id),
    delete: (model: string, id: string): void => void drop.run(model, id),
    deleteGrant: (grantId: string): void => void dropGrant.run(grantId),
    deleteAccount: (accountId: string): void => void dropAccount.run(accountId),
  }
}
