import type { Check } from './check.js'

/** Something outside the registry stands behind the namespace, and still did when it was looked at last. */
export const namespaceProved: Check = ({ namespace, proof }) => {
  if (namespace === undefined) return 'the namespace is not enrolled'
  if (namespace.proof === 'admin') return 'only the word of an admin stands behind the namespace'
  if (proof === undefined) return 'no proof of the namespace is on record'
  return proof.suspended ? 'the proof of the namespace has lapsed' : undefined
}
