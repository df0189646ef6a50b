import { present, type Desk, type Queries } from './desk.js'
import { proofStore, readProof } from './proofs.js'
import type {
  BatchTx,
  DirectoryReads,
  DirectoryStore,
  KeyRow,
  NamespaceGrant,
  NamespaceRow,
} from '../store.js'

interface KeyRecord {
  namespace: string
  kid: string
  role: KeyRow['role']
  x: string
  added: number
  revoked: number | null
  invalid_from: number | null
  reason: NonNullable<KeyRow['reason']> | null
  endorser: string | null
  usable_at: number | null
}

interface Line {
  readonly line: Uint8Array
}

/** How many lines of a long list are read at once. */
const LINES_AT_ONCE = 2048

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Lines hold NUL, which text cannot: they are kept as bytes. */
function bytesOf(line: string): Uint8Array {
  return Buffer.from(line, 'utf8')
}

function textOf({ line }: Line): string {
  return decoder.decode(line)
}

/** Reads of the directory, in a batch or beside it. */
export function directoryReads(db: Queries): DirectoryReads {
  return {
    readProof: (namespace) => readProof(db, namespace),
    readNamespace: (name) =>
      db.get<NamespaceRow>(
        'SELECT namespace, account, proof, idx AS "index" FROM namespaces WHERE namespace = $1',
        [name],
      ),
    readKeys: async (name) => {
      const sql = `SELECT namespace, kid, role, x, added, revoked, invalid_from, reason, endorser, usable_at
        FROM keys WHERE namespace = $1 ORDER BY added, role, kid`
      return (await db.all<KeyRecord>(sql, [name])).map(keyOf)
    },
    readRevocations: async () => {
      const sql = 'SELECT line FROM revocations WHERE removed IS NULL ORDER BY line'
      return (await db.all<Line>(sql)).map(textOf)
    },
    readRevocationChanges: async (from) => {
      const changes = await db.all<Line & { stands: boolean }>(CHANGES, [from])
      return changes.map((change) => ({ line: textOf(change), stands: change.stands }))
    },
    isAnyRevoked: async (lines) => {
      if (lines.length === 0) return false
      const sql = 'SELECT 1 FROM revocations WHERE line = ANY($1::bytea[]) AND removed IS NULL LIMIT 1'
      return (await db.get(sql, [lines.map(bytesOf)])) !== undefined
    },
  }
}

const CHANGES = `SELECT line, bool_or(removed IS NULL) AS stands FROM revocations
  WHERE line IN (SELECT line FROM revocations WHERE added >= $1 OR removed >= $1) GROUP BY line`

function keyOf(record: KeyRecord): KeyRow {
  const { namespace, kid, x, role, added, revoked, reason, endorser } = record
  return {
    ...{ namespace, kid, x, role, added },
    ...present({ revoked, invalidFrom: record.invalid_from, reason }),
    ...present({ endorser, usableAt: record.usable_at }),
  }
}

export function readGrant(db: Queries, namespace: string): Promise<NamespaceGrant | undefined> {
  const sql = 'SELECT account, granted_by AS "by" FROM namespace_grants WHERE namespace = $1'
  return db.get<NamespaceGrant>(sql, [namespace])
}

/** The directory beside its batches. */
export function directoryStore({ db, now }: Desk): DirectoryStore {
  return {
    ...directoryReads(db),
    ...proofStore(db, now),
    ...listReads(db),
    grantNamespace: async (namespace, account, by) => {
      await db.run(
        `INSERT INTO namespace_grants (namespace, account, granted_by) VALUES ($1, $2, $3)
         ON CONFLICT (namespace) DO UPDATE SET account = excluded.account, granted_by = excluded.granted_by`,
        [namespace, account, by],
      )
    },
    readGrant: (namespace) => readGrant(db, namespace),
    readAccountNamespaces: async (account) =>
      (await db.all<{ namespace: string }>(OWNED, [account])).map(({ namespace }) => namespace),
  }
}

