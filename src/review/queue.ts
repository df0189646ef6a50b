import { decodeBase64url, parseManifest, type Digest, type Manifest } from 'countersign/core'
import type { Finding } from 'countersign/gates'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { ManifestListing, ManifestRow, ManifestStatus } from '../storage/store.js'

export interface ReviewItem {
  readonly manifest: Digest
  readonly server: string
  readonly version: string
  readonly role: ManifestRow['role']
  readonly status: ManifestStatus
  readonly account: string
  readonly submittedAt: string
  readonly index: number
  readonly findings: readonly Finding[]
}

export interface ReviewDetail extends ReviewItem {
  readonly document: Manifest
  readonly envelope: string
  /** What a decision says as `after`. */
  readonly last: number
}

/** What waits (or has another status), in the order it was submitted. */
export async function listReview(
  { store }: Context,
  query: { status: ManifestStatus; limit: number; after?: string | undefined },
): Promise<{ items: ReviewItem[]; next?: string }> {
  const rows = await store.readByStatus(query.status, query.limit + 1, query.after)
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  const items = page.map(reviewItem)
  return rows.length > page.length && last !== undefined ? { items, next: last.manifest } : { items }
}

export async function readReview({ store }: Context, digest: Digest): Promise<ReviewDetail> {
  const row = await store.readManifest(digest)
  if (row === undefined)
    throw new LedgerRefusal('manifest-unknown', 'there is no such manifest', { manifest: digest })
  const last = await store.commitBatch((tx) => tx.latestAbout(`manifest:${digest}`))
  return {
    ...reviewItem(row),
    document: documentOf(row),
    envelope: row.envelope,
    last: last ?? row.publishIndex,
  }
}

/** The manifest in an envelope that was verified before it was stored. */
export function documentOf(row: ManifestRow): Manifest {
  return parseManifest(decodeBase64url(row.envelope.split('.')[1] ?? ''))
}

function reviewItem(row: ManifestListing): ReviewItem {
  return {
    manifest: row.manifest,
    server: row.server,
    version: row.version,
    role: row.role,
    status: row.status,
    account: row.account,
    submittedAt: new Date(row.submittedAt).toISOString(),
    index: row.publishIndex,
    findings: JSON.parse(row.findings) as Finding[],
  }
}
