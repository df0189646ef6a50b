import {
  formatEvent,
  formatRevocationLine,
  leafHash,
  refuse,
  utf8Bytes,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { Candidate } from '../log/ledger.js'
import type { BatchTx } from '../storage/store.js'
import type { Context } from './context.js'
import { parseKeyEvent, verifyKeyEvent, type VerifiedKeyEvent } from './key-event.js'
import { assertActsFor, findActive } from './keys.js'

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
  const verified = verifyKeyEvent(event, keys, context.ledger.identity)
  const { index } = await context.ledger.submit(candidateFor(verified, account, context.now))
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

function candidateFor(verified: VerifiedKeyEvent, account: string, now: () => number): Candidate {
  const { event } = verified
  const leaf = leafHash(utf8Bytes(formatEvent(event)))
  return {
    event: () => event,
    async authorise(tx, index) {
      await assertActsFor(tx, event.namespace, account)
      // The same event once more, after an answer that was lost: it stands, and says where.
      const existing = await tx.isLogged(leaf)
      if (existing !== undefined) return { existing }
      await assertLatest(tx, event)
      await authorise(tx, verified, index)
      return undefined
    },
    async apply(tx, index) {
      await apply(tx, event, index)
      await tx.noteAbout(`namespace:${event.namespace}`, index)
      await tx.addAudit({
        at: now(),
        account,
        action: event.t,
        target: event.namespace,
        detail: JSON.stringify({ kid: event.kid, signer: verified.signer }),
        index,
      })
    },
  }
}

// PROTOCOL 6: `after` is the latest event about the namespace that the signer knew, or the signature is out
// of date.
async function assertLatest(tx: BatchTx, event: KeyEvent): Promise<void> {
  const last = await tx.latestAbout(`namespace:${event.namespace}`)
  if (last === event.after) return
  throw new LedgerRefusal('after-outdated', 'the namespace changed since this event was signed', {
    last: last ?? null,
    after: event.after ?? null,
  })
}

async function authorise(tx: BatchTx, verified: VerifiedKeyEvent, index: number): Promise<void> {
  const { event, signer } = verified
  switch (event.t) {
    case 'namespace':
      return authoriseNamespace(tx, event)
    case 'key.add':
      return authoriseAddition(tx, event, signer)
    case 'key.revoke':
      return authoriseRevocation(tx, event, signer, index)
  }
}

async function authoriseNamespace(tx: BatchTx, event: NamespaceEvent): Promise<void> {
  const { namespace, account, proof } = event
  if ((await tx.readNamespace(namespace)) !== undefined) {
    throw new LedgerRefusal('namespace-taken', 'the namespace has its first key already', { namespace })
  }
  const grant = await tx.readGrant(namespace)
  if (proof !== 'admin' || grant?.account !== account) {
    throw new LedgerRefusal('namespace-not-granted', 'no grant says what the event says', {
      namespace,
      proof,
    })
  }
}

async function authoriseAddition(tx: BatchTx, event: KeyAddEvent, signer: string): Promise<void> {
  const keys = await tx.readKeys(event.namespace)
  assertOwn(findActive(keys, signer, 'own') !== undefined, signer)
  const same = keys.filter((key) => key.kid === event.kid)
  // A revoked key stays revoked in every role: its line in the revocation list would void it anyway.
  if (same.some((key) => key.revoked !== undefined || key.role === event.role)) {
    throw new LedgerRefusal('key-taken', 'the key has or had this role already', { kid: event.kid })
  }
}

async function authoriseRevocation(
  tx: BatchTx,
  event: KeyRevokeEvent,
  signer: string,
  index: number,
): Promise<void> {
  const keys = await tx.readKeys(event.namespace)
  const { kid, invalidFrom = index } = event
  const rows = keys.filter((key) => key.kid === kid)
  if (rows.length === 0) throw new LedgerRefusal('key-unknown', 'the namespace has no such key', { kid })
  if (rows.some((key) => key.revoked !== undefined)) {
    throw new LedgerRefusal('key-inactive', 'the key is revoked already', { kid })
  }
  assertOwn(signer === kid || findActive(keys, signer, 'own') !== undefined, signer)
  if (invalidFrom > index)
    throw new LedgerRefusal('out-of-range', 'invalidFrom lies ahead of the log', { invalidFrom })
  // Whoever holds an own key must not undo what another key signed in the past: only that key itself may.
  if (invalidFrom < index && signer !== kid) {
    throw new LedgerRefusal('decider-not-allowed', 'only the key itself goes back in time', { kid, signer })
  }
}

function assertOwn(holds: boolean, kid: string): void {
  if (!holds)
    throw new LedgerRefusal('key-inactive', 'the signing key is no active own key of the namespace', { kid })
}

async function apply(tx: BatchTx, event: KeyEvent, index: number): Promise<void> {
  const { namespace, kid } = event
  switch (event.t) {
    case 'namespace':
      await tx.putNamespace({ namespace, account: event.account, proof: event.proof, index })
      await tx.putKey({ namespace, kid, x: event.x, role: 'own', added: index })
      return
    case 'key.add':
      await tx.putKey({ namespace, kid, x: event.x, role: event.role, added: index })
      return
    case 'key.revoke':
      return applyRevocation(tx, event, index)
  }
}

async function applyRevocation(tx: BatchTx, event: KeyRevokeEvent, index: number): Promise<void> {
  const { namespace, kid, reason, invalidFrom = index } = event
  const rows = (await tx.readKeys(namespace)).filter((key) => key.kid === kid)
  for (const row of rows) await tx.putKey({ ...row, revoked: index, invalidFrom, reason })
  await tx.putRevocation(formatRevocationLine({ kind: 'key', namespace, kid, invalidFrom }), index)
}
