import { createHmac, createHash, randomBytes } from 'node:crypto'
import type { Counter, CounterRate, SharedStore } from '../../storage/store.js'
import { AuthError } from '../errors.js'

/** How many wrong tries are let through, counted in three ways for passwords and in one for codes. */
export interface LockoutLimits {
  /** One login from one address. */
  readonly pair: CounterRate
  /** One login from anywhere it was never right from: many addresses do not make many tries. */
  readonly login: CounterRate
  /** One address at any login: trying one password everywhere. */
  readonly address: CounterRate
  readonly code: CounterRate
}

export const LOCKOUT_LIMITS: LockoutLimits = {
  pair: { points: 5, seconds: 15 * 60 },
  login: { points: 50, seconds: 60 * 60 },
  address: { points: 100, seconds: 15 * 60 },
  code: { points: 20, seconds: 15 * 60 },
}

export interface Attempt {
  /** As it is looked up; nothing here knows whether it is anybody's. */
  readonly login: string
  readonly address: string
}

/** Counts tries before they are made, so that a crowd of them at once is not let through together. */
export interface Lockout {
  /** Whether the password was right. Throws `locked` without looking; a try that could not be made does not count. */
  password(attempt: Attempt, isRight: () => Promise<boolean>): Promise<boolean>
  /** What stands behind a code, or undefined. Throws `locked`. */
  code<T>(address: string, find: () => Promise<T | undefined>): Promise<T | undefined>
  /**
   * The person proved in another way who they are: the login is open again, and stays so from this address whatever
   * is tried from elsewhere.
   */
  forgive(attempt: Attempt): Promise<void>
}

type CountingStore = Pick<SharedStore, 'counter' | 'keepFact' | 'isShared'>

/** Counts for all processes over the store together: what one of them shuts, none of them opens. */
export function openLockout(store: CountingStore, limits: LockoutLimits = LOCKOUT_LIMITS): Lockout {
  const bucket = openBuckets(store)
  const pairs = store.counter('lockout-pair', limits.pair)
  const logins = store.counter('lockout-login', limits.login)
  const addresses = store.counter('lockout-address', limits.address)
  const codes = store.counter('lockout-code', limits.code)
  const proved = openProved(store)
  const pairOf = ({ login, address }: Attempt) => JSON.stringify([login, address])
  const keysOf = async (attempt: Attempt) => ({
    pair: await bucket(pairOf(attempt)),
    login: await bucket(attempt.login),
    address: await bucket(attempt.address),
  })

  return {
    async password(attempt, isRight) {
      const keys = await keysOf(attempt)
      // Whoever is shut out already does not shut out others: the next counter is touched only by what passed the last.
      await take(addresses, keys.address)
      await take(pairs, keys.pair)
      // Strangers who shut a login do not shut it to its person, who was here before: five tries are still all.
      const isStranger = !(await proved.has(pairOf(attempt)))
      if (isStranger) await take(logins, keys.login)
      const giveBack = () =>
        Promise.all([
          addresses.giveBack(keys.address),
          pairs.giveBack(keys.pair),
          ...(isStranger ? [logins.giveBack(keys.login)] : []),
        ])
      const right = await isRight().catch(async (cause: unknown) => {
        await giveBack()
        throw cause
      })
      if (!right) return false
      await giveBack()
      await pairs.forget(keys.pair)
      await proved.add(pairOf(attempt))
      return true
    },
    async code(address, find) {
      const key = await bucket(address)
      await take(codes, key)
      const found = await find()
      if (found !== undefined) await codes.giveBack(key)
      return found
    },
    async forgive(attempt) {
      const keys = await keysOf(attempt)
      await Promise.all([pairs.forget(keys.pair), logins.forget(keys.login)])
      await proved.add(pairOf(attempt))
    },
  }
}

/** Logins with an address that the right password, or a recovery code, came from. */
const REMEMBERED = 10_000
const REMEMBERED_SECONDS = 14 * 86_400

/**
 * The newest of what was added, by a digest of each: nobody gets in here by a collision. What another process added is
 * known for two weeks; only somebody who knows a password makes rows of it.
 */
function openProved(store: CountingStore) {
  const kept = new Set<string>()
  const shared = store.isShared
    ? store.counter('lockout-proved', { points: 1, seconds: REMEMBERED_SECONDS })
    : undefined
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('base64url')
  return {
    has: async (text: string): Promise<boolean> => {
      const key = digest(text)
      return kept.has(key) || (await shared?.has(key)) === true
    },
    async add(text: string): Promise<void> {
      const key = digest(text)
      kept.delete(key)
      kept.add(key)
      const [oldest] = kept
      if (kept.size > REMEMBERED && oldest !== undefined) kept.delete(oldest)
      await shared?.take(key)
    },
  }
}

/** As many counters as an attacker can make us remember, whatever the logins are that they think of. */
const BUCKET_BITS = 18

/** Nobody outside can tell which logins share a bucket: the key is made with the database, and every process has it. */
function openBuckets(store: CountingStore): (text: string) => Promise<string> {
  let kept: Promise<string> | undefined
  const key = async (): Promise<string> => {
    kept ??= store.keepFact('lockout-key', randomBytes(32).toString('base64url'))
    try {
      return await kept
    } catch (cause) {
      kept = undefined
      throw cause
    }
  }
  return async (text) => {
    const hash = createHmac('sha256', await key())
      .update(text, 'utf8')
      .digest()
    return (hash.readUInt32BE(0) >>> (32 - BUCKET_BITS)).toString(36)
  }
}

async function take(counter: Counter, key: string): Promise<void> {
  const { isAllowed, resetMs } = await counter.take(key)
  if (isAllowed) return
  const retryAfter = Math.max(1, Math.ceil(resetMs / 1000))
  throw new AuthError('locked', 'too many wrong passwords or codes; wait, or recover the password', {
    retryAfter,
  })
}
