import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type {
  AuditRecord,
  BatchTx,
  CodeRow,
  PolicyVersion,
  Store,
  WebhookRow,
} from '../../src/storage/store.js'
import { makeDatabase, type TestDatabase } from '../support/postgres.js'
import { batchOf, digest, emptyState, manifestRow, person, START } from './contract-support.js'
import { grow, openPatient, WAITING } from './postgres-support.js'

let database: TestDatabase
/** Two processes over one database, as far as a store can tell. */
let one: Store
let two: Store
let clock: number

beforeEach(async () => {
  database = await makeDatabase()
  clock = START
  one = await openPatient(database.url, { now: () => clock })
  two = await openPatient(database.url, { now: () => clock })
})
afterEach(async () => {
  await Promise.all([one.close(), two.close()])
  await database.drop()
})

/**
 * Starts the works one behind another while somebody else holds the rows that `lock` names, each when the one before it
 * has come that far and waits, and lets them all go then: whatever can come between their statements does.
 */
async function collide<T>(
  lock: string,
  works: readonly (() => Promise<T>)[],
): Promise<PromiseSettledResult<T>[]> {
  const holder = new pg.Client({ connectionString: database.url })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query(lock)
    const running: Promise<T>[] = []
    for (const work of works) {
      running.push(work())
      running.at(-1)?.catch(() => undefined)
      await expect.poll(() => database.query(WAITING), { interval: 5 }).toHaveLength(running.length)
    }
    await holder.query('COMMIT')
    return await Promise.allSettled(running)
  } finally {
    await holder.end()
  }
}

const valuesOf = <T>(outcomes: readonly PromiseSettledResult<T>[]): T[] =>
  outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })

const admin = (account: string) => ({ ...person, account, login: account })
const ACCOUNTS = 'SELECT * FROM accounts FOR UPDATE'

describe('accounts of two processes', () => {
  beforeEach(() => one.createAccount(person))

  it('give a one-time password to one of them', async () => {
    const works = [one, two, one].map((store) => () => store.consumePassword('author', '$h'))
    expect(valuesOf(await collide(ACCOUNTS, works))).toEqual([true, false, false])
  })

  it('change a password once for those who knew the same one', async () => {
    const works = [one, two].map((store, n) => () => {
      return store.updateAccount('author', { passwordHash: `$${n}`, oldPasswordHash: '$h' })
    })
    expect(valuesOf(await collide(ACCOUNTS, works))).toEqual([true, false])
    expect((await two.readAccount('author'))?.passwordHash).toBe('$0')
  })

  it('never lose the last admin, whoever takes the role from whom', async () => {
    await one.createAccount(admin('outsider'))
    for (const account of ['author', 'outsider'])
      await one.putOAuth('Session', account, '{}', { accountId: account })
    // Each has looked whether there is another admin when it comes to the sessions.
    const outcomes = await collide('SELECT * FROM oauth FOR UPDATE', [
      () => one.updateAccount('outsider', { roles: ['auditor'], tokensBefore: 7, keepAdmin: true }),
      () => two.updateAccount('author', { disabled: true, tokensBefore: 7, keepAdmin: true }),
    ])
    expect(outcomes).toMatchObject([{ value: true }, { reason: { code: 'last-admin' } }])
    expect(await one.readAccount('author')).toEqual(person)
    expect(await two.updateAccount('outsider', { roles: ['admin'] })).toBe(true)
    expect(await two.updateAccount('author', { roles: [], keepAdmin: true })).toBe(true)
  })
})

