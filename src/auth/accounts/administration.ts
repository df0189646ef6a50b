import { StoreError } from '../../storage/errors.js'
import type { AccountChange, AccountRow, Store } from '../../storage/store.js'
import type { Accounts, AccountsDesk } from './desk.js'
import { AuthError } from '../errors.js'
import { createServiceAccount, sortRoles } from './services.js'

type Administration = Pick<
  Accounts,
  'list' | 'read' | 'setRoles' | 'setDisabled' | 'signOut' | 'createService'
>

/** What an admin does to accounts; each of it is an audit record. */
export function accountAdministration({ store, now, record }: AccountsDesk): Administration {
  // A token tells its second only: one of this very second is refused, too, and a new one is had a second later.
  const afterNow = (): number => Math.floor(now() / 1000) + 1
  return {
    list: (limit, after) => store.listAccounts(limit, after),
    read: (account) => readExisting(store, account),
    async setRoles(by, account, given) {
      const roles = sortRoles(given)
      const row = await change(store, account, { roles, keepAdmin: true })
      await record(by, 'account.roles', account, { roles })
      return row
    },
    async setDisabled(by, account, disabled) {
      const row = await change(
        store,
        account,
        disabled ? { disabled, keepAdmin: true, tokensBefore: afterNow() } : { disabled },
      )
      await record(by, disabled ? 'account.disable' : 'account.enable', account)
      return row
    },
    async signOut(by, account) {
      const row = await change(store, account, { tokensBefore: afterNow() })
      await record(by, 'account.sign-out', account)
      return row
    },
    createService: (by, request) => createServiceAccount(store, by, request, now()),
  }
}

async function change(store: Store, account: string, to: AccountChange): Promise<AccountRow> {
  try {
    await store.updateAccount(account, to)
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.code !== 'last-admin') throw cause
    throw new AuthError('last-admin', 'account: nobody could administer the registry any more', { cause })
  }
  return readExisting(store, account)
}

async function readExisting(store: Store, account: string): Promise<AccountRow> {
  const row = await store.readAccount(account)
  if (row === undefined) throw new AuthError('account-unknown', 'account: there is no such account')
  return row
}
