import { utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import { assertEnrolledKey } from './ed25519.js'
import { readDetachedKid, signDetached, verifyDetached } from './envelope.js'
import {
  isKeyEvent,
  type ApproveEvent,
  type DecisionEvent,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type KeyRole,
  type LogEvent,
  type NamespaceEvent,
  type NamespaceProof,
} from './event.js'
import { encodeKeyX, type Signer } from './key.js'
import type { JsonObject, JsonValue } from './strict-json.js'

/**
 * What `pop`, `sig` and `sigs` sign: JCS of the event without them, plus the registry's identity, so that no signature
 * can be replayed at another registry, and `after`, so that none can be replayed after an undo (PROTOCOL 6).
 */
export function eventPayload(event: UnsignedEvent, registry: string): Uint8Array {
  const payload: JsonObject = {}
  for (const [key, value] of Object.entries(event)) {
    if (key !== 'pop' && key !== 'sig' && key !== 'sigs') payload[key] = value as JsonValue
  }
  payload['registry'] = registry
  return utf8Bytes(canonicalize(payload))
}

type Unsigned<E> = E extends LogEvent ? Omit<E, 'pop' | 'sig' | 'sigs'> : never
/** An event before its signatures. */
export type UnsignedEvent = Unsigned<KeyEvent | ApproveEvent | DecisionEvent>

/** A namespace's first event, signed by its first own key. */
export function signNamespaceEvent(
  event: { readonly namespace: string; readonly proof: NamespaceProof; readonly account: string },
  registry: string,
  own: Signer,
): NamespaceEvent {
  assertEnrolledKey(own.publicKey)
  const unsigned = { v: 1, t: 'namespace', ...event, x: encodeKeyX(own.publicKey), kid: own.kid } as const
  return {
    ...unsigned,
    sig: signDetached('countersign-key-event+json', eventPayload(unsigned, registry), own),
  }
}

/** A key's enrolment: proof of possession by the new key, endorsement by an own key of the namespace. */
export function signKeyAddEvent(
  event: { readonly namespace: string; readonly role: KeyRole; readonly after: number },
  registry: string,
  added: Signer,
  own: Signer,
): KeyAddEvent {
  assertEnrolledKey(added.publicKey)
  const unsigned = { v: 1, t: 'key.add', ...event, x: encodeKeyX(added.publicKey), kid: added.kid } as const
  const payload = eventPayload(unsigned, registry)
  return {
    ...unsigned,
    pop: signDetached('countersign-key-event+json', payload, added),
    sig: signDetached('countersign-key-event+json', payload, own),
  }
}

/** A key's end, signed by the key itself or by an own key of the namespace. */
export function signKeyRevokeEvent(
  event: Omit<KeyRevokeEvent, 'v' | 't' | 'sig' | 'sigs'>,
  registry: string,
  by: Signer,
): KeyRevokeEvent {
  const unsigned = { v: 1, t: 'key.revoke', ...event } as const
  return {
    ...unsigned,
    sig: signDetached('countersign-key-event+json', eventPayload(unsigned, registry), by),
  }
}

/**
 * Verifies one detached signature of an event by a key the caller trusts for it.
 * @throws CountersignError `envelope-malformed` or `signature-invalid`
 */
export function verifyEventSignature(
  event: KeyEvent | ApproveEvent | DecisionEvent,
  signature: string,
  registry: string,
  publicKey: Uint8Array,
): void {
  const type = isKeyEvent(event) ? 'countersign-key-event+json' : 'countersign-decision+json'
  verifyDetached(signature, type, eventPayload(event, registry), publicKey)
}

/** The kid an event's signature names; UNVERIFIED, only to select a key. */
export function eventSignatureKid(event: KeyEvent | ApproveEvent | DecisionEvent, signature: string): string {
  return readDetachedKid(
    signature,
    isKeyEvent(event) ? 'countersign-key-event+json' : 'countersign-decision+json',
  )
}
