import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAccounts, type Accounts } from '../../src/auth/accounts.js'
import { ensureAdmin } from '../../src/auth/accounts/bootstrap.js'
import { AuthError } from '../../src/auth/errors.js'
import { LOCKOUT_LIMITS, type LockoutLimits } from '../../src/auth/accounts/lockout.js'
import type { PasswordVerifier } from '../../src/auth/accounts/passwords.js'
import { DEFAULT_AUTH_LIMITS, openPaces } from '../../src/auth/provider/limits.js'
import { openPostgresStore } from '../../src/storage/postgres.js'
import type { Store } from '../../src/storage/store.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'

// Several processes over one database count together: whoever is shut out by one of them is not let in by another.

const HOME = '198.51.100.1'
const RIGHT = 'the right one'
/** What is counted is the same, and a real check takes its time. */
const verifier: PasswordVerifier = {
  verify: (hash, password) => Promise.resolve(hash === '$h' && password === RIGHT),
}

let database: TestDatabase
let stores: Store[]

beforeEach(async () => {
  database = await makeDatabase()
  stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(database.url)))
  await stores[0]?.createAccount({
    ...{ account: 'member', kind: 'person', login: 'member', roles: ['publisher'], disabled: false },
    ...{ passwordHash: '$h', createdAt: 1 },
  })
})
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await database.drop()
})

const open = (lockoutLimits: LockoutLimits = LOCKOUT_LIMITS): Accounts[] =>
  stores.map((store) => openAccounts({ store, verifier, now: Date.now, lockoutLimits }))

const from = (password: string, address = HOME, login = 'member') => ({ login, password, address })

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (error instanceof AuthError) return error.code
  throw new Error('it was not refused', { cause: error })
}

describe('passwords at several processes', () => {
  it('are tried as often at all of them as at one', async () => {
    const all = open()
    const tries = Array.from({ length: 9 }, (_, n) => codeOf(all[n % 3]!.checkPassword(from(`wrong ${n}`))))
    const codes = await Promise.all(tries)
    expect(codes.filter((code) => code === 'credentials-invalid')).toHaveLength(LOCKOUT_LIMITS.pair.points)
    for (const one of all) expect(await codeOf(one.checkPassword(from(RIGHT)))).toBe('locked')
    expect((await all[1]!.checkPassword(from(RIGHT, '192.0.2.9'))).account).toBe('member')
  })

  it('that are right give back what they took, wherever', async () => {
    const all = open()
    for (let n = 0; n < 4; n++) await codeOf(all[0]!.checkPassword(from('wrong')))
    await all[1]!.checkPassword(from(RIGHT))
    for (let n = 0; n < 4; n++) await codeOf(all[2]!.checkPassword(from('wrong')))
    expect((await all[0]!.checkPassword(from(RIGHT))).account).toBe('member')
  })

  it('are not shut by strangers where the person was let in before, by whichever process', async () => {
    const all = open({ ...LOCKOUT_LIMITS, login: { points: 4, seconds: 3600 } })
    await all[0]!.checkPassword(from(RIGHT))
    for (let n = 0; n < 6; n++) await codeOf(all[n % 3]!.checkPassword(from('wrong', `192.0.2.${n}`)))
    for (const one of all) expect(await codeOf(one.checkPassword(from(RIGHT, '192.0.2.99')))).toBe('locked')
    for (const one of all) expect((await one.checkPassword(from(RIGHT))).account).toBe('member')
  })

  it('are open everywhere again after a recovery at one of them', async () => {
    const all = open()
    const [one] = all
    await stores[0]!.createAccount({
      ...{ account: 'boss', kind: 'person', roles: ['admin'], disabled: false, createdAt: 1 },
    })
    for (let n = 0; n < 6; n++) await codeOf(all[1]!.checkPassword(from('wrong')))
    const { code } = await one!.startRecovery('boss', 'member')
    await all[2]!.recover({ code, password: 'a quite new passphrase', address: HOME })
    // Another hash by now: every password is wrong for the stub, and a locked login would say so.
    expect(await codeOf(all[1]!.checkPassword(from('wrong')))).toBe('credentials-invalid')
  })

  it('codes, too, are guessed as often at all of them as at one', async () => {
    const all = open({ ...LOCKOUT_LIMITS, code: { points: 4, seconds: 900 } })
    const guess = (n: number) =>
      all[n % 3]!.recover({ code: `guess-${n}`, password: 'a quite new passphrase', address: HOME })
    const codes = await Promise.all(Array.from({ length: 9 }, (_, n) => codeOf(guess(n))))
    expect(codes.filter((code) => code === 'code-invalid')).toHaveLength(4)
    expect(codes.filter((code) => code === 'locked')).toHaveLength(5)
  })
})

describe('what the authorization server counts', () => {
  it('is counted by all processes together', async () => {
    const devicePoll = { ...DEFAULT_AUTH_LIMITS.devicePoll, seconds: 600 }
    const accountTokens = { points: 4, seconds: 600 }
    const paces = stores.map((store) => openPaces(store, { devicePoll, accountTokens }))
    const polls = await Promise.all(paces.map(({ devicePoll }) => devicePoll('a device code')))
    expect(polls.filter(Boolean)).toHaveLength(1)
    const tokens = await Promise.all([...paces, ...paces].map((pace) => pace.accountTokens('member')))
    expect(tokens.filter(Boolean)).toHaveLength(4)
    expect(await paces[0]!.accountTokens('other')).toBe(true)
  })
})

describe('processes that start at once on an empty database', () => {
  it('make one admin, and one of them shows the password', async () => {
    const shown = (await Promise.all(stores.map((store) => ensureAdmin(store)))).filter(
      (one) => one !== undefined,
    )
    expect(shown).toHaveLength(1)
    expect((await stores[1]!.readAccount('admin'))?.passwordOnce).toBe(true)
    expect(await ensureAdmin(stores[2]!)).toBeUndefined()
  })
})
