import { compareVersions, parseVersion } from '../core/index.js'
import type { Accepted, ServerMemory } from '../memory.js'
import type { VerifiedManifest } from '../verify.js'
import type { Match } from './judge.js'
import type { LiveItem } from './live.js'

/** A live item and the signed form it is. */
export interface Judged {
  readonly item: LiveItem
  readonly match: Match
}

const MAX_ACCEPTED = 64

/** The same object when there is nothing new: then nothing is written. */
export function acceptVersion(
  old: ServerMemory,
  verified: VerifiedManifest,
  held: readonly Judged[],
): ServerMemory {
  const kidsOf = (role: 'own' | 'sign'): string[] =>
    verified.keyChain.keys.filter((key) => key.role === role).map((key) => key.kid)
  const ownKids = union(old.ownKids, kidsOf('own'))
  const signKids = union(old.signKids, kidsOf('sign'))
  const tools = union(old.tools, [...verified.items.tool.keys()])
  const variants = variantsOf(old, held)
  const { version, digest: manifest, kid, publishIndex: index } = verified
  // The same manifest may be published again under another key: the newest publication is the one that counts.
  const isKnown = old.accepted.some((one) => one.manifest === manifest && one.signed?.index === index)
  const isSame =
    isKnown &&
    ownKids === old.ownKids &&
    signKids === old.signKids &&
    tools === old.tools &&
    variants === old.variants
  if (isSame) return old
  const others = old.accepted.filter((one) => one.manifest !== manifest)
  const added = { version, manifest, signed: { kid, index } }
  const accepted = isKnown ? old.accepted : dropLowest([...others, added])
  return { ...old, accepted, ownKids, signKids, tools, variants }
}

/** The floor is the highest one, so the lowest is what can go. */
function dropLowest(accepted: readonly Accepted[]): readonly Accepted[] {
  if (accepted.length <= MAX_ACCEPTED) return accepted
  const order = [...accepted].sort((a, b) =>
    compareVersions(parseVersion(a.version), parseVersion(b.version)),
  )
  return accepted.filter((one) => one !== order[0])
}

function union(old: readonly string[], added: readonly string[]): readonly string[] {
  const missing = added.filter((one) => !old.includes(one))
  return missing.length === 0 ? old : [...old, ...new Set(missing)]
}

function variantsOf(old: ServerMemory, held: readonly Judged[]): Readonly<Record<string, string>> {
  const moved = held.filter(
    ({ item, match }) => (old.variants[`${item.kind} ${item.name}`] ?? '') !== (match.variant ?? ''),
  )
  if (moved.length === 0) return old.variants
  const next = new Map(Object.entries(old.variants))
  for (const { item, match } of moved) next.set(`${item.kind} ${item.name}`, match.variant ?? '')
  return Object.fromEntries(next)
}