describe('codes of two processes', () => {
  const recovery = (hash: string): CodeRow => ({
    ...{ hash, kind: 'recovery', account: 'author', by: 'outsider', expiresAt: START + 1000 },
  })
  const CODES = 'SELECT * FROM codes FOR UPDATE'
  beforeEach(() => one.createAccount(person))

  it('make one account of an invitation', async () => {
    await one.putCode({
      hash: 'i1',
      kind: 'invitation',
      roles: ['reviewer'],
      by: 'author',
      expiresAt: START + 1000,
    })
    const works = [one, two].map((store, n) => () => store.redeemInvitation('i1', admin(`u-${n}`)))
    expect(valuesOf(await collide(CODES, works))).toEqual([true, false])
    expect(await one.countAccounts()).toBe(2)
  })

  it('leave the invitation to whoever comes next when the first one fails', async () => {
    await one.putCode({
      hash: 'i1',
      kind: 'invitation',
      roles: ['reviewer'],
      by: 'author',
      expiresAt: START + 1000,
    })
    const outcomes = await collide(CODES, [
      () => one.redeemInvitation('i1', { ...admin('u-1'), login: person.login ?? '' }),
      () => two.redeemInvitation('i1', admin('u-2')),
    ])
    expect(outcomes).toMatchObject([{ reason: { code: 'duplicate' } }, { value: true }])
  })

  it('keep the newest recovery code of two that are made at once', async () => {
    const works = [one, two].map((store, n) => () => store.putCode(recovery(`r${n}`)))
    valuesOf(await collide(ACCOUNTS, works))
    expect(await one.readCode('r0', 'recovery')).toBeUndefined()
    expect(await one.readCode('r1', 'recovery')).toEqual(recovery('r1'))
  })

  it('redeem a recovery once, and not after the account was disabled', async () => {
    await one.putCode(recovery('r1'))
    const works = [one, two].map((store, n) => () => store.redeemRecovery('r1', `$${n}`, 7))
    expect(valuesOf(await collide(ACCOUNTS, works))).toEqual(['author', undefined])
    await one.putCode(recovery('r2'))
    const [off, back] = await collide<unknown>(ACCOUNTS, [
      () => one.updateAccount('author', { disabled: true }),
      () => two.redeemRecovery('r2', '$late', 9),
    ])
    expect([off, back]).toMatchObject([{ value: true }, { value: undefined }])
    expect(await one.readAccount('author')).toMatchObject({ disabled: true, passwordHash: '$0' })
  })

  it('end with the account they are of, also those that are made at that moment', async () => {
    const works = [
      () => one.putCode(recovery('r1')),
      () => two.updateAccount('author', { disabled: true }).then(() => undefined),
    ]
    valuesOf(await collide(ACCOUNTS, works))
    expect(await one.readCode('r1', 'recovery')).toBeUndefined()
  })
})

describe('what is good for once', () => {
  it('is said once by two processes, also where an expired one stood', async () => {
    const end = START / 1000 + 60
    const say = (until: number) => [one, two, one, two].map((store) => store.useOnce('dpop', 'j1', until))
    expect((await Promise.all(say(end))).filter(Boolean)).toHaveLength(1)
    clock = START + 60_000
    const again = [one, two].map((store) => () => store.useOnce('dpop', 'j1', end + 60))
    expect(valuesOf(await collide('SELECT * FROM used_once FOR UPDATE', again))).toEqual([true, false])
  })

  it('may be called whatever a stranger likes', async () => {
    const end = START / 1000 + 60
    for (const value of ['n\0l', 'x'.repeat(10_000), 'x'.repeat(10_001), '\ud800']) {
      expect(await one.useOnce('dpop', value, end)).toBe(true)
      expect(await two.useOnce('dpop', value, end)).toBe(false)
    }
  })

  it('is a challenge, for one of two batches', async () => {
    await one.initLog(emptyState)
    await one.putChallenge({
      ...{
        challenge: 'c',
        namespace: 'com.example',
        account: 'author',
        kind: 'dns',
        expiresAt: START + 1000,
      },
    })
    const take = (store: Store) =>
      store.commitBatch(async (tx) => {
        const isMine = await tx.takeChallenge('c')
        const { size, note } = await tx.readLogState()
        await tx.append(batchOf(size, note, 1))
        return isMine
      })
    expect((await Promise.all([take(one), take(two)])).sort()).toEqual([false, true])
  })

  it('is the key of a request that comes to two processes', async () => {
    const take = (store: Store) => store.takeIdempotencyKey('k', 'f', clock + 1000)
    const first = await take(one)
    clock += 1000
    const outcomes = await collide('SELECT * FROM idempotency FOR UPDATE', [() => take(two), () => take(one)])
    expect([first, ...valuesOf(outcomes)]).toMatchObject([
      { state: 'taken' },
      { state: 'taken' },
      { state: 'running' },
    ])
  })
})

