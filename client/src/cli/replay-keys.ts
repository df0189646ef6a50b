import {
  assertEnrolledKey,
  enrolledKey,
  eventSignatureKid,
  formatRevocationLine,
  refuse,
  verifyEventSignature,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from '../core/index.js'
import { counts, type Key, type State } from './replay-state.js'

export function applyNamespace(state: State, event: NamespaceEvent, index: number): void {
  if (state.keys.has(event.namespace)) refuse('namespace-mismatch', `${event.namespace} was enrolled before`)
  const publicKey = enrolledKey(event)
  assertEnrolledKey(publicKey)
  verifyEventSignature(event, event.sig, state.registry, publicKey)
  state.keys.set(event.namespace, [{ kid: event.kid, publicKey, role: 'own', added: index }])
}

export function applyKeyAdd(state: State, event: KeyAddEvent, index: number): void {
  const keys = keysOf(state, event)
  const publicKey = enrolledKey(event)
  assertEnrolledKey(publicKey)
  verifyEventSignature(event, event.pop, state.registry, publicKey)
  verifyOwnSignature(state, event, index)
  if (
    keys.some((key) => key.kid === event.kid && (key.role === event.role || key.invalidFrom !== undefined))
  ) {
    refuse('event-invalid', `${event.kid} has or had the role ${event.role}`)
  }
  keys.push({ kid: event.kid, publicKey, role: event.role, added: index })
}

export function applyKeyRevoke(state: State, event: KeyRevokeEvent, index: number): void {
  const keys = keysOf(state, event).filter((key) => key.kid === event.kid)
  if (keys.length === 0) refuse('key-unknown', `${event.namespace} has no key ${event.kid}`)
  if (keys.some((key) => key.invalidFrom !== undefined))
    refuse('key-revoked', `${event.kid} was revoked before`)
  const invalidFrom = event.invalidFrom ?? index
  const signer = verifyOwnSignature(state, event, index)
  if (invalidFrom > index || (invalidFrom < index && signer !== event.kid)) {
    refuse('event-invalid', `${signer} may not end ${event.kid} at ${invalidFrom}`)
  }
  for (const key of keys) key.invalidFrom = invalidFrom
  state.lines.add(
    formatRevocationLine({ kind: 'key', namespace: event.namespace, kid: event.kid, invalidFrom }),
  )
}

/** By an own key that counts here; a revocation also by the key itself. Returns the signer's kid. */
function verifyOwnSignature(state: State, event: KeyAddEvent | KeyRevokeEvent, index: number): string {
  const signature =
    event.sig ?? refuse('signature-invalid', 'no own key signed this, and the root names no authorities')
  const kid = eventSignatureKid(event, signature)
  const self = event.t === 'key.revoke' && kid === event.kid
  const key = keysOf(state, event).find(
    (one) => one.kid === kid && (self || one.role === 'own') && counts(one, index),
  )
  if (key === undefined) refuse('key-unknown', `${kid} is no own key of ${event.namespace} here`)
  verifyEventSignature(event, signature, state.registry, key.publicKey)
  return kid
}

function keysOf(state: State, event: KeyEvent): Key[] {
  const keys = state.keys.get(event.namespace)
  return keys ?? refuse('namespace-mismatch', `${event.namespace} was never enrolled`)
}
