import { settledQuestions } from '../consent/question.js'
import { compareVersions, parseVersion } from '../core/index.js'
import type { Accepted, ServerMemory } from '../memory.js'
import { activeKey, type ChainKey } from '../verify/key-chain.js'
import type { VerifiedManifest } from '../verify.js'
import type { Match } from './judge.js'
import type { LiveItem } from './live.js'

/** A live item and the signed form it is. */
export interface Judged {
  readonly item: LiveItem
  readonly match: Match
}

const MAX_ACCEPTED = 64

/** The same object when there is nothing new: then nothing is written. `clock` in POSIX seconds. */
export function acceptVersion(
  old: ServerMemory,
  verified: VerifiedManifest,
  held: readonly Judged[],
  clock: number,
): ServerMemory {
  const keys = keysBehind(verified)
  const kidsOf = (role: 'own' | 'sign'): string[] =>
    keys.filter((key) => key.role === role).map((key) => key.kid)
  const ownKids = union(old.ownKids, kidsOf('own'))
  const signKids = union(old.signKids, kidsOf('sign'))
  const tools = union(old.tools, [...verified.items.tool.keys()])
  const variants = variantsOf(old, held)
  const seen = seenOf(old, verified, held)
  const settled = settledQuestions(old, verified.digest)
  const accepted = acceptedWith(old.accepted, verified)
  const isSame =
    accepted === old.accepted &&
    ownKids === old.ownKids &&
    signKids === old.signKids &&
    tools === old.tools &&
    variants === old.variants &&
    seen === old.seen &&
    settled === undefined
  if (isSame) return old
  const since = old.since ?? (old.accepted.length === 0 ? clock : undefined)
  return {
    ...withoutUse(old),
    accepted,
    ownKids,
    signKids,
    tools,
    variants,
    ...(seen && { seen }),
    ...(since !== undefined && { since }),
    ...settled,
  }
}

/**
 * The key that signed it, the own keys behind that and the first one of the namespace, and what these endorsed. Any other
 * key of the chain only stands beside them: whoever added it, the publisher that is known here did not.
 */
function keysBehind({ keyChain, kid, publishIndex }: VerifiedManifest): readonly ChainKey[] {
  const { endorsers } = activeKey(keyChain, kid, 'sign', publishIndex)
  const [first] = keyChain.keys
  const known = new Set([kid, ...endorsers, ...(first === undefined ? [] : [first.kid])])
  return keyChain.keys.filter((key) => known.has(key.kid) || key.endorsers.some((one) => known.has(one)))
}

/** What is accepted takes its place. */
function withoutUse(memory: ServerMemory): ServerMemory {
  const { used, ...rest } = memory
  return used === undefined ? memory : rest
}

const MAX_USED = 16

/**
 * What goes on of a list that no version holds whole; the same object where that is known, or something was accepted. Its
 * neighbours know it from then on: its names are in use. `clock` in POSIX seconds.
 */
export function useVersion(old: ServerMemory, verified: VerifiedManifest, clock: number): ServerMemory {
  const { version, digest: manifest, kid, publishIndex: index } = verified
  const known = old.used ?? []
  if (old.accepted.length > 0 || known.some((one) => one.manifest === manifest)) return old
  const used = [...known, { version, manifest, signed: { kid, index } }].slice(-MAX_USED)
  const tools = union(old.tools, [...verified.items.tool.keys()])
  return { ...old, used, tools, since: old.since ?? clock }
}

/** The same manifest may be published again under another key: the newest publication is the one that counts. */
function acceptedWith(old: readonly Accepted[], verified: VerifiedManifest): readonly Accepted[] {
  const { version, digest: manifest, kid, publishIndex: index } = verified
  if (old.some((one) => one.manifest === manifest && one.signed?.index === index)) return old
  const others = old.filter((one) => one.manifest !== manifest)
  return dropLowest([...others, { version, manifest, signed: { kid, index } }])
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

/** The variant that was the newest to come; where two take turns, nothing is written each time. */
function variantsOf(old: ServerMemory, held: readonly Judged[]): Readonly<Record<string, string>> {
  const moved = held.filter(({ item, match }) => {
    const label = `${item.kind} ${item.name}`
    const variant = match.variant ?? ''
    return (old.variants[label] ?? '') !== variant && old.seen?.[label]?.includes(variant) !== true
  })
  if (moved.length === 0) return old.variants
  const next = new Map(Object.entries(old.variants))
  for (const { item, match } of moved) next.set(`${item.kind} ${item.name}`, match.variant ?? '')
  return Object.fromEntries(next)
}

/** Of items that have variants, each one that is live: going back to it is no change (PROTOCOL 10.10). */
function seenOf(
  old: ServerMemory,
  { items }: VerifiedManifest,
  held: readonly Judged[],
): ServerMemory['seen'] {
  const next = new Map(Object.entries(old.seen ?? {}))
  let isSame = true
  for (const { item, match } of held) {
    const label = `${item.kind} ${item.name}`
    const known = next.get(label) ?? lastOf(old, label)
    const variant = match.variant ?? ''
    const hasOthers = (items[item.kind].get(item.name)?.forms.length ?? 1) > 1
    if (!hasOthers || (next.has(label) && known.includes(variant))) continue
    next.set(label, union(known, [variant]).slice(-MAX_SEEN))
    isSame = false
  }
  return isSame ? old.seen : Object.fromEntries(next)
}

/** As many as an item may have variants, and its base definition. */
const MAX_SEEN = 17

/** What was kept of it before every variant was. */
function lastOf({ variants }: ServerMemory, label: string): readonly string[] {
  const last = variants[label]
  return last === undefined ? [] : [last]
}
