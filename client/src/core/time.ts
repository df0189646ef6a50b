import { refuse } from './errors.js'

/** An RFC 3339 time in UTC with whole seconds, the only spelling signed objects use. */
const TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z$/

/**
 * POSIX seconds of `2027-03-01T00:00:00Z`.
 * @throws CountersignError `decimal-invalid` for any other spelling or a day that does not exist
 */
export function parseTime(text: string): number {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms) || formatTime(ms / 1000) !== text) {
    refuse('decimal-invalid', 'a time reads 2027-03-01T00:00:00Z')
  }
  return ms / 1000
}

/** The RFC 3339 text of POSIX seconds; fractions are cut. */
export function formatTime(seconds: number): string {
  return `${new Date(Math.floor(seconds) * 1000).toISOString().slice(0, 19)}Z`
}
