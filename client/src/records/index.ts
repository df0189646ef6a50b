/** Call records: what hosts were shown, what they called and what was refused, one JSON line each. */
export { openRecords } from './records.js'
export type { Connection, Records, RecordsOptions, RecordsProblem } from './options.js'
export {
  MAX_LINE_BYTES,
  RECORD_VERSION,
  type CallRecord,
  type ChangeRecord,
  type ConsentRecord,
  type DroppedRecord,
  type EventRecord,
  type ListingRecord,
  type RecordedArguments,
  type RecordedItem,
  type RecordKind,
  type RedactedArguments,
  type RefusalRecord,
  type Reported,
  type ShadowRecord,
  type Shape,
  type TraceContext,
} from './record.js'
export { AGENT_KEYS, CONVERSATION_KEYS } from './trace.js'
