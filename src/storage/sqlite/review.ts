import type { Digest } from 'countersign/core'
import type { Connection } from './connection.js'
import { present, type Desk } from './desk.js'
import type { PolicyVersion, ReviewStore, SignatureRow, VoteRow } from '../store.js'

interface VoteRecord {
  subject: string
  account: string
  known: number
  at: number
  override: string | null
  comment: string | null
  reason: string | null
}

interface PolicyRecord {
  version: number
  digest: Digest
  text: string
  set_by: string
  at: number
}

const POLICIES = `SELECT v.version, v.digest, p.text, v.set_by, v.at
  FROM policy_versions v JOIN policies p USING (digest) ORDER BY v.version DESC LIMIT ?`

/** Reads of votes, signatures and policies, on whichever connection. */
export function reviewReads(db: Connection) {
  const votes = db.prepare<[string, number], VoteRecord>(
    'SELECT * FROM votes WHERE subject = ? AND known = ? ORDER BY id',
  )
  const signatures = db.prepare<[string, number], SignatureRow>(
    `SELECT subject, known AS "after", kid, sig FROM decision_signatures
     WHERE subject = ? AND known = ? ORDER BY kid`,
  )
  const policies = db.prepare<[number], PolicyRecord>(POLICIES)
  const versions = (limit: number): PolicyVersion[] => policies.all(limit).map(policyOf)
  return {
    votes: (subject: string, after: number): VoteRow[] => votes.all(subject, after).map(voteOf),
    signatures: (subject: string, after: number): SignatureRow[] => signatures.all(subject, after),
    versions,
    current: (): PolicyVersion | undefined => versions(1)[0],
  }
}

function voteOf({ subject, account, known, at, override, comment, reason }: VoteRecord): VoteRow {
  return { subject, account, after: known, at, ...present({ override, comment, reason }) }
}

function policyOf({ version, digest, text, set_by, at }: PolicyRecord): PolicyVersion {
  return { version, digest, text, by: set_by, at }
}

/** What reviewers said, and the rules it is counted under. */
export function reviewStore({ reader, writer, read, write }: Desk): ReviewStore {
  const from = reviewReads(reader)
  const vote = writer.prepare(`INSERT INTO votes (subject, account, known, at, override, comment, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (subject, account) DO UPDATE SET known = excluded.known, at = excluded.at,
      override = excluded.override, comment = excluded.comment, reason = excluded.reason`)
  const sign = writer.prepare(
    'INSERT OR REPLACE INTO decision_signatures (subject, known, kid, sig) VALUES (?, ?, ?, ?)',
  )
  const set = policyWrite(writer)
  return {
    castVote: (row) =>
      write(() => {
        const { subject, account, after, at, override = null, comment = null, reason = null } = row
        vote.run(subject, account, after, at, override, comment, reason)
      }),
    readVotes: (subject, after) => read(() => from.votes(subject, after)),
    putSignature: (row) => write(() => void sign.run(row.subject, row.after, row.kid, row.sig)),
    readSignatures: (subject, after) => read(() => from.signatures(subject, after)),
    readCurrentPolicy: () => read(() => from.current()),
    readPolicyVersions: (limit) => read(() => from.versions(limit)),
    setPolicy: (row) => write(() => set(row)),
  }
}

function policyWrite(writer: Connection): (row: PolicyVersion) => boolean {
  const current = writer.prepare<[], { version: number | null }>(
    'SELECT max(version) AS version FROM policy_versions',
  )
  const keep = writer.prepare('INSERT INTO policies (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const enforce = writer.prepare(
    'INSERT INTO policy_versions (version, digest, set_by, at) VALUES (?, ?, ?, ?)',
  )
  return ({ version, digest, text, by, at }) => {
    if (version !== (current.get()?.version ?? 0) + 1) return false
    keep.run(digest, text)
    enforce.run(version, digest, by, at)
    return true
  }
}
