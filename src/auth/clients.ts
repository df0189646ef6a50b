import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ClientRow, Role, Store } from '../storage/store.js'
import { parseClientKeys } from './clients/keys.js'
import { AuthError } from './errors.js'
import { assertRedirectUris } from './clients/redirects.js'
import { scopesOfRoles } from './scopes.js'
import { createServiceAccount } from './accounts/services.js'

/** What a new client is told. */
export interface NewClient {
  readonly clientId: string
  /** Told once: it is kept as its SHA-256 only. */
  readonly clientSecret?: string
  /** Whom it speaks for; absent for a public client, which speaks for whoever logs in. */
  readonly account?: string
}

export interface SecretClient extends NewClient {
  readonly clientSecret: string
  readonly account: string
}

export interface ClientRequest {
  /** The admin who asks: who answers for a service account that is made on the way. */
  readonly by: string
  readonly name: string
  readonly account?: string | undefined
  readonly roles: readonly Role[]
  /** How it proves who it is; `secret` without it. */
  readonly auth?: 'secret' | 'key' | 'public' | undefined
  /** Of `key`: a public JWK, or a set of them. */
  readonly jwks?: unknown
  /** Of `public`: where a browser may be sent back to; without any it is for devices only. */
  readonly redirectUris?: readonly string[] | undefined
}

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/**
 * Makes an OAuth client of an account for the scopes of these roles. The secret has 256 random bits, so a
 * plain SHA-256 of it can be stored: nobody guesses it, and checking it costs nothing that a flood could
 * exhaust.
 */
export async function createClient(
  store: Store,
  client: { account: string; name: string; roles: readonly Role[] },
  now: number = Date.now(),
): Promise<SecretClient> {
  const clientSecret = randomBytes(32).toString('base64url')
  const row = {
    ...newRow(client, now),
    ...{ account: client.account, authMethod: 'client_secret_basic' as const },
    secretHash: secretHash(clientSecret),
  }
  await store.createClient(row)
  return { clientId: row.clientId, clientSecret, account: client.account }
}

/** A client with nothing but the right to ask for tokens in its own name. */
function newRow(client: { name: string; roles: readonly Role[] }, now: number) {
  return {
    clientId: `client-${randomBytes(12).toString('hex')}`,
    ...{ name: client.name, redirectUris: [], grantTypes: ['client_credentials'], disabled: false },
    ...{ scopes: scopesOfRoles(client.roles), createdAt: now },
  } satisfies Partial<ClientRow>
}

export function secretHash(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex')
}

export function isSecret(hash: string, secret: string): boolean {
  const given = Buffer.from(secretHash(secret), 'hex')
  const kept = Buffer.from(hash, 'hex')
  return kept.length === given.length && timingSafeEqual(kept, given)
}

/**
 * An admin's new client: for whoever logs in (`public`), of an account that is there (for some of its roles), or of a
 * new service account of that name with these roles.
 * @throws AuthError `account-unknown`, `account-taken`, `account-invalid`, `role-missing`, `client-invalid`
 */
export async function createClientFor(
  store: Store,
  request: ClientRequest,
  now: number = Date.now(),
): Promise<NewClient> {
  const { auth = 'secret' } = request
  assertFitting(request, auth)
  if (auth === 'public') return createPublicClient(store, request, now)
  const jwks = auth === 'key' ? await parseClientKeys(request.jwks) : undefined
  const account = await readClientAccount(store, request, now)
  const client = { account, name: request.name, roles: request.roles }
  if (jwks === undefined) return createClient(store, client, now)
  const row = { ...newRow(client, now), account, authMethod: 'private_key_jwt' as const, jwks }
  await store.createClient(row)
  return { clientId: row.clientId, account }
}

/** A member that belongs to another kind of client is a misunderstanding that should be heard. */
function assertFitting(
  { account, jwks, redirectUris }: ClientRequest,
  auth: 'secret' | 'key' | 'public',
): void {
  if (jwks !== undefined && auth !== 'key') throw clientInvalid('jwks: only a client with a key has keys')
  if (redirectUris !== undefined && auth !== 'public') {
    throw clientInvalid('redirectUris: only a public client is for a browser')
  }
  if (account !== undefined && auth === 'public') {
    throw clientInvalid('account: a public client speaks for whoever logs in')
  }
}

async function createPublicClient(store: Store, request: ClientRequest, now: number): Promise<NewClient> {
  const { name, redirectUris = [] } = request
  // People decide by this name on the consent page: nothing in it is invisible or changes its direction.
  if (!/^[\p{L}\p{N}][\p{L}\p{M}\p{N} .,_()'’&+-]{0,63}$/u.test(name)) {
    throw clientInvalid('name: a public client is named with letters, digits, spaces and . , _ ( ) & + -')
  }
  assertRedirectUris(redirectUris)
  const row: ClientRow = {
    ...newRow(request, now),
    ...{ authMethod: 'none', redirectUris },
    grantTypes: [...(redirectUris.length === 0 ? [] : ['authorization_code']), DEVICE_CODE, 'refresh_token'],
  }
  await store.createClient(row)
  return { clientId: row.clientId }
}

async function readClientAccount(store: Store, request: ClientRequest, now: number): Promise<string> {
  const { by, name, roles, account } = request
  if (account === undefined) return (await createServiceAccount(store, by, { name, roles }, now)).account
  const row = await store.readAccount(account)
  if (row === undefined) throw new AuthError('account-unknown', 'account: there is no such account')
  // Its holder acts as that person: an admin who made one for somebody else would decide with their eyes, too.
  if (row.kind === 'person' && account !== by) {
    throw clientInvalid('account: a client of a person is made by that person; others get a service account')
  }
  if (roles.every((role) => row.roles.includes(role))) return account
  throw new AuthError('role-missing', 'roles: the account does not have all of these roles')
}

/**
 * Switches a client off or on again; off means no new token, and none of the old ones counts.
 * @throws AuthError `client-unknown`
 */
export async function setClientDisabled(
  store: Store,
  by: string,
  clientId: string,
  disabled: boolean,
  now: number = Date.now(),
): Promise<ClientRow> {
  await store.disableClient(clientId, disabled)
  const row = await store.readClient(clientId)
  if (row === undefined) throw new AuthError('client-unknown', 'there is no such client')
  const action = disabled ? 'client.disable' : 'client.enable'
  const detail = JSON.stringify(row.account === undefined ? {} : { account: row.account })
  await store.addAuditRecord({ at: now, account: by, action, target: clientId, detail })
  return row
}

function clientInvalid(message: string): AuthError {
  return new AuthError('client-invalid', message)
}
