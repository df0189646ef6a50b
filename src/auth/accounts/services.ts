import { StoreError } from '../../storage/errors.js'
import type { AccountRow, Role, Store } from '../../storage/store.js'
import { AuthError } from '../errors.js'
import { ROLES } from '../scopes.js'

/** What an admin asks for: a machine's account, which a person answers for. */
export interface ServiceRequest {
  readonly name: string
  readonly roles: readonly Role[]
  /** A person; without it, whoever asks. */
  readonly owner?: string | undefined
}

/** Words that events and audit records use for nobody in particular. */
const RESERVED = new Set(['auto', 'operator', 'system', 'unknown'])

/** `u-…` and `x-…` are people's. */
export function isServiceName(text: string): boolean {
  return /^(?![ux]-)[a-z0-9][a-z0-9._-]{0,63}$/.test(text) && !RESERVED.has(text)
}

/** One of each, in the order that everything shows them in. */
export function sortRoles(roles: readonly Role[]): Role[] {
  return ROLES.filter((role) => roles.includes(role))
}

/**
 * Makes a service account. Its owner answers for it: what it does counts as done by that person, too.
 * @throws AuthError `account-invalid`, `account-taken`, `account-unknown` (the owner)
 */
export async function createServiceAccount(
  store: Store,
  by: string,
  request: ServiceRequest,
  now: number,
): Promise<AccountRow> {
  const { name } = request
  if (!isServiceName(name)) {
    throw new AuthError(
      'account-invalid',
      'name: a service account is named with a-z 0-9 . _ - (at most 64), not u-… or x-… or a reserved word',
    )
  }
  const owner = await readOwner(store, request.owner ?? (await personOf(store, by)))
  const row: AccountRow = {
    ...{ account: name, kind: 'service', owner, disabled: false, createdAt: now },
    roles: sortRoles(request.roles),
  }
  await store.createAccount(row).catch((cause: unknown) => {
    if (!(cause instanceof StoreError) || cause.code !== 'duplicate') throw cause
    throw new AuthError('account-taken', 'name: there is an account of that name already', { cause })
  })
  const detail = JSON.stringify({ kind: row.kind, owner, roles: row.roles })
  await store.addAuditRecord({ at: now, account: by, action: 'account.create', target: name, detail })
  return row
}

/** The person behind an account: the owner of a service account, else the account itself. */
async function personOf(store: Store, account: string): Promise<string> {
  return (await store.readAccount(account))?.owner ?? account
}

async function readOwner(store: Store, owner: string): Promise<string> {
  const row = await store.readAccount(owner)
  if (row === undefined) throw new AuthError('account-unknown', 'owner: there is no such account')
  if (row.kind !== 'person') {
    throw new AuthError('account-invalid', 'owner: a person answers for a service account')
  }
  return owner
}
