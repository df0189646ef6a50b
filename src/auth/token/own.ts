import { createLocalJWKSet, jwtVerify, type JWK, type JWTPayload } from 'jose'
import type { AccountRow, ClientRow, Store } from '../../storage/store.js'
import { AuthError } from '../errors.js'
import { READ_SCOPE, SCOPES, type Principal } from '../scopes.js'
import type { TokenVerifier } from './verifier.js'
import { readPublishingLimits } from '../trusted-publishing/exchange.js'

/** The command line's client: built in, no row of the database, whoever logs in with it. */
export const CLI_CLIENT = 'countersign-cli'

type Subject = Omit<Principal, 'isBound'>

/** Access tokens of our own authorization server: for services, for people, and for workflows that publish. */
export function openOwnTokens(options: { store: Store; issuer: string; tokenKey: JWK }): TokenVerifier {
  const { store, issuer, tokenKey } = options
  const keys = createLocalJWKSet({ keys: [publicJwk(tokenKey)] })
  return {
    async verify(token) {
      const { payload } = await jwtVerify(token, keys, {
        typ: 'at+jwt',
        algorithms: ['EdDSA'],
        issuer,
        audience: issuer,
        requiredClaims: ['exp', 'iat', 'jti', 'sub', 'client_id'],
        maxTokenAge: 600,
      })
      return payload
    },
    readPrincipal: (payload) => readSubject(store, payload),
  }
}

function publicJwk(key: JWK): JWK {
  return {
    kty: 'OKP',
    crv: 'Ed25519',
    alg: 'EdDSA',
    use: 'sig',
    ...(key.x === undefined ? {} : { x: key.x }),
    ...(key.kid === undefined ? {} : { kid: key.kid }),
  }
}

async function readSubject(store: Store, payload: JWTPayload): Promise<Subject> {
  if (payload['trusted_publishers'] !== undefined) return readWorkflow(store, payload)
  if (payload.sub === payload['client_id']) return readService(store, payload)
  return readPerson(store, payload)
}

/** A workflow's token speaks for the account of its trusted publishers, as long as they stand. */
async function readWorkflow(store: Store, payload: JWTPayload): Promise<Subject> {
  const account = await readAccount(store, payload['account'], payload)
  const publishes = await readPublishingLimits(store, account.account, payload)
  return { ...subject(account, CLI_CLIENT), scopes: scopesOf(payload, ['registry:publish']), publishes }
}

/** RFC 9068: with client credentials `sub` is the client. */
async function readService(store: Store, payload: JWTPayload): Promise<Subject> {
  const client = await readClient(store, payload)
  const account = await readAccount(store, client?.account, payload)
  if (client === undefined) throw gone()
  return { ...subject(account, client.clientId), scopes: clientScopes(payload, client) }
}

/** A person's token lasts no longer than what the person agreed to: logging out takes the grant away. */
async function readPerson(store: Store, payload: JWTPayload): Promise<Subject> {
  const clientId = payload['client_id']
  const account = await readAccount(store, payload.sub, payload)
  if (!(await isGranted(store, payload)))
    throw new AuthError('token-invalid', 'the login of this token is over')
  if (clientId === CLI_CLIENT) return { ...subject(account, CLI_CLIENT), scopes: scopesOf(payload, SCOPES) }
  const client = await readClient(store, payload)
  // A client with an account speaks for that account, and for nobody who logs in.
  if (client === undefined || client.account !== undefined) throw gone()
  return { ...subject(account, client.clientId), scopes: clientScopes(payload, client) }
}

async function isGranted(store: Store, payload: JWTPayload): Promise<boolean> {
  const id = payload['grant']
  const text = typeof id === 'string' ? await store.readOAuth('Grant', id) : undefined
  if (text === undefined) return false
  const grant = JSON.parse(text) as { accountId?: unknown; clientId?: unknown }
  return grant.accountId === payload.sub && grant.clientId === payload['client_id']
}

async function readClient(store: Store, payload: JWTPayload): Promise<ClientRow | undefined> {
  const clientId = payload['client_id']
  const client = typeof clientId === 'string' ? await store.readClient(clientId) : undefined
  return client?.disabled === true ? undefined : client
}

async function readAccount(store: Store, name: unknown, payload: JWTPayload): Promise<AccountRow> {
  const row = typeof name === 'string' ? await store.readAccount(name) : undefined
  if (row === undefined) throw gone()
  assertStands(row, payload)
  return row
}

/** Whether an account still accepts a token: it is enabled, and nobody signed it out since. */
export function assertStands(row: AccountRow, { iat = 0 }: JWTPayload): void {
  if (row.disabled) throw gone()
  if (row.tokensBefore !== undefined && iat < row.tokensBefore) {
    throw new AuthError('token-invalid', 'the account was signed out after this token was issued')
  }
}

function subject(row: AccountRow, clientId: string): Omit<Subject, 'scopes'> {
  return { account: row.account, person: row.owner ?? row.account, clientId, roles: row.roles }
}

/** Every client may read: that is no role's. */
function clientScopes(payload: JWTPayload, { scopes }: ClientRow): string[] {
  return scopesOf(payload, [...scopes, READ_SCOPE])
}

/** The token's scopes, as far as its client may have them. */
function scopesOf(payload: JWTPayload, allowed: readonly string[]): string[] {
  const { scope } = payload
  return typeof scope === 'string' ? scope.split(' ').filter((name) => allowed.includes(name)) : []
}

function gone(): AuthError {
  return new AuthError('account-disabled', 'the client or its account is disabled')
}
