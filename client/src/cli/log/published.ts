import { attempt } from './findings.js'
import { landmarksOf, type Run } from './run.js'
import { activeRange } from './save.js'
import { verifyQuorum, type Attested, type SignedTree } from './shown.js'
import { notesOf } from './walk.js'

/** PROTOCOL 10.4. */
const MAX_SKEW_SECONDS = 600

/** PROTOCOL 7: nothing is published without the quorum of the trust root in force there. */
export async function checkPublished(run: Run): Promise<Attested | undefined> {
  const { shown, roots, findings, options } = run
  let newest: Attested | undefined
  let byStatus: Attested | undefined
  for (const tree of [shown.checkpoint, ...(shown.status === undefined ? [] : [shown.status.tree])]) {
    const root = roots.chain.get(rootVersionAt(run, tree))
    if (root === undefined) continue
    const index = activeRange(run).base + tree.size
    const attested = await attempt(
      findings,
      index,
      () => verifyQuorum(tree.note, root),
      () => notesOf(tree),
    )
    if (attested !== undefined && attested.at >= (newest?.at ?? 0)) newest = attested
    if (tree === shown.status?.tree) byStatus = attested
  }
  const { freshness, expiresAt, version } = roots.newest
  const now = options.now / 1000
  // Hosts go by the status: a fresh checkpoint beside an old one makes nothing younger.
  const at = byStatus?.at ?? newest?.at
  if (at !== undefined && now - at > freshness.maxSeconds) {
    findings.alert({ code: 'stale', said: 'what is published is older than hosts accept' })
  }
  if (at !== undefined && at - now > MAX_SKEW_SECONDS) {
    const said = `what is published was attested ${Math.round(at - now)} seconds ahead of this clock`
    findings.alert({ code: 'clock-skew', said })
  }
  if (now >= expiresAt) {
    findings.alert({ code: 'root-expired', said: `trust root ${version} expired` })
  }
  return newest
}

function rootVersionAt(run: Run, { origin, size }: SignedTree): number {
  return landmarksOf(run, origin).get(size)?.rootVersion ?? run.replay.state.rootVersion
}
