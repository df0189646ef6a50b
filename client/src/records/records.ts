import { randomBytes, toHex } from '../core/index.js'
import type { GuardEvent, GuardListener } from '../guard/index.js'
import type { HostEvent } from '../review/events.js'
import type { ReviewedTool } from '../review.js'
import { CallRecords } from './call.js'
import { Heads } from './head.js'
import { hostRecord } from './host-record.js'
import { formatRecord } from './line.js'
import { ListingRecords } from './listing.js'
import type { Connection, Records, RecordsOptions } from './options.js'
import { RECORD_VERSION, type EventRecord } from './record.js'
import { cut, recordDetail } from './redact.js'
import type { LineSink } from './sink.js'
import { sinkOf } from './target.js'
import { RecordWriter } from './writer.js'

const MAX_BYTES = 16 * 1024 * 1024
const KEEP = 8
const MAX_WAITING = 10_000
const MAX_WAITING_BYTES = 8 * 1024 * 1024
const CLOSE_MS = 2000
/** Shadowed names are told at each review; each is written down once. */
const MAX_SHADOWS = 1024

/**
 * Opens the call records: one JSON line for each listing, call, refusal, change and consent, appended to a file that
 * several processes may share (`docs/call-records.md`). Arguments are written as shapes unless `redact` is `nothing`.
 * A disk that is slow, full or read-only holds nothing up: what cannot wait is counted, and the count is written.
 *
 * @throws CountersignError `usage` for a target that is none
 * @example
 * const records = openRecords({ file: 'calls.jsonl' })
 * const host = await openHost({ registry, trust, memory, onEvent: records.onHostEvent })
 * const transport = guardTransport(inner, { host, slot, onEvent: records.connection({ slot }) })
 */
export function openRecords(options: RecordsOptions): Records {
  const { file, maxBytes = MAX_BYTES, keep = KEEP } = options
  return openRecordsOn(sinkOf({ file, maxBytes, keep }), options)
}

/** The same over any sink. */
export function openRecordsOn(sink: LineSink, options: Omit<RecordsOptions, 'file'>): Records {
  const { now = Date.now, redact = 'values' } = options
  const withValues = redact === 'nothing'
  const process = newSession()
  const writer = openWriter(sink, options, process, now)
  const write = (record: EventRecord | undefined): void => {
    if (record !== undefined) writer.push(formatRecord(record))
  }
  return {
    connection: (about) => listenTo({ session: newSession(), ...about }, { withValues, now, write }),
    onHostEvent: listenToHost(process, now, write),
    close: (withinMs = CLOSE_MS) => writer.close(withinMs),
  }
}

function openWriter(
  sink: LineSink,
  options: Omit<RecordsOptions, 'file'>,
  session: string,
  now: () => number,
): RecordWriter {
  const { maxWaiting = MAX_WAITING, maxWaitingBytes = MAX_WAITING_BYTES, onProblem } = options
  return new RecordWriter({
    sink,
    maxWaiting,
    maxWaitingBytes,
    now,
    onProblem: (problem) => onProblem?.(problem),
    formatDropped: (count, since) =>
      formatRecord({
        v: RECORD_VERSION,
        kind: 'dropped',
        time: new Date(now()).toISOString(),
        session,
        count,
        since: new Date(since).toISOString(),
      }),
  })
}

function newSession(): string {
  return toHex(randomBytes(16))
}

// -------------------------------------------------------------------------------------------------- connections

interface Pen {
  readonly withValues: boolean
  readonly now: () => number
  readonly write: (record: EventRecord | undefined) => void
}

function listenTo(about: Connection & { readonly session: string }, pen: Pen): GuardListener {
  const heads = new Heads(about, pen.now)
  const listings = new ListingRecords()
  let tools: ReadonlyMap<string, ReviewedTool> = new Map()
  const calls = new CallRecords({
    withValues: pen.withValues,
    tool: (name) => tools.get(name),
    head: (meta, manifest) => heads.of(meta, manifest),
  })

  const recordOf = (event: GuardEvent): EventRecord | undefined => {
    switch (event.type) {
      case 'listed':
        heads.see(event.review)
        if (event.list === 'tools') tools = new Map(event.review.allowed.map((tool) => [tool.name, tool]))
        return listings.listed(heads.of(), event)
      case 'listing-refused':
        return listings.refused(heads.of(), event, pen.withValues)
      case 'resources-withheld':
        return listings.withheld(heads.of(), event.withheld)
      case 'instructions-withheld':
      case 'request-refused':
        return refusalOf(heads, event, pen.withValues)
      default:
        return calls.take(event)
    }
  }
  return (event) => pen.write(recordOf(event))
}

type Refusal = Extract<GuardEvent, { readonly type: 'instructions-withheld' | 'request-refused' }>

/** What was refused and is no call. */
function refusalOf(heads: Heads, event: Refusal, withValues: boolean): EventRecord {
  const base = { ...heads.of(), kind: 'refusal', decision: 'refused', code: event.code } as const
  if (event.type === 'request-refused') return { ...base, method: cut(event.method), name: cut(event.name) }
  return { ...base, method: 'instructions', detail: recordDetail(event.detail, withValues) }
}

// -------------------------------------------------------------------------------------------------------- hosts

function listenToHost(session: string, now: () => number, write: Pen['write']): (event: HostEvent) => void {
  const shadows = new Set<string>()
  const headOf = (slot: string) => new Heads({ slot, session }, now).of()
  return (event) => {
    if (event.type === 'shadowed' && !isNew(shadows, JSON.stringify(event))) return
    write(hostRecord(event, headOf))
  }
}

function isNew(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false
  if (seen.size >= MAX_SHADOWS) seen.clear()
  seen.add(key)
  return true
}
