import { isJsonObject, type JsonObject } from '../core/index.js'

export type FrameId = string | number

export interface RequestFrame {
  readonly kind: 'request'
  readonly id: FrameId
  readonly method: string
  readonly params: JsonObject | undefined
}

export interface NotificationFrame {
  readonly kind: 'notification'
  readonly method: string
  readonly params: JsonObject | undefined
}

export interface ResponseFrame {
  readonly kind: 'response'
  readonly id: FrameId
  /** Exactly one of the two is there. */
  readonly result: JsonObject | undefined
  readonly error: RpcError | undefined
}

export type Frame = RequestFrame | NotificationFrame | ResponseFrame

export interface RpcError {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

export const INVALID_REQUEST = -32600
export const METHOD_NOT_FOUND = -32601
export const INVALID_PARAMS = -32602
export const INTERNAL_ERROR = -32603

export const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'
export const LISTEN = 'subscriptions/listen'
export const SUBSCRIPTION_KEY = 'io.modelcontextprotocol/subscriptionId'

/**
 * PROTOCOL 14: a frame is exactly a request, a notification or a response. Batches, both `result` and `error`, an id of
 * another type, params that are no object: undefined, and the guard drops it.
 */
export function typeFrame(message: unknown): Frame | undefined {
  if (!isJsonObject(message) || own(message, 'jsonrpc') !== '2.0' || hasTwin(message)) return undefined
  return Object.hasOwn(message, 'method') ? typeCall(message) : typeResponse(message)
}

const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
const FOLDED: ReadonlySet<string> = new Set([...MEMBERS].map((name) => name.toUpperCase()))

/** Readers that match names in any case, as Go's do, take `ID` for `id`: they would answer another request with it. */
function hasTwin(message: JsonObject): boolean {
  return Object.keys(message).some(
    (name) => !MEMBERS.has(name) && name.length <= 7 && FOLDED.has(name.toUpperCase()),
  )
}

function typeCall(message: JsonObject): Frame | undefined {
  const method = own(message, 'method')
  const params = own(message, 'params')
  if (typeof method !== 'string' || Object.hasOwn(message, 'result') || Object.hasOwn(message, 'error'))
    return undefined
  if (params !== undefined && !isJsonObject(params)) return undefined
  if (!Object.hasOwn(message, 'id')) return { kind: 'notification', method, params }
  const id = own(message, 'id')
  return isFrameId(id) ? { kind: 'request', id, method, params } : undefined
}

function typeResponse(message: JsonObject): ResponseFrame | undefined {
  const id = own(message, 'id')
  const result = own(message, 'result')
  const error = own(message, 'error')
  if (!isFrameId(id) || Object.hasOwn(message, 'params')) return undefined
  if (isJsonObject(result) && error === undefined) return { kind: 'response', id, result, error: undefined }
  if (isRpcError(error) && result === undefined) return { kind: 'response', id, result: undefined, error }
  return undefined
}

function own(object: JsonObject, member: string): unknown {
  return Object.hasOwn(object, member) ? object[member] : undefined
}

const ANSWERS = ['jsonrpc', 'result', 'error'] as const

/**
 * The id of something that is no frame and would be an answer: whoever waits for it is told so. An object that only has an
 * id is what a server logs.
 */
export function answeredId(message: unknown): FrameId | undefined {
  if (!isJsonObject(message) || Object.hasOwn(message, 'method')) return undefined
  if (!ANSWERS.some((member) => Object.hasOwn(message, member))) return undefined
  const id = own(message, 'id')
  return isFrameId(id) ? id : undefined
}

export function isFrameId(value: unknown): value is FrameId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))
}

/** Clients read no other code than an integer, and would wait for ever behind an error that they cannot read. */
function isRpcError(value: unknown): value is RpcError {
  return isJsonObject(value) && Number.isSafeInteger(value['code']) && typeof value['message'] === 'string'
}

export function resultFrame(id: FrameId, result: object): object {
  return { jsonrpc: '2.0', id, result }
}

export function errorFrame(id: FrameId, code: number, message: string, data?: object): object {
  return { jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } }
}

/** The 2026 era has no handshake: each request says in its own `_meta` which protocol it speaks. */
export function modernEnvelope(params: JsonObject | undefined): JsonObject | undefined {
  const meta = params?.['_meta']
  if (!isJsonObject(meta) || typeof meta[VERSION_KEY] !== 'string') return undefined
  const envelope: JsonObject = {}
  for (const [key, value] of Object.entries(meta)) {
    if (key.startsWith('io.modelcontextprotocol/')) envelope[key] = value
  }
  return envelope
}
