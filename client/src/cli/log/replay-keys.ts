import {
  assertEnrolledKey,
  cascadeRevocation,
  enrolledKey,
  eventSignatureKid,
  formatRevocationLine,
  refuse,
  verifyEventSignature,
  verifyThreshold,
  type KeyAddEvent,
  type KeyEvent,
  type KeyRevokeEvent,
  type NamespaceEvent,
} from '../../core/index.js'
import { counts, peopleInForce, type Key, type State } from './replay-state.js'

export function applyNamespace(state: State, event: NamespaceEvent, index: number): void {
  const folded = event.namespace.toLowerCase()
  if (state.folded.has(folded)) refuse('namespace-mismatch', `${event.namespace} was enrolled before`)
  const publicKey = enrolledKey(event)
  assertEnrolledKey(publicKey)
  verifyEventSignature(event, event.sig, state.registry, publicKey)
  if (peopleInForce(state).authorities !== undefined || event.sigs !== undefined)
    verifyAuthorities(state, event)
  const { kid } = event
  state.folded.add(folded)
  state.keys.set(event.namespace, [{ kid, publicKey, role: 'own', added: index, endorser: kid }])
}

export function applyKeyAdd(state: State, event: KeyAddEvent, index: number): void {
  const keys = keysOf(state, event)
  const publicKey = enrolledKey(event)
  assertEnrolledKey(publicKey)
  verifyEventSignature(event, event.pop, state.registry, publicKey)
  const endorser = verifySigner(state, event, index)
  if (
    keys.some((key) => key.kid === event.kid && (key.role === event.role || key.invalidFrom !== undefined))
  ) {
    refuse('event-invalid', `${event.kid} has or had the role ${event.role}`)
  }
  keys.push({ kid: event.kid, publicKey, role: event.role, added: index, endorser })
}

/** A revocation is said once, or again with an earlier end; each key that it voids has a line of its own. */
export function applyKeyRevoke(state: State, event: KeyRevokeEvent, index: number): void {
  const keys = keysOf(state, event)
  const [key] = keys.filter(({ kid }) => kid === event.kid)
  if (key === undefined) return refuse('key-unknown', `${event.namespace} has no key ${event.kid}`)
  const { kid, invalidFrom = index } = event
  if (key.invalidFrom !== undefined && invalidFrom >= key.invalidFrom)
    refuse('key-revoked', `${kid} was revoked before`)
  const signer = verifySigner(state, event, index)
  const mayGoBack = signer === undefined || signer === kid
  if (invalidFrom > index || (invalidFrom < index && !mayGoBack)) {
    refuse('event-invalid', `${signer ?? 'nobody'} may not end ${kid} at ${invalidFrom}`)
  }
  for (const [ended, end] of cascadeRevocation(keys, { kid, invalidFrom })) {
    endKey(state, event.namespace, ended, end)
  }
}

function endKey(state: State, namespace: string, kid: string, invalidFrom: number): void {
  const line = { kind: 'key', namespace, kid } as const
  for (const key of state.keys.get(namespace) ?? []) {
    if (key.kid !== kid) continue
    if (key.invalidFrom !== undefined) {
      state.lines.delete(formatRevocationLine({ ...line, invalidFrom: key.invalidFrom }))
    }
    key.invalidFrom = invalidFrom
  }
  state.lines.add(formatRevocationLine({ ...line, invalidFrom }))
}

/**
 * By an own key that counts here, a revocation also by the key itself at any time, or by the authorities of the root
 * in force. The signer's kid; undefined for the authorities.
 */
function verifySigner(state: State, event: KeyAddEvent | KeyRevokeEvent, index: number): string | undefined {
  if (event.sigs !== undefined) {
    if (event.sig !== undefined) refuse('event-invalid', 'an own key and the authorities signed this')
    verifyAuthorities(state, event)
    return undefined
  }
  const kid = eventSignatureKid(event, event.sig ?? '')
  const isSelf = event.t === 'key.revoke' && kid === event.kid
  const key = keysOf(state, event).find(
    (one) => one.kid === kid && (isSelf || (one.role === 'own' && counts(one, index))),
  )
  if (key === undefined) return refuse('key-unknown', `${kid} is no own key of ${event.namespace} here`)
  verifyEventSignature(event, event.sig ?? '', state.registry, key.publicKey)
  return kid
}

function verifyAuthorities(state: State, event: KeyEvent): void {
  const { authorities } = peopleInForce(state)
  if (authorities === undefined) refuse('signature-invalid', 'the root names no authorities')
  verifyThreshold(event, event.sigs, authorities, state.registry)
}

function keysOf(state: State, event: KeyEvent): Key[] {
  const keys = state.keys.get(event.namespace)
  return keys ?? refuse('namespace-mismatch', `${event.namespace} was never enrolled`)
}
