import {
  CHANGE_CLASSES,
  CHANGE_TABLE,
  compareClasses,
  type ChangeClass,
  type Reaction,
} from '../change/class.js'
import type { Comparison } from '../change/types.js'
import type { HostPolicy } from '../host-policy.js'

/** What the host does with a change of this class: what its policy says, else the table (PROTOCOL 12). */
export function reactionTo(change: ChangeClass, { consent, managed }: HostPolicy): Reaction {
  const said = consent?.[change]
  // Silence about what is dangerous is no choice anybody has.
  if (said !== undefined && !(change === 'dangerous' && said === 'silent')) return said
  return CHANGE_TABLE[change][managed ? 'managed' : 'personal']
}

/** The strongest reaction that any of the changes asks for: a policy may be stricter with a lesser class. */
export function reactionToAll(comparison: Comparison, policy: HostPolicy): Reaction {
  const reactions = new Set(classesIn(comparison).map((one) => reactionTo(one, policy)))
  return ORDER.find((one) => reactions.has(one)) ?? 'silent'
}

const ORDER = ['consent', 'recorded', 'silent'] as const

/** Every class that occurs, or may occur among the changes that are not listed: these are not worse than the last. */
function classesIn({ class: worst, changes, more }: Comparison): readonly ChangeClass[] {
  const listed = new Set([worst, ...changes.map((one) => one.class)])
  const last = changes.at(-1)?.class
  if (more === 0 || last === undefined) return [...listed]
  return CHANGE_CLASSES.filter((one) => listed.has(one) || compareClasses(one, last) <= 0)
}

/** How many changes of each class are listed. */
export function countClasses({ changes }: Comparison): Readonly<Partial<Record<ChangeClass, number>>> {
  const counts: Partial<Record<ChangeClass, number>> = {}
  for (const one of changes) counts[one.class] = (counts[one.class] ?? 0) + 1
  return counts
}
