import { isJsonObject, type JsonObject } from '../core/index.js'
import type { TraceContext } from './record.js'
import { cut } from './redact.js'

/** Keys of a request's `_meta` that say which agent asks; the first that is there counts. */
export const AGENT_KEYS = ['dev.countersign/agent'] as const
/** Keys that say in which conversation: our own, then those that hosts in use send. */
export const CONVERSATION_KEYS = [
  'dev.countersign/conversation',
  'vscode.conversationId',
  'openai/session',
] as const

const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo'
const TRACE_PARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const PRINTABLE = /^[\x20-\x7e]+$/
const MAX_TRACE_STATE = 512
const MAX_BAGGAGE = 8192

/** W3C trace context; what is not well-formed is left out, as that specification wants it. */
export function traceOf(meta: JsonObject | undefined, withValues: boolean): TraceContext | undefined {
  const { traceparent, tracestate, baggage } = meta ?? {}
  if (typeof traceparent !== 'string' || !TRACE_PARENT.test(traceparent) || traceparent.startsWith('ff'))
    return undefined
  return {
    traceparent,
    ...(isPlain(tracestate, MAX_TRACE_STATE) && { tracestate }),
    ...(withValues && isPlain(baggage, MAX_BAGGAGE) && { baggage }),
  }
}

function isPlain(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length <= max && PRINTABLE.test(value)
}

/** Who asks, as the host says: an own key, else the client of the 2026 era by name and version. */
export function agentOf(meta: JsonObject | undefined): string | undefined {
  return textAt(meta, AGENT_KEYS) ?? clientOf(meta?.[CLIENT_INFO])
}

export function conversationOf(meta: JsonObject | undefined): string | undefined {
  return textAt(meta, CONVERSATION_KEYS)
}

function textAt(meta: JsonObject | undefined, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = meta?.[key]
    if (typeof value === 'string' && value !== '') return cut(value)
  }
  return undefined
}

function clientOf(info: unknown): string | undefined {
  if (!isJsonObject(info)) return undefined
  const { name, version } = info
  if (typeof name !== 'string' || name === '') return undefined
  return cut(typeof version === 'string' ? `${name}@${version}` : name)
}
