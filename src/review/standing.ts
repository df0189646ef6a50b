import { parseEvent, type Digest } from 'countersign/core'
import type { ManifestListing, ManifestStatus } from '../storage/store.js'
import type { ReviewReads } from './deciders.js'

const MAX_STEPS = 1024

/**
 * The status a manifest has without any revocation: what the last other decision about it made of it. Each event names
 * the one before it (`after`), so the log itself is asked, back to the publication.
 */
export async function standingWithout(
  reads: Pick<ReviewReads, 'latestAbout' | 'readLeaf'>,
  row: Pick<ManifestListing, 'manifest' | 'approveIndex'>,
): Promise<ManifestStatus> {
  let at = await reads.latestAbout(`manifest:${row.manifest}`)
  for (let i = 0; i < MAX_STEPS && at !== undefined; i++) {
    const event = await readAbout(reads, at, row.manifest)
    if (event === undefined) break
    switch (event.t) {
      case 'publish':
        return 'pending'
      case 'approve':
        return 'approved'
      case 'reject':
        return 'rejected'
      case 'withdraw':
        return 'withdrawn'
      case 'deprecate':
        return 'deprecated'
      default:
        at = event.after
    }
  }
  // Only with a history that is longer than anybody made: it then waits for a person.
  return 'pending'
}

async function readAbout(reads: Pick<ReviewReads, 'readLeaf'>, position: number, digest: Digest) {
  const entry = await reads.readLeaf(position)
  if (entry === undefined) return undefined
  const event = parseEvent(entry)
  switch (event.t) {
    case 'publish':
    case 'approve':
      return event.manifest === digest ? event : undefined
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      return event.digest === digest ? event : undefined
    default:
      return undefined
  }
}
