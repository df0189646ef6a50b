import type { ErrorDetail, VerdictCode } from '../core/index.js'
import type { Review, Withheld } from '../review.js'

/** The lists a server offers that the guard verifies. */
export type ListKind = 'tools' | 'prompts' | 'resourceTemplates'

export type DropReason =
  /** neither a request, nor a notification, nor a response */
  | 'not-a-frame'
  | 'batch'
  /** a response to nothing that waits: forged, doubled or after a cancellation */
  | 'unsolicited-response'
  /** the host used the id of a request that still waits */
  | 'id-in-use'
  /** the 2026 era has no requests from servers */
  | 'request-in-modern-era'
  /** more than 1000 frames while the handshake, or the list they speak of, was still verified */
  | 'flood'

/**
 * Everything the guard tells its owner, and nothing else: a closed union. Texts of the server never stand in an event
 * except names it listed, with hidden characters removed.
 */
export type GuardEvent =
  | { readonly type: 'frame-dropped'; readonly from: 'server' | 'host'; readonly reason: DropReason }
  /** A whole list was verified. */
  | {
      readonly type: 'listed'
      readonly list: ListKind
      readonly review: Review
      readonly withheld: readonly Withheld[]
    }
  /** A list could not be had or not be verified; the host got an error in its place. */
  | {
      readonly type: 'listing-refused'
      readonly list: ListKind
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
  | { readonly type: 'instructions-withheld'; readonly code: VerdictCode; readonly detail: ErrorDetail }
  | {
      readonly type: 'call-allowed'
      readonly tool: string
      readonly digest: string
      readonly manifest?: string
    }
  | {
      readonly type: 'call-refused'
      readonly tool: string
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
  /** Policy `observe`: the call went through although enforce would have refused it. */
  | { readonly type: 'call-observed'; readonly tool: string; readonly code: VerdictCode }
  | { readonly type: 'prompt-refused'; readonly prompt: string; readonly code: VerdictCode }
  /** Nothing listed before counts any more; calls wait for a new verification. */
  | { readonly type: 'frozen'; readonly list: ListKind; readonly cause: 'server' | 'registry' }
  /** The guard told the host itself that the list changed: a revocation, an expiry. */
  | { readonly type: 'list-changed-injected'; readonly list: ListKind }
  /** A server asked the host's model to work with tools that nobody signed; they were taken out. */
  | { readonly type: 'sampling-tools-removed' }
  | { readonly type: 'verifier-failed'; readonly code: string; readonly message: string }

export type GuardListener = (event: GuardEvent) => void
