import { refuse } from './core/index.js'

/** Seconds a status may lie ahead of the host's clock before the clock is called wrong (PROTOCOL 10.4). */
export const MAX_CLOCK_SKEW = 600

/** How old what we know is. Times are POSIX seconds. A value, not a boolean: who reports it can say since when. */
export interface Freshness {
  readonly status: 'ok' | 'stale' | 'unknown'
  /** When the quorum, or without witnesses the timestamper, stood behind the status. */
  readonly attestedAt?: number
  readonly ageSeconds?: number
  readonly maxSeconds: number
  /** The longer bound of an explicit offline bundle applies. */
  readonly offline: boolean
}

export interface FreshnessFacts {
  /** T of the status, POSIX seconds; absent when nothing is known. */
  readonly attestedAt?: number
  /** The newest T this host ever accepted: a clock that was set back does not make old news fresh. */
  readonly newestAttested?: number
  /** The host's clock, POSIX seconds. */
  readonly clock: number
  readonly limits: { readonly maxSeconds: number; readonly offlineMaxSeconds: number }
  /** Only for a bundle that the person handed over; never inferred from being unreachable. */
  readonly offline?: boolean
}

/** The later of the clock and the newest time that was attested to this host (PROTOCOL 10.4). */
export function hostNow(clock: number, newestAttested = 0): number {
  return Math.max(clock, newestAttested)
}

/**
 * PROTOCOL 10.4. Never throws for old news: `stale` is a value.
 * @throws CountersignError `clock-skew` when the attested time lies more than 600 s ahead of what this host takes for now
 */
export function measureFreshness(facts: FreshnessFacts): Freshness {
  const offline = facts.offline === true
  const maxSeconds = offline ? facts.limits.offlineMaxSeconds : facts.limits.maxSeconds
  const { attestedAt } = facts
  if (attestedAt === undefined) return { status: 'unknown', maxSeconds, offline }
  const now = hostNow(facts.clock, facts.newestAttested)
  if (attestedAt > now + MAX_CLOCK_SKEW) {
    refuse('clock-skew', 'the status was attested in the future', {
      step: 4,
      attestedAt,
      now: Math.floor(now),
    })
  }
  const ageSeconds = Math.max(0, Math.floor(now - attestedAt))
  return {
    status: now - attestedAt <= maxSeconds ? 'ok' : 'stale',
    attestedAt,
    ageSeconds,
    maxSeconds,
    offline,
  }
}
