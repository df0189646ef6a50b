import type { Reaction } from '../change/class.js'
import { sideOf } from '../consent/question.js'
import { reactionToAll } from '../consent/reaction.js'
import type { Side } from '../consent/types.js'
import type { Accepted, ServerMemory } from '../memory.js'
import type { VerifiedManifest } from '../verify.js'
import { compareWith, type Compared } from './compared.js'
import type { ReviewPorts } from './types.js'

/** Whether a version may be taken into use as it is. */
export type Standing =
  /** Never anything in this slot before, this very manifest, or one that a person let through by name. */
  { readonly kind: 'known' } | Changed

export interface Changed {
  readonly kind: 'changed'
  readonly from: Side
  readonly compared: Compared
  readonly reaction: Reaction
}

type IsVoid = (accepted: Accepted) => boolean

/**
 * PROTOCOL 10.11: a version that was not in use here before, against the one that was last. Where every version that was
 * in use is revoked, the last of them says what this host was used to all the same. Where none was accepted yet, what went
 * on of it until now counts.
 */
export async function standingOf(
  verified: VerifiedManifest,
  remembered: ServerMemory,
  isVoid: IsVoid,
  ports: ReviewPorts,
): Promise<Standing> {
  const { used = [] } = remembered
  const accepted = remembered.accepted.length > 0 ? remembered.accepted : used
  const last = accepted.findLast((one) => !isVoid(one)) ?? accepted.at(-1)
  if (last === undefined || accepted.some((one) => one.manifest === verified.digest)) return { kind: 'known' }
  const compared = await compareWith(last.manifest, verified.manifest, verified.digest, ports)
  const reaction = reactionToAll(compared.comparison, ports.policy)
  return { kind: 'changed', from: sideOf(last), compared, reaction }
}
