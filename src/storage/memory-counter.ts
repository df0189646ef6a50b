import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Counter, CounterRate, CounterState } from './store.js'

/** Counts of this process alone. */
export function memoryCounter({ points, seconds }: CounterRate): Counter {
  const limiter = new RateLimiterMemory({ points, duration: seconds })
  return {
    take: (key, taken = 1) =>
      limiter.consume(key, taken).then(
        (state) => stateOf(state, true),
        (refused: unknown) => {
          if (refused instanceof RateLimiterRes) return stateOf(refused, false)
          throw refused
        },
      ),
    giveBack: async (key, given = 1) => {
      await limiter.reward(key, given)
    },
    has: async (key) => ((await limiter.get(key))?.consumedPoints ?? 0) > 0,
    forget: async (key) => {
      await limiter.delete(key)
    },
  }
}

function stateOf({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): CounterState {
  return { isAllowed, remaining: remainingPoints, resetMs: msBeforeNext }
}
