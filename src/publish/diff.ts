import { compareManifests, type Comparison } from 'countersign/change'
import type { Context } from '../publishers/context.js'
import { documentOf, findingsOf } from '../review/change.js'
import { readVersion, type Viewer } from './catalogue.js'

export interface Difference extends Comparison {
  readonly server: string
  readonly from: string
  readonly to: string
}

/** What one version of a server changes against another one, for who may see both. */
export async function readDifference(
  context: Context,
  server: string,
  { from, to }: { from: string; to: string },
  viewer: Viewer,
): Promise<Difference> {
  const before = await readVersion(context, { server, version: from }, viewer)
  const after = await readVersion(context, { server, version: to }, viewer)
  const {
    class: change,
    changes,
    more,
  } = compareManifests(documentOf(before), documentOf(after), findingsOf(after))
  return { server, from, to, class: change, changes, more }
}
