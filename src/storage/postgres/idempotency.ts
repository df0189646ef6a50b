import { randomUUID } from 'node:crypto'
import type { Desk, Queries } from './desk.js'
import { openSweep } from './sweep.js'
import type { IdempotencyStore, IdempotentState, KeptAnswer } from '../store.js'

interface KeyRecord {
  fingerprint: string
  answer: string | null
  lease_until: number
  expires_at: number
}

const DAY_MS = 86_400_000
const SWEPT = { table: 'idempotency', key: 'key', expires: 'expires_at', perSecond: 1000 } as const

/** One statement: of several who come at once with a free key, in whichever process, one gets a row back. */
const TAKE = `INSERT INTO idempotency AS held (key, fingerprint, runner, lease_until, answer, expires_at)
  VALUES ($1, $2, $3, $4, NULL, $5)
  ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, runner = excluded.runner,
    lease_until = excluded.lease_until, answer = NULL, expires_at = excluded.expires_at
  WHERE held.expires_at <= $6
    OR (held.fingerprint = excluded.fingerprint AND held.answer IS NULL AND held.lease_until <= $6)`

/** What POSTs were answered under their keys. */
export function idempotencyStore({ db, now }: Desk): IdempotencyStore {
  const sweep = openSweep(db, now, SWEPT)
  return {
    async takeIdempotencyKey(key, fingerprint, leaseUntil) {
      await sweep()
      const runner = randomUUID()
      // A key whose runner died is kept a day: whoever comes with another request still hears of it.
      const values = [key, fingerprint, runner, leaseUntil, leaseUntil + DAY_MS]
      for (let i = 0; i < TRIES; i++) {
        if ((await db.run(TAKE, [...values, now()])) === 1) return { state: 'taken', runner }
        const held = await readState(db, key, fingerprint, now())
        if (held !== undefined) return held
      }
      return { state: 'running' }
    },
    async answerIdempotencyKey(key, runner, kept, expiresAt) {
      await db.run(
        'UPDATE idempotency SET answer = $1, runner = NULL, expires_at = $2 WHERE key = $3 AND runner = $4',
        [JSON.stringify(kept), expiresAt, key, runner],
      )
    },
    async freeIdempotencyKey(key, runner) {
      await db.run('DELETE FROM idempotency WHERE key = $1 AND runner = $2', [key, runner])
    },
  }
}

/** The key may be freed between the two statements; whoever finds it so time and again has a busy neighbour. */
const TRIES = 5

/** Undefined when it is free by now. */
async function readState(
  db: Queries,
  key: string,
  fingerprint: string,
  now: number,
): Promise<IdempotentState | undefined> {
  const held = await db.get<KeyRecord>(
    'SELECT fingerprint, answer, lease_until, expires_at FROM idempotency WHERE key = $1',
    [key],
  )
  if (held === undefined || held.expires_at <= now) return undefined
  if (held.fingerprint !== fingerprint) return { state: 'other' }
  if (held.answer !== null) return { state: 'answered', answer: JSON.parse(held.answer) as KeptAnswer }
  return held.lease_until > now ? { state: 'running' } : undefined
}
