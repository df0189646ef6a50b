import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  planNext,
  promisedMs,
  PublicationTimer,
  type Plan,
  type Standing,
} from '../../src/log/publication-timer.js'

const REFRESH_MS = 300_000
const standing = (how: Partial<Standing> = {}): Standing => ({
  ...{ failures: 0, isBehind: false, isAdopted: false, refreshMs: REFRESH_MS, ageMs: () => 0 },
  ...how,
})

describe('what is done next', () => {
  it.each([
    [1, 250],
    [2, 500],
    [5, 4000],
    [6, 5000],
    [100_000, 5000],
  ])('after %i failures it is tried again in %i ms', (failures, waitMs) => {
    expect(planNext(standing({ failures, isBehind: true }))).toEqual({ next: 'retry', waitMs })
  })

  it('what another process committed is left to that process for a while, whatever failed here', () => {
    for (const how of [{}, { isAdopted: true }, { isAdopted: true, failures: 9 }]) {
      const { next, waitMs } = planNext(standing({ isBehind: true, ...how }))
      expect(next).toBe('overdue')
      expect(waitMs).toBeGreaterThanOrEqual(1500)
      expect(waitMs).toBeLessThan(3000)
    }
  })

  it('an unchanged tree is cosigned again before it is too old, by whoever published it', () => {
    expect(planNext(standing())).toEqual({ next: 'again', waitMs: 0.8 * REFRESH_MS })
    for (let i = 0; i < 100; i++) {
      const { next, waitMs } = planNext(standing({ isAdopted: true }))
      expect(next).toBe('again')
      expect(waitMs).toBeGreaterThanOrEqual(0.8 * REFRESH_MS)
      expect(waitMs).toBeLessThanOrEqual(0.9 * REFRESH_MS)
    }
  })

  it('counts how old it is, and never comes at once', () => {
    const waitOf = (age: number, refreshMs = REFRESH_MS): number =>
      planNext(standing({ ageMs: () => age, refreshMs })).waitMs
    expect(waitOf(60_000)).toBe(0.8 * REFRESH_MS - 60_000)
    expect(waitOf(Number.MAX_SAFE_INTEGER)).toBe(250)
    // Nor later than it was to come at first.
    expect(waitOf(1000, 100)).toBe(80)
  })
})

it('a trust root may ask for less time than usual, and not for more', () => {
  const usual = { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 }
  expect(promisedMs(usual)).toBe(300_000)
  expect(promisedMs({ ...usual, refreshSeconds: 60 })).toBe(60_000)
  expect(promisedMs({ ...usual, maxSeconds: 30 })).toBe(30_000)
  expect(promisedMs({ ...usual, refreshSeconds: 9999 })).toBe(300_000)
})

describe('the timer', () => {
  afterEach(() => vi.useRealTimers())

  it('is set for one thing at a time', () => {
    vi.useFakeTimers()
    const done: Plan['next'][] = []
    const timer = new PublicationTimer((next) => done.push(next))
    timer.set({ next: 'again', waitMs: 10 })
    timer.set({ next: 'retry', waitMs: 20 })
    expect(timer.next).toBe('retry')
    vi.advanceTimersByTime(30)
    expect(done).toEqual(['retry'])
    timer.set({ next: 'overdue', waitMs: 10 })
    timer.clear()
    vi.advanceTimersByTime(30)
    expect([timer.next, done]).toEqual([undefined, ['retry']])
  })
})
