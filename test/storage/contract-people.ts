import { beforeEach, describe, expect, it } from 'vitest'
import type { AccountRow, ClientRow, CodeRow } from '../../src/storage/store.js'
import { emptyState, freshStore, person, service, START, type StoreFactory } from './contract-support.js'

const secretClient: ClientRow = {
  clientId: 'c1',
  account: 'author',
  name: 'laptop',
  authMethod: 'client_secret_basic',
  secretHash: 'ab',
  redirectUris: [],
  grantTypes: ['client_credentials'],
  scopes: ['registry:publish'],
  disabled: false,
  createdAt: START,
}
const publicClient: ClientRow = {
  clientId: 'c3',
  name: 'Desk',
  authMethod: 'none',
  redirectUris: ['https://desk.example.com/callback'],
  grantTypes: ['authorization_code', 'refresh_token'],
  scopes: [],
  disabled: false,
  createdAt: START,
}

const invitation: CodeRow = {
  ...{ hash: 'i1', kind: 'invitation', roles: ['reviewer'], by: 'author', expiresAt: START + 1000 },
}
const recovery: CodeRow = {
  ...{ hash: 'r1', kind: 'recovery', account: 'author', by: 'outsider', expiresAt: START + 1000 },
}

/** Accounts, codes, clients, and the rows of the authorization server. */
export function peopleContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: accounts`, () => {
    const at = freshStore(open)
    const { store } = at

    it('creates each account once and counts them', async () => {
      expect(await store().countAccounts()).toBe(0)
      await store().createAccount(person)
      await expect(store().createAccount(person)).rejects.toMatchObject({ code: 'duplicate' })
      await store().createAccount(service)
      expect(await store().readAccount('author')).toEqual(person)
      expect(await store().readAccount('ci')).toEqual(service)
      expect(await store().readAccount('outsider')).toBeUndefined()
      expect(await store().countAccounts()).toBe(2)
      await store().initLog(emptyState)
      expect(await store().commitBatch((tx) => tx.countAccounts())).toBe(2)
      expect(await store().commitBatch((tx) => tx.readAccount('author'))).toEqual(person)
    })

    it('finds a person by login, an outsider by subject, and lets neither be two', async () => {
      const subject = { issuer: 'https://login.example.com', sub: '42' }
      const outsider: AccountRow = { ...service, account: 'x-1', kind: 'person', subject }
      await store().createAccount(person)
      await store().createAccount(outsider)
      expect(await store().readAccountByLogin('author@example.com')).toEqual(person)
      expect(await store().readAccountByLogin('author')).toBeUndefined()
      expect(await store().readAccountBySubject(subject.issuer, '42')).toEqual(outsider)
      expect(await store().readAccountBySubject('https://other.example.com', '42')).toBeUndefined()
      const sameLogin = { ...person, account: 'outsider' }
      const sameSubject = { ...outsider, account: 'x-2' }
      for (const row of [sameLogin, sameSubject]) {
        await expect(store().createAccount(row)).rejects.toMatchObject({ code: 'duplicate' })
      }
      const otherIssuer = {
        ...outsider,
        account: 'x-3',
        subject: { ...subject, issuer: 'https://b.example' },
      }
      await store().createAccount(otherIssuer)
      expect(await store().countAccounts()).toBe(3)
    })

    it('lists them by name and page', async () => {
      for (const account of ['c', 'a', 'b']) await store().createAccount({ ...service, account })
      const names = async (limit: number, after?: string) =>
        (await store().listAccounts(limit, after)).map(({ account }) => account)
      expect(await names(2)).toEqual(['a', 'b'])
      expect(await names(2, 'b')).toEqual(['c'])
      expect(await names(2, 'c')).toEqual([])
    })

    it('changes what is said to change', async () => {
      await store().createAccount({ ...person, passwordOnce: true })
      expect((await store().readAccount('author'))?.passwordOnce).toBe(true)
      expect(await store().updateAccount('author', { disabled: true, roles: ['auditor'] })).toBe(true)
      const off = { ...person, passwordOnce: true, disabled: true, roles: ['auditor'] }
      expect(await store().readAccount('author')).toEqual(off)
      await store().updateAccount('author', { passwordHash: '$new', tokensBefore: 7, login: 'al' })
      const changed = {
        passwordHash: '$new',
        tokensBefore: 7,
        login: 'al',
        disabled: true,
        roles: ['auditor'],
      }
      expect(await store().readAccount('author')).toEqual({ ...person, ...changed })
      expect(await store().updateAccount('nobody', { disabled: true })).toBe(false)
    })

    it('knows nobody by a name that no database has', async () => {
      const name = 'author\0'
      await store().createAccount(person)
      expect(await store().readAccount(name)).toBeUndefined()
      expect(await store().readAccountByLogin(`${person.login}\0`)).toBeUndefined()
      expect(await store().updateAccount(name, { disabled: true, tokensBefore: 7 })).toBe(false)
      expect(await store().disableClient(name, true)).toBe(false)
      expect(await store().deleteWebhook(name)).toBe(false)
      expect(await store().deleteTrustedPublisher(name)).toBe(false)
      expect(await store().consumePassword(name, '$h')).toBe(false)
      expect(await store().readAccount('author')).toEqual(person)
    })

    it('refuses a login that is taken', async () => {
      await store().createAccount(person)
      await store().createAccount(service)
      const taken = store().updateAccount('ci', { login: 'author@example.com' })
      await expect(taken).rejects.toMatchObject({ code: 'duplicate' })
      expect(await store().readAccount('ci')).toEqual(service)
    })

    it('keeps an enabled admin where that is asked for', async () => {
      await store().createAccount(person)
      await store().createAccount({ ...person, account: 'outsider', login: 'outsider' })
      await store().createAccount({ ...service, roles: ['publisher'] })
      expect(await store().updateAccount('outsider', { roles: ['auditor'], keepAdmin: true })).toBe(true)
      for (const change of [{ roles: [] }, { disabled: true, tokensBefore: 9 }]) {
        const last = store().updateAccount('author', { ...change, keepAdmin: true })
        await expect(last).rejects.toMatchObject({ code: 'last-admin' })
      }
      expect(await store().readAccount('author')).toEqual(person)
      expect(await store().updateAccount('author', { disabled: true })).toBe(true)
    })

    it('never lets two admins take the role from each other at once', async () => {
      await store().createAccount(person)
      await store().createAccount({ ...person, account: 'outsider', login: 'outsider' })
      const both = await Promise.allSettled(
        ['author', 'outsider'].map((account) =>
          store().updateAccount(account, { disabled: true, keepAdmin: true }),
        ),
      )
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    it('ends what an account is logged in with when its tokens end', async () => {
      await store().createAccount(person)
      await store().putOAuth('Session', 's', '{}', { accountId: 'author' })
      await store().putOAuth('Session', 'other', '{}', { accountId: 'outsider' })
      await store().updateAccount('author', { roles: ['admin'] })
      expect(await store().readOAuth('Session', 's')).toBe('{}')
      await store().updateAccount('author', { tokensBefore: 7 })
      expect(await store().readOAuth('Session', 's')).toBeUndefined()
      expect(await store().readOAuth('Session', 'other')).toBe('{}')
    })

    it('changes nothing for whoever knew another password', async () => {
      await store().createAccount(person)
      const change = { passwordHash: '$new', roles: [], tokensBefore: 7 }
      expect(await store().updateAccount('author', { ...change, oldPasswordHash: '$other' })).toBe(false)
      expect(await store().readAccount('author')).toEqual(person)
      expect(await store().updateAccount('author', { ...change, oldPasswordHash: '$h' })).toBe(true)
      await store().consumePassword('author', '$new')
      expect(await store().updateAccount('author', { ...change, oldPasswordHash: '$new' })).toBe(false)
      expect((await store().readAccount('author'))?.passwordHash).toBeUndefined()
    })

    it('takes the word of the newest token on roles', async () => {
      await store().createAccount({ ...service, rolesAt: 100 })
      expect(await store().readAccount('ci')).toEqual({ ...service, rolesAt: 100 })
      const older = { roles: ['admin'], rolesAt: 99, tokensBefore: 7 } as const
      expect(await store().updateAccount('ci', older)).toBe(false)
      expect(await store().readAccount('ci')).toEqual({ ...service, rolesAt: 100 })
      expect(await store().updateAccount('ci', { roles: ['auditor'], rolesAt: 100 })).toBe(true)
      expect(await store().updateAccount('ci', { roles: [], rolesAt: 101 })).toBe(true)
      // Whoever says nothing of a token is not measured against one.
      expect(await store().updateAccount('ci', { roles: ['reviewer'] })).toBe(true)
      expect(await store().readAccount('ci')).toEqual({ ...service, roles: ['reviewer'], rolesAt: 101 })
      await store().createAccount(person)
      expect(await store().updateAccount('author', { roles: ['auditor'], rolesAt: 5 })).toBe(true)
      expect((await store().readAccount('author'))?.rolesAt).toBe(5)
    })

    it('gives a one-time password to one caller', async () => {
      await store().createAccount({ ...person, passwordOnce: true })
      expect(await store().consumePassword('author', '$other')).toBe(false)
      const all = await Promise.all([1, 2, 3].map(() => store().consumePassword('author', '$h')))
      expect(all.filter(Boolean)).toHaveLength(1)
      const row = await store().readAccount('author')
      expect([row?.passwordHash, row?.passwordOnce]).toEqual([undefined, undefined])
    })
  })

  describe(`store contract: ${name}: codes`, () => {
    const at = freshStore(open)
    const { store } = at
    const newcomer: AccountRow = { ...person, account: 'u-1', login: 'newcomer', roles: ['reviewer'] }

    beforeEach(async () => {
      await store().createAccount(person)
      await store().putCode(invitation)
      await store().putCode(recovery)
    })

    it('finds a code by its hash and kind, until it expires', async () => {
      expect(await store().readCode('i1', 'invitation')).toEqual(invitation)
      expect(await store().readCode('r1', 'recovery')).toEqual(recovery)
      expect(await store().readCode('i1', 'recovery')).toBeUndefined()
      expect(await store().readCode('r1', 'invitation')).toBeUndefined()
      at.clock = START + 1000
      expect(await store().readCode('i1', 'invitation')).toBeUndefined()
      expect(await store().redeemInvitation('i1', newcomer)).toBe(false)
      expect(await store().redeemRecovery('r1', '$new', 7)).toBeUndefined()
      expect(await store().readAccount('u-1')).toBeUndefined()
      expect(await store().readAccount('author')).toEqual(person)
    })

    it('makes one account of an invitation, however many ask at once', async () => {
      const rows = [1, 2, 3].map((n) => ({ ...newcomer, account: `u-${n}`, login: `newcomer-${n}` }))
      const all = await Promise.all(rows.map((row) => store().redeemInvitation('i1', row)))
      expect(all.filter(Boolean)).toHaveLength(1)
      expect(await store().countAccounts()).toBe(2)
      expect(await store().readCode('i1', 'invitation')).toBeUndefined()
    })

    it('leaves the invitation when the login is taken', async () => {
      const taken = store().redeemInvitation('i1', { ...newcomer, login: 'author@example.com' })
      await expect(taken).rejects.toMatchObject({ code: 'duplicate' })
      expect(await store().readCode('i1', 'invitation')).toEqual(invitation)
      expect(await store().redeemInvitation('i1', newcomer)).toBe(true)
      expect(await store().readAccount('u-1')).toEqual(newcomer)
    })

    it('never takes a recovery code for an invitation, or the other way round', async () => {
      expect(await store().redeemInvitation('r1', newcomer)).toBe(false)
      expect(await store().redeemRecovery('i1', '$new', 7)).toBeUndefined()
      expect(await store().readCode('r1', 'recovery')).toEqual(recovery)
      expect(await store().readCode('i1', 'invitation')).toEqual(invitation)
    })

    it('sets the password and ends every session with one recovery code, once', async () => {
      await store().putOAuth('Grant', 'g', '{}', { accountId: 'author' })
      const all = await Promise.all(['$a', '$b'].map((set) => store().redeemRecovery('r1', set, 7)))
      expect(all.filter((account) => account === 'author')).toHaveLength(1)
      const row = await store().readAccount('author')
      expect(row).toEqual({ ...person, passwordHash: all[0] === 'author' ? '$a' : '$b', tokensBefore: 7 })
      expect(await store().readOAuth('Grant', 'g')).toBeUndefined()
    })

    it('keeps the newest recovery code of an account only', async () => {
      await store().putCode({ ...recovery, hash: 'r2' })
      expect(await store().readCode('r1', 'recovery')).toBeUndefined()
      expect(await store().redeemRecovery('r1', '$new', 7)).toBeUndefined()
      expect(await store().redeemRecovery('r2', '$new', 7)).toBe('author')
      await store().putCode({ ...invitation, hash: 'i2' })
      expect(await store().readCode('i1', 'invitation')).toEqual(invitation)
    })

    it.each([{ disabled: true }, { passwordHash: '$new' }])(
      'ends a recovery code with %j',
      async (change) => {
        await store().updateAccount('author', { roles: ['auditor'], disabled: false, tokensBefore: 7 })
        expect(await store().readCode('r1', 'recovery')).toEqual(recovery)
        await store().updateAccount('author', change)
        expect(await store().readCode('r1', 'recovery')).toBeUndefined()
        expect(await store().readCode('i1', 'invitation')).toEqual(invitation)
      },
    )

    it('takes no recovery code of nobody', async () => {
      const nobody = store().putCode({ ...recovery, hash: 'r2', account: 'nobody' })
      await expect(nobody).rejects.toMatchObject({ code: 'constraint' })
    })
  })

  describe(`store contract: ${name}: OAuth`, () => {
    const at = freshStore(open)
    const { store } = at

    it('binds clients to accounts', async () => {
      await expect(store().createClient(secretClient)).rejects.toMatchObject({ code: 'constraint' })
      await store().createAccount(person)
      await store().createClient(secretClient)
      await expect(store().createClient(secretClient)).rejects.toMatchObject({ code: 'duplicate' })
      expect(await store().readClient('c1')).toEqual(secretClient)
      expect(await store().readClient('c2')).toBeUndefined()
    })

    it('keeps clients with keys and clients of nobody, and none without what its method asks for', async () => {
      await store().createAccount(person)
      const keyClient: ClientRow = {
        ...secretClient,
        clientId: 'c2',
        authMethod: 'private_key_jwt',
        jwks: '{}',
      }
      const { secretHash, ...keyed } = keyClient
      await store().createClient(keyed)
      await store().createClient(publicClient)
      expect(await store().readClient('c2')).toEqual(keyed)
      expect(await store().readClient('c3')).toEqual(publicClient)
      const wrong = [
        { ...keyClient, secretHash },
        { ...publicClient, jwks: '{}' },
        { ...publicClient, secretHash },
      ]
      for (const row of wrong) {
        const refused = store().createClient({ ...row, clientId: 'c9' } as ClientRow)
        await expect(refused).rejects.toMatchObject({ code: 'constraint' })
      }
    })

    it('lists clients by id and page, all or of one account, and switches them off', async () => {
      await store().createAccount(person)
      for (const clientId of ['b', 'a']) await store().createClient({ ...secretClient, clientId })
      await store().createClient(publicClient)
      const ids = async (limit: number, after?: string, account?: string) =>
        (await store().listClients(limit, after, account)).map(({ clientId }) => clientId)
      expect(await ids(2)).toEqual(['a', 'b'])
      expect(await ids(2, 'b')).toEqual(['c3'])
      expect(await ids(9, undefined, 'author')).toEqual(['a', 'b'])
      expect(await ids(9, 'a', 'author')).toEqual(['b'])
      expect(await store().disableClient('a', true)).toBe(true)
      expect(await store().readClient('a')).toEqual({ ...secretClient, clientId: 'a', disabled: true })
      expect(await store().disableClient('a', false)).toBe(true)
      expect(await store().disableClient('z', true)).toBe(false)
    })

    it('finds authorization rows by id and by key, each in its model', async () => {
      await store().putOAuth('Session', 's1', '{"a":1}', { uid: 'u1' })
      await store().putOAuth('DeviceCode', 'd1', '{"b":1}', {
        userCode: 'ABCD',
        grantId: 'g1',
        accountId: 'al',
      })
      expect(await store().readOAuth('Session', 's1')).toBe('{"a":1}')
      expect(await store().readOAuth('DeviceCode', 's1')).toBeUndefined()
      expect(await store().readOAuthBy('Session', 'uid', 'u1')).toBe('{"a":1}')
      expect(await store().readOAuthBy('DeviceCode', 'userCode', 'ABCD')).toBe('{"b":1}')
      expect(await store().readOAuthBy('DeviceCode', 'accountId', 'al')).toBe('{"b":1}')
      expect(await store().readOAuthBy('Session', 'userCode', 'ABCD')).toBeUndefined()
      await store().putOAuth('Session', 's1', '{"a":2}', {})
      expect(await store().readOAuth('Session', 's1')).toBe('{"a":2}')
      expect(await store().readOAuthBy('Session', 'uid', 'u1')).toBeUndefined()
    })

    it('marks, deletes, and deletes by grant and by account', async () => {
      await store().putOAuth('Code', 'c', '{"a":1}', { grantId: 'g1' })
      await store().putOAuth('Token', 't', '{"a":1}', { grantId: 'g1' })
      await store().putOAuth('Token', 'other', '{"a":1}', { grantId: 'g2' })
      await store().consumeOAuth('Code', 'c', 1_700_000_001)
      expect(JSON.parse((await store().readOAuth('Code', 'c'))!)).toEqual({ a: 1, consumed: 1_700_000_001 })
      await store().deleteOAuthGrant('g1')
      expect(await store().readOAuth('Code', 'c')).toBeUndefined()
      expect(await store().readOAuth('Token', 't')).toBeUndefined()
      await store().deleteOAuth('Token', 'other')
      expect(await store().readOAuth('Token', 'other')).toBeUndefined()
      for (const [model, id] of [
        ['Session', 's'],
        ['Grant', 'g'],
        ['RefreshToken', 'r'],
      ] as const) {
        await store().putOAuth(model, id, '{}', { accountId: 'author' })
        await store().putOAuth(model, `${id} of outsider`, '{}', { accountId: 'outsider' })
      }
      await store().deleteOAuthAccount('author')
      for (const [model, id] of [
        ['Session', 's'],
        ['Grant', 'g'],
        ['RefreshToken', 'r'],
      ] as const) {
        expect(await store().readOAuth(model, id)).toBeUndefined()
        expect(await store().readOAuth(model, `${id} of outsider`)).toBe('{}')
      }
    })

    it('never returns an expired row', async () => {
      await store().putOAuth('Token', 't', '{}', { uid: 'u' }, 1_700_000_010)
      at.clock = 1_700_000_009_999
      expect(await store().readOAuth('Token', 't')).toBe('{}')
      at.clock = 1_700_000_010_000
      expect(await store().readOAuth('Token', 't')).toBeUndefined()
      expect(await store().readOAuthBy('Token', 'uid', 'u')).toBeUndefined()
    })
  })
}
