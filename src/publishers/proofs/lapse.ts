import type { ProofRow } from '../../storage/store.js'
import type { Look } from './look.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A domain whose record is gone for this long, and seen to be gone so often, is not its owner's any more. */
const ABSENT_MS = 7 * DAY_MS
export const ABSENT_LOOKS = 3
/** Servers are moved and providers fail: silence has to last a month. */
const SILENT_MS = 30 * DAY_MS
/** Looks closer together than this are one look. */
const APART_MS = HOUR_MS
/** As many of the newest absences as lie in more than that time, however often somebody has it looked at. */
export const MAX_ABSENCES = ABSENT_MS / APART_MS + 2

export interface Judged {
  readonly row: ProofRow
  /** Whether this absence counts as a look of its own. */
  readonly counts: boolean
}

/**
 * What another look at a proof means. One good look lifts everything at once; nothing suspends at once. `absences` are
 * the times of the looks that found nothing since it last was there, newest first; now and times are milliseconds.
 */
export function judgeLook(row: ProofRow, look: Look, absences: readonly number[], now: number): Judged {
  const { namespace, kind, subject, kid } = row
  const checked = { namespace, kind, subject, kid, checkedAt: now }
  if (look.is === 'present') return { row: { ...checked, suspended: false }, counts: false }
  const failingSince = row.failingSince ?? now
  const [newest = -Infinity] = absences
  const counts = look.is === 'absent' && now - newest >= APART_MS
  const looks = counts ? [now, ...absences] : absences
  const suspended = row.suspended || hasLapsed(look, looks, failingSince, now)
  return { row: { ...checked, failingSince, suspended }, counts }
}

function hasLapsed(look: Look, looks: readonly number[], failingSince: number, now: number): boolean {
  if (look.is === 'unreachable') return now - failingSince >= SILENT_MS
  return looks.length >= ABSENT_LOOKS && now - (looks.at(-1) ?? now) >= ABSENT_MS
}
