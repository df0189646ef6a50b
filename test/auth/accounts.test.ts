import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAccounts, resetPassword, type Accounts } from '../../src/auth/accounts.js'
import { ensureAdmin, tradePassword } from '../../src/auth/accounts/bootstrap.js'
import { AuthError } from '../../src/auth/errors.js'
import { LOCKOUT_LIMITS, type LockoutLimits } from '../../src/auth/accounts/lockout.js'
import {
  hashPassword,
  openPasswordVerifier,
  type PasswordVerifier,
} from '../../src/auth/accounts/passwords.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import type { AccountChange, AccountRow, Store } from '../../src/storage/store.js'

const START = 1_700_000_000_000
const PASSWORD = 'correct horse battery'
const OTHER = 'another fine passphrase'
const HOUR = 3_600_000

let dir: string
let store: Store
let clock: number
let accounts: Accounts
/** What each check was asked to compare with, in order. */
let checks: (string | undefined)[]
let verifier: PasswordVerifier
const passwordHash = await hashPassword(PASSWORD)

const from = (login: string, password: string, address = '192.0.2.1') => ({ login, password, address })
const open = (lockoutLimits: LockoutLimits = LOCKOUT_LIMITS) =>
  openAccounts({ store, verifier, now: () => clock, lockoutLimits })

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-accounts-'))
  clock = START
  store = await openSqliteStore(join(dir, 'registry.sqlite'), { now: () => clock })
  const real = await openPasswordVerifier()
  checks = []
  verifier = {
    verify: (hash, password) => {
      checks.push(hash)
      return real.verify(hash, password)
    },
  }
  accounts = open()
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

const person = (account: string, change: Partial<AccountRow> = {}): AccountRow => ({
  ...{ account, kind: 'person', login: account, roles: ['publisher'], disabled: false, passwordHash },
  ...{ createdAt: START, ...change },
})

/** What a caller can see of a refusal. */
async function refusalOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof AuthError)) throw new Error('it was not refused', { cause: error })
  const { code, message, retryAfter } = error
  return { code, message, isTimed: retryAfter !== undefined }
}
const codeOf = async (work: Promise<unknown>) => (await refusalOf(work)).code

const actions = async () => (await store.readAudit(50)).map(({ action }) => action)

