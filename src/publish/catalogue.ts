import { compareVersions, parseVersion, type Digest } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { ManifestListing, ManifestRow, ManifestStatus } from '../storage/store.js'
import { urlKey } from './lookups.js'

export interface VersionSummary {
  readonly version: string
  readonly manifest: Digest
  readonly role: ManifestRow['role']
  readonly status: ManifestStatus
  readonly index: number
}

export interface LookupResult {
  readonly server: string
  readonly role: ManifestRow['role']
  readonly versions: readonly VersionSummary[]
}

/** Who may see a row that was never approved. */
export interface Viewer {
  readonly reviewer: boolean
  readonly namespaces: ReadonlySet<string>
}

export const ANYONE: Viewer = { reviewer: false, namespaces: new Set() }

/** What was approved once is public for good, revoked or not: a host must be told why it refuses. */
export function isPublic(row: ManifestListing): boolean {
  return row.approveIndex !== undefined && ['approved', 'deprecated', 'revoked'].includes(row.status)
}

export function isVisible(row: ManifestListing, viewer: Viewer): boolean {
  return isPublic(row) || viewer.reviewer || viewer.namespaces.has(row.namespace)
}

/** Server names that were approved once, in order; `next` is where the next page starts. */
export async function listServers(
  { store }: Context,
  query: { limit: number; after?: string | undefined; search?: string | undefined },
): Promise<{ servers: { server: string }[]; next?: string }> {
  const names = await store.listServers(query.limit + 1, query.after, query.search)
  const page = names.slice(0, query.limit)
  const last = page.at(-1)
  const servers = page.map((server) => ({ server }))
  return names.length > page.length && last !== undefined ? { servers, next: last } : { servers }
}

/** Every version of a server that the viewer may see, newest first by precedence. */
export async function readVersions(
  { store }: Context,
  server: string,
  viewer: Viewer,
): Promise<ManifestListing[]> {
  const rows = (await store.readServer(server)).filter((row) => isVisible(row, viewer))
  if (rows.length === 0) throw new LedgerRefusal('target-unknown', 'there is no such server', { server })
  return newestFirst(rows)
}

export async function readVersion(
  { store }: Context,
  named: { server: string; version: string },
  viewer: Viewer,
): Promise<ManifestRow> {
  const row = await store.readVersion(named.server, named.version)
  if (row !== undefined && isVisible(row, viewer)) return row
  throw new LedgerRefusal('target-unknown', 'there is no such version', named)
}

export async function readByDigest({ store }: Context, digest: Digest, viewer: Viewer): Promise<ManifestRow> {
  const row = await store.readManifest(digest)
  if (row !== undefined && isVisible(row, viewer)) return row
  throw new LedgerRefusal('manifest-unknown', 'there is no such manifest', { manifest: digest })
}

/** Which servers speak of a package or a URL: publishers' own manifests before vouchers'. */
export async function lookup(
  { store }: Context,
  query: { package?: string | undefined; url?: string | undefined },
): Promise<LookupResult[]> {
  const key = query.url === undefined ? (query.package ?? '') : urlKey(query.url)
  const rows = (await store.readByLookup(key)).filter(isPublic)
  const servers = [...new Set(rows.map((row) => row.server))]
  return servers
    .map((server) => newestFirst(rows.filter((row) => row.server === server)))
    .map((own) => ({
      server: own[0]?.server ?? '',
      role: own[0]?.role ?? 'voucher',
      versions: own.map(summary),
    }))
    .sort(
      (a, b) => Number(a.role === 'voucher') - Number(b.role === 'voucher') || (a.server < b.server ? -1 : 1),
    )
}

export function summary(row: ManifestListing): VersionSummary {
  const { version, manifest, role, status, publishIndex } = row
  return { version, manifest, role, status, index: publishIndex }
}

function newestFirst(rows: readonly ManifestListing[]): ManifestListing[] {
  return rows.toSorted((a, b) => compareVersions(parseVersion(b.version), parseVersion(a.version)))
}