describe('what reviewers of two processes say', () => {
  const policy = (version: number, text: string): PolicyVersion => ({
    ...{ version, digest: digest(text), text, by: 'author', at: START },
  })

  it('puts one policy of a version in force, and keeps nothing of the other', async () => {
    expect(await one.setPolicy(policy(1, 'first'))).toBe(true)
    const texts = ['a', 'b', 'c', 'd', 'e', 'f']
    const set = texts.map((text, n) => (n % 2 === 0 ? one : two).setPolicy(policy(2, text)))
    const won = (await Promise.all(set)).flatMap((isSet, n) => (isSet ? [texts[n]] : []))
    expect(won).toHaveLength(1)
    expect((await two.readCurrentPolicy())?.text).toBe(won[0])
    const kept = await Promise.all(texts.map((text) => one.readPolicy(digest(text))))
    expect(kept.filter((text) => text !== undefined)).toEqual(won)
    expect(await one.setPolicy(policy(4, 'g'))).toBe(false)
    expect(await one.setPolicy(policy(3, 'first'))).toBe(true)
  })

  it('counts one vote for each of them', async () => {
    const vote = { subject: 's', after: 3, at: START }
    const cast = ['author', 'outsider', 'author', 'outsider'].map((account, n) =>
      (n < 2 ? one : two).castVote({ ...vote, account, comment: String(n) }),
    )
    await Promise.all(cast)
    const accounts = (await one.readVotes('s', 3)).map(({ account }) => account)
    expect(accounts.sort()).toEqual(['author', 'outsider'])
  })
})

describe('what two processes share out', () => {
  it('is claimed by one of them', async () => {
    const webhook: WebhookRow = {
      ...{
        id: 'w',
        url: 'https://hooks.example.com/',
        events: [],
        account: 'author',
        cursor: 0,
        failures: 0,
      },
      ...{ nextAt: START, disabled: false, createdAt: START },
    }
    await one.addAuditRecord({ at: 1, account: 'author', action: 'approve', target: 'x', detail: '{}' })
    const ids = Array.from({ length: 40 }, (_, n) => `w${String(n).padStart(2, '0')}`)
    for (const id of ids) await one.createWebhook({ ...webhook, id })
    const claims = [one, two, one, two].map((store) => store.claimDueWebhooks(START, 15, START + 9))
    const claimed = (await Promise.all(claims)).flat().map(({ id }) => id)
    expect(new Set(claimed).size).toBe(claimed.length)
    const rest = (await two.claimDueWebhooks(START, 40, START + 9)).map(({ id }) => id)
    expect([...claimed, ...rest].sort()).toEqual(ids)
  })

  it('is not what the other one is claiming', async () => {
    await one.initLog(emptyState)
    const proofs = ['a', 'b', 'c', 'd'].map((namespace) => ({
      ...{ namespace, kind: 'dns' as const, subject: namespace, kid: 'k', checkedAt: 1, suspended: false },
    }))
    await one.commitBatch(async (tx) => {
      for (const proof of proofs) await tx.putProof(proof)
      await tx.append(batchOf(0, 'note 0', 1))
    })
    const claims = [one, two].map((store) => store.claimProofsDue(5, 3, 7))
    const claimed = (await Promise.all(claims)).flat().map(({ namespace }) => namespace)
    expect(new Set(claimed).size).toBe(claimed.length)
  })
})

