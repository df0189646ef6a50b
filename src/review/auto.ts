import type { Digest } from 'countersign/core'
import { JudgeUnavailable } from '../judge/errors.js'
import { LedgerBusy, LedgerClosed, LedgerFatal, LedgerRefusal } from '../log/errors.js'
import { readNewestRoot } from '../log/root-notes.js'
import type { Context } from '../publishers/context.js'
import { assertNotSuspended } from '../publishers/keys.js'
import { assessProposal, readCompared, type Assessment, type Proposal } from './assess.js'
import { documentOf } from './change.js'
import type { ReviewReads } from './deciders.js'
import { autoClass } from './needs.js'
import { readPolicyInForce, type AdmissionPolicy, type AutoClass } from './policy.js'

/** What stands for a decider where a rule decided. */
export const AUTO_DECIDER = 'auto'

/**
 * Approves what the policy lets approve itself: a class of change that it names, every check holds, nothing is held,
 * nothing sensitive, and no approvers in the trust root, whose signatures nothing replaces. All of it is decided in
 * log order; what does not hold leaves the manifest waiting. Returns the index of the approval, if there is one.
 */
export async function approveByRule(
  context: Context,
  digest: Digest,
  publishIndex: number,
): Promise<number | undefined> {
  const { ledger, store, now } = context
  const { policy } = await readPolicyInForce(store)
  let decided: Ruled | undefined
  try {
    const proposal = await readQuiet(context, digest, policy)
    if (proposal === undefined) return undefined
    const { index } = await ledger.submit({
      async authorise(tx) {
        const assessed = await assessProposal(tx, proposal, publishIndex)
        await assertNotSuspended(tx, proposal.row.namespace)
        decided = { ...assessed, auto: await assertAuto(tx, assessed) }
      },
      event: () => autoEvent(known(decided)),
      async apply(tx, at) {
        await tx.updateManifest(digest, { status: 'approved', approveIndex: at })
        const { auto, inForce } = known(decided)
        const detail = JSON.stringify({ auto, policy: inForce.version })
        const record = { account: AUTO_DECIDER, action: 'approve', target: digest, detail }
        await tx.addAudit({ at: now(), ...record, index: at })
      },
    })
    return index
  } catch (cause) {
    if (cause instanceof LedgerRefusal || isForLater(cause)) return undefined
    throw cause
  }
}

/** What the policy may let approve itself; of everything else nothing more is read. */
async function readQuiet(
  context: Context,
  digest: Digest,
  { autoApprove }: AdmissionPolicy,
): Promise<Proposal | undefined> {
  if (autoApprove.length === 0) return undefined
  const compared = await readCompared(context, digest)
  if (!autoApprove.some((one) => one === compared.change.class)) return undefined
  return { ...compared, manifest: documentOf(compared.row) }
}

const NOT_NOW = [LedgerBusy, LedgerClosed, LedgerFatal, JudgeUnavailable]

/** No approval can be made now. The publication before it stands, and waits for a person. */
function isForLater(cause: unknown): boolean {
  return NOT_NOW.some((kind) => cause instanceof kind)
}

type Ruled = Assessment & { readonly auto: AutoClass }

function known(decided: Ruled | undefined): Ruled {
  if (decided === undefined) throw new Error('an approval was asked for its event before it was authorised')
  return decided
}

/** A rejected manifest waits for a person, who knows what was said about it; nothing replaces approvers' signatures. */
async function assertAuto(
  reads: Pick<ReviewReads, 'readRootNotes'>,
  { row, inForce, needs }: Assessment,
): Promise<AutoClass> {
  const auto = autoClass(inForce.policy, needs)
  const { approvers } = await readNewestRoot(reads)
  if (auto !== undefined && row.status === 'pending' && approvers === undefined) return auto
  throw new LedgerRefusal('check-failed', 'a person has to look at it', { class: needs.class })
}

function autoEvent({ row, after, inForce, auto }: Ruled) {
  return {
    v: 1,
    t: 'approve',
    server: row.server,
    version: row.version,
    manifest: row.manifest,
    policy: inForce.digest,
    deciders: [AUTO_DECIDER],
    auto,
    after,
  } as const
}
