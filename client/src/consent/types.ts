import type { ChangeClass } from '../change/class.js'
import type { Digest } from '../core/index.js'

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

/** A person's answer to one question. A refusal is remembered as well: it is not asked again. */
export interface Consent {
  readonly question: Digest
  readonly decision: 'agreed' | 'refused'
  /** POSIX seconds. */
  readonly at: number
}
