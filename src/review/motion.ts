import { parseEvent } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import { readNewestRoot } from '../log/root-notes.js'
import type { Context } from '../publishers/context.js'
import { countMotion, type Count, type Tally } from './count.js'
import type { Contribution, Decision, Motion } from './motion-types.js'
import { verifyApprover } from './signatures.js'

export type Outcome = { readonly index: number } | { readonly tally: Tally }

/**
 * One contribution to a motion: counted in log order, and logged with what it completes. What is not enough yet is
 * kept, and counted once more: of two last ones that came at the same moment, neither saw the other.
 */
export async function contribute(context: Context, motion: Motion, given: Contribution): Promise<Outcome> {
  const first = await attempt(context, motion, given)
  if ('index' in first) return first
  await keep(context, motion, given, first.tally)
  try {
    return await attempt(context, motion, { account: given.account, after: first.tally.after })
  } catch (cause) {
    const index = await carriedMeanwhile(context, motion, given, cause)
    if (index === undefined) throw cause
    return { index }
  }
}

async function attempt(context: Context, motion: Motion, given: Contribution): Promise<Outcome> {
  const notYet = new LedgerRefusal('check-failed', 'it waits for more')
  let count: Count | undefined
  try {
    const { index } = await context.ledger.submit({
      async authorise(tx) {
        count = await countMotion(tx, motion, context.ledger.identity, given)
        if (count.event === undefined) throw notYet
      },
      event: () => carried(count).event,
      async apply(tx, index) {
        await carried(count).open.apply(tx, index)
        await tx.addAudit({ ...auditOf(context, motion, given, carried(count)), index })
      },
    })
    return { index }
  } catch (cause) {
    if (cause !== notYet || count === undefined) throw cause
    return { tally: count.tally }
  }
}

/** The log calls `authorise` first; an order that was not kept must not become an event. */
function carried(count: Count | undefined): Count & { readonly event: Decision } {
  if (count?.event === undefined) throw new Error('a motion was asked for its event before it was carried')
  return { ...count, event: count.event }
}

function auditOf({ now }: Context, { action, target }: Motion, { account }: Contribution, count: Count) {
  const votes = count.deciding.map(({ account, override, comment, reason }) => ({
    account,
    override,
    comment,
    reason,
  }))
  return { at: now(), account, action, target, detail: JSON.stringify({ ...count.open.notes, votes }) }
}

async function keep(context: Context, motion: Motion, given: Contribution, tally: Tally): Promise<void> {
  if (given.vote !== undefined) await keepVote(context, motion, given.account, given.vote, tally)
  if (given.signature !== undefined)
    await keepSignature(context, motion, given.account, given.signature, tally)
}

async function keepVote(
  { store, now }: Context,
  { subject, action, target }: Motion,
  account: string,
  vote: NonNullable<Contribution['vote']>,
  { after, votes, needed }: Tally,
): Promise<void> {
  const at = now()
  await store.castVote({ ...vote, subject, account, after, at })
  const detail = JSON.stringify({ after, votes, needed, ...vote })
  await store.addAuditRecord({ at, account, action: `${action}.vote`, target, detail })
}

async function keepSignature(
  { store, ledger, now }: Context,
  { subject, action, target }: Motion,
  account: string,
  sig: string,
  { after, draft, signatures }: Tally,
): Promise<void> {
  const keys = (await readNewestRoot(store)).approvers
  if (draft === undefined || keys === undefined) return
  const kid = verifyApprover(JSON.parse(draft) as Decision, sig, { keys, registry: ledger.identity })
  await store.putSignature({ subject, after, kid, sig })
  const detail = JSON.stringify({ after, kid, ...signatures })
  await store.addAuditRecord({ at: now(), account, action: `${action}.signature`, target, detail })
}

/** Somebody else came at the same moment and carried the motion, with this contribution in it. */
async function carriedMeanwhile(
  { store }: Context,
  { action }: Motion,
  { account, signature }: Contribution,
  cause: unknown,
): Promise<number | undefined> {
  if (!(cause instanceof LedgerRefusal) || cause.code !== 'after-outdated') return undefined
  const { last } = cause.detail
  if (typeof last !== 'number') return undefined
  const entry = await store.readLeaf(last)
  const event = entry === undefined ? undefined : parseEvent(entry)
  if (event?.t !== action) return undefined
  const isIn = signature === undefined ? event.deciders.includes(account) : event.sigs?.includes(signature)
  return isIn === true ? last : undefined
}
