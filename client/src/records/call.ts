import { isJsonObject } from '../core/index.js'
import type { CallInfo, GuardEvent } from '../guard/index.js'
import type { ReviewedTool } from '../review.js'
import type {
  CallRecord,
  RecordedArguments,
  RecordHead,
  RedactedArguments,
  RefusalRecord,
  Reported,
} from './record.js'
import { cut, isSmall, recordDetail, redactArguments, redactUri } from './redact.js'
import { traceOf } from './trace.js'

/** Calls without an end that are remembered; a guard has fewer open at once. */
const MAX_OPEN = 4096
const MAX_REPORTED = 8

type Refused = Extract<
  GuardEvent,
  { readonly call: CallInfo; readonly code: string; readonly detail: object }
>
type Allowed = Extract<GuardEvent, { readonly type: 'call-allowed' }>
type Ended = Extract<GuardEvent, { readonly type: 'call-ended' }>

/** What was told of one call so far. */
interface OpenCall {
  /** The arguments that the signed definition names, once the call was allowed. */
  argumentNames: readonly string[]
  digest?: string
  manifest?: string
  allowed?: boolean
  observed?: string
  refused?: Refused
  reported: Reported[]
}

/** Everything that calls of one connection are recorded with, besides the events themselves. */
export interface CallContext {
  readonly withValues: boolean
  /** The tool as the host was shown it last. */
  readonly tool: (name: string) => ReviewedTool | undefined
  readonly head: (meta: CallInfo['meta'], manifest?: string) => RecordHead
}

/** Gathers what is told of a call, until it ends: one record for each. */
export class CallRecords {
  readonly #context: CallContext
  readonly #open = new Map<CallInfo, OpenCall>()

  constructor(context: CallContext) {
    this.#context = context
  }

  /** @returns the call's record, where the event was its last */
  take(event: GuardEvent): CallRecord | RefusalRecord | undefined {
    if (!('call' in event)) return undefined
    const call = this.#of(event.call)
    switch (event.type) {
      case 'call-allowed':
        allow(call, event, this.#context.tool(event.tool))
        return undefined
      case 'call-observed':
        call.observed = event.code
        return undefined
      case 'call-refused':
      case 'prompt-refused':
      case 'resource-refused':
        call.refused = event
        return undefined
      case 'schema-violation':
        report(call, { code: event.type, part: event.part, ...(event.enforced && { enforced: true }) })
        return undefined
      case 'scope-missing':
        report(call, { code: event.type, ...(event.detail['reason'] === 'unknown' && { part: 'unknown' }) })
        return undefined
      case 'call-ended':
        this.#open.delete(event.call)
        return this.#close(event, call)
      default:
        return undefined
    }
  }

  #of(info: CallInfo): OpenCall {
    const known = this.#open.get(info)
    if (known !== undefined) return known
    const call: OpenCall = { argumentNames: [], reported: [] }
    this.#open.set(info, call)
    const [oldest] = this.#open.keys()
    if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#open.delete(oldest)
    return call
  }

  #close(ended: Ended, call: OpenCall): CallRecord | RefusalRecord {
    const common = this.#members(ended, call)
    if (call.refused !== undefined) {
      const { code, detail } = call.refused
      const explained = recordDetail(detail, this.#context.withValues)
      return { ...common, kind: 'refusal', decision: 'refused', code, detail: explained }
    }
    if (call.observed !== undefined)
      return { ...common, kind: 'call', decision: 'observed', code: call.observed }
    return { ...common, kind: 'call', decision: call.allowed === true ? 'allowed' : 'passed' }
  }

  #members({ call: info, status, latencyMs, rpcCode, hidden }: Ended, call: OpenCall) {
    const { withValues, head } = this.#context
    const trace = traceOf(info.meta, withValues)
    return {
      ...head(info.meta, call.manifest),
      n: info.n,
      method: cut(info.method),
      ...(info.method === 'tools/call' ? { tool: cut(info.name) } : { name: nameOf(info) }),
      ...(call.digest !== undefined && call.digest !== '' && { digest: call.digest }),
      ...(info.arguments && { arguments: argumentsOf(info.arguments, call.argumentNames, withValues) }),
      status,
      latencyMs: Math.round(latencyMs * 1000) / 1000,
      ...(rpcCode !== undefined && { rpcCode }),
      ...(hidden !== undefined && { hidden }),
      ...(call.reported.length > 0 && { reported: call.reported }),
      ...(trace && { trace }),
    }
  }
}

function allow(call: OpenCall, event: Allowed, tool: ReviewedTool | undefined): void {
  call.allowed = true
  call.digest = event.digest
  if (event.manifest !== undefined) call.manifest = event.manifest
  if (tool?.digest === event.digest) call.argumentNames = namesOf(tool)
}

function report(call: OpenCall, reported: Reported): void {
  if (call.reported.length < MAX_REPORTED) call.reported.push(reported)
}

function nameOf({ method, name }: CallInfo): string {
  return method === 'resources/read' ? redactUri(name) : cut(name)
}

function argumentsOf(
  given: NonNullable<CallInfo['arguments']>,
  names: readonly string[],
  withValues: boolean,
): RedactedArguments | RecordedArguments {
  return withValues && isSmall(given) ? { redacted: false, values: given } : redactArguments(given, names)
}

const names = new WeakMap<ReviewedTool, readonly string[]>()

/** The arguments that a signed definition names; read once for each. */
function namesOf(tool: ReviewedTool): readonly string[] {
  let known = names.get(tool)
  if (known === undefined) {
    known = readNames(tool.signed)
    names.set(tool, known)
  }
  return known
}

function readNames(signed: string): readonly string[] {
  const definition: unknown = JSON.parse(signed)
  const schema = isJsonObject(definition) ? definition['inputSchema'] : undefined
  const properties = isJsonObject(schema) ? schema['properties'] : undefined
  return isJsonObject(properties) ? Object.keys(properties) : []
}
