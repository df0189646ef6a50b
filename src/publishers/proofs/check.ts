import { parseNamespace } from 'countersign/core'
import { LedgerRefusal } from '../../log/errors.js'
import type { AuditRow, ProofRow } from '../../storage/store.js'
import type { Context } from '../context.js'
import { actsFor, viewNamespace, type NamespaceView } from '../keys.js'
import { judgeLook, MAX_ABSENCES } from './lapse.js'
import type { Look } from './look.js'
import { lookAtProof, speakingKids } from './kinds.js'

export interface Checked extends NamespaceView {
  /** What this look found. */
  readonly look: Look['is']
  readonly why?: string
}

/**
 * Looks again now, for whoever acts for the namespace, or for an admin: a record that is back lifts a suspension at
 * once. A claim of an identity provider is not there to be looked at: it is proved again with another token.
 */
export async function checkNamespace(
  context: Context,
  by: { readonly account: string; readonly isAdmin: boolean },
  text: string,
): Promise<Checked> {
  const { store } = context
  const namespace = parseNamespace(text)
  const row = await store.readNamespace(namespace)
  if (!by.isAdmin && !actsFor(by.account, row, await store.readGrant(namespace))) {
    throw new LedgerRefusal('namespace-not-granted', 'the account does not act for this namespace', {
      namespace,
    })
  }
  const proof = await store.readProof(namespace)
  if (row === undefined || proof === undefined || proof.kind === 'oidc') {
    throw new LedgerRefusal('proof-kind', 'there is no record of this namespace to look at', { namespace })
  }
  const look = await checkProof(context, proof)
  const view = viewNamespace(
    namespace,
    row,
    await store.readKeys(namespace),
    await store.readProof(namespace),
  )
  return { ...view, look: look.is, ...(look.is === 'present' ? {} : { why: look.why }) }
}

/** Another look at what a domain says: who owns the namespace stays as the log has it, whatever is found. */
export async function checkProof(context: Context, proof: ProofRow): Promise<Look> {
  const { store, now } = context
  const { namespace, kind } = proof
  const owner = await store.readNamespace(namespace)
  const kids = speakingKids(await store.readKeys(namespace))
  const look = await lookAtProof(context, { kind, namespace, account: owner?.account ?? '', kids })
  const before = await store.readProof(namespace)
  // A look takes a while: what was proved or looked at meanwhile is newer than what it found.
  if (before === undefined || before.checkedAt !== proof.checkedAt) return look
  const { row, counts } = judgeLook(before, look, await readAbsences(context, before), now())
  await store.recordProofCheck(row)
  for (const record of changes(context, before, row, look, counts)) await store.addAuditRecord(record)
  return look
}

/** The audit remembers each look that found nothing; a process that starts again does not forget them. */
async function readAbsences(
  { store, now }: Context,
  { namespace, failingSince }: ProofRow,
): Promise<number[]> {
  if (failingSince === undefined) return []
  const filter = { action: 'namespace.absent', target: namespace }
  const records = await store.readAudit(MAX_ABSENCES, undefined, filter)
  // A clock that was ahead once does not keep those of today from counting.
  return records.map(({ at }) => at).filter((at) => at >= failingSince && at <= now())
}

function changes(
  { ledger, now }: Context,
  before: ProofRow,
  after: ProofRow,
  look: Look,
  counts: boolean,
): AuditRow[] {
  const { namespace, kind, subject } = before
  const detail = JSON.stringify({ kind, subject, ...(look.is === 'present' ? {} : { why: look.why }) })
  const record = (action: string): AuditRow => ({
    ...{ at: now(), account: ledger.identity, action, target: namespace, detail },
  })
  const wasGood = before.failingSince === undefined
  return [
    // Once it is suspended, another absence says nothing new.
    ...(counts && !before.suspended ? [record('namespace.absent')] : []),
    ...(look.is === 'unreachable' && wasGood ? [record('namespace.unreachable')] : []),
    ...(after.suspended && !before.suspended ? [record('namespace.suspend')] : []),
    ...(look.is === 'present' && !wasGood ? [record('namespace.restore')] : []),
  ]
}
