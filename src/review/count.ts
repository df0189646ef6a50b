import { canonicalize } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import { readNewestRoot } from '../log/root-notes.js'
import type { VoteRow } from '../storage/store.js'
import { assertReviewer, personOf, type ReviewReads } from './deciders.js'
import type { Contribution, Decision, Motion, OpenMotion } from './motion-types.js'
import { holdingSignatures, verifyApprover, type Approvers } from './signatures.js'

/** Where a motion stands. */
export interface Tally {
  readonly after: number
  /** Persons that count. */
  readonly votes: number
  readonly needed: number
  /** What approvers sign, as canonical JSON, once enough persons agree and the trust root names approvers. */
  readonly draft?: string
  readonly signatures?: { readonly given: number; readonly needed: number }
}

export interface Count {
  readonly open: OpenMotion
  readonly tally: Tally
  /** The votes that the event stands on: the first ones that suffice. */
  readonly deciding: readonly VoteRow[]
  /** What can be logged now. */
  readonly event?: Decision
}

/**
 * Counts what was said about a motion: votes that still count, of distinct persons in the order they were cast; then
 * the approvers' signatures over exactly what these votes make. What the request itself brings must count or is
 * refused; what was kept before silently counts no more.
 */
export async function countMotion(
  reads: ReviewReads,
  motion: Motion,
  registry: string,
  given: Contribution,
): Promise<Count> {
  const open = await motion.open(reads, given.after)
  const votes = await countVotes(reads, motion, open, given)
  const deciding = votes.slice(0, open.needed)
  const tally = { after: open.after, votes: votes.length, needed: open.needed }
  const { signature } = given
  if (signature !== undefined) await assertReviewer(reads, given.account)
  if (votes.length < open.needed) {
    if (signature !== undefined) unwanted('not enough persons agree yet: there is nothing to sign')
    return { open, tally, deciding }
  }
  const draft = open.draft(deciding)
  // From its entry on, whether or not the witnesses have seen it: so every replay of the log has it.
  const keys = (await readNewestRoot(reads)).approvers
  if (keys === undefined) {
    if (signature !== undefined) unwanted('the trust root names no approvers')
    return { open, tally, deciding, event: draft }
  }
  const sigs = await countSignatures(reads, motion, draft, { keys, registry }, signature)
  const signatures = { given: sigs.length, needed: keys.threshold }
  const signing = { open, deciding, tally: { ...tally, draft: canonicalize(draft), signatures } }
  if (sigs.length < keys.threshold) return signing
  return { ...signing, event: { ...draft, sigs: sigs.slice(0, keys.threshold) } }
}

function unwanted(message: string): never {
  throw new LedgerRefusal('signature-unwanted', message)
}

/** One vote a person, in the order they were cast; this request's own goes last unless it was cast before. */
async function countVotes(
  reads: ReviewReads,
  { subject }: Motion,
  open: OpenMotion,
  { account, vote }: Contribution,
): Promise<VoteRow[]> {
  const kept = await reads.readVotes(subject, open.after)
  const own = vote === undefined ? undefined : { ...vote, subject, account, after: open.after, at: 0 }
  if (own !== undefined) await open.assertVote(own)
  const isKept = kept.some((one) => one.account === own?.account)
  const all = kept.map((one) => (one.account === own?.account ? own : one))
  const byPerson = new Map<string, VoteRow>()
  for (const one of own === undefined || isKept ? all : [...all, own]) {
    if (one !== own && !(await stillCounts(open, one))) continue
    const person = await personOf(reads, one.account)
    const earlier = byPerson.get(person)
    if (earlier === undefined) byPerson.set(person, one)
    else if (one === own) refuseSecondVote(earlier)
  }
  return [...byPerson.values()]
}

function refuseSecondVote({ account }: VoteRow): never {
  throw new LedgerRefusal('decider-not-allowed', 'this person has voted already, by another account', {
    account,
  })
}

/** A voter who was disabled, demoted or became an owner since counts no more. */
async function stillCounts(open: OpenMotion, vote: VoteRow): Promise<boolean> {
  try {
    await open.assertVote(vote)
    return true
  } catch (cause) {
    if (cause instanceof LedgerRefusal) return false
    throw cause
  }
}

/** Distinct approvers' signatures that hold; the request's own must. */
async function countSignatures(
  reads: ReviewReads,
  { subject }: Motion,
  draft: Decision,
  approvers: Approvers,
  own: string | undefined,
): Promise<string[]> {
  const kept = await reads.readSignatures(subject, draft.after ?? 0)
  const holding = holdingSignatures(draft, kept, approvers)
  if (own !== undefined) holding.set(verifyApprover(draft, own, approvers), own)
  return [...holding.values()]
}