describe('manifests', () => {
  const row = manifestRow('weather', '1.0.0', 0)
  const HELD = 'SELECT * FROM manifests FOR UPDATE'
  beforeEach(async () => {
    await one.initLog(emptyState)
    await grow(one, (tx) => tx.putManifest({ ...row, status: 'approved', approveIndex: 5 }))
  })

  it.each([
    ['approved', (tx: BatchTx) => tx.updateManifest(row.manifest, { approveIndex: 6 })],
    ['published', (tx: BatchTx) => tx.putManifest({ ...row, status: 'approved', approveIndex: 6 })],
  ])('leave no bundle of before when they are %s anew in another process', async (_, change) => {
    const put = () => one.putBundle(row.manifest, 'of before', 5)
    const move = () => grow(two, change)
    for (const works of [
      [put, move],
      [move, put],
    ]) {
      valuesOf(await collide(HELD, works))
      expect(await one.readBundle(row.manifest)).toBeUndefined()
      await grow(one, (tx) => tx.updateManifest(row.manifest, { approveIndex: 5 }))
    }
    await put()
    expect(await two.readBundle(row.manifest)).toBe('of before')
  })

  it('are kept whatever a publisher calls them', async () => {
    const named = {
      ...manifestRow('nul', '1.0.0', 1),
      title: 'a\0b',
      description: 'c\0',
      lookups: ['npm:x', 'npm:\0'],
    }
    await grow(one, (tx) => tx.putManifest(named))
    expect(await two.readManifest(named.manifest)).toMatchObject({
      title: 'a\ufffdb',
      lookups: named.lookups,
    })
    expect(await two.readByLookup('npm:x')).toHaveLength(1)
    expect(await two.readByLookup('npm:\0')).toEqual([])
  })
})

describe('the audit trail', () => {
  it('is read on from an id by a reader that is never overtaken, whoever writes', async () => {
    await one.initLog(emptyState)
    const seen: AuditRecord[] = []
    let isWriting = true
    const read = async () => {
      for (;;) {
        const last = !isWriting
        const next = await two.readAuditSince(seen.at(-1)?.id ?? 0, 7)
        seen.push(...next)
        if (last && next.length === 0) return
      }
    }
    const record = (target: string) => ({ at: 1, account: 'author', action: 'login', target, detail: '{}' })
    const write = async (store: Store, name: string) => {
      for (let n = 0; n < 25; n++) await store.addAuditRecord(record(`${name} ${n}`))
    }
    const batches = async (store: Store, name: string) => {
      for (let n = 0; n < 15; n++)
        await store.commitBatch(async (tx) => {
          await tx.addAudit(record(`${name} ${n} a`))
          const { size, note } = await tx.readLogState()
          await tx.append(batchOf(size, note, 1))
          await tx.addAudit(record(`${name} ${n} b`))
        })
    }
    const writers = [write(one, 'w1'), write(two, 'w2'), batches(one, 'b1'), batches(two, 'b2')]
    const reading = read()
    await Promise.all(writers)
    isWriting = false
    await reading
    expect(seen).toHaveLength(2 * 25 + 2 * 15 * 2)
    expect(seen).toEqual((await one.readAudit(1000)).reverse())
    const targets = seen.map(({ target }) => target)
    for (const at of targets.flatMap((target, place) => (target.endsWith(' a') ? [place] : [])))
      expect(targets[at + 1]).toBe(targets[at]?.replace(/a$/, 'b'))
  })

  it('gives no number to a record while one with a lower number is still under way', async () => {
    const record = { at: 1, account: 'author', action: 'login', target: 'x', detail: '{}' }
    await one.addAuditRecord({ ...record, target: 'first' })
    // The second one has its number when it waits behind what stands for the batch of a process that sleeps.
    const lock = `SELECT pg_advisory_xact_lock(1635083380)`
    const outcomes = await collide(lock, [
      () => one.addAuditRecord({ ...record, target: 'second' }),
      () => two.addAuditRecord({ ...record, target: 'third' }),
    ])
    valuesOf(outcomes)
    const targets = (await one.readAuditSince(0, 9)).map(({ target }) => target)
    expect(targets).toEqual(['first', 'second', 'third'])
  })
})

