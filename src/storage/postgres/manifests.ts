import type { Digest } from 'countersign/core'
import { StoreError } from '../errors.js'
import { auditReads, writeAudit } from './audit.js'
import { present, type Desk, type Queries, type Value } from './desk.js'
import type {
  ManifestChange,
  ManifestListing,
  ManifestReads,
  ManifestRow,
  ManifestStatus,
  ManifestStore,
  ServerName,
  ToolOwner,
} from '../store.js'

interface ListingRecord {
  manifest: Digest
  envelope_digest: Digest
  server: string
  folded: string
  namespace: string
  version: string
  role: ManifestRow['role']
  kid: string
  account: string
  status: ManifestStatus
  publish_index: number
  approve_index: number | null
  findings: string
  submitted_at: number
  change_class: string | null
  change_base: Digest | null
  title: string | null
  description: string | null
  updated_at: number
}

interface ManifestRecord extends ListingRecord {
  envelope: string
  tools: string
  lookups: string
}

const LISTED = `m.manifest, m.envelope_digest, m.server, m.folded, m.namespace, m.version, m.role, m.kid,
  m.account, m.status, m.publish_index, m.approve_index, m.findings, m.submitted_at, m.change_class, m.change_base,
  m.title, m.description, m.updated_at`
const SELECT = `SELECT ${LISTED}, m.tools, m.lookups, e.envelope FROM manifests m JOIN envelopes e USING (manifest)`
const LIST = `SELECT ${LISTED} FROM manifests m`

/** Reads of manifests, on whichever connection. */
export function manifestReads(db: Queries): ManifestReads {
  const one = async (condition: string, values: readonly Value[]): Promise<ManifestRow | undefined> => {
    const record = await db.get<ManifestRecord>(`${SELECT} WHERE ${condition}`, values)
    return record === undefined ? undefined : rowOf(record)
  }
  return {
    readManifest: (digest) => one('m.manifest = $1', [digest]),
    readVersion: (server, version) => one('m.server = $1 AND m.version = $2', [server, version]),
    async readServer(server) {
      const sql = `${LIST} WHERE m.server = $1 ORDER BY m.publish_index`
      return (await db.all<ListingRecord>(sql, [server])).map(listingOf)
    },
    async readServerNamed(folded) {
      const sql = 'SELECT server FROM manifests WHERE folded = $1 LIMIT 1'
      return (await db.get<{ server: string }>(sql, [folded]))?.server
    },
    readServerNames: (after) =>
      db.all<ServerName>(
        `SELECT server, namespace, max(publish_index) AS "index" FROM manifests
         WHERE publish_index > $1 GROUP BY server, namespace ORDER BY "index"`,
        [after],
      ),
    async readNewestApproved(server, before = Number.MAX_SAFE_INTEGER) {
      const sql = `${LIST} WHERE m.server = $1 AND m.status IN ('approved', 'deprecated') AND m.approve_index < $2
        ORDER BY m.approve_index DESC LIMIT 1`
      const record = await db.get<ListingRecord>(sql, [server, before])
      return record === undefined ? undefined : listingOf(record)
    },
    async isServerApproved(server) {
      const sql = 'SELECT 1 AS is FROM manifests WHERE server = $1 AND approve_index IS NOT NULL LIMIT 1'
      return (await db.get(sql, [server])) !== undefined
    },
    ...toolReads(db),
  }
}

function toolReads(db: Queries): Pick<ManifestReads, 'readToolDigests' | 'readToolOwners'> {
  return {
    async readToolDigests(manifest) {
      const sql = 'SELECT digest FROM manifest_tools WHERE manifest = $1 ORDER BY digest'
      return (await db.all<{ digest: Digest }>(sql, [manifest])).map(({ digest }) => digest)
    },
    readToolOwners: (tool) =>
      db.all<ToolOwner>(
        `SELECT DISTINCT m.namespace, m.account FROM manifest_tools t JOIN manifests m USING (manifest)
         WHERE t.digest = $1 ORDER BY m.namespace, m.account`,
        [tool],
      ),
  }
}

const BY_STATUS = `${LIST} WHERE m.status = $1
    AND m.publish_index > coalesce((SELECT publish_index FROM manifests WHERE manifest = $2), -1)
  ORDER BY m.publish_index LIMIT $3`
const BY_LOOKUP = `${LIST} JOIN manifest_lookups l USING (manifest)
  WHERE l.key = $1 ORDER BY m.server, m.publish_index`
const BY_TOOL = `${LIST} JOIN manifest_tools t USING (manifest) WHERE t.digest = $1 AND m.approve_index IS NOT NULL
    AND m.publish_index > coalesce((SELECT publish_index FROM manifests WHERE manifest = $2), -1)
  ORDER BY m.publish_index LIMIT $3`
const SERVERS = `SELECT DISTINCT server FROM manifests WHERE approve_index IS NOT NULL AND server > $1
    AND strpos(lower(server), lower($2 COLLATE "C")) > 0
  ORDER BY server LIMIT $3`
const PUT_BUNDLE = `INSERT INTO bundles (manifest, bundle) SELECT manifest, $1 FROM manifests
  WHERE manifest = $2 AND approve_index IS NOT DISTINCT FROM coalesce($3, approve_index) FOR NO KEY UPDATE
  ON CONFLICT (manifest) DO NOTHING`

