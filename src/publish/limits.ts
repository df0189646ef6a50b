import { parseServerName } from 'countersign/core'
import type { Principal } from '../auth/scopes.js'
import { LedgerRefusal } from '../log/errors.js'
import type { Store } from '../storage/store.js'

/**
 * What a workflow may publish: a server that its token names, by a trusted publisher that still stands and is for it.
 * Who publishes with a token of another kind has no such limits.
 */
export async function assertTrustedHere(
  store: Pick<Store, 'readTrustedPublisher'>,
  { publishes }: Principal,
  server: string,
): Promise<void> {
  if (publishes === undefined) return
  const { namespace } = parseServerName(server)
  const named = publishes.servers.some((one) => one === server || one === `${namespace}/*`)
  const rows = await Promise.all(publishes.trustedPublishers.map((id) => store.readTrustedPublisher(id)))
  const standing = rows.some(
    (row) => row?.namespace === namespace && (row.server === undefined || row.server === server),
  )
  if (named && standing) return
  throw new LedgerRefusal('not-trusted-here', 'no trusted publisher of this token may publish the server', {
    server,
    allowed: publishes.servers,
  })
}
