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

/** A key event whose signatures hold. Whether its signer may sign it is for the log's order to say. */
export interface VerifiedKeyEvent<E extends KeyEvent = KeyEvent> {
  readonly event: E
  readonly signer: string
}

/**
 * Reads a key event about this namespace. Signatures of authorities are refused: this registry's trust root
 * names none, and nothing unverified goes into the log.
 */
export function parseKeyEvent(text: string, namespace: string): KeyEvent {
  const event = parseEvent(text)
  if (!isKeyEvent(event)) return refuse('event-invalid', 'not an event about keys', { t: event.t })
  if (event.namespace !== namespace) {
    refuse('namespace-mismatch', 'the event is about another namespace', { namespace: event.namespace })
  }
  if (event.sigs !== undefined) refuse('event-invalid', 'the trust root names no authorities')
  return event
}

/**
 * Every signature the event must carry, over the same payload, by the keys that must have made it (PROTOCOL
 * 6).
 */
export function verifyKeyEvent(event: KeyEvent, keys: readonly KeyRow[], registry: string): VerifiedKeyEvent {
  switch (event.t) {
    case 'namespace':
      return verifyFirstKey(event, registry)
    case 'key.add':
      return verifyAddition(event, keys, registry)
    case 'key.revoke':
      return verifyRevocation(event, keys, registry)
  }
}

function verifyFirstKey(event: NamespaceEvent, registry: string): VerifiedKeyEvent {
  const key = enrolledKey(event)
  assertEnrolledKey(key)
  verifyEventSignature(event, event.sig, registry, key)
  return { event, signer: event.kid }
}

function verifyAddition(event: KeyAddEvent, keys: readonly KeyRow[], registry: string): VerifiedKeyEvent {
  const added = enrolledKey(event)
  assertEnrolledKey(added)
  verifyEventSignature(event, event.pop, registry, added)
  return { event, signer: verifyByKnownKey(event, event.sig, keys, registry) }
}

function verifyRevocation(
  event: KeyRevokeEvent,
  keys: readonly KeyRow[],
  registry: string,
): VerifiedKeyEvent {
  return { event, signer: verifyByKnownKey(event, event.sig, keys, registry) }
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
