import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Desk } from './desk.js'
import type { Counter, CounterRate, CounterState, LogReads, SharedStore } from '../store.js'

/** One process has the database: whatever several would need of it is at hand. */
export function sharedStore(
  { writer, write }: Pick<Desk, 'writer' | 'write'>,
  reads: Parameters<Parameters<SharedStore['readConsistently']>[0]>[0],
): SharedStore {
  const keep = writer.prepare('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const kept = writer.prepare<[string], { value: string }>('SELECT value FROM facts WHERE name = ?')
  const readSettledLogState: LogReads['readLogState'] = () => reads.readLogState()
  return {
    isShared: false,
    watch: () => () => undefined,
    readConsistently: (work) => work(reads),
    readSettledLogState,
    keepFact: (name, value) =>
      write(() => {
        keep.run(name, value)
        return kept.get(name)?.value ?? value
      }),
    counter: (_name, rate) => memoryCounter(rate),
  }
}

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
    giveBack: async (key, given = 1) => void (await limiter.reward(key, given)),
    has: async (key) => ((await limiter.get(key))?.consumedPoints ?? 0) > 0,
    forget: async (key) => void (await limiter.delete(key)),
  }
}

function stateOf({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean): CounterState {
  return { isAllowed, remaining: remainingPoints, resetMs: msBeforeNext }
}
