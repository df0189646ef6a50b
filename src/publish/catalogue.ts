import { compareVersions, parseVersion, type Digest } from 'countersign/core'
import { urlKey } from '../judge/lookups.js'
import { LedgerRefusal } from '../log/errors.js'
import type { Ledger } from '../log/ledger.js'
import type { Context } from '../publishers/context.js'
import type { ManifestListing, ManifestRow, ManifestStatus } from '../storage/store.js'

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

type Published = Pick<Ledger, 'isPublished'>

/**
 * What was approved once is public for good, revoked or not: a host must be told why it refuses. An approval counts
 * from when it is published: before, no host could prove it.
 */
export function isPublic(row: ManifestListing, ledger: Published): boolean {
  return isApproved(row, ledger) && ['approved', 'deprecated', 'revoked'].includes(row.status)
}

function isApproved({ approveIndex }: ManifestListing, ledger: Published): boolean {
  return approveIndex !== undefined && ledger.isPublished(approveIndex)
}

export function isVisible(row: ManifestListing, viewer: Viewer, ledger: Published): boolean {
  return isPublic(row, ledger) || viewer.reviewer || viewer.namespaces.has(row.namespace)
}

/** As everybody is told: `pending` until the approval is published. What denies is said at once. */
export function asPublished<R extends ManifestListing>(row: R, ledger: Published): R {
  const isEarly = ['approved', 'deprecated'].includes(row.status) && !isApproved(row, ledger)
  return isEarly ? { ...row, status: 'pending' } : row
}

/** Server names that were approved once, in order; `next` is where the next page starts. */
export async function listServers(
  { store, ledger }: Context,
  query: { limit: number; after?: string | undefined; search?: string | undefined },
): Promise<{ servers: { server: string }[]; next?: string }> {
  const names = await store.listServers(query.limit + 1, query.after, query.search)
  const page = names.slice(0, query.limit)
  const last = page.at(-1)
  const servers = (await publicOf(page, { store, ledger })).map((server) => ({ server }))
  return names.length > page.length && last !== undefined ? { servers, next: last } : { servers }
}

/** Without the servers whose only approval is not published yet; while nothing waits, there are none. */
async function publicOf(
  names: readonly string[],
  { store, ledger }: Pick<Context, 'store' | 'ledger'>,
): Promise<readonly string[]> {
  // Asked after the names were read: what was committed since then is not among them.
  if (ledger.publishedSize() >= ((await store.readLogState())?.size ?? 0)) return names
  const shown = await Promise.all(
    names.map(async (name) => (await store.readServer(name)).some((row) => isPublic(row, ledger))),
  )
  return names.filter((_, i) => shown[i])
}

/** Every version of a server that the viewer may see, newest first by precedence. */
export async function readVersions(
  { store, ledger }: Context,
  server: string,
  viewer: Viewer,
): Promise<ManifestListing[]> {
  const rows = (await store.readServer(server)).filter((row) => isVisible(row, viewer, ledger))
  if (rows.length === 0) throw new LedgerRefusal('target-unknown', 'there is no such server', { server })
  return newestFirst(rows).map((row) => asPublished(row, ledger))
}

export async function readVersion(
  { store, ledger }: Context,
  named: { server: string; version: string },
  viewer: Viewer,
): Promise<ManifestRow> {
  const row = await store.readVersion(named.server, named.version)
  if (row !== undefined && isVisible(row, viewer, ledger)) return asPublished(row, ledger)
  throw new LedgerRefusal('target-unknown', 'there is no such version', named)
}

export async function readByDigest(
  { store, ledger }: Context,
  digest: Digest,
  viewer: Viewer,
): Promise<ManifestRow> {
  const row = await store.readManifest(digest)
  if (row !== undefined && isVisible(row, viewer, ledger)) return asPublished(row, ledger)
  throw new LedgerRefusal('manifest-unknown', 'there is no such manifest', { manifest: digest })
}

/** Which servers speak of a package or a URL: publishers' own manifests before vouchers'. */
export async function lookup(
  { store, ledger }: Context,
  query: { package?: string | undefined; url?: string | undefined },
): Promise<LookupResult[]> {
  const key = query.url === undefined ? (query.package ?? '') : urlKey(query.url)
  const rows = (await store.readByLookup(key)).filter((row) => isPublic(row, ledger))
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

export interface ToolUse extends VersionSummary {
  readonly server: string
}

/** Public versions that hold a tool of exactly this definition, in log order; `next` is where the next page starts. */
export async function listToolVersions(
  { store, ledger }: Context,
  tool: Digest,
  query: { limit: number; after?: string | undefined },
): Promise<{ versions: ToolUse[]; next?: string }> {
  const rows = await store.readByTool(tool, query.limit + 1, query.after)
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  const shown = page.filter((row) => isPublic(row, ledger)).map((row) => asPublished(row, ledger))
  const versions = shown.map((row) => ({ server: row.server, ...summary(row) }))
  return rows.length > page.length && last !== undefined ? { versions, next: last.manifest } : { versions }
}

export function summary(row: ManifestListing): VersionSummary {
  const { version, manifest, role, status, publishIndex } = row
  return { version, manifest, role, status, index: publishIndex }
}

function newestFirst(rows: readonly ManifestListing[]): ManifestListing[] {
  return rows.toSorted((a, b) => compareVersions(parseVersion(b.version), parseVersion(a.version)))
}
