import { CHANGE_CLASSES, type ChangeClass } from '../change/class.js'
import type { Comparison } from '../change/types.js'
import type { Digest, Manifest } from '../core/index.js'

/** For who reads questions back. */
export { CHANGE_CLASSES }

/** Why a person is asked. The list is closed. */
export const QUESTION_REASONS = [
  /** The version that is live means more than what was accepted here (PROTOCOL 12). */
  'changed',
  /** A server nobody signed shows something else than the first time. */
  'pin-changed',
  /** Another variant of an item than before, that means more. */
  'variant',
  'lower-version',
  'other-server',
  'other-publisher',
  /** Its name is easily taken for that of a server this host remembers. */
  'name-confusable',
  /** It offers names, or speaks of tools, that belong to another server of this host. */
  'name-shadowed',
] as const

export type QuestionReason = (typeof QUESTION_REASONS)[number]

/** A version of a server as far as a question is about it. For a pin, the digest of the list as a local manifest. */
export interface Side {
  readonly version: string
  readonly manifest: string
  /** Where the two sides are two servers: which one this is. */
  readonly server?: string
  /** Where the key is what is asked about: the one that signed. */
  readonly kid?: string
  /** Where it is about variants of one version: canonical text of `when`, empty for the base definitions. */
  readonly variant?: string
}

/** What waits for a person's consent. Plain JSON; kept in the server half of the memory. */
export interface Question {
  /** SHA-256 over everything that is agreed to: whoever agrees, agrees to these digests and to nothing else. */
  readonly id: Digest
  readonly reason: QuestionReason
  readonly server: string
  readonly slot: string
  /** What was accepted last; absent where there is nothing to compare with. */
  readonly from?: Side
  readonly to: Side
  readonly class: ChangeClass
  /** Labels of the items that are withheld until then, such as `tool get_user`; empty: all of the server. */
  readonly items: readonly string[]
  /** POSIX seconds of this host's clock. */
  readonly askedAt: number
}

/** A question as whoever asks drafts it: what it is about, without its id and time. */
export interface QuestionDraft extends Omit<Question, 'id' | 'askedAt'> {
  /** What is agreed to besides `from`, where that is not the whole of `to`. */
  readonly binding?: string
}

/** What is known of an answer. */
export type Answer = Consent['decision'] | 'waiting'

/** A question with what one must see to answer it. */
export interface ExplainedQuestion {
  readonly question: Question
  /** What changes, worst first; no changes and `dangerous` where there is nothing to compare with. */
  readonly comparison: Comparison
  readonly before?: Manifest
  /** Hostile text: escape it, and show hidden characters. */
  readonly after: Manifest
}

/** A person's answer to one question. A refusal is remembered as well: it is not asked again. */
export interface Consent {
  readonly question: Digest
  readonly decision: 'agreed' | 'refused'
  /** POSIX seconds. */
  readonly at: number
}
