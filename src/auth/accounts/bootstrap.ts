import { StoreError } from '../../storage/errors.js'
import type { AccountRow, Store } from '../../storage/store.js'
import { createClient, type SecretClient } from '../clients.js'
import { AuthError } from '../errors.js'
import { hashPassword, makePassword, type PasswordVerifier } from './passwords.js'
import { ROLES } from '../scopes.js'

export const ADMIN = 'admin'

/**
 * On the first start: the account `admin` with a one-time password, which is returned once and kept as a
 * hash.
 */
export async function ensureAdmin(
  store: Store,
  now: () => number = () => Date.now(),
): Promise<string | undefined> {
  if ((await store.readAccount(ADMIN)) !== undefined) return undefined
  const password = makePassword()
  const row: AccountRow = {
    ...{ account: ADMIN, kind: 'person', login: ADMIN, roles: ROLES, disabled: false },
    ...{ passwordHash: await hashPassword(password), passwordOnce: true, createdAt: now() },
  }
  // Of several processes that start at once on an empty database one makes the account, and shows its password.
  return (await isCreated(store, row)) ? password : undefined
}

async function isCreated(store: Store, row: AccountRow): Promise<boolean> {
  try {
    await store.createAccount(row)
    return true
  } catch (cause) {
    if (cause instanceof StoreError && cause.code === 'duplicate') return false
    throw cause
  }
}

/**
 * Trades the one-time password for an OAuth client of that account, once. A password that its owner chose buys
 * nothing here: it is for the login page.
 * @throws AuthError `credentials-invalid` for a wrong, used or unknown one alike
 */
export async function tradePassword(
  store: Store,
  verifier: PasswordVerifier,
  given: { account: string; password: string },
): Promise<SecretClient> {
  const row = await store.readAccount(given.account)
  const passwordHash = row?.passwordOnce === true ? row.passwordHash : undefined
  const right = await verifier.verify(passwordHash, given.password)
  if (!right || row === undefined || passwordHash === undefined || row.disabled) throw wrongCredentials()
  // The client comes first: a crash in between leaves a row whose secret nobody knows, not a lost password.
  const client = await createClient(store, { account: row.account, name: 'bootstrap', roles: row.roles })
  if (await store.consumePassword(row.account, passwordHash)) return client
  // Somebody else was first: the client that lost the race is never told, and never works.
  await store.disableClient(client.clientId, true)
  throw wrongCredentials()
}

function wrongCredentials(): AuthError {
  return new AuthError('credentials-invalid', 'the account or the one-time password is wrong, or it was used')
}
