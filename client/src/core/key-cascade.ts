/** A key in one role, as far as a cascade looks at it. */
export interface CascadeKey {
  readonly kid: string
  /** Index of the event that gave it the role. */
  readonly added: number
  /** The own key that endorsed it; its own kid for a first key, absent for one by the authorities. */
  readonly endorser?: string | undefined
  readonly invalidFrom?: number | undefined
}

/**
 * What a revocation does to a namespace's keys: the index from which each key that it changes counts no more, by kid.
 * A key is voided from its own `added` on when its endorser did not count there; whatever a key endorsed before its
 * `invalidFrom` stays (PROTOCOL 6). Ends are kept by kid, as revocation lines are, and only ever move back.
 */
export function cascadeRevocation(
  keys: readonly CascadeKey[],
  revoked: { readonly kid: string; readonly invalidFrom: number },
): ReadonlyMap<string, number> {
  const changed = new Map<string, number>()
  const before = new Map(keys.map((key) => [key.kid, key.invalidFrom ?? Infinity]))
  const endOf = (kid: string): number => changed.get(kid) ?? before.get(kid) ?? Infinity
  const shorten = (kid: string, invalidFrom: number): boolean => {
    if (invalidFrom >= endOf(kid)) return false
    changed.set(kid, invalidFrom)
    return true
  }
  // In log order one round follows every endorsement, and the next one finds nothing: many keys cost no more than that.
  const inOrder = [...keys].sort((a, b) => a.added - b.added)
  for (let moved = shorten(revoked.kid, revoked.invalidFrom); moved;) {
    moved = false
    for (const { kid, added, endorser } of inOrder) {
      if (endorser !== undefined && added >= endOf(endorser)) moved = shorten(kid, added) || moved
    }
  }
  return changed
}
