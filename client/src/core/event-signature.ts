import { toHex, utf8Bytes } from './bytes.js'
import { canonicalize } from './canonical-json.js'
import { assertEnrolledKey } from './ed25519.js'
import { readDetachedKid, signDetached, verifyDetached, type EnvelopeType } from './envelope.js'
import { refuse } from './errors.js'
import {
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
import { decodeKeyX, encodeKeyX, keyThumbprint, type Signer } from './key.js'
import type { KeyThreshold } from './root.js'
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

/** A key's enrolment that waits for the authorities: possession by the new key, `sigs` still to come. */
export type RequestedKey = Omit<KeyAddEvent, 'sig' | 'sigs'>

/**
 * Asks for a key that no own key endorses: signed by the new key alone. The authorities of the trust root add their
 * signatures with {@link signEvent}.
 */
export function requestKeyAddEvent(
  event: { readonly namespace: string; readonly role: KeyRole; readonly after: number },
  registry: string,
  added: Signer,
): RequestedKey {
  assertEnrolledKey(added.publicKey)
  const unsigned = { v: 1, t: 'key.add', ...event, x: encodeKeyX(added.publicKey), kid: added.kid } as const
  return { ...unsigned, pop: signEvent(unsigned, registry, added) }
}

/**
 * One detached signature over an event: what `sigs` holds, made by an authority or an approver of the trust root.
 *
 * @example
 * const sig = signEvent(event, registry, authority)
 */
export function signEvent(event: UnsignedEvent, registry: string, by: Signer): string {
  return signDetached(signatureType(event), eventPayload(event, registry), by)
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
  verifyDetached(signature, signatureType(event), eventPayload(event, registry), publicKey)
}

/** The kid an event's signature names; UNVERIFIED, only to select a key. */
export function eventSignatureKid(event: KeyEvent | ApproveEvent | DecisionEvent, signature: string): string {
  return readDetachedKid(signature, signatureType(event))
}

function signatureType({ t }: UnsignedEvent): EnvelopeType {
  const isAboutKeys = t === 'namespace' || t === 'key.add' || t === 'key.revoke'
  return isAboutKeys ? 'countersign-key-event+json' : 'countersign-decision+json'
}

/**
 * A threshold of distinct keys, counted by raw bytes, signed the event (PROTOCOL 6 and 8). A signature by another key
 * than these counts for nothing; one by such a key that does not hold refuses the event.
 * @throws CountersignError `signature-invalid`
 */
export function verifyThreshold(
  event: KeyEvent | ApproveEvent | DecisionEvent,
  sigs: readonly string[] | undefined,
  by: KeyThreshold,
  registry: string,
): void {
  const known = new Map(by.keys.map((x) => [keyThumbprint(decodeKeyX(x)), decodeKeyX(x)]))
  const distinct = new Set<string>()
  for (const sig of sigs ?? []) {
    const key = known.get(eventSignatureKid(event, sig))
    if (key === undefined) continue
    verifyEventSignature(event, sig, registry, key)
    distinct.add(toHex(key))
  }
  if (distinct.size < by.threshold) {
    refuse(
      'signature-invalid',
      `${distinct.size} of ${by.threshold} signatures that the trust root asks for`,
      {
        event: event.t,
      },
    )
  }
}
