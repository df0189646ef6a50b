import type { Digest } from 'countersign/core'
import type { Connection, Step } from './connection.js'
import { present } from './desk.js'
import { StoreError } from '../errors.js'
import type {
  ManifestChange,
  ManifestListing,
  ManifestReads,
  ManifestRow,
  ManifestStatus,
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

const SELECT = 'SELECT m.*, e.envelope FROM manifests m JOIN envelopes e USING (manifest)'
const LIST = `SELECT m.manifest, m.envelope_digest, m.server, m.folded, m.namespace, m.version, m.role, m.kid,
  m.account, m.status, m.publish_index, m.approve_index, m.findings, m.submitted_at, m.change_class, m.change_base,
  m.title, m.description, m.updated_at
  FROM manifests m`

/** Reads of manifests, on whichever connection. */
export function manifestReads(db: Connection) {
  const one = db.prepare<[string], ManifestRecord>(`${SELECT} WHERE m.manifest = ?`)
  const version = db.prepare<[string, string], ManifestRecord>(
    `${SELECT} WHERE m.server = ? AND m.version = ?`,
  )
  const server = db.prepare<[string], ListingRecord>(`${LIST} WHERE m.server = ? ORDER BY m.publish_index`)
  const named = db.prepare<[string], { server: string }>(
    'SELECT server FROM manifests WHERE folded = ? LIMIT 1',
  )
  // The signs keep the planner from the index by server: with it grouping would be free, but every row there is would
  // be read.
  const names = db.prepare<[number], ServerName>(
    `SELECT server, namespace, max(publish_index) AS "index" FROM manifests
     WHERE publish_index > ? GROUP BY +server, +namespace ORDER BY "index"`,
  )
  const newest = db.prepare<[string, number], ListingRecord>(
    `${LIST} WHERE m.server = ? AND m.status IN ('approved', 'deprecated') AND m.approve_index < ?
     ORDER BY m.approve_index DESC LIMIT 1`,
  )
  const approved = db.prepare<[string]>(
    'SELECT 1 FROM manifests WHERE server = ? AND approve_index IS NOT NULL LIMIT 1',
  )
  const tools = db.prepare<[string], { digest: Digest }>(
    'SELECT digest FROM manifest_tools WHERE manifest = ? ORDER BY digest',
  )
  const owners = db.prepare<[string], ToolOwner>(
    `SELECT DISTINCT m.namespace, m.account FROM manifest_tools t JOIN manifests m USING (manifest)
     WHERE t.digest = ? ORDER BY m.namespace, m.account`,
  )
  return {
    newestApproved: (name: string, before = Number.MAX_SAFE_INTEGER): ManifestListing | undefined => {
      const record = newest.get(name, before)
      return record === undefined ? undefined : listingOf(record)
    },
    isApproved: (server: string): boolean => approved.get(server) !== undefined,
    toolDigests: (digest: Digest): Digest[] => tools.all(digest).map((record) => record.digest),
    toolOwners: (digest: Digest): ToolOwner[] => owners.all(digest),
    manifest: (digest: Digest): ManifestRow | undefined => optionalRow(one.get(digest)),
    version: (name: string, text: string): ManifestRow | undefined => optionalRow(version.get(name, text)),
    server: (name: string): ManifestListing[] => server.all(name).map(listingOf),
    serverNamed: (folded: string): string | undefined => named.get(folded)?.server,
    serverNames: (after: number): ServerName[] => names.all(after),
  }
}

/** The same as the port promises them; `step` says when and whether a read may run. */
export function manifestPort(reads: ReturnType<typeof manifestReads>, step: Step): ManifestReads {
  return {
    readManifest: (digest) => step(() => reads.manifest(digest)),
    readVersion: (name, text) => step(() => reads.version(name, text)),
    readServer: (name) => step(() => reads.server(name)),
    readServerNamed: (folded) => step(() => reads.serverNamed(folded)),
    readServerNames: (after) => step(() => reads.serverNames(after)),
    readNewestApproved: (name, before) => step(() => reads.newestApproved(name, before)),
    isServerApproved: (name) => step(() => reads.isApproved(name)),
    readToolDigests: (digest) => step(() => reads.toolDigests(digest)),
    readToolOwners: (digest) => step(() => reads.toolOwners(digest)),
  }
}

/** What only the store asks, outside a batch. */
export function manifestLookups(db: Connection) {
  const byStatus = db.prepare<[string, string, number], ListingRecord>(
    `${LIST} WHERE m.status = ?
       AND m.publish_index > coalesce((SELECT publish_index FROM manifests WHERE manifest = ?), -1)
     ORDER BY m.publish_index LIMIT ?`,
  )
  const byKey = db.prepare<[string], ListingRecord>(
    `${LIST} JOIN manifest_lookups l USING (manifest) WHERE l.key = ? ORDER BY m.server, m.publish_index`,
  )
  const byTool = db.prepare<[string, string, number], ListingRecord>(
    `${LIST} JOIN manifest_tools t USING (manifest) WHERE t.digest = ? AND m.approve_index IS NOT NULL
       AND m.publish_index > coalesce((SELECT publish_index FROM manifests WHERE manifest = ?), -1)
     ORDER BY m.publish_index LIMIT ?`,
  )
  const servers = db.prepare<[string, string, number], { server: string }>(
    `SELECT DISTINCT server FROM manifests
     WHERE approve_index IS NOT NULL AND server > ? AND instr(lower(server), lower(?)) > 0
     ORDER BY server LIMIT ?`,
  )
  const bundle = db.prepare<[string], { bundle: string }>('SELECT bundle FROM bundles WHERE manifest = ?')
  const policy = db.prepare<[string], { text: string }>('SELECT text FROM policies WHERE digest = ?')
  return {
    byStatus: (status: ManifestStatus, limit: number, after = ''): ManifestListing[] =>
      byStatus.all(status, after, limit).map(listingOf),
    byLookup: (key: string): ManifestListing[] => byKey.all(key).map(listingOf),
    byTool: (tool: Digest, limit: number, after = ''): ManifestListing[] =>
      byTool.all(tool, after, limit).map(listingOf),
    servers: (limit: number, after = '', search = ''): string[] =>
      servers.all(after, search, limit).map((record) => record.server),
    bundle: (digest: Digest): string | undefined => bundle.get(digest)?.bundle,
    policy: (digest: Digest): string | undefined => policy.get(digest)?.text,
  }
}

function optionalRow(record: ManifestRecord | undefined): ManifestRow | undefined {
  return record === undefined ? undefined : rowOf(record)
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

/** Writes of manifests; the caller holds the transaction. */
export function manifestWrites(db: Connection, now: () => number) {
  const put =
    db.prepare(`INSERT INTO manifests (manifest, envelope_digest, server, folded, namespace, version, role,
      kid, account, status, publish_index, approve_index, findings, submitted_at, tools, lookups, change_class, change_base,
      title, description, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (manifest) DO UPDATE SET
      envelope_digest = excluded.envelope_digest, kid = excluded.kid, account = excluded.account,
      status = excluded.status, publish_index = excluded.publish_index, approve_index = excluded.approve_index,
      findings = excluded.findings, submitted_at = excluded.submitted_at,
      change_class = excluded.change_class, change_base = excluded.change_base,
      title = excluded.title, description = excluded.description, updated_at = excluded.updated_at`)
  const envelope = db.prepare('INSERT OR REPLACE INTO envelopes (manifest, envelope) VALUES (?, ?)')
  const tool = db.prepare(
    'INSERT INTO manifest_tools (digest, manifest) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const lookup = db.prepare(
    'INSERT INTO manifest_lookups (key, manifest) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const change = db.prepare(`UPDATE manifests SET status = coalesce(?, status),
    publish_index = coalesce(?, publish_index), approve_index = coalesce(?, approve_index),
    updated_at = ? WHERE manifest = ?`)
  const forget = db.prepare('DELETE FROM bundles WHERE manifest = ?')
  const bundle = db.prepare(`INSERT INTO bundles (manifest, bundle)
    SELECT manifest, ? FROM manifests WHERE manifest = ? AND approve_index IS coalesce(?, approve_index)
    ON CONFLICT DO NOTHING`)
  const policy = db.prepare('INSERT INTO policies (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING')
  return {
    put: (row: ManifestRow): void => {
      put.run(...columnsOf(row), now())
      envelope.run(row.manifest, row.envelope)
      for (const { digest } of row.toolDigests) tool.run(digest, row.manifest)
      for (const key of row.lookups) lookup.run(key, row.manifest)
      forget.run(row.manifest)
    },
    update: (digest: Digest, { status, publishIndex, approveIndex }: ManifestChange): void => {
      const { changes } = change.run(
        status ?? null,
        publishIndex ?? null,
        approveIndex ?? null,
        now(),
        digest,
      )
      if (changes !== 1) throw new StoreError('constraint', `no manifest ${digest}`)
      if (publishIndex !== undefined || approveIndex !== undefined) forget.run(digest)
    },
    bundle: (digest: Digest, text: string, approveIndex?: number): void =>
      void bundle.run(text, digest, approveIndex ?? null),
    policy: (digest: Digest, text: string): void => void policy.run(digest, text),
  }
}

function columnsOf(row: ManifestRow): (string | number | null)[] {
  return [
    ...[
      row.manifest,
      row.envelopeDigest,
      row.server,
      row.folded,
      row.namespace,
      row.version,
      row.role,
      row.kid,
    ],
    ...[row.account, row.status, row.publishIndex, row.approveIndex ?? null, row.findings, row.submittedAt],
    ...[JSON.stringify(row.toolDigests), JSON.stringify(row.lookups)],
    ...[row.changeClass ?? null, row.changeBase ?? null, row.title ?? null, row.description ?? null],
  ]
}
