import { countsAt } from '../publishers/keys.js'
import type { BatchTx, ManifestListing } from '../storage/store.js'
import { namespaceOf, revocationLine } from './lines.js'

export type BaseReads = Pick<BatchTx, 'readKeys' | 'readNewestApproved' | 'isAnyRevoked' | 'readToolDigests'>

/**
 * What a new version of a server is compared with: the version approved last that hosts still accept. Deprecated ones
 * count, so that an owner cannot choose an older one; what a stolen key published or holds a revoked tool vouches for
 * nothing.
 */
export async function readBase(reads: BaseReads, server: string): Promise<ManifestListing | undefined> {
  const keys = await reads.readKeys(namespaceOf(server))
  const holdsRevoked = async ({ manifest }: ManifestListing): Promise<boolean> =>
    reads.isAnyRevoked(
      (await reads.readToolDigests(manifest)).map((digest) => revocationLine({ target: 'tool', digest })),
    )
  let row = await reads.readNewestApproved(server)
  while (row !== undefined) {
    const { kid, publishIndex } = row
    const counts = keys.some((key) => key.kid === kid && key.role === 'sign' && countsAt(key, publishIndex))
    if (counts && !(await holdsRevoked(row))) return row
    row = await reads.readNewestApproved(server, row.approveIndex)
  }
  return undefined
}
