import type { Digest } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { Context } from '../publishers/context.js'
import type { BatchTx, ManifestListing, VoteRow } from '../storage/store.js'
import {
  assertFourEyes,
  assertLatest,
  assertReviewer,
  ownersOf,
  readTarget,
  type ReviewReads,
} from './deciders.js'
import { auditTarget, namespaceOf, revocationLine, targetKey, type Target } from './lines.js'
import type { Motion } from './motion-types.js'
import { contribute, type Outcome } from './motion.js'
import { standingWithout } from './standing.js'

/** PROTOCOL 6: what one person took away, two give back. */
const NEEDED = 2

/** One person's vote to take a revocation back. The revocation list loses the line with the second person's. */
export async function reinstate(
  context: Context,
  account: string,
  target: Target,
  { after, reason }: { after: number; reason: string },
): Promise<Outcome> {
  return contribute(context, reinstatement(target), { account, after, vote: { reason } })
}

/** An approver's signature under the reinstatement that the votes so far make. */
export async function signReinstatement(
  context: Context,
  account: string,
  target: Target,
  signature: string,
): Promise<Outcome> {
  return contribute(context, reinstatement(target), { account, signature })
}

/** The motion to reinstate a target. */
export function reinstatement(target: Target): Motion {
  return {
    subject: `reinstate:${targetKey(target)}`,
    action: 'reinstate',
    target: auditTarget(target),
    async open(reads, known) {
      const owners = await ownersOfTarget(reads, target)
      const after = known ?? (await reads.latestAbout(targetKey(target))) ?? 0
      await assertLatest(reads, targetKey(target), after)
      await assertRevoked(reads, target)
      return {
        after,
        needed: NEEDED,
        notes: {},
        async assertVote({ account }) {
          await assertReviewer(reads, account)
          await assertFourEyes(reads, account, owners)
        },
        draft: (votes) => reinstateEvent(target, votes, after),
        apply: (tx) => restore(tx, target),
      }
    },
  }
}

/** The reason is that of the first vote that counts, so that the draft stands still while approvers sign. */
function reinstateEvent(target: Target, votes: readonly VoteRow[], after: number) {
  const deciders = votes.map(({ account }) => account).sort()
  return { v: 1, t: 'reinstate', ...target, reason: votes[0]?.reason ?? '', deciders, after } as const
}

/** A tool definition is the work of everybody who published it. */
async function ownersOfTarget(reads: ReviewReads, target: Target): Promise<ReadonlySet<string>> {
  if (target.target === 'server') {
    const rows = await reads.readServer(target.name)
    const publishers = [...new Set(rows.map(({ account }) => account))]
    return ownersOf(reads, namespaceOf(target.name), publishers)
  }
  if (target.target === 'tool') return ownersOfTool(reads, target.digest)
  const { namespace, account } = await readTarget(reads, target.digest)
  return ownersOf(reads, namespace, [account])
}

async function ownersOfTool(reads: ReviewReads, tool: Digest): Promise<ReadonlySet<string>> {
  const published = await reads.readToolOwners(tool)
  const owners = new Set<string>()
  for (const namespace of new Set(published.map((one) => one.namespace))) {
    const accounts = published.filter((one) => one.namespace === namespace).map(({ account }) => account)
    for (const owner of await ownersOf(reads, namespace, accounts)) owners.add(owner)
  }
  return owners
}

async function assertRevoked(reads: ReviewReads, target: Target): Promise<void> {
  if (await reads.isAnyRevoked([revocationLine(target)])) return
  throw new LedgerRefusal('manifest-status', 'it is not revoked itself', { target: targetKey(target) })
}

/** The line goes; a row that no other line holds is again what it was before. */
async function restore(tx: BatchTx, target: Target): Promise<void> {
  await tx.deleteRevocation(revocationLine(target))
  const rows = await readRows(tx, target)
  for (const row of rows) {
    const held = await tx.isAnyRevoked([
      revocationLine({ target: 'manifest', digest: row.manifest }),
      revocationLine({ target: 'server', name: row.server }),
    ])
    if (row.status !== 'revoked' || held) continue
    await tx.updateManifest(row.manifest, { status: await standingWithout(tx, row) })
  }
}

async function readRows(tx: BatchTx, target: Target): Promise<readonly ManifestListing[]> {
  if (target.target === 'server') return tx.readServer(target.name)
  return target.target === 'manifest' ? [await readTarget(tx, target.digest)] : []
}
