import { compareVersions, parseVersion } from 'countersign/core'
import type { CatalogueRow } from '../../storage/store.js'

/**
 * The version that speaks for its server: the newest by precedence that is approved, else that is deprecated; where
 * everything was revoked the newest of that, so that who mirrors by `latest` hears of it.
 */
export function latestByServer(rows: readonly CatalogueRow[]): Map<string, CatalogueRow> {
  const newest = new Map<string, CatalogueRow>()
  for (const row of rows) {
    const known = newest.get(row.server)
    if (known === undefined || speaksBefore(row, known)) newest.set(row.server, row)
  }
  return newest
}

function speaksBefore(row: CatalogueRow, other: CatalogueRow): boolean {
  const order = RANK[row.status] - RANK[other.status]
  return order === 0 ? newestFirst(row, other) < 0 : order < 0
}

const RANK = { approved: 0, deprecated: 1, revoked: 2, withdrawn: 2, rejected: 3, pending: 3 } as const

/** Versions that differ in their build alone are as new as their approval. */
export function newestFirst(a: CatalogueRow, b: CatalogueRow): number {
  return compareVersions(parseVersion(b.version), parseVersion(a.version)) || b.approveIndex - a.approveIndex
}

export function isDeleted({ status }: CatalogueRow): boolean {
  return status !== 'approved' && status !== 'deprecated'
}