/** Manifests, what is found by them, policies by digest, and the audit trail. */
export function manifestStore({ db }: Pick<Desk, 'db'>): ManifestStore {
  return {
    ...manifestReads(db),
    ...auditReads(db),
    addAuditRecord: (row) => writeAudit(db, [row]),
    readByStatus: async (status, limit, after = '') =>
      (await db.all<ListingRecord>(BY_STATUS, [status, after, limit])).map(listingOf),
    readByLookup: async (key) => (await db.all<ListingRecord>(BY_LOOKUP, [key])).map(listingOf),
    readByTool: async (tool, limit, after = '') =>
      (await db.all<ListingRecord>(BY_TOOL, [tool, after, limit])).map(listingOf),
    listServers: async (limit, after = '', search = '') =>
      (await db.all<{ server: string }>(SERVERS, [after, search, limit])).map(({ server }) => server),
    readBundle: async (digest) =>
      (await db.get<{ bundle: string }>('SELECT bundle FROM bundles WHERE manifest = $1', [digest]))?.bundle,
    // The row is held: a publication or an approval that is under way is waited for, and then looked at.
    async putBundle(digest, bundle, approveIndex) {
      await db.run(PUT_BUNDLE, [bundle, digest, approveIndex ?? null])
    },
    async putPolicy(digest, text) {
      await db.run('INSERT INTO policies (digest, text) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING', [
        ...[digest, text],
      ])
    },
    readPolicy: async (digest) =>
      (await db.get<{ text: string }>('SELECT text FROM policies WHERE digest = $1', [digest]))?.text,
  }
}

function listingOf(record: ListingRecord): ManifestListing {
  const { manifest, server, folded, namespace, version, role, kid, account, status, findings } = record
  return {
    ...{ manifest, server, folded, namespace, version, role, kid, account, status, findings },
    envelopeDigest: record.envelope_digest,
    publishIndex: record.publish_index,
    submittedAt: record.submitted_at,
    ...present({ approveIndex: record.approve_index, changeClass: record.change_class }),
    ...present({ changeBase: record.change_base, title: record.title, description: record.description }),
    updatedAt: record.updated_at,
  }
}

function rowOf(record: ManifestRecord): ManifestRow {
  return {
    ...listingOf(record),
    envelope: record.envelope,
    toolDigests: JSON.parse(record.tools) as ManifestRow['toolDigests'],
    lookups: JSON.parse(record.lookups) as string[],
  }
}

/** A manifest and everything that hangs on it in one round trip: a batch has hundreds of them. */
const PUT = `WITH put AS (
    INSERT INTO manifests (manifest, envelope_digest, server, folded, namespace, version, role, kid, account, status,
      publish_index, approve_index, findings, submitted_at, tools, lookups, change_class, change_base, title,
      description, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    ON CONFLICT (manifest) DO UPDATE SET
      envelope_digest = excluded.envelope_digest, kid = excluded.kid, account = excluded.account,
      status = excluded.status, publish_index = excluded.publish_index, approve_index = excluded.approve_index,
      findings = excluded.findings, submitted_at = excluded.submitted_at,
      change_class = excluded.change_class, change_base = excluded.change_base,
      title = excluded.title, description = excluded.description, updated_at = excluded.updated_at),
  enveloped AS (
    INSERT INTO envelopes (manifest, envelope) VALUES ($1, $22)
    ON CONFLICT (manifest) DO UPDATE SET envelope = excluded.envelope),
  tooled AS (
    INSERT INTO manifest_tools (digest, manifest) SELECT DISTINCT digest, $1 FROM unnest($23::text[]) AS t (digest)
    ON CONFLICT (digest, manifest) DO NOTHING),
  found AS (
    INSERT INTO manifest_lookups (key, manifest) SELECT DISTINCT key, $1 FROM unnest($24::text[]) AS l (key)
    ON CONFLICT DO NOTHING)
  SELECT 1 AS is`

/** A statement of its own: it sees the bundle that was put while the one before it waited for the row. */
const FORGET = 'DELETE FROM bundles WHERE manifest = $1'

const UPDATE = `UPDATE manifests SET status = coalesce($1, status), publish_index = coalesce($2, publish_index),
  approve_index = coalesce($3, approve_index), updated_at = $4 WHERE manifest = $5`

export interface ManifestWrites {
  putManifest(row: ManifestRow): Promise<void>
  updateManifest(digest: Digest, change: ManifestChange): Promise<void>
}

/** Writes of manifests; the caller holds the transaction. */
export function manifestWrites(tx: Queries, now: () => number): ManifestWrites {
  return {
    async putManifest(row) {
      const tools = row.toolDigests.map(({ digest }) => digest)
      const lookups = row.lookups.filter((key) => !key.includes('\0'))
      await tx.get(PUT, [...columnsOf(row), now(), row.envelope, tools, lookups])
      await tx.run(FORGET, [row.manifest])
    },
    async updateManifest(digest, { status, publishIndex, approveIndex }) {
      const values = [status ?? null, publishIndex ?? null, approveIndex ?? null, now(), digest]
      if ((await tx.run(UPDATE, values)) !== 1) throw new StoreError('constraint', `no manifest ${digest}`)
      if (publishIndex === undefined && approveIndex === undefined) return
      await tx.run(FORGET, [digest])
    },
  }
}

function columnsOf(row: ManifestRow): (string | number | null)[] {
  return [
    ...[row.manifest, row.envelopeDigest, row.server, row.folded, row.namespace, row.version, row.role],
    ...[row.kid, row.account, row.status, row.publishIndex, row.approveIndex ?? null, row.findings],
    ...[row.submittedAt, JSON.stringify(row.toolDigests), JSON.stringify(row.lookups)],
    ...[row.changeClass ?? null, row.changeBase ?? null, shown(row.title), shown(row.description)],
  ]
}

/** PostgreSQL's text has no NUL. What is signed is in the envelope; these two are for people to look at. */
export function shown(text: string | undefined): string | null {
  return text?.replaceAll('\0', '\ufffd') ?? null
}