describe('counters', () => {
  const RATE = { points: 5, seconds: 600 }

  it('count for two processes together, and apart by name and key', async () => {
    const [a, b] = [one.counter('n', RATE), two.counter('n', RATE)]
    const takes = await Promise.all([a, b, a, b, a, b, a].map((counter) => counter.take('k')))
    expect(takes.filter(({ isAllowed }) => isAllowed)).toHaveLength(5)
    expect((await b.take('k')).isAllowed).toBe(false)
    expect((await b.take('other')).remaining).toBe(4)
    expect((await two.counter('m', RATE).take('k')).remaining).toBe(4)
  })

  it('tell everybody of a crowd what is theirs', async () => {
    const counter = one.counter('n', { points: 100, seconds: 600 })
    const remaining = (await Promise.all(Array.from({ length: 50 }, () => counter.take('k', 2)))).map(
      (state) => state.remaining,
    )
    expect(remaining).toEqual(Array.from({ length: 50 }, (_, n) => 98 - 2 * n))
  })

  it('give back, forget, and know whether there is anything', async () => {
    const [a, b] = [one.counter('n', RATE), two.counter('n', RATE)]
    expect(await a.has('k')).toBe(false)
    await a.take('k', 5)
    expect(await b.has('k')).toBe(true)
    await b.giveBack('k', 2)
    expect(await a.take('k', 2)).toMatchObject({ isAllowed: true, remaining: 0 })
    await a.giveBack('k', 99)
    expect(await b.has('k')).toBe(false)
    await a.take('k', 9)
    await b.forget('k')
    expect(await a.take('k')).toMatchObject({ isAllowed: true, remaining: 4 })
  })

  it('begin anew when their window has ended', async () => {
    const counter = one.counter('n', RATE)
    await counter.take('k', 9)
    await database.query('UPDATE rate_limits SET expire = 1')
    expect(await counter.has('k')).toBe(false)
    const { isAllowed, remaining, resetMs } = await two.counter('n', RATE).take('k')
    expect([isAllowed, remaining, resetMs > 0 && resetMs <= 600_000]).toEqual([true, 4, true])
  })

  it('take keys of any length, and NUL', async () => {
    const [a, b] = [one.counter('n', RATE), two.counter('n', RATE)]
    for (const key of ['n\0l', 'x'.repeat(10_000)]) {
      expect((await a.take(key)).remaining).toBe(4)
      expect((await b.take(key)).remaining).toBe(3)
    }
  })

  it('go on counting in each process while the database is away', async () => {
    const counter = one.counter('n', RATE)
    await database.drop()
    const takes = []
    for (let n = 0; n < 7; n++) takes.push((await counter.take('k')).isAllowed)
    expect(takes).toEqual([true, true, true, true, true, false, false])
  })
})

describe('what has expired', () => {
  it('is swept away after a while, and nothing else', async () => {
    const end = START / 1000 + 60
    await one.useOnce('dpop', 'old', end)
    await one.useOnce('dpop', 'lasting', end + 3600)
    const values = async () =>
      (await database.query<{ value: string }>('SELECT value FROM used_once')).map((row) => row.value)
    clock = (end + 200) * 1000
    await two.useOnce('dpop', 'next', end + 3600)
    // By the clock of a slower machine it may still be good.
    expect((await values()).sort()).toEqual(['lasting', 'next', 'old'])
    clock = (end + 400) * 1000
    await two.useOnce('dpop', 'after', end + 3600)
    expect((await values()).sort()).toEqual(['after', 'lasting', 'next'])
  })
})
