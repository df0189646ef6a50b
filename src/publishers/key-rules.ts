import type { KeyAddEvent, KeyEvent, KeyRevokeEvent, NamespaceEvent } from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { BatchTx, KeyRow } from '../storage/store.js'
import type { VerifiedKeyEvent } from './key-event.js'
import { readEndorsed } from './key-rows.js'
import { assertActsFor, assertNotSuspended, assertUsable, findActive } from './keys.js'

/** A namespace's keys are read with each of its events and publications; one row for each key and role. */
export const MAX_KEYS = 2048
/** A bundle holds at most 256 events, and the chain is not all of it. */
export const MAX_CHAIN = 200

/** What a rule decides by: the batch as it stands, the event's own index, and the clock for waiting times alone. */
export interface Moment {
  readonly tx: BatchTx
  readonly index: number
  readonly now: number
}

/** The account acts for the namespace; an admin may hand in what the authorities signed. */
export async function assertSubmitter(
  tx: BatchTx,
  { event, signer }: VerifiedKeyEvent,
  account: string,
): Promise<void> {
  const row = signer === undefined ? await tx.readAccount(account) : undefined
  if (row?.roles.includes('admin') === true && !row.disabled) return
  await assertActsFor(tx, event.namespace, account)
}

// PROTOCOL 6: `after` is the latest event about the namespace that the signer knew, or the signature is out
// of date.
export async function assertLatest(tx: BatchTx, event: KeyEvent): Promise<void> {
  const last = await tx.latestAbout(`namespace:${event.namespace}`)
  if (last === event.after) return
  throw new LedgerRefusal('after-outdated', 'the namespace changed since this event was signed', {
    last: last ?? null,
    after: event.after ?? null,
  })
}

export async function assertUnowned(tx: BatchTx, namespace: string): Promise<void> {
  if ((await tx.readNamespace(namespace)) === undefined) return
  throw new LedgerRefusal('namespace-taken', 'the namespace has its first key already', { namespace })
}

/** An admin's word; any other proof is looked at by whoever claims with it. */
export async function assertGranted(tx: BatchTx, event: NamespaceEvent): Promise<void> {
  const { namespace, account, proof } = event
  const grant = await tx.readGrant(namespace)
  if (proof === 'admin' && grant?.account === account) return
  throw new LedgerRefusal('namespace-not-granted', 'no grant says what the event says', { namespace, proof })
}

export async function authoriseAddition(
  { tx, now }: Moment,
  event: KeyAddEvent,
  signer: string | undefined,
): Promise<void> {
  const keys = await readEndorsed(tx, event.namespace)
  if (keys.length >= MAX_KEYS) throw tooMany(`a namespace has at most ${MAX_KEYS} keys`, event)
  if (signer === undefined) await assertEnrolled(tx, event.namespace)
  else {
    assertOwn(keys, signer, now)
    assertNear(keys, signer, event)
    // The authorities bring back an owner whose record names keys that are gone; an own key waits for the record.
    await assertNotSuspended(tx, event.namespace)
  }
  const same = keys.filter((key) => key.kid === event.kid)
  // A revoked key stays revoked in every role: its line in the revocation list would void it anyway.
  if (same.some((key) => key.revoked !== undefined || key.role === event.role)) {
    throw new LedgerRefusal('key-taken', 'the key has or had this role already', { kid: event.kid })
  }
}

/** Every host reads the whole chain up to the first key, from a bundle: a longer one would publish nothing. */
function assertNear(keys: readonly KeyRow[], signer: string, event: KeyAddEvent): void {
  const own = new Map(keys.filter(({ role }) => role === 'own').map((row) => [row.kid, row]))
  const chain = new Set<string>()
  for (let kid: string | undefined = signer; kid !== undefined && !chain.has(kid);) {
    chain.add(kid)
    kid = own.get(kid)?.endorser
  }
  if (chain.size < MAX_CHAIN) return
  throw tooMany(`a key stands at most ${MAX_CHAIN} endorsements from the first one`, event)
}

function tooMany(message: string, { namespace, kid }: KeyAddEvent): LedgerRefusal {
  return new LedgerRefusal('out-of-range', message, { namespace, kid })
}

async function assertEnrolled(tx: BatchTx, namespace: string): Promise<void> {
  if ((await tx.readNamespace(namespace)) !== undefined) return
  throw new LedgerRefusal('namespace-unknown', 'the namespace has no first key', { namespace })
}

export async function authoriseRevocation(
  { tx, index, now }: Moment,
  event: KeyRevokeEvent,
  signer: string | undefined,
): Promise<void> {
  const keys = await tx.readKeys(event.namespace)
  const { kid, invalidFrom = index } = event
  const rows = keys.filter((key) => key.kid === kid)
  if (rows.length === 0) throw new LedgerRefusal('key-unknown', 'the namespace has no such key', { kid })
  const isSelf = signer === kid
  if (signer !== undefined && !isSelf) assertOwn(keys, signer, now)
  if (invalidFrom > index)
    throw new LedgerRefusal('out-of-range', 'invalidFrom lies ahead of the log', { invalidFrom })
  // Whoever holds an own key must not undo what another key signed in the past: only that key itself may, and the
  // authorities.
  if (invalidFrom < index && signer !== undefined && !isSelf) {
    throw new LedgerRefusal('decider-not-allowed', 'only the key itself goes back in time', { kid, signer })
  }
  assertEarlier(rows, invalidFrom, kid)
}

/** A revocation is said once, or again with an earlier end. */
function assertEarlier(rows: readonly KeyRow[], invalidFrom: number, kid: string): void {
  const ended = rows.find((key) => key.invalidFrom !== undefined)?.invalidFrom
  if (ended === undefined || invalidFrom < ended) return
  throw new LedgerRefusal('key-inactive', 'the key is revoked already, from there on or earlier', {
    kid,
    invalidFrom: ended,
  })
}

function assertOwn(keys: readonly KeyRow[], kid: string, now: number): void {
  const key = findActive(keys, kid, 'own')
  if (key === undefined)
    throw new LedgerRefusal('key-inactive', 'the signing key is no active own key of the namespace', { kid })
  assertUsable(key, now)
}