describe('a password check', () => {
  beforeEach(() => store.createAccount(person('member')))

  it('lets the right one in, in any spelling of the login', async () => {
    expect((await accounts.checkPassword(from('member', PASSWORD))).account).toBe('member')
    expect((await accounts.checkPassword(from(' MEMBER ', PASSWORD))).account).toBe('member')
    expect(await actions()).toEqual(['login', 'login'])
  })

  it('takes a password that another keyboard composed', async () => {
    const composed = 'café au lait, s’il vous plaît'
    await store.createAccount(person('colleague', { passwordHash: await hashPassword(composed) }))
    const { account } = await accounts.checkPassword(from('colleague', composed.normalize('NFD')))
    expect(account).toBe('colleague')
  })

  it('tells nobody why: the same answer, the same work, the same record for whatever is wrong', async () => {
    await store.createAccount(person('off', { disabled: true }))
    await store.createAccount(person('ci', { kind: 'service' }))
    const { passwordHash: none, ...unset } = person('new')
    expect(none).toBeDefined()
    await store.createAccount(unset)
    const wrong = [
      from('member', OTHER),
      from('nobody', PASSWORD),
      from('off', PASSWORD),
      from('ci', PASSWORD),
      from('new', PASSWORD),
      from('x'.repeat(10_000), PASSWORD),
      from('member', `${PASSWORD}${'x'.repeat(100_000)}`),
      from('', ''),
    ]
    const seen = []
    for (const given of wrong) {
      seen.push(await refusalOf(accounts.checkPassword(given)))
      expect(checks).toHaveLength(seen.length)
    }
    const refusal = { code: 'credentials-invalid', message: 'the login or the password is wrong' }
    expect(seen).toEqual(wrong.map(() => ({ ...refusal, isTimed: false })))
    expect(await actions()).toEqual(wrong.map(() => 'login.failed'))
    const text = JSON.stringify(await store.readAudit(50))
    expect(text).not.toContain('nobody')
    expect(text).not.toContain('192.0.2.1')
  })

  it.each(['member', 'nobody'])('locks the login %s of one address after five wrong ones', async (login) => {
    for (let i = 0; i < 5; i++) {
      expect(await codeOf(accounts.checkPassword(from(login, OTHER)))).toBe('credentials-invalid')
    }
    const work = checks.length
    for (const password of [OTHER, PASSWORD]) {
      const refusal = await refusalOf(accounts.checkPassword(from(login, password)))
      expect([refusal.code, refusal.isTimed]).toEqual(['locked', true])
    }
    expect(checks).toHaveLength(work)
    expect(await codeOf(accounts.checkPassword(from(login, OTHER, '192.0.2.2')))).toBe('credentials-invalid')
    // Another spelling is the same login.
    expect(await codeOf(accounts.checkPassword(from(login.toUpperCase(), PASSWORD)))).toBe('locked')
  })

  it('counts a crowd of tries before it makes them', async () => {
    const crowd = Array.from({ length: 12 }, () => codeOf(accounts.checkPassword(from('member', OTHER))))
    const codes = await Promise.all(crowd)
    expect(codes.filter((code) => code === 'credentials-invalid')).toHaveLength(5)
    expect(codes.filter((code) => code === 'locked')).toHaveLength(7)
  })

  it('forgets the wrong ones of this address after a right one', async () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 4; i++) await codeOf(accounts.checkPassword(from('member', OTHER)))
      expect((await accounts.checkPassword(from('member', PASSWORD))).account).toBe('member')
    }
  })

  it.each(['member', 'nobody'])(
    'locks the login %s for every address after too many from many',
    async (login) => {
      accounts = open({ ...LOCKOUT_LIMITS, login: { points: 6, seconds: 3600 } })
      for (let i = 0; i < 6; i++) {
        expect(await codeOf(accounts.checkPassword(from(login, OTHER, `192.0.2.${i}`)))).toBe(
          'credentials-invalid',
        )
      }
      expect(await codeOf(accounts.checkPassword(from(login, PASSWORD, '198.51.100.1')))).toBe('locked')
    },
  )

  it('locks an address that tries one password everywhere, and its own right one does not help', async () => {
    accounts = open({ ...LOCKOUT_LIMITS, address: { points: 6, seconds: 900 } })
    for (let i = 0; i < 6; i++) {
      await codeOf(accounts.checkPassword(from(`somebody-${i}`, OTHER)))
      if (i === 3) await accounts.checkPassword(from('member', PASSWORD))
    }
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD)))).toBe('locked')
    expect((await accounts.checkPassword(from('member', PASSWORD, '192.0.2.9'))).account).toBe('member')
  })

  it('does not let one address shut a person out everywhere', async () => {
    accounts = open({ ...LOCKOUT_LIMITS, login: { points: 8, seconds: 3600 } })
    for (let i = 0; i < 30; i++) await codeOf(accounts.checkPassword(from('member', OTHER)))
    expect((await accounts.checkPassword(from('member', PASSWORD, '192.0.2.9'))).account).toBe('member')
  })

  it('does not let strangers shut a person out where that person was let in before', async () => {
    accounts = open({ ...LOCKOUT_LIMITS, login: { points: 6, seconds: 3600 } })
    const home = '198.51.100.1'
    await accounts.checkPassword(from('member', PASSWORD, home))
    for (let i = 0; i < 8; i++) await codeOf(accounts.checkPassword(from('member', OTHER, `192.0.2.${i}`)))
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD, '198.51.100.2')))).toBe('locked')
    expect((await accounts.checkPassword(from('member', PASSWORD, home))).account).toBe('member')
    // Nor is it a place to guess from, at this login or at another one.
    for (let i = 0; i < 5; i++) await codeOf(accounts.checkPassword(from('member', OTHER, home)))
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD, home)))).toBe('locked')
  })

  it('does not count a try that could not be made', async () => {
    const busy: PasswordVerifier = {
      verify: () => Promise.reject(new AuthError('busy', 'too many password checks at once')),
    }
    const real = verifier
    verifier = busy
    accounts = open()
    for (let i = 0; i < 9; i++)
      expect(await codeOf(accounts.checkPassword(from('member', OTHER)))).toBe('busy')
    busy.verify = real.verify.bind(real)
    expect((await accounts.checkPassword(from('member', PASSWORD))).account).toBe('member')
  })

  it.each<[string, AccountChange]>([
    ['replaced', { passwordHash: '$argon2id$v=19$another' }],
    ['of an account that was disabled', { disabled: true }],
  ])('does not take a password that is %s while it is checked', async (_, change) => {
    const slow: PasswordVerifier = {
      async verify(hash, password) {
        const right = await verifier.verify(hash, password)
        await store.updateAccount('member', change)
        return right
      },
    }
    accounts = openAccounts({ store, verifier: slow, now: () => clock })
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD)))).toBe('credentials-invalid')
  })

  it('keeps a flood of failures from filling the audit', async () => {
    accounts = openAccounts({
      ...{ store, now: () => clock, verifier: { verify: () => Promise.resolve(false) } },
      lockoutLimits: { ...LOCKOUT_LIMITS, address: { points: 1e9, seconds: 60 } },
    })
    for (let i = 0; i < 650; i++) await codeOf(accounts.checkPassword(from(`somebody-${i}`, OTHER)))
    const records = await store.readAudit(1000)
    expect(records.length).toBeLessThanOrEqual(600)
    expect(records.length).toBeGreaterThan(500)
  })
})

