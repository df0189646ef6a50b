import { createHash, createHmac, randomBytes } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { AuthError } from '../errors.js'

export interface AttemptRate {
  readonly points: number
  readonly seconds: number
}

/** How many wrong tries are let through, counted in three ways for passwords and in one for codes. */
export interface LockoutLimits {
  /** One login from one address. */
  readonly pair: AttemptRate
  /** One login from anywhere it was never right from: many addresses do not make many tries. */
  readonly login: AttemptRate
  /** One address at any login: trying one password everywhere. */
  readonly address: AttemptRate
  readonly code: AttemptRate
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

export function openLockout(limits: LockoutLimits = LOCKOUT_LIMITS): Lockout {
  const bucket = openBuckets()
  const pairs = counter(limits.pair)
  const logins = counter(limits.login)
  const addresses = counter(limits.address)
  const codes = counter(limits.code)
  const proved = openMemory(REMEMBERED)
  const pairOf = ({ login, address }: Attempt) => JSON.stringify([login, address])
  const keysOf = (attempt: Attempt) => ({
    pair: bucket(pairOf(attempt)),
    login: bucket(attempt.login),
    address: bucket(attempt.address),
  })

  return {
    async password(attempt, isRight) {
      const keys = keysOf(attempt)
      // Whoever is shut out already does not shut out others: the next counter is touched only by what passed the last.
      await consume(addresses, keys.address)
      await consume(pairs, keys.pair)
      // Strangers who shut a login do not shut it to its person, who was here before: five tries are still all.
      const isStranger = !proved.has(pairOf(attempt))
      if (isStranger) await consume(logins, keys.login)
      const giveBack = () =>
        Promise.all([
          addresses.reward(keys.address),
          pairs.reward(keys.pair),
          ...(isStranger ? [logins.reward(keys.login)] : []),
        ])
      const right = await isRight().catch(async (cause: unknown) => {
        await giveBack()
        throw cause
      })
      if (!right) return false
      await giveBack()
      await pairs.delete(keys.pair)
      proved.add(pairOf(attempt))
      return true
    },
    async code(address, find) {
      const key = bucket(address)
      await consume(codes, key)
      const found = await find()
      if (found !== undefined) await codes.reward(key)
      return found
    },
    async forgive(attempt) {
      const keys = keysOf(attempt)
      await Promise.all([pairs.delete(keys.pair), logins.delete(keys.login)])
      proved.add(pairOf(attempt))
    },
  }
}

/** Logins with an address that the right password, or a recovery code, came from. */
const REMEMBERED = 10_000

/** The newest of what was added; a digest of each. Nobody gets in here by a collision. */
function openMemory(most: number) {
  const kept = new Set<string>()
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('base64url')
  return {
    has: (text: string): boolean => kept.has(digest(text)),
    add(text: string): void {
      const key = digest(text)
      kept.delete(key)
      kept.add(key)
      const [oldest] = kept
      if (kept.size > most && oldest !== undefined) kept.delete(oldest)
    },
  }
}

/** As many counters as an attacker can make us remember, whatever the logins are that they think of. */
const BUCKET_BITS = 18

/** Nobody outside can tell which logins share a bucket: the key is made anew with every start. */
function openBuckets(): (text: string) => string {
  const key = randomBytes(32)
  return (text) => {
    const hash = createHmac('sha256', key).update(text, 'utf8').digest()
    return (hash.readUInt32BE(0) >>> (32 - BUCKET_BITS)).toString(36)
  }
}

function counter({ points, seconds }: AttemptRate): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: seconds })
}

async function consume(counter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await counter.consume(key)
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused
    const retryAfter = Math.max(1, Math.ceil(refused.msBeforeNext / 1000))
    throw new AuthError('locked', 'too many wrong passwords or codes; wait, or recover the password', {
      retryAfter,
    })
  }
}
