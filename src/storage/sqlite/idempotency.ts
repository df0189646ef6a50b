import { randomUUID } from 'node:crypto'
import type { Desk } from './desk.js'
import type { IdempotencyStore, IdempotentState, KeptAnswer } from '../store.js'

interface KeyRecord {
  fingerprint: string
  answer: string | null
  lease_until: number
}

/** What POSTs were answered under their keys. */
export function idempotencyStore({ writer, write, now }: Desk): IdempotencyStore {
  const sweep = writer.prepare('DELETE FROM idempotency WHERE expires_at <= ?')
  const one = writer.prepare<[string], KeyRecord>(
    'SELECT fingerprint, answer, lease_until FROM idempotency WHERE key = ?',
  )
  const take = writer.prepare(
    `INSERT INTO idempotency (key, fingerprint, runner, lease_until, answer, expires_at) VALUES (?, ?, ?, ?, NULL, ?)
     ON CONFLICT DO UPDATE SET runner = excluded.runner, lease_until = excluded.lease_until,
       expires_at = excluded.expires_at`,
  )
  const answer = writer.prepare(
    'UPDATE idempotency SET answer = ?, runner = NULL, expires_at = ? WHERE key = ? AND runner = ?',
  )
  const free = writer.prepare('DELETE FROM idempotency WHERE key = ? AND runner = ?')
  const stateOf = (key: string, fingerprint: string): IdempotentState | undefined => {
    const found = one.get(key)
    if (found === undefined) return undefined
    if (found.fingerprint !== fingerprint) return { state: 'other' }
    if (found.answer !== null) return { state: 'answered', answer: JSON.parse(found.answer) as KeptAnswer }
    return found.lease_until > now() ? { state: 'running' } : undefined
  }
  return {
    takeIdempotencyKey: (key, fingerprint, leaseUntil) =>
      write(() => {
        sweep.run(now())
        const held = stateOf(key, fingerprint)
        if (held !== undefined) return held
        const runner = randomUUID()
        // A key whose runner died is kept a day: whoever comes with another request still hears of it.
        take.run(key, fingerprint, runner, leaseUntil, leaseUntil + DAY_MS)
        return { state: 'taken', runner }
      }),
    answerIdempotencyKey: (key, runner, kept, expiresAt) =>
      write(() => void answer.run(JSON.stringify(kept), expiresAt, key, runner)),
    freeIdempotencyKey: (key, runner) => write(() => void free.run(key, runner)),
  }
}

const DAY_MS = 86_400_000
