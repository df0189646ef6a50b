import {
  assertEnrolledKey,
  decodeKeyX,
  enrolledKey,
  eventSignatureKid,
  isKeyEvent,
  parseEvent,
  refuse,
  verifyEventSignature,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from 'countersign/core'
import { LedgerRefusal } from '../log/errors.js'
import type { KeyRow } from '../storage/store.js'
import { verifyAuthorities, type RootKeys } from './authorities.js'

/** A key event whose signatures hold. Whether its signer may sign it is for the log's order to say. */
export interface VerifiedKeyEvent<E extends KeyEvent = KeyEvent> {
  readonly event: E
  /** The kid that signed it; undefined when the authorities did. */
  readonly signer: string | undefined
}

export function parseKeyEvent(text: string, namespace: string): KeyEvent {
  const event = parseEvent(text)
  if (!isKeyEvent(event)) return refuse('event-invalid', 'not an event about keys', { t: event.t })
  if (event.namespace !== namespace) {
    refuse('namespace-mismatch', 'the event is about another namespace', { namespace: event.namespace })
  }
  return event
}

/**
 * Every signature the event must carry, over the same payload, by the keys that must have made it (PROTOCOL
 * 6), and not one more.
 */
export function verifyKeyEvent(event: KeyEvent, keys: readonly KeyRow[], root: RootKeys): VerifiedKeyEvent {
  switch (event.t) {
    case 'namespace':
      return verifyFirstKey(event, root)
    case 'key.add':
      return verifyAddition(event, keys, root)
    case 'key.revoke':
      return { event, signer: verifySigner(event, keys, root) }
  }
}

/** Where the root names authorities, nobody owns a namespace without them. */
export function verifyFirstKey(
  event: NamespaceEvent,
  root: RootKeys,
): VerifiedKeyEvent<NamespaceEvent> & { signer: string } {
  const key = enrolledKey(event)
  assertEnrolledKey(key)
  verifyEventSignature(event, event.sig, root.identity, key)
  if (root.authorities !== undefined || event.sigs !== undefined) verifyAuthorities(event, root)
  return { event, signer: event.kid }
}

function verifyAddition(event: KeyAddEvent, keys: readonly KeyRow[], root: RootKeys): VerifiedKeyEvent {
  const added = enrolledKey(event)
  assertEnrolledKey(added)
  verifyEventSignature(event, event.pop, root.identity, added)
  return { event, signer: verifySigner(event, keys, root) }
}

/** An own key's signature or the authorities', never both: one of the two would go unverified somewhere. */
function verifySigner(
  event: KeyAddEvent | KeyRevokeEvent,
  keys: readonly KeyRow[],
  root: RootKeys,
): string | undefined {
  if (event.sigs === undefined) return verifyByKnownKey(event, event.sig, keys, root.identity)
  if (event.sig !== undefined) {
    refuse('event-invalid', 'an own key signs the event, or the authorities do, not both')
  }
  verifyAuthorities(event, root)
  return undefined
}

/** The kid only selects; the key's bytes are what an earlier event enrolled under that very thumbprint. */
function verifyByKnownKey(
  event: KeyAddEvent | KeyRevokeEvent,
  signature: string | undefined,
  keys: readonly KeyRow[],
  registry: string,
): string {
  if (signature === undefined) return refuse('event-invalid', 'the event carries no signature of an own key')
  const kid = eventSignatureKid(event, signature)
  const key = keys.find((row) => row.kid === kid)
  if (key === undefined)
    throw new LedgerRefusal('key-unknown', 'the signing key is not one of the namespace', { kid })
  verifyEventSignature(event, signature, registry, decodeKeyX(key.x))
  return kid
}
