import type { Digest } from 'countersign/core'
import { present, type Desk, type Queries } from './desk.js'
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

const VOTES = `SELECT subject, account, known, at, override, comment, reason FROM votes
  WHERE subject = $1 AND known = $2 ORDER BY id`
const SIGNATURES = `SELECT subject, known AS "after", kid, sig FROM decision_signatures
  WHERE subject = $1 AND known = $2 ORDER BY kid`
const POLICIES = `SELECT v.version, v.digest, p.text, v.set_by, v.at
  FROM policy_versions v JOIN policies p USING (digest) ORDER BY v.version DESC LIMIT $1`

export type ReviewReads = Pick<
  ReviewStore,
  'readVotes' | 'readSignatures' | 'readCurrentPolicy' | 'readPolicyVersions'
>

/** Reads of votes, signatures and policies. */
export function reviewReads(db: Queries): ReviewReads {
  const readPolicyVersions = async (limit: number): Promise<PolicyVersion[]> =>
    (await db.all<PolicyRecord>(POLICIES, [limit])).map(policyOf)
  return {
    readVotes: async (subject, after) => (await db.all<VoteRecord>(VOTES, [subject, after])).map(voteOf),
    readSignatures: (subject, after) => db.all<SignatureRow>(SIGNATURES, [subject, after]),
    readPolicyVersions,
    readCurrentPolicy: async () => (await readPolicyVersions(1))[0],
  }
}

function voteOf({ subject, account, known, at, override, comment, reason }: VoteRecord): VoteRow {
  return { subject, account, after: known, at, ...present({ override, comment, reason }) }
}

function policyOf({ version, digest, text, set_by, at }: PolicyRecord): PolicyVersion {
  return { version, digest, text, by: set_by, at }
}

const VOTE = `INSERT INTO votes (subject, account, known, at, override, comment, reason)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (subject, account) DO UPDATE SET known = excluded.known, at = excluded.at,
    override = excluded.override, comment = excluded.comment, reason = excluded.reason`

const SIGN = `INSERT INTO decision_signatures (subject, known, kid, sig) VALUES ($1, $2, $3, $4)
  ON CONFLICT (subject, known, kid) DO UPDATE SET sig = excluded.sig`

/**
 * Of two who put the same version in force at once, the second one waits for the first and then finds the number taken;
 * the text is kept for the one that got it.
 */
const SET_POLICY = `WITH enforced AS (
    INSERT INTO policy_versions (version, digest, set_by, at)
    SELECT $1::bigint, $2::text, $4::text, $5::bigint WHERE $1::bigint = (SELECT coalesce(max(version), 0) + 1 FROM policy_versions)
    ON CONFLICT (version) DO NOTHING RETURNING digest),
  kept AS (INSERT INTO policies (digest, text) SELECT digest, $3::text FROM enforced ON CONFLICT (digest) DO NOTHING)
  SELECT digest FROM enforced`

/** What reviewers said, and the rules it is counted under. */
export function reviewStore({ db }: Pick<Desk, 'db'>): ReviewStore {
  return {
    ...reviewReads(db),
    async castVote({ subject, account, after, at, override = null, comment = null, reason = null }) {
      await db.run(VOTE, [subject, account, after, at, override, comment, reason])
    },
    async putSignature({ subject, after, kid, sig }) {
      await db.run(SIGN, [subject, after, kid, sig])
    },
    async setPolicy({ version, digest, text, by, at }) {
      return (await db.get(SET_POLICY, [version, digest, text, by, at])) !== undefined
    },
  }
}