describe('the one-time password', () => {
  it('is good for choosing another one, and for nothing else', async () => {
    const once = (await ensureAdmin(store))!
    expect(await codeOf(accounts.checkPassword(from('admin', once)))).toBe('password-change-required')
    expect(await codeOf(accounts.checkPassword(from('admin', OTHER)))).toBe('credentials-invalid')
    const change = { ...from('admin', once), newPassword: OTHER }
    expect(await codeOf(accounts.changePassword({ ...change, newPassword: once }))).toBe('password-invalid')
    expect(await accounts.changePassword(change)).toBe('admin')
    expect((await accounts.checkPassword(from('admin', OTHER))).account).toBe('admin')
    expect(await codeOf(accounts.checkPassword(from('admin', once)))).toBe('credentials-invalid')
  })

  it('is traded for a client as long as its owner chose no other, and no chosen one ever is', async () => {
    const once = (await ensureAdmin(store))!
    await accounts.changePassword({ ...from('admin', once), newPassword: OTHER })
    for (const password of [once, OTHER]) {
      const trade = tradePassword(store, verifier, { account: 'admin', password })
      expect(await codeOf(trade)).toBe('credentials-invalid')
    }
    expect(await store.listClients(9)).toEqual([])
    expect((await accounts.checkPassword(from('admin', OTHER))).account).toBe('admin')
  })

  it('is not also changed by whoever was checked before it was traded', async () => {
    const password = (await ensureAdmin(store))!
    const real = verifier
    const slow: PasswordVerifier = {
      async verify(hash, given) {
        const right = await real.verify(hash, given)
        await tradePassword(store, real, { account: 'admin', password })
        return right
      },
    }
    accounts = openAccounts({ store, verifier: slow, now: () => clock })
    const work = accounts.changePassword({ ...from('admin', password), newPassword: OTHER })
    expect(await codeOf(work)).toBe('credentials-invalid')
    expect((await store.readAccount('admin'))?.passwordHash).toBeUndefined()
  })

  it('gives one working client, however many trade it at once', async () => {
    const password = (await ensureAdmin(store))!
    const trade = () => tradePassword(store, verifier, { account: 'admin', password })
    const all = await Promise.allSettled([trade(), trade(), trade()])
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const clients = await store.listClients(9)
    expect(clients.filter(({ disabled }) => !disabled)).toHaveLength(1)
  })
})

