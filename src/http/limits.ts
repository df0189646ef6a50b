import { isIPv6 } from 'node:net'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { HttpProblem } from './problems.js'

export interface Rate {
  readonly points: number
  readonly seconds: number
}

/** How often the expensive doors open: an address for tokens and passwords, an account for writes and large bodies. */
export interface Limits {
  readonly token: Rate
  readonly bootstrap: Rate
  /** Logins that are begun, by everybody together. */
  readonly starts: Rate
  readonly writes: Rate
  readonly large: Rate
  /** Of each account and of each address: a claim, a proof, a check or the test of a webhook makes the registry ask others. */
  readonly proofs: Rate
  /** Of an address: what its hosts saw elsewhere. */
  readonly seen: Rate
}

export const DEFAULT_LIMITS: Limits = {
  token: { points: 120, seconds: 60 },
  bootstrap: { points: 10, seconds: 60 },
  // Each keeps some kilobytes for half an hour: no number of addresses fills the disk.
  starts: { points: 6000, seconds: 60 },
  // One account may not take the sequencer from everybody else; a bulk import by one publisher still fits.
  writes: { points: 5000, seconds: 10 },
  // Judging four hostile MiB takes most of a second, and nobody else is served meanwhile. Real manifests are smaller.
  large: { points: 15, seconds: 60 },
  // One look may ask a dozen names and wait for each: nobody borrows the registry to ask the whole world.
  proofs: { points: 60, seconds: 60 },
  // A signature check each. Hosts report when something is wrong, and many of them may share an address.
  seen: { points: 120, seconds: 60 },
}

/** Bodies of more bytes are large. */
export const LARGE_BYTES = 1024 * 1024

export type LimitName = keyof Limits
export type Limiter = (name: LimitName, key: string) => Promise<Readonly<Record<string, string>>>

/** A limiter that answers with the headers to send, or refuses with `rate-limited` and when to come again. */
export function openLimiter(limits: Limits): Limiter {
  const counters = {
    token: counter(limits.token),
    bootstrap: counter(limits.bootstrap),
    starts: counter(limits.starts),
    writes: counter(limits.writes),
    large: counter(limits.large),
    proofs: counter(limits.proofs),
    seen: counter(limits.seen),
  }
  return async (name, key) => {
    const headers = (state: RateLimiterRes): Record<string, string> => ({
      'RateLimit-Limit': String(limits[name].points),
      'RateLimit-Remaining': String(state.remainingPoints),
      'RateLimit-Reset': String(Math.ceil(state.msBeforeNext / 1000)),
    })
    try {
      return headers(await counters[name].consume(key))
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused
      const wait = String(Math.max(1, Math.ceil(refused.msBeforeNext / 1000)))
      throw new HttpProblem('rate-limited', 'too many requests', { ...headers(refused), 'Retry-After': wait })
    }
  }
}

/**
 * What an address is counted as. Whoever has one IPv6 address has all of its /64: counting each would limit nobody
 * and remember all of them.
 */
export function addressKey(ip = 'unknown'): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (mapped !== undefined) return mapped
  return isIPv6(ip) ? `${firstGroups(ip.replace(/%.*$/, '')).join(':')}::/64` : ip
}

/** The first four of the eight groups, in one spelling. */
function firstGroups(ip: string): string[] {
  const [left = [], right = []] = ip
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  // Four bytes at the end may be written as IPv4, in place of two groups.
  const written = left.length + right.length + (ip.includes('.') ? 1 : 0)
  const zeros = Array.from({ length: 8 - written }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).map((group) => parseInt(group, 16).toString(16))
}

function counter({ points, seconds }: Rate): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: seconds })
}
