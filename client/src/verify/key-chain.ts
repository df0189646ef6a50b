import {
  assertEnrolledKey,
  enrolledKey,
  eventSignatureKid,
  keyInvalidFrom,
  refuse,
  verifyEventSignature,
  verifyThreshold,
  type KeyAddEvent,
  type KeyRole,
  type KeyThreshold,
  type NamespaceEvent,
  type RevocationList,
} from '../core/index.js'

/** A key in a role, and the interval of log indexes in which it counts: added < i < invalidFrom (PROTOCOL 6). */
export interface ChainKey {
  readonly kid: string
  readonly publicKey: Uint8Array
  readonly role: KeyRole
  readonly added: number
  readonly invalidFrom?: number
  /** The own keys that endorsed it one after the other, nearest first; none behind a first key or the authorities. */
  readonly endorsers: readonly string[]
}

/** The keys of a namespace as far as they were shown and proved. */
export interface KeyChain {
  readonly namespace: string
  readonly keys: readonly ChainKey[]
}

export interface ChainContext {
  readonly registry: string
  readonly authorities?: KeyThreshold
  /** Every list counts: a key is revoked from the earliest index any of them names. */
  readonly revocations: readonly RevocationList[]
}

export interface PlacedEvent<E> {
  readonly index: number
  readonly event: E
}

/**
 * PROTOCOL 10.6: every signature of every key event, in log order. The first is the namespace event; each later key is
 * possessed by who adds it and endorsed by an own key that counts at that index, or by the root's authorities.
 * @throws CountersignError `namespace-mismatch`, `signature-invalid`, `key-unknown`, `key-revoked`, `proof-invalid`
 */
export function verifyKeyChain(
  events: readonly PlacedEvent<NamespaceEvent | KeyAddEvent>[],
  context: ChainContext,
): KeyChain {
  const [first, ...rest] = events
  if (first?.event.t !== 'namespace') refuse('proof-invalid', 'the key chain starts at the namespace event')
  const { namespace } = first.event
  const keys = [verifyFirstKey(first.index, first.event, context)]
  for (const { index, event } of rest) {
    if (event.namespace !== namespace) {
      refuse('namespace-mismatch', 'the key chain is of two namespaces', {
        namespace,
        found: event.namespace,
      })
    }
    if (event.t !== 'key.add') refuse('proof-invalid', 'a namespace is enrolled once')
    keys.push(verifyAddedKey(index, event, { namespace, keys }, context))
  }
  return { namespace, keys }
}

function verifyFirstKey(index: number, event: NamespaceEvent, context: ChainContext): ChainKey {
  const publicKey = usableKey(event)
  verifyEventSignature(event, event.sig, context.registry, publicKey)
  // A root that names authorities does not leave it to the registry who owns a namespace.
  if (context.authorities !== undefined)
    verifyThreshold(event, event.sigs, context.authorities, context.registry)
  const key = { kid: event.kid, publicKey, role: 'own', added: index, endorsers: [] } as const
  return placeKey(event.namespace, key, context)
}

function verifyAddedKey(index: number, event: KeyAddEvent, chain: KeyChain, context: ChainContext): ChainKey {
  const publicKey = usableKey(event)
  verifyEventSignature(event, event.pop, context.registry, publicKey)
  let endorsers: readonly string[] = []
  if (event.sig !== undefined) {
    const by = activeKey(chain, eventSignatureKid(event, event.sig), 'own', index)
    verifyEventSignature(event, event.sig, context.registry, by.publicKey)
    endorsers = [by.kid, ...by.endorsers]
  } else if (context.authorities !== undefined) {
    verifyThreshold(event, event.sigs, context.authorities, context.registry)
  } else {
    refuse('signature-invalid', 'nobody who may has endorsed the key', { kid: event.kid, index })
  }
  const { kid, role } = event
  return placeKey(chain.namespace, { kid, publicKey, role, added: index, endorsers }, context)
}

function usableKey(event: NamespaceEvent | KeyAddEvent): Uint8Array {
  const publicKey = enrolledKey(event)
  assertEnrolledKey(publicKey)
  return publicKey
}

function placeKey(namespace: string, key: ChainKey, context: ChainContext): ChainKey {
  const ends = context.revocations
    .map((list) => keyInvalidFrom(list, namespace, key.kid))
    .filter((index) => index !== undefined)
  return ends.length === 0 ? key : { ...key, invalidFrom: Math.min(...ends) }
}

/**
 * The key that may act in this role at this index.
 * @throws CountersignError `key-unknown` when the chain gives the namespace no such key before the index, `key-revoked`
 *   when it does not count there any more
 */
export function activeKey(chain: KeyChain, kid: string, role: KeyRole, index: number): ChainKey {
  const key = chain.keys.find((one) => one.kid === kid && one.role === role && one.added < index)
  if (key === undefined) {
    refuse('key-unknown', `the log gives the namespace no such ${role} key`, {
      kid,
      index,
      namespace: chain.namespace,
    })
  }
  if (key.invalidFrom !== undefined && index >= key.invalidFrom) {
    refuse('key-revoked', 'the key does not count any more', { kid, index, invalidFrom: key.invalidFrom })
  }
  return key
}