describe('changing a password', () => {
  beforeEach(() => store.createAccount(person('member')))
  const change = (newPassword: string, given = from('member', PASSWORD)) =>
    accounts.changePassword({ ...given, newPassword })

  it('ends every session and every older token', async () => {
    await store.putOAuth('Grant', 'g', '{}', { accountId: 'member' })
    await store.putOAuth('Grant', 'of colleague', '{}', { accountId: 'colleague' })
    clock = START + 5_500
    expect(await change(OTHER)).toBe('member')
    expect((await store.readAccount('member'))?.tokensBefore).toBe(START / 1000 + 5)
    expect(await store.readOAuth('Grant', 'g')).toBeUndefined()
    expect(await store.readOAuth('Grant', 'of colleague')).toBe('{}')
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD)))).toBe('credentials-invalid')
    expect((await accounts.checkPassword(from('member', OTHER))).account).toBe('member')
    expect(await actions()).toContain('password.change')
  })

  it.each([
    ['eleven characters', 'x'.repeat(11)],
    ['257 characters', 'x'.repeat(257)],
    ['the same', PASSWORD],
    ['half a character', `${OTHER}\ud800`],
  ])('refuses %s', async (_, newPassword) => {
    expect(await codeOf(change(newPassword))).toBe('password-invalid')
    expect((await store.readAccount('member'))?.passwordHash).toBe(passwordHash)
  })

  it('refuses the login itself, and takes the bounds', async () => {
    const login = 'a.long.login@example.com'
    await store.createAccount(person('colleague', { login }))
    expect(await codeOf(change(login.toUpperCase(), from(login, PASSWORD)))).toBe('password-invalid')
    expect(await change('é'.repeat(12))).toBe('member')
    expect(await change('🙂'.repeat(256), from('member', 'é'.repeat(12)))).toBe('member')
    expect((await accounts.checkPassword(from('member', '🙂'.repeat(256)))).account).toBe('member')
  })

  it('needs the old one, and is throttled like a login', async () => {
    for (let i = 0; i < 5; i++) {
      expect(await codeOf(change(OTHER, from('member', 'wrong')))).toBe('credentials-invalid')
    }
    expect(await codeOf(change(OTHER))).toBe('locked')
    expect(await codeOf(accounts.checkPassword(from('member', PASSWORD)))).toBe('locked')
  })
})

const ADMIN = () => person('admin', { roles: ['admin'] })

