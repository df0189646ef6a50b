import {
  foldServerName,
  verifyThreshold,
  type DecisionEvent,
  type RevocationList,
  type TrustRoot,
} from '../core/index.js'
import type { PlacedEvent } from './key-chain.js'

/** Revocations of lists before the current one (PROTOCOL 11). */
export interface Tombstones extends RevocationList {
  /**
   * The position of the snapshot that last had each, by target: `manifest:DIGEST`, `tool:DIGEST`, `server:NAME` (folded).
   * A target that is absent here is never lifted.
   */
  readonly seen?: ReadonlyMap<string, number>
  /**
   * A position at which each target was known not to be revoked any more: what was decided before that (`after`) says
   * nothing of a later revocation, wherever it is logged again.
   */
  readonly absent?: ReadonlyMap<string, number>
}

type Target = DecisionEvent['target']

/** What counts as revoked: by the lists as they are, and by tombstones that no proved reinstatement lifts. */
export interface Revoked {
  is(target: Target, name: string): boolean
  /** Whether anything of this kind was ever revoked: looking for digests costs hashing them. */
  has(target: Target): boolean
  /** Tombstones that were looked for and are lifted: target and position of the reinstatement. */
  readonly lifted: ReadonlyMap<string, number>
}

/** How a target is called in {@link Tombstones} and {@link Revoked}. */
export function targetName(target: Target, name: string): string {
  return `${target}:${foldServerName(name)}`
}

/** PROTOCOL 11: a tombstone falls when no list has it and a later `reinstate` is proved, signed as the root asks. */
export function openRevoked(
  lists: readonly RevocationList[],
  tombstones: Tombstones | undefined,
  reinstated: readonly PlacedEvent<DecisionEvent>[],
  { approvers, identity }: TrustRoot,
): Revoked {
  const lifted = new Map<string, number>()
  const isLifted = (target: string): boolean => {
    const seen = tombstones?.seen?.get(target) ?? Infinity
    const absent = tombstones?.absent?.get(target) ?? 0
    const found = reinstated.findLast(
      ({ index, event }) =>
        index > seen &&
        (event.after ?? 0) >= absent &&
        targetName(event.target, event.name ?? event.digest ?? '') === target,
    )
    if (found === undefined) return false
    if (approvers !== undefined) verifyThreshold(found.event, found.event.sigs, approvers, identity)
    lifted.set(target, found.index)
    return true
  }
  const all = tombstones === undefined ? lists : [...lists, tombstones]
  return {
    lifted,
    has: (target) => all.some((list) => list[`${target}s`].size > 0),
    is(target, name) {
      const folded = foldServerName(name)
      const has = (list: RevocationList | undefined): boolean => list?.[`${target}s`].has(folded) === true
      return lists.some(has) || (has(tombstones) && !isLifted(targetName(target, name)))
    },
  }
}
