import type { AuditFilter, AuditRecord, AuditRow } from './audit.js'
import type { Digest } from 'countersign/core'

export type ManifestStatus = 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'deprecated' | 'revoked'

export interface ManifestRow {
  readonly manifest: Digest
  readonly envelopeDigest: Digest
  readonly envelope: string
  readonly server: string
  /** `foldServerName(server)`. */
  readonly folded: string
  readonly namespace: string
  readonly version: string
  readonly role: 'publisher' | 'voucher'
  readonly kid: string
  readonly account: string
  readonly status: ManifestStatus
  readonly publishIndex: number
  readonly approveIndex?: number
  /** JSON of Finding[]. */
  readonly findings: string
  /** Informational wall clock, ms. */
  readonly submittedAt: number
  readonly toolDigests: readonly { readonly name: string; readonly digest: Digest }[]
  /** What hosts look it up by: `npm:NAME`, `npm:NAME@VERSION`, `url:URL` … */
  readonly lookups: readonly string[]
  /** Class of its change against `changeBase` when it was submitted, for lists; a decision computes it again. */
  readonly changeClass?: string
  /** The approved manifest it was compared with; absent for a server's first one. */
  readonly changeBase?: Digest
  /** As the manifest has them, for catalogues; absent in rows from before they were kept. */
  readonly title?: string
  readonly description?: string
  /** Milliseconds: when its status or its place in the log moved last. The store's own clock; not read from what is put. */
  readonly updatedAt?: number
}

/** A manifest as lists have it: an envelope may have 6 MiB, and a server thousands of versions. */
export type ManifestListing = Omit<ManifestRow, 'envelope' | 'toolDigests' | 'lookups'>

export interface ServerName {
  readonly server: string
  readonly namespace: string
  /** Index of its newest publication. */
  readonly index: number
}

/** An account, and the namespace that it published a tool in. */
export interface ToolOwner {
  readonly namespace: string
  readonly account: string
}

export interface ManifestChange {
  readonly status?: ManifestStatus
  readonly approveIndex?: number
  readonly publishIndex?: number
}

export interface ManifestReads {
  readManifest(digest: Digest): Promise<ManifestRow | undefined>
  readVersion(server: string, version: string): Promise<ManifestRow | undefined>
  readServer(server: string): Promise<ManifestListing[]>
  /** The server in use whose name folds to this one. */
  readServerNamed(folded: string): Promise<string | undefined>
  /** Names with a publication after this index, in log order; -1 gives all. */
  readServerNames(after: number): Promise<ServerName[]>
  /**
   * The version of a server that was approved last and still is, deprecated or not; with `before`, last before that
   * `approveIndex`.
   */
  readNewestApproved(server: string, before?: number): Promise<ManifestListing | undefined>
  /** Whether a version of this server was approved once. */
  isServerApproved(server: string): Promise<boolean>
  /** Digests of the tools of a manifest, each once, in order. */
  readToolDigests(manifest: Digest): Promise<Digest[]>
  /** Who published manifests that hold this tool, whatever became of them; each pair once, in order. */
  readToolOwners(tool: Digest): Promise<ToolOwner[]>
}

export interface ManifestStore extends ManifestReads {
  /** In log order of their publication. `after` is the manifest digest of the last row seen. */
  readByStatus(status: ManifestStatus, limit: number, after?: string): Promise<ManifestListing[]>
  /** Whatever their status, by server name and log order. */
  readByLookup(key: string): Promise<ManifestListing[]>
  /**
   * That hold this tool and were approved once, whatever their status now, in log order. `after` is the manifest digest of
   * the last row seen: it is shown to strangers, and names nothing that waits.
   */
  readByTool(tool: Digest, limit: number, after?: string): Promise<ManifestListing[]>
  /** Names of servers with a version that was approved once, in order, after `after`, containing `search` when given. */
  listServers(limit: number, after?: string, search?: string): Promise<string[]>
  /** A bundle is made once and never changes. */
  readBundle(digest: Digest): Promise<string | undefined>
  /**
   * Kept unless there is one already. With `approveIndex` it is kept only while the row still says this index, so
   * that a bundle built before a new publication cannot stay behind.
   */
  putBundle(digest: Digest, bundle: string, approveIndex?: number): Promise<void>
  putPolicy(digest: Digest, text: string): Promise<void>
  readPolicy(digest: Digest): Promise<string | undefined>
  /** Newest first. */
  readAudit(limit: number, before?: number, filter?: AuditFilter): Promise<AuditRecord[]>
  /** Oldest first, with an id above this one. */
  readAuditSince(id: number, limit: number): Promise<AuditRecord[]>
  addAuditRecord(row: AuditRow): Promise<void>
}