const OWNED = `SELECT namespace FROM namespaces WHERE account = $1
  UNION SELECT g.namespace FROM namespace_grants g
    LEFT JOIN namespaces n ON n.namespace = g.namespace
    LEFT JOIN accounts a ON a.account = g.account AND a.kind = 'service'
  WHERE g.account = $1 AND (n.namespace IS NULL OR n.proof = 'admin' OR a.owner = n.account)
  ORDER BY 1`

/** Lists that snapshots named. */
function listReads(db: Queries): Pick<DirectoryStore, 'readRevocationList' | 'readListPosition'> {
  const readListPosition = async (rootHex: string): Promise<number | undefined> => {
    const sql = 'SELECT as_of FROM revocation_lists WHERE root = $1'
    return (await db.get<{ as_of: number }>(sql, [rootHex]))?.as_of
  }
  return {
    readListPosition,
    // In pages: what stood at a position does not change any more.
    readRevocationList: async (rootHex) => {
      const asOf = await readListPosition(rootHex)
      if (asOf === undefined) return undefined
      const lines: Line[] = []
      for (;;) {
        const page = await db.all<Line>(STOOD, [asOf, lines.at(-1)?.line ?? new Uint8Array(), LINES_AT_ONCE])
        lines.push(...page)
        if (page.length < LINES_AT_ONCE) return lines.map(textOf)
      }
    },
  }
}

const STOOD = `SELECT line FROM revocations
  WHERE added < $1 AND (removed IS NULL OR removed > $1) AND line > $2 ORDER BY line LIMIT $3`

/** Writes of the directory in a batch; `end` is the position behind the log as the batch found it. */
export function directoryWrites(
  db: Queries,
  end: number,
): Pick<
  BatchTx,
  'putNamespace' | 'putKey' | 'putRevocation' | 'deleteRevocation' | 'nameRevocationList' | 'noteAbout'
> {
  return {
    putNamespace: async ({ namespace, account, proof, index }) => {
      await db.run(
        `INSERT INTO namespaces (namespace, account, proof, idx) VALUES ($1, $2, $3, $4)
         ON CONFLICT (namespace) DO UPDATE SET account = excluded.account, proof = excluded.proof,
           idx = excluded.idx`,
        [namespace, account, proof, index],
      )
    },
    putKey: async (row) => {
      await db.run(PUT_KEY, keyColumns(row))
    },
    putRevocation: async (line, index) => {
      const sql = 'INSERT INTO revocations (line, added) VALUES ($1, $2) ON CONFLICT DO NOTHING'
      await db.run(sql, [bytesOf(line), index])
    },
    deleteRevocation: async (line) => {
      const sql = 'UPDATE revocations SET removed = $1 WHERE line = $2 AND removed IS NULL'
      await db.run(sql, [end, bytesOf(line)])
    },
    nameRevocationList: async (rootHex, asOf) => {
      const sql = 'INSERT INTO revocation_lists (root, as_of) VALUES ($1, $2) ON CONFLICT DO NOTHING'
      await db.run(sql, [rootHex, asOf])
    },
    noteAbout: async (target, index) => {
      await db.run(
        `INSERT INTO latest_about (target, idx) VALUES ($1, $2)
         ON CONFLICT (target) DO UPDATE SET idx = greatest(latest_about.idx, excluded.idx)`,
        [target, index],
      )
    },
  }
}

const PUT_KEY = `INSERT INTO keys
    (namespace, kid, role, x, added, revoked, invalid_from, reason, endorser, usable_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (namespace, kid, role) DO UPDATE SET x = excluded.x, added = excluded.added,
    revoked = excluded.revoked, invalid_from = excluded.invalid_from, reason = excluded.reason,
    endorser = excluded.endorser, usable_at = excluded.usable_at`

function keyColumns(row: KeyRow): (string | number | null)[] {
  const { namespace, kid, role, x, added, revoked = null, invalidFrom = null } = row
  const { reason = null, endorser = null, usableAt = null } = row
  return [namespace, kid, role, x, added, revoked, invalidFrom, reason, endorser, usableAt]
}
