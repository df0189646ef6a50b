import { formatEvent, leafHash, refuse, utf8Bytes, type KeyEvent, type TrustRoot } from 'countersign/core'
import type { Candidate } from '../log/ledger.js'
import { readNewestRoot } from '../log/root-notes.js'
import type { BatchTx } from '../storage/store.js'
import type { Context } from './context.js'
import { parseKeyEvent, verifyKeyEvent, type VerifiedKeyEvent } from './key-event.js'
import { putAddedKey, putFirstKey, putRevocation } from './key-rows.js'
import {
  assertGranted,
  assertLatest,
  assertSubmitter,
  assertUnowned,
  authoriseAddition,
  authoriseRevocation,
  type Moment,
} from './key-rules.js'

/** Seconds: how long a key that authorities gave waits for objections. */
export const RECOVERY_SECONDS = 604_800

/**
 * An event about a namespace's keys, from a publisher to the log:
 * parse it, verify its signatures, and let the log decide in its order.
 */
export async function submitKeyEvent(
  context: Context,
  account: string,
  request: { namespace: string; text: string; revokes?: string | undefined },
): Promise<{ index: number }> {
  const event = parseKeyEvent(request.text, request.namespace)
  assertAddressed(event, request.revokes)
  const keys = await context.store.readKeys(event.namespace)
  const root = await readNewestRoot(context.store)
  const verified = verifyKeyEvent(event, keys, root)
  const { index } = await context.ledger.submit(candidateFor(context, verified, account, root))
  return { index }
}

/**
 * What was asked for is what was signed: a revocation under its kid, an enrolment where keys are enrolled.
 */
function assertAddressed(event: KeyEvent, revokes: string | undefined): void {
  const addressed =
    revokes === undefined ? event.t !== 'key.revoke' : event.t === 'key.revoke' && event.kid === revokes
  if (!addressed) refuse('event-invalid', 'the event is not the one this address is for', { t: event.t })
}

function candidateFor(
  context: Context,
  verified: VerifiedKeyEvent,
  account: string,
  root: TrustRoot,
): Candidate {
  const { event } = verified
  const leaf = leafHash(utf8Bytes(formatEvent(event)))
  return {
    event: () => event,
    async authorise(tx, index) {
      await assertSubmitter(tx, verified, account)
      // The same event once more, after an answer that was lost: it stands, and says where.
      const existing = await tx.isLogged(leaf)
      if (existing !== undefined) return { existing }
      await assertLatest(tx, event)
      // A root that was logged meanwhile may name other authorities.
      const inForce = await readNewestRoot(tx)
      if (inForce.version !== root.version) {
        verifyKeyEvent(event, await tx.readKeys(event.namespace), inForce)
      }
      await authorise({ tx, index, now: context.now() }, verified)
      return undefined
    },
    async apply(tx, index) {
      const voided = await apply(context, tx, verified, index)
      await noteKeyEvent(context, tx, verified, account, index, voided)
    },
  }
}

/** The event is the namespace's latest, and the audit knows of it. */
export async function noteKeyEvent(
  { now }: Context,
  tx: BatchTx,
  { event, signer }: VerifiedKeyEvent,
  account: string,
  index: number,
  voided: readonly string[] = [],
): Promise<void> {
  await tx.noteAbout(`namespace:${event.namespace}`, index)
  const detail = {
    kid: event.kid,
    signer: signer ?? 'authorities',
    ...(voided.length === 0 ? {} : { voided }),
  }
  await tx.addAudit({
    at: now(),
    account,
    action: event.t,
    target: event.namespace,
    detail: JSON.stringify(detail),
    index,
  })
}

async function authorise(moment: Moment, { event, signer }: VerifiedKeyEvent): Promise<void> {
  switch (event.t) {
    case 'namespace':
      await assertUnowned(moment.tx, event.namespace)
      return assertGranted(moment.tx, event)
    case 'key.add':
      return authoriseAddition(moment, event, signer)
    case 'key.revoke':
      return authoriseRevocation(moment, event, signer)
  }
}

async function apply(
  { now, recoverySeconds = RECOVERY_SECONDS }: Context,
  tx: BatchTx,
  { event, signer }: VerifiedKeyEvent,
  index: number,
): Promise<readonly string[]> {
  switch (event.t) {
    case 'namespace':
      await putFirstKey(tx, event, index)
      return []
    case 'key.add': {
      const by = signer === undefined ? { usableAt: now() + recoverySeconds * 1000 } : { endorser: signer }
      await putAddedKey(tx, event, index, by)
      return []
    }
    case 'key.revoke':
      return putRevocation(tx, event, index)
  }
}
