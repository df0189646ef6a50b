import type { Connection } from './connection.js'
import { present } from './desk.js'
import type { ChallengeRow, ProofRow } from '../store.js'

interface ProofRecord {
  namespace: string
  kind: ProofRow['kind']
  subject: string
  kid: string
  checked_at: number
  failing_since: number | null
  suspended: 0 | 1
}

/** Reads of what stands behind namespaces, on whichever connection; `now` is POSIX milliseconds. */
export function proofReads(db: Connection, now: () => number) {
  const one = db.prepare<[string], ProofRecord>('SELECT * FROM namespace_proofs WHERE namespace = ?')
  const challenge = db.prepare<[string, number], ChallengeRow>(
    `SELECT challenge, namespace, account, kind, expires_at AS "expiresAt" FROM namespace_challenges
     WHERE challenge = ? AND expires_at > ?`,
  )
  return {
    proof: (namespace: string): ProofRow | undefined => {
      const record = one.get(namespace)
      return record === undefined ? undefined : proofOf(record)
    },
    challenge: (text: string): ChallengeRow | undefined => challenge.get(text, now()),
  }
}

function proofOf(record: ProofRecord): ProofRow {
  const { namespace, kind, subject, kid } = record
  return {
    ...{ namespace, kind, subject, kid, checkedAt: record.checked_at },
    ...present({ failingSince: record.failing_since }),
    suspended: record.suspended === 1,
  }
}

/** Writes of proofs and challenges; the caller holds the transaction. */
export function proofWrites(db: Connection, now: () => number) {
  const put = db.prepare(`INSERT OR REPLACE INTO namespace_proofs
    (checked_at, failing_since, suspended, kid, namespace, kind, subject) VALUES (?, ?, ?, ?, ?, ?, ?)`)
  const check = db.prepare(`UPDATE namespace_proofs SET checked_at = ?, failing_since = ?, suspended = ?
    WHERE kid = ? AND namespace = ? AND kind = ? AND subject = ?`)
  const due = db.prepare<[number, number], ProofRecord>(
    `SELECT * FROM namespace_proofs WHERE kind IN ('dns', 'http') AND checked_at < ?
     ORDER BY checked_at, namespace LIMIT ?`,
  )
  const claim = db.prepare('UPDATE namespace_proofs SET checked_at = ? WHERE namespace = ?')
  const sweep = db.prepare('DELETE FROM namespace_challenges WHERE expires_at <= ?')
  const challenge = db.prepare(
    'INSERT INTO namespace_challenges (challenge, namespace, account, kind, expires_at) VALUES (?, ?, ?, ?, ?)',
  )
  const take = db.prepare('DELETE FROM namespace_challenges WHERE challenge = ? AND expires_at > ?')
  return {
    claimDue: (before: number, limit: number, at: number): ProofRow[] => {
      const rows = due.all(before, limit).map(proofOf)
      for (const { namespace } of rows) claim.run(at, namespace)
      return rows.map((row) => ({ ...row, checkedAt: at }))
    },
    putProof: (row: ProofRow): void => void put.run(...columnsOf(row)),
    checkProof: (row: ProofRow): void => void check.run(...columnsOf(row)),
    putChallenge: (row: ChallengeRow): void => {
      sweep.run(now())
      challenge.run(row.challenge, row.namespace, row.account, row.kind, row.expiresAt)
    },
    takeChallenge: (text: string): boolean => take.run(text, now()).changes === 1,
  }
}

function columnsOf(row: ProofRow): (string | number | null)[] {
  const { checkedAt, failingSince = null, suspended, kid, namespace, kind, subject } = row
  return [checkedAt, failingSince, Number(suspended), kid, namespace, kind, subject]
}
