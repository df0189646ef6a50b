import type { Comparison } from 'countersign/change'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import { judgeOf, type Side } from '../judge/judge.js'
import { findingsOf } from '../review/change.js'
import { compareOnce, isCompared } from '../review/comparison.js'
import type { ManifestRow } from '../storage/store.js'
import { readVersion, type Viewer } from './catalogue.js'

export interface Difference extends Comparison {
  readonly server: string
  readonly from: string
  readonly to: string
}

/** Characters of both envelopes. Comparing so much takes a quarter of a second; hostile ones of full size take two. */
const OPEN_LIMIT = 1024 * 1024

/** What one version of a server changes against another one, for who may see both. */
export async function readDifference(
  context: Context,
  server: string,
  { from, to }: { from: string; to: string },
  viewer: Viewer,
): Promise<Difference> {
  const before = await readVersion(context, { server, version: from }, viewer)
  const after = await readVersion(context, { server, version: to }, viewer)
  assertWorth(before, after, viewer)
  const compared = await compareOnce(judgeOf(context), [sideOf(before), sideOf(after)], findingsOf(after))
  if (compared === undefined) throw new Error('a version has no envelope')
  const { class: change, changes, more } = compared
  return { server, from, to, class: change, changes, more }
}

/** Whoever asks without a name is answered at once or not at all: nobody keeps the registry busy from outside. */
function assertWorth(before: ManifestRow, after: ManifestRow, { reviewer, namespaces }: Viewer): void {
  const size = before.envelope.length + after.envelope.length
  if (size <= OPEN_LIMIT || reviewer || namespaces.has(after.namespace)) return
  const known = isCompared({ digest: before.manifest }, { digest: after.manifest }, findingsOf(after))
  if (known) return
  throw new LedgerRefusal(
    'out-of-range',
    'versions of this size are compared for reviewers and their owner: fetch both and compare them',
    { field: '/to', size, limit: OPEN_LIMIT },
  )
}

function sideOf(row: ManifestRow): Side {
  return { digest: row.manifest, envelope: () => Promise.resolve(row.envelope) }
}
