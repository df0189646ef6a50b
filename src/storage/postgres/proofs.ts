import { present, type Queries } from './desk.js'
import type { BatchTx, ChallengeRow, DirectoryStore, ProofRow } from '../store.js'

interface ProofRecord {
  namespace: string
  kind: ProofRow['kind']
  subject: string
  kid: string
  checked_at: number
  failing_since: number | null
  suspended: 0 | 1
}

const PROOF = 'namespace, kind, subject, kid, checked_at, failing_since, suspended'

export async function readProof(db: Queries, namespace: string): Promise<ProofRow | undefined> {
  const sql = `SELECT ${PROOF} FROM namespace_proofs WHERE namespace = $1`
  const record = await db.get<ProofRecord>(sql, [namespace])
  return record === undefined ? undefined : proofOf(record)
}

function proofOf(record: ProofRecord): ProofRow {
  const { namespace, kind, subject, kid } = record
  return {
    ...{ namespace, kind, subject, kid, checkedAt: record.checked_at },
    ...present({ failingSince: record.failing_since }),
    suspended: record.suspended === 1,
  }
}

/** What stands behind namespaces, outside a batch. */
export function proofStore(
  db: Queries,
  now: () => number,
): Pick<DirectoryStore, 'putChallenge' | 'readChallenge' | 'claimProofsDue' | 'recordProofCheck'> {
  return {
    putChallenge: async (row) => {
      // An expired one's name is free again.
      await db.run('DELETE FROM namespace_challenges WHERE expires_at <= $1', [now()])
      await db.run(
        `INSERT INTO namespace_challenges (challenge, namespace, account, kind, expires_at)
         VALUES ($1, $2, $3, $4, $5)`,
        [row.challenge, row.namespace, row.account, row.kind, row.expiresAt],
      )
    },
    readChallenge: (challenge) =>
      db.get<ChallengeRow>(
        `SELECT challenge, namespace, account, kind, expires_at AS "expiresAt" FROM namespace_challenges
         WHERE challenge = $1 AND expires_at > $2`,
        [challenge, now()],
      ),
    claimProofsDue: async (before, limit, claimedAs) => {
      const records = await db.all<ProofRecord>(CLAIM, [before, limit, claimedAs])
      return records.map(proofOf)
    },
    recordProofCheck: async (row) => {
      await db.run(
        `UPDATE namespace_proofs SET checked_at = $1, failing_since = $2, suspended = $3
         WHERE kid = $4 AND namespace = $5 AND kind = $6 AND subject = $7`,
        columnsOf(row),
      )
    },
  }
}

/** Of two processes that come at once, each is given what the other one was not. */
const CLAIM = `WITH due AS (
    SELECT namespace, checked_at AS place FROM namespace_proofs
    WHERE kind IN ('dns', 'http') AND checked_at < $1
    ORDER BY checked_at, namespace LIMIT $2 FOR UPDATE SKIP LOCKED
  ), claimed AS (
    UPDATE namespace_proofs p SET checked_at = $3 FROM due WHERE p.namespace = due.namespace
    RETURNING p.*, due.place
  )
  SELECT ${PROOF} FROM claimed ORDER BY place, namespace`

/** Writes of proofs and challenges in a batch. */
export function proofWrites(db: Queries, now: () => number): Pick<BatchTx, 'putProof' | 'takeChallenge'> {
  return {
    putProof: async (row) => {
      await db.run(
        `INSERT INTO namespace_proofs (checked_at, failing_since, suspended, kid, namespace, kind, subject)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (namespace) DO UPDATE SET checked_at = excluded.checked_at,
           failing_since = excluded.failing_since, suspended = excluded.suspended, kid = excluded.kid,
           kind = excluded.kind, subject = excluded.subject`,
        columnsOf(row),
      )
    },
    takeChallenge: async (challenge) => {
      const sql = 'DELETE FROM namespace_challenges WHERE challenge = $1 AND expires_at > $2'
      return (await db.run(sql, [challenge, now()])) === 1
    },
  }
}

function columnsOf(row: ProofRow): (string | number | null)[] {
  const { checkedAt, failingSince = null, suspended, kid, namespace, kind, subject } = row
  return [checkedAt, failingSince, Number(suspended), kid, namespace, kind, subject]
}
