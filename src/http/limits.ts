import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { HttpProblem } from './problems.js'

export interface Rate {
  readonly points: number
  readonly seconds: number
}

/** How often the expensive doors open: an address for tokens and passwords, an account for writes. */
export interface Limits {
  readonly token: Rate
  readonly bootstrap: Rate
  readonly writes: Rate
}

export const DEFAULT_LIMITS: Limits = {
  token: { points: 120, seconds: 60 },
  bootstrap: { points: 10, seconds: 60 },
  // One account may not take the sequencer from everybody else; a bulk import by one publisher still fits.
  writes: { points: 5000, seconds: 10 },
}

export type LimitName = keyof Limits
export type Limiter = (name: LimitName, key: string) => Promise<Readonly<Record<string, string>>>

/** A limiter that answers with the headers to send, or refuses with `rate-limited` and when to come again. */
export function openLimiter(limits: Limits): Limiter {
  const counters = {
    token: counter(limits.token),
    bootstrap: counter(limits.bootstrap),
    writes: counter(limits.writes),
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

function counter({ points, seconds }: Rate): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: seconds })
}
