import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { StoreError } from '../storage/errors.js'
import type { Role, Store } from '../storage/store.js'
import { AuthError } from './errors.js'
import { scopesOfRoles } from './scopes.js'

/** What a new client is told, once: the secret is kept as its SHA-256 only. */
export interface NewClient {
  readonly clientId: string
  readonly clientSecret: string
  readonly account: string
}

/**
 * Makes an OAuth client of an account for the scopes of these roles. The secret has 256 random bits, so a
 * plain SHA-256 of it can be stored: nobody guesses it, and checking it costs nothing that a flood could
 * exhaust.
 */
export async function createClient(
  store: Store,
  client: { account: string; name: string; roles: readonly Role[] },
): Promise<NewClient> {
  const clientId = `client-${randomBytes(12).toString('hex')}`
  const clientSecret = randomBytes(32).toString('base64url')
  await store.createClient({
    clientId,
    account: client.account,
    name: client.name,
    secretHash: secretHash(clientSecret),
    scopes: scopesOfRoles(client.roles),
    disabled: false,
  })
  return { clientId, clientSecret, account: client.account }
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
 * An admin's new client: of an account that is there (for some of its roles), or of a new service account of
 * that name with these roles.
 * @throws AuthError `account-unknown`, `account-taken`, `account-invalid`, `role-missing`
 */
export async function createClientFor(
  store: Store,
  request: { name: string; account?: string | undefined; roles: readonly Role[] },
): Promise<NewClient> {
  const account = request.account ?? (await createServiceAccount(store, request.name, request.roles))
  const row = await store.readAccount(account)
  if (row === undefined) throw new AuthError('account-unknown', 'there is no such account')
  if (!request.roles.every((role) => row.roles.includes(role))) {
    throw new AuthError('role-missing', 'the account does not have all of these roles')
  }
  return createClient(store, { account, name: request.name, roles: request.roles })
}

async function createServiceAccount(store: Store, name: string, roles: readonly Role[]): Promise<string> {
  if (!isAccountName(name)) {
    throw new AuthError('account-invalid', 'an account is named with a-z 0-9 . _ - (at most 64)')
  }
  try {
    await store.createAccount({ account: name, roles: [...new Set(roles)], disabled: false })
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.code !== 'duplicate') throw cause
    throw new AuthError('account-taken', 'there is an account of that name already', { cause })
  }
  return name
}

export function isAccountName(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)
}
