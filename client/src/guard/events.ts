import type { ErrorDetail, JsonObject, VerdictCode } from '../core/index.js'
import type { Review, Withheld } from '../review.js'
import type { UncheckedReason } from './ports.js'

/** The lists a server offers that the guard verifies. */
export type ListKind = 'tools' | 'prompts' | 'resourceTemplates' | 'resources'

export type DropReason =
  /** neither a request, nor a notification, nor a response */
  | 'not-a-frame'
  | 'batch'
  /** a response to nothing that waits: forged or doubled */
  | 'unsolicited-response'
  /** the answer to a request that the host gave up */
  | 'late-response'
  /** an answer that is none; the host got an error in its place */
  | 'malformed-response'
  /** the host used the id of a request that still waits, or whose answer may still come */
  | 'id-in-use'
  /** news of a task that came out of no call of this connection */
  | 'unknown-task'
  /** the 2026 era has no requests from servers */
  | 'request-in-modern-era'
  /** more frames than may wait: for the handshake, for the list they speak of, or for an answer */
  | 'flood'

/** How a call ended: a result, a result with `isError`, a JSON-RPC error, refused here, given up, or cut off. */
export type CallStatus = 'ok' | 'tool-error' | 'error' | 'refused' | 'cancelled' | 'closed'

/** One `tools/call` (or `prompts/get`, `resources/read`) of the host. Secrets may stand in `arguments`: redact before writing. */
export interface CallInfo {
  /** Counts the calls of this connection from 1; the host's ids may come twice. */
  readonly n: number
  readonly method: string
  /** The name, or URI, as the host sent it. */
  readonly name: string
  readonly arguments: JsonObject | undefined
  /** `params._meta` as the host sent it: trace context, agent and conversation may stand there. */
  readonly meta: JsonObject | undefined
}

/**
 * Everything the guard tells its owner, and nothing else: a closed union. Texts of the server never stand in an event
 * except names it listed, with hidden characters removed.
 */
export type GuardEvent =
  /** A call of the host, before anything is decided; every other event of the call carries the same `call`. */
  | { readonly type: 'call-begun'; readonly call: CallInfo }
  /** The call is over, for the host: exactly one for each `call-begun`. */
  | {
      readonly type: 'call-ended'
      readonly call: CallInfo
      readonly status: CallStatus
      readonly latencyMs: number
      /** The JSON-RPC error code, where the answer was an error. */
      readonly rpcCode?: number
      /** Hidden and control characters in the texts of the result, where there are any: they are passed as they are. */
      readonly hidden?: number
    }
  /** Arguments or a structured result are not what the signed schema says; `enforced`: they did not go on. */
  | {
      readonly type: 'schema-violation'
      readonly call: CallInfo
      readonly part: 'arguments' | 'result'
      readonly enforced: boolean
      readonly detail: ErrorDetail
    }
  /** A signed schema cannot be checked; said once for each tool and part. */
  | {
      readonly type: 'schema-unchecked'
      readonly tool: string
      readonly part: 'arguments' | 'result'
      readonly reason: UncheckedReason
    }
  /**
   * The token of the transport lacks a scope that the manifest requires, and the policy only reports it; with
   * `reason: 'unknown'` in the detail, once, what the token allows cannot be known.
   */
  | { readonly type: 'scope-missing'; readonly call: CallInfo; readonly detail: ErrorDetail }
  /** The server named evidence for itself (`dev.countersign/tool-manifest`): a hint where to look, nothing more. */
  | { readonly type: 'stapled'; readonly manifest?: string }
  /** Resources were withheld from the host, by the signed list or by policy. */
  | { readonly type: 'resources-withheld'; readonly withheld: readonly Withheld[] }
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
      readonly call: CallInfo
      readonly tool: string
      readonly digest: string
      readonly manifest?: string
    }
  | {
      readonly type: 'call-refused'
      readonly call: CallInfo
      readonly tool: string
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
  /** Policy `observe`: the call went through although enforce would have refused it. */
  | {
      readonly type: 'call-observed'
      readonly call: CallInfo
      readonly tool: string
      readonly code: VerdictCode
    }
  | {
      readonly type: 'prompt-refused'
      readonly call: CallInfo
      readonly prompt: string
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
  | {
      readonly type: 'resource-refused'
      readonly call: CallInfo
      readonly uri: string
      readonly code: VerdictCode
      readonly detail: ErrorDetail
    }
  /** A request about something that is not verified: a completion, a subscription, a task of no allowed call. */
  | {
      readonly type: 'request-refused'
      readonly method: string
      readonly name: string
      readonly code: VerdictCode
    }
  /** Nothing listed before counts any more; calls wait for a new verification. */
  | { readonly type: 'frozen'; readonly list: ListKind; readonly cause: 'server' | 'registry' }
  /** The guard told the host itself that the list changed: a revocation, an expiry. */
  | { readonly type: 'list-changed-injected'; readonly list: ListKind }
  /** A server asked the host's model to work with tools that nobody signed; they were taken out. */
  | { readonly type: 'sampling-tools-removed' }
  | { readonly type: 'verifier-failed'; readonly code: string; readonly message: string }

export type GuardListener = (event: GuardEvent) => void
