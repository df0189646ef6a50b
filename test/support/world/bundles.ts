import { formatBundle, type ProvenLeaf } from 'countersign/core'
import type { Ledger } from './ledger.js'
import type { Log, Logs } from './logs.js'
import type { Publications, Published } from './publications.js'

export interface BundleChange {
  readonly size?: number
  readonly indexes?: readonly number[]
  readonly envelope?: string
  readonly registry?: string
  readonly note?: string
  /** Origin of the log of its checkpoint. */
  readonly log?: string
}

/** Positions of the key chain of a publication: every namespace and key.add event of its namespace before it. */
export function chainOf(logs: Logs, published: Published): number[] {
  return logs.all.flatMap(({ base, leaves }) =>
    leaves.flatMap((leaf, index) => {
      const event = JSON.parse(leaf) as { t: string; namespace?: string }
      const isKey = event.t === 'namespace' || event.t === 'key.add'
      const isBefore = base + index < published.index
      return isKey && event.namespace === published.namespace && isBefore ? [base + index] : []
    }),
  )
}

/**
 * The bundle of a publication. Without `size` its checkpoint is that of the log in which the last of its events stands,
 * two leaves behind that; leaves of logs before are proved at their ends.
 */
export function bundleBytes(
  ledger: Ledger,
  publications: Publications,
  published: Published,
  change: BundleChange,
): Uint8Array {
  const { logs } = ledger
  const usual = [
    ...chainOf(logs, published),
    published.index,
    ...(published.approveIndex === undefined ? [] : [published.approveIndex]),
    ...publications.reinstatementsOf(published),
  ]
  const positions = [...(change.indexes ?? usual)].sort((a, b) => a - b)
  const log = change.log === undefined ? logs.at(positions.at(-1) ?? 0) : logs.of(change.log)
  const size = change.size ?? (positions.at(-1) ?? 0) - log.base + 2
  return formatBundle({
    format: 'countersign/bundle/v1',
    registry: change.registry ?? ledger.keys.identity,
    envelope: change.envelope ?? published.envelope,
    checkpoint: change.note ?? ledger.note(size, { log: log.origin }),
    events: positions.map((position) => provenLeaf(logs, position, log, size)),
  })
}

/** A leaf under the checkpoint of a log at a size, or at the end of the log before in which it stands. */
function provenLeaf(logs: Logs, position: number, log: Log, size: number): ProvenLeaf {
  const within = logs.at(position)
  const { origin, base, leaves } = within
  const index = position - base
  const event = logs.leaf(index, origin)
  if (within === log) return { index, event, proof: logs.inclusion(index, size, origin) }
  return { log: origin, index, event, proof: logs.inclusion(index, leaves.length, origin) }
}