describe('an invitation', () => {
  beforeEach(() => store.createAccount(ADMIN()))
  const accept = (code: string, login = 'newcomer', password = PASSWORD, address = '192.0.2.1') =>
    accounts.acceptInvitation({ code, login, password, address })

  it('makes a person with the roles it names, under an id that says nothing about them', async () => {
    const { code, expiresAt } = await accounts.invite('admin', ['reviewer', 'publisher', 'reviewer'])
    expect(expiresAt).toBe(START + 7 * 24 * HOUR)
    const row = await accept(code, 'New.Comer@Example.com')
    expect(row).toMatchObject({ kind: 'person', login: 'new.comer@example.com', disabled: false })
    expect(row.roles).toEqual(['publisher', 'reviewer'])
    expect(row.account).toMatch(/^u-[a-z2-7]{16}$/)
    expect((await accounts.checkPassword(from('new.comer@example.com', PASSWORD))).account).toBe(row.account)
    const trail = JSON.stringify(await store.readAudit(50))
    expect(await actions()).toEqual(['login', 'account.create', 'account.invite'])
    expect(trail).not.toContain('example.com')
    expect(trail).not.toContain(code)
  })

  it('is for one person, however many take it at once', async () => {
    const { code } = await accounts.invite('admin', ['publisher'])
    const all = await Promise.allSettled([1, 2, 3].map((n) => accept(code, `newcomer-${n}`)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await store.countAccounts()).toBe(2)
    expect(await codeOf(accept(code, 'late'))).toBe('code-invalid')
  })

  it('is typed as people type', async () => {
    const { code } = await accounts.invite('admin', ['publisher'])
    expect((await accept(` ${code.toUpperCase().replaceAll('-', ' ')} `)).kind).toBe('person')
  })

  it('stays good when the login or the password was not', async () => {
    await store.createAccount(person('member'))
    const { code } = await accounts.invite('admin', ['publisher'])
    expect(await codeOf(accept(code, 'MEMBER'))).toBe('login-taken')
    expect(await codeOf(accept(code, 'a'))).toBe('login-invalid')
    expect(await codeOf(accept(code, 'with blank'))).toBe('login-invalid')
    expect(await codeOf(accept(code, 'newcomer', 'short'))).toBe('password-invalid')
    expect((await accept(code)).kind).toBe('person')
  })

  it('ends after a week', async () => {
    const { code } = await accounts.invite('admin', ['publisher'])
    clock = START + 7 * 24 * HOUR
    expect(await codeOf(accept(code))).toBe('code-invalid')
    expect(await store.countAccounts()).toBe(1)
  })

  it('says nothing about logins to whoever has none, and is not guessed for long', async () => {
    await store.createAccount(person('member'))
    for (let i = 0; i < 20; i++) {
      expect(await codeOf(accept(`guess-${i}`, i % 2 === 0 ? 'member' : '!'))).toBe('code-invalid')
    }
    const failures = await store.readAudit(50, undefined, { action: 'login.failed' })
    expect(failures.map(({ account, target }) => [account, target])).toEqual(
      Array(20).fill(['unknown', 'unknown']),
    )
    const { code } = await accounts.invite('admin', ['publisher'])
    expect(await codeOf(accept(code))).toBe('locked')
    expect((await accept(code, 'newcomer', PASSWORD, '192.0.2.9')).kind).toBe('person')
  })

  it.each<[string, AccountChange]>([
    ['disabled', { disabled: true }],
    ['no admin any more', { roles: ['publisher'] }],
  ])('of an admin who is %s since is worth nothing', async (_, change) => {
    const { code } = await accounts.invite('admin', ['admin'])
    await store.updateAccount('admin', change)
    expect(await codeOf(accept(code))).toBe('code-invalid')
    await store.updateAccount('admin', { disabled: false, roles: ['admin'] })
    expect((await accept(code)).roles).toEqual(['admin'])
  })

  it('gives at least one role', async () => {
    expect(await codeOf(accounts.invite('admin', []))).toBe('account-invalid')
  })
})

describe('recovery', () => {
  beforeEach(async () => {
    await store.createAccount(ADMIN())
    await store.createAccount(person('member', { login: 'member@example.com' }))
  })
  const recover = (code: string, password = OTHER, address = '192.0.2.1') =>
    accounts.recover({ code, password, address })

  it('sets a new password, lifts the lock-out and ends every session', async () => {
    await store.putOAuth('Session', 's', '{}', { accountId: 'member' })
    for (let i = 0; i < 6; i++) await codeOf(accounts.checkPassword(from('member@example.com', 'wrong')))
    expect(await codeOf(accounts.checkPassword(from('member@example.com', PASSWORD)))).toBe('locked')
    const { code, expiresAt } = await accounts.startRecovery('admin', 'member')
    expect(expiresAt).toBe(START + 24 * HOUR)
    expect(await recover(code)).toBe('member')
    expect((await accounts.checkPassword(from('member@example.com', OTHER))).account).toBe('member')
    expect(await store.readOAuth('Session', 's')).toBeUndefined()
    expect((await store.readAccount('member'))?.tokensBefore).toBe(START / 1000)
    expect(await codeOf(accounts.checkPassword(from('member@example.com', PASSWORD)))).toBe(
      'credentials-invalid',
    )
  })

  it('works once, for a day, and only with the newest code', async () => {
    const old = await accounts.startRecovery('admin', 'member')
    const { code } = await accounts.startRecovery('admin', 'member')
    expect(await codeOf(recover(old.code))).toBe('code-invalid')
    expect(await codeOf(recover(code, 'short'))).toBe('password-invalid')
    expect(await codeOf(recover(code, 'Member@Example.com'))).toBe('password-invalid')
    const all = await Promise.allSettled([recover(code), recover(code)])
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await codeOf(recover(code))).toBe('code-invalid')
    const late = await accounts.startRecovery('admin', 'member')
    clock = START + 24 * HOUR
    expect(await codeOf(recover(late.code))).toBe('code-invalid')
  })

  it('is nothing that a dismissed admin left behind', async () => {
    const { code } = await accounts.startRecovery('admin', 'member')
    await store.updateAccount('admin', { roles: ['reviewer'] })
    expect(await codeOf(recover(code))).toBe('code-invalid')
  })

  it.each<[string, () => Promise<unknown>]>([
    ['a disabled account', () => store.updateAccount('member', { disabled: true })],
    [
      'a password its owner still knew',
      () =>
        accounts.changePassword({
          ...from('member@example.com', PASSWORD),
          newPassword: 'a third passphrase',
        }),
    ],
  ])('ends with %s', async (_, work) => {
    const { code } = await accounts.startRecovery('admin', 'member')
    await work()
    await store.updateAccount('member', { disabled: false })
    expect(await codeOf(recover(code))).toBe('code-invalid')
  })

  it('is the way back for a login that others shut, and stays one', async () => {
    accounts = open({ ...LOCKOUT_LIMITS, login: { points: 6, seconds: 3600 } })
    const shut = async () => {
      for (let i = 0; i < 8; i++)
        await codeOf(accounts.checkPassword(from('member@example.com', 'a guess', `192.0.2.${i}`)))
    }
    await shut()
    const attempt = from('member@example.com', PASSWORD, '198.51.100.1')
    expect(await codeOf(accounts.checkPassword(attempt))).toBe('locked')
    const { code } = await accounts.startRecovery('admin', 'member')
    await recover(code, OTHER, attempt.address)
    await shut()
    expect((await accounts.checkPassword({ ...attempt, password: OTHER })).account).toBe('member')
    expect(await codeOf(accounts.checkPassword({ ...attempt, address: '198.51.100.2' }))).toBe('locked')
  })

  it('is never an invitation, nor the other way round', async () => {
    const { code } = await accounts.startRecovery('admin', 'member')
    const invitation = await accounts.invite('admin', ['admin'])
    expect(await codeOf(recover(invitation.code))).toBe('code-invalid')
    const accepted = accounts.acceptInvitation({ ...from('newcomer', PASSWORD), code })
    expect(await codeOf(accepted)).toBe('code-invalid')
  })

  it('is for people with a password here', async () => {
    const subject = { issuer: 'https://login.example.com', sub: '42' }
    const { login, ...nameless } = person('x-1', { subject })
    expect(login).toBeDefined()
    await store.createAccount(nameless)
    await accounts.createService('member', { name: 'ci', roles: ['publisher'] })
    expect(await codeOf(accounts.startRecovery('admin', 'nobody'))).toBe('account-unknown')
    for (const account of ['x-1', 'ci']) {
      expect(await codeOf(accounts.startRecovery('admin', account))).toBe('account-invalid')
    }
  })

  it('is how an operator gets back in when everything is lost', async () => {
    await ensureAdmin(store)
    await store.updateAccount('admin', { disabled: true, roles: [] })
    const code = await resetPassword(store, 'admin', clock)
    expect(await recover(code)).toBe('admin')
    const admin = await accounts.checkPassword(from('admin', OTHER))
    expect([admin.disabled, admin.roles.includes('admin')]).toEqual([false, true])
    const [record] = await store.readAudit(1, undefined, { action: 'account.recover' })
    expect(record).toMatchObject({ account: 'operator', target: 'admin' })
    expect(JSON.stringify(record)).not.toContain(code)
    // Anybody else keeps the roles they had.
    await resetPassword(store, 'member', clock)
    expect((await store.readAccount('member'))?.roles).toEqual(['publisher'])
    expect(await codeOf(resetPassword(store, 'nobody'))).toBe('account-unknown')
  })
})

