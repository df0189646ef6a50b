import { isWellFormed, toHex } from './bytes.js'
import { refuse } from './errors.js'
import { parseDecimal } from './lexical.js'
import { parseVerifierKey, type VerifierKey } from './note-key.js'
import { recode } from './recode.js'
import type { Cosignature } from './signed-checkpoint.js'

// C2SP tlog-policy (draft of June 2026), and one rule more: no key is both a log's and a witness's, because a
// signature of type 0x01 over a text that looks like a cosigned message would be a cosignature.

/** Most logs, most witnesses and most groups of a policy (the specification asks for at least 32 of each). */
export const MAX_POLICY_LINES = 64

/** Longest policy, in UTF-16 code units. */
export const MAX_POLICY_LENGTH = 128 * 1024

/** A witness, under the name that groups call it by. */
export interface PolicyWitness {
  readonly name: string
  readonly key: VerifierKey
  readonly url?: string
}

/** Who must have cosigned: one witness, or at least `threshold` members of a group. */
export type Quorum =
  | { readonly kind: 'none' }
  | { readonly kind: 'witness'; readonly witness: PolicyWitness }
  | {
      readonly kind: 'group'
      readonly name: string
      readonly threshold: number
      readonly members: readonly Quorum[]
    }

/** A policy: which logs, which witnesses, and how many of them. */
export interface QuorumPolicy {
  readonly logs: readonly VerifierKey[]
  readonly witnesses: readonly PolicyWitness[]
  readonly quorum: Quorum
  /** `quorum none`: no cosignature is asked for. */
  readonly isNone: boolean
}

interface Draft {
  readonly logs: VerifierKey[]
  readonly witnesses: PolicyWitness[]
  /** Everything that can be named so far. A Map: names are foreign. */
  readonly named: Map<string, Quorum>
  readonly members: Set<string>
  quorum: Quorum | undefined
}

/**
 * Reads a policy. Throws `policy-malformed` for anything the specification does not allow, in particular an
 * end-of-line comment, a name used before its line, a member of two groups, none or two quorum lines, a key
 * of the wrong type, or one raw key on two lines.
 *
 * @example
 * parsePolicy('witness w1 ' + vkey + '\nquorum w1\n')
 */
export function parsePolicy(text: string): QuorumPolicy {
  assertPolicyText(text)
  const draft: Draft = { logs: [], witnesses: [], named: new Map(), members: new Set(), quorum: undefined }
  for (const line of text.slice(0, -1).split('\n')) readLine(draft, line)
  const { logs, witnesses, quorum } = draft
  if (quorum === undefined) malformed('the policy has no quorum line')
  assertDistinctKeys([...logs, ...witnesses.map(({ key }) => key)])
  return { logs, witnesses, quorum, isNone: quorum.kind === 'none' }
}

function malformed(message: string, name?: string): never {
  refuse('policy-malformed', message, name === undefined ? {} : { name: name.slice(0, 80) })
}

function assertPolicyText(text: string): void {
  if (text.length > MAX_POLICY_LENGTH) refuse('input-too-large', 'the policy is too large')
  // Every line ends with a line feed. Carriage return, form feed and DEL are errors, not blanks.
  if (!text.endsWith('\n') || !isWellFormed(text) || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) {
    malformed('the policy has a control character, or no line feed at its end')
  }
}

function readLine(draft: Draft, line: string): void {
  // Only space and tab separate: the \s and trim() of this language know a dozen more.
  const [keyword, ...fields] = line.split(/[ \t]+/).filter((field) => field !== '')
  if (keyword === undefined || keyword.startsWith('#')) return
  if (keyword === 'log') readLog(draft, fields)
  else if (keyword === 'witness') readWitness(draft, fields)
  else if (keyword === 'group') readGroup(draft, fields)
  else if (keyword === 'quorum') readQuorum(draft, fields)
  else malformed('a line of no known kind', keyword)
}

function readKey(vkey: string, type: VerifierKey['type']): VerifierKey {
  const key = recode('policy-malformed', 'a key', () => parseVerifierKey(vkey))
  if (key.type !== type) malformed('a key whose type does not fit its role', key.name)
  return key
}

function readLog({ logs }: Draft, [vkey, , ...more]: readonly string[]): void {
  if (vkey === undefined || more.length > 0 || logs.length === MAX_POLICY_LINES) malformed('not a log line')
  logs.push(readKey(vkey, 1))
}

