import type { Question, QuestionReason, Side } from '../consent/types.js'
import type { JsonObject } from '../core/index.js'
import type { CallStatus, ListKind } from '../guard/index.js'
import type { HostEvent } from '../review/events.js'

type ChangeClass = Question['class']
type Changed = Extract<HostEvent, { readonly type: 'changed' }>

/** The version of the record's format; members may be added within it, none is renamed. */
export const RECORD_VERSION = 1

/** No line is longer, so that one write of the system appends it whole, whoever else appends. */
export const MAX_LINE_BYTES = 64 * 1024

/** W3C trace context as the host sent it in `_meta`. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string
  /** Values of the application: only where arguments are recorded with their values. */
  readonly baggage?: string
}

/** What stands in every record that speaks of a server. */
export interface RecordHead {
  readonly v: typeof RECORD_VERSION
  /** When it was over: RFC 3339, UTC, milliseconds. */
  readonly time: string
  /** One connection of a host to a server; random. */
  readonly session: string
  readonly agent?: string
  readonly conversation?: string
  /** The configured launch or URL. */
  readonly slot: string
  readonly server?: string
  readonly version?: string
  /** Digest of the manifest that spoke for the server. */
  readonly manifest?: string
}

/** An item by its name and the digest of its definition. */
export interface RecordedItem {
  readonly kind: string
  readonly name: string
  readonly digest: string
}

export interface ListingRecord extends RecordHead {
  readonly kind: 'listing'
  readonly list: ListKind
  /** `refused`: no list came about; the host got an error. `observed`: passed as received, whatever the verdict. */
  readonly decision: 'allowed' | 'withheld' | 'refused' | 'observed'
  /** The verdict over the server as a whole. */
  readonly code: string
  readonly allowed?: number
  /** What the host was shown; absent when it is the same as at the listing before in this session. */
  readonly items?: readonly RecordedItem[]
  readonly withheld?: readonly { readonly kind: string; readonly name: string; readonly code: string }[]
  /** How many more are not named here. */
  readonly more?: number
  readonly pin?: boolean
  readonly firstUse?: boolean
  readonly detail?: JsonObject
}

/** A part of a call that is not as it should be and was reported. */
export interface Reported {
  readonly code: string
  readonly part?: string
  /** It did not go on. */
  readonly enforced?: boolean
}

/** Of one argument: its type, and its length, items or members. */
export interface Shape {
  readonly type: 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object'
  readonly size?: number
}

export interface RedactedArguments {
  readonly redacted: true
  /** By the names that the signed schema has. */
  readonly shapes: Readonly<Record<string, Shape>>
  /** How many other members there were. */
  readonly others?: number
}

/** Where a person asked for values, and they are not too large for a line. */
export interface RecordedArguments {
  readonly redacted: false
  readonly values: JsonObject
}

interface CallMembers extends RecordHead {
  /** Counts the calls of the session. */
  readonly n?: number
  readonly method: string
  /** For `tools/call`. */
  readonly tool?: string
  /** For everything else: a prompt's name, or a URI without its query and credentials. */
  readonly name?: string
  /** Digest of the tool's definition. */
  readonly digest?: string
  readonly arguments?: RedactedArguments | RecordedArguments
  readonly code?: string
  readonly detail?: JsonObject
  readonly status?: CallStatus
  readonly latencyMs?: number
  readonly rpcCode?: number
  /** Hidden and control characters that the result has. */
  readonly hidden?: number
  readonly reported?: readonly Reported[]
  readonly trace?: TraceContext
}

export interface CallRecord extends CallMembers {
  readonly kind: 'call'
  /** `passed`: nothing is signed that it could be held against. `observed`: enforcing would have refused it. */
  readonly decision: 'allowed' | 'observed' | 'passed'
}

export interface RefusalRecord extends CallMembers {
  readonly kind: 'refusal'
  readonly decision: 'refused'
  readonly code: string
}

export interface ConsentRecord extends RecordHead {
  readonly kind: 'consent'
  readonly decision: 'asked' | 'agreed' | 'refused'
  readonly question: string
  readonly reason: QuestionReason
  readonly class: ChangeClass
  readonly items: readonly string[]
  readonly from?: Side
  readonly to: Side
}

/** Another version, list or variant is in use from now on. */
export interface ChangeRecord extends RecordHead {
  readonly kind: 'change'
  readonly decision: Changed['reaction']
  readonly reason: QuestionReason
  readonly class: ChangeClass
  readonly counts: Changed['counts']
  readonly from: Side
  readonly to: Side
}

/** A name that another server of this host has as well. */
export interface ShadowRecord extends RecordHead {
  readonly kind: 'shadow'
  readonly name: string
  readonly detail: JsonObject
}

/** Records that could not be written, where they would have stood. */
export interface DroppedRecord {
  readonly v: typeof RECORD_VERSION
  readonly kind: 'dropped'
  readonly time: string
  readonly session: string
  readonly count: number
  /** When the first of them was dropped. */
  readonly since: string
}

export type EventRecord =
  ListingRecord | CallRecord | RefusalRecord | ConsentRecord | ChangeRecord | ShadowRecord | DroppedRecord

export type RecordKind = EventRecord['kind']