describe('administration', () => {
  beforeEach(async () => {
    await store.createAccount(person('member', { roles: ['admin'] }))
    await store.createAccount(person('colleague'))
  })

  it('gives and takes roles, each one once and in order', async () => {
    const row = await accounts.setRoles('member', 'colleague', ['auditor', 'publisher', 'auditor'])
    expect(row.roles).toEqual(['publisher', 'auditor'])
    expect((await accounts.setRoles('member', 'colleague', [])).roles).toEqual([])
    expect((await store.readAudit(1))[0]).toMatchObject({
      account: 'member',
      target: 'colleague',
      action: 'account.roles',
    })
  })

  it('never leaves the registry without an admin', async () => {
    const last = [
      () => accounts.setRoles('member', 'member', ['publisher']),
      () => accounts.setDisabled('member', 'member', true),
    ]
    for (const act of last) expect(await codeOf(act())).toBe('last-admin')
    await accounts.setRoles('member', 'colleague', ['admin'])
    await accounts.setDisabled('member', 'colleague', true)
    for (const act of last) expect(await codeOf(act())).toBe('last-admin')
    await accounts.setDisabled('member', 'colleague', false)
    const both = await Promise.allSettled(
      ['member', 'colleague'].map((account) => accounts.setDisabled(account, account, true)),
    )
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('ends what a disabled account is logged in with, and does not bring it back', async () => {
    await store.putOAuth('Grant', 'g', '{}', { accountId: 'colleague' })
    const off = await accounts.setDisabled('member', 'colleague', true)
    expect([off.disabled, off.tokensBefore]).toEqual([true, START / 1000 + 1])
    expect(await codeOf(accounts.checkPassword(from('colleague', PASSWORD)))).toBe('credentials-invalid')
    const on = await accounts.setDisabled('member', 'colleague', false)
    expect([on.disabled, on.tokensBefore]).toEqual([false, START / 1000 + 1])
    expect(await store.readOAuth('Grant', 'g')).toBeUndefined()
    expect((await accounts.checkPassword(from('colleague', PASSWORD))).account).toBe('colleague')
    expect(await actions()).toEqual(['login', 'account.enable', 'login.failed', 'account.disable'])
  })

  it('signs out everywhere, tokens of this second included', async () => {
    await store.putOAuth('Session', 's', '{}', { accountId: 'colleague' })
    const row = await accounts.signOut('member', 'colleague')
    expect(row.tokensBefore).toBe(START / 1000 + 1)
    expect(await store.readOAuth('Session', 's')).toBeUndefined()
    expect((await accounts.checkPassword(from('colleague', PASSWORD))).account).toBe('colleague')
  })

  it('says which account there is none of', async () => {
    for (const act of [
      accounts.read('nobody'),
      accounts.setRoles('member', 'nobody', ['admin']),
      accounts.setDisabled('member', 'nobody', true),
      accounts.signOut('member', 'nobody'),
    ]) {
      expect(await codeOf(act)).toBe('account-unknown')
    }
    expect(await actions()).toEqual([])
  })

  it('lists accounts by page', async () => {
    expect((await accounts.list(1)).map(({ account }) => account)).toEqual(['colleague'])
    expect((await accounts.list(9, 'colleague')).map(({ account }) => account)).toEqual(['member'])
  })
})

describe('a service account', () => {
  beforeEach(() => store.createAccount(person('member')))

  it('belongs to the person who made it, or who is named, also when a machine made it', async () => {
    await store.createAccount(person('colleague'))
    const own = await accounts.createService('member', { name: 'ci', roles: ['publisher'] })
    expect(own).toMatchObject({ account: 'ci', kind: 'service', owner: 'member', roles: ['publisher'] })
    const given = await accounts.createService('member', {
      name: 'ci-2',
      roles: ['publisher'],
      owner: 'colleague',
    })
    expect(given.owner).toBe('colleague')
    const byMachine = await accounts.createService('ci', { name: 'ci-3', roles: ['publisher'] })
    expect(byMachine.owner).toBe('member')
    expect(await actions()).toEqual(['account.create', 'account.create', 'account.create'])
  })

  it.each([
    ['a name that is taken', { name: 'member' }, 'account-taken'],
    ['a name in capitals', { name: 'CI' }, 'account-invalid'],
    ['a name like a person’s id', { name: 'u-abcdefgh' }, 'account-invalid'],
    ['a name like an outsider’s id', { name: 'x-abcdefgh' }, 'account-invalid'],
    ['what a decision by rule is signed with', { name: 'auto' }, 'account-invalid'],
    ['what the audit calls the operator', { name: 'operator' }, 'account-invalid'],
    ['an owner that is nobody', { name: 'ci', owner: 'nobody' }, 'account-unknown'],
    ['an owner that is a machine', { name: 'ci', owner: 'robot' }, 'account-invalid'],
  ])('is not made with %s', async (_, request, code) => {
    await store.createAccount(person('robot', { kind: 'service' }))
    expect(await codeOf(accounts.createService('member', { roles: ['publisher'], ...request }))).toBe(code)
    expect(await store.countAccounts()).toBe(2)
  })

  it('never logs in with a password', async () => {
    await accounts.createService('member', { name: 'ci', roles: ['publisher'] })
    expect(await codeOf(accounts.checkPassword(from('ci', '')))).toBe('credentials-invalid')
  })
})