function readWitness(draft: Draft, [name, vkey, url, ...more]: readonly string[]): void {
  if (name === undefined || vkey === undefined || more.length > 0) malformed('not a witness line')
  if (draft.witnesses.length === MAX_POLICY_LINES) malformed('too many witnesses')
  const witness = { name, key: readKey(vkey, 4), ...(url === undefined ? {} : { url }) }
  define(draft, name, { kind: 'witness', witness })
  draft.witnesses.push(witness)
}

function readGroup(draft: Draft, [name, count, ...memberNames]: readonly string[]): void {
  if (name === undefined || count === undefined || memberNames.length === 0) malformed('not a group line')
  const groups = draft.named.size - draft.witnesses.length
  if (groups === MAX_POLICY_LINES) malformed('too many groups')
  const members = memberNames.map((member) => joinGroup(draft, member))
  define(draft, name, { kind: 'group', name, threshold: readThreshold(count, members.length), members })
}

function readThreshold(count: string, members: number): number {
  if (count === 'any') return 1
  if (count === 'all') return members
  const threshold = recode('policy-malformed', 'a threshold', () => parseDecimal(count))
  if (threshold < 1 || threshold > members)
    malformed('a threshold that is not between 1 and the number of members')
  return threshold
}

/** A name counts in one way only: at most one group, once. */
function joinGroup({ named, members }: Draft, name: string): Quorum {
  if (members.has(name)) malformed('a name is a member twice', name)
  members.add(name)
  return named.get(name) ?? malformed('a member is not defined before', name)
}

function define({ named }: Draft, name: string, node: Quorum): void {
  if (name === 'none' || named.has(name)) malformed('a name is taken', name)
  named.set(name, node)
}

function readQuorum(draft: Draft, [name, ...more]: readonly string[]): void {
  if (name === undefined || more.length > 0 || draft.quorum !== undefined)
    malformed('not the one quorum line')
  draft.quorum =
    name === 'none' ? { kind: 'none' } : (draft.named.get(name) ?? malformed('not defined before', name))
}

/**
 * No raw public key occurs twice, whatever the names and types: two names with one key are one vote, and a
 * key used for types 0x01 and 0x04 signs things it does not mean. Throws `policy-malformed`.
 */
export function assertDistinctKeys(keys: readonly VerifierKey[]): void {
  const seen = new Set<string>()
  for (const { name, publicKey } of keys) {
    const raw = toHex(publicKey)
    if (seen.has(raw)) malformed('one key is used twice', name)
    seen.add(raw)
  }
}

/**
 * When the quorum was reached: the time (POSIX seconds) T such that a quorum of witnesses cosigned at T or
 * later. `cosignatures` have been verified over one checkpoint. Undefined when there is no quorum, and for
 * `quorum none`, where no witness says anything and the caller has to look to a timestamper.
 */
export function quorumTime(policy: QuorumPolicy, cosignatures: readonly Cosignature[]): number | undefined {
  const present = new Set<VerifierKey>()
  // Newest first: the time at which the quorum becomes true is the oldest one it needs.
  for (const { key, timestamp } of cosignatures.toSorted((a, b) => b.timestamp - a.timestamp)) {
    const witness = findWitness(policy, key)
    if (witness) present.add(witness.key)
    if (isMet(policy.quorum, present)) return timestamp
  }
  return undefined
}

function isMet(node: Quorum, present: ReadonlySet<VerifierKey>): boolean {
  if (node.kind === 'none') return false
  if (node.kind === 'witness') return present.has(node.witness.key)
  return node.members.filter((member) => isMet(member, present)).length >= node.threshold
}

/** Type, name and raw key: an id alone can be made to collide. */
function findWitness({ witnesses }: QuorumPolicy, key: VerifierKey): PolicyWitness | undefined {
  const raw = toHex(key.publicKey)
  return witnesses.find(
    (witness) => key.type === 4 && witness.key.name === key.name && toHex(witness.key.publicKey) === raw,
  )
}

/**
 * How many different witnesses of the policy are among verified cosignatures. The registry's own timestamper
 * is not one: it is not in the policy.
 */
export function countIndependent(policy: QuorumPolicy, cosignatures: readonly Cosignature[]): number {
  return new Set(cosignatures.flatMap(({ key }) => findWitness(policy, key)?.name ?? [])).size
}
