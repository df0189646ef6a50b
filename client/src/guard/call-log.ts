import { isJsonObject } from '../core/index.js'
import type { CallInfo, CallStatus, GuardListener } from './events.js'
import type { FrameId, RequestFrame } from './frames.js'
import type { ToolFacts } from './tool-facts.js'

/** The requests that are calls: what they bring back goes to a model. */
export const CALL_METHODS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** A call of the host that is not over yet. */
export interface OpenCall {
  readonly info: CallInfo
  readonly begunAt: number
  /** What was signed of the tool, once the call went through. */
  facts?: ToolFacts | undefined
}

export interface CallEnd {
  readonly status: CallStatus
  readonly rpcCode?: number | undefined
  readonly hidden?: number | undefined
}

/** Says of each call that it began, and exactly once that it is over, however it ended. */
export class CallLog {
  readonly #emit: GuardListener
  readonly #open = new Map<FrameId, OpenCall>()
  #count = 0

  constructor(emit: GuardListener) {
    this.#emit = emit
  }

  begin(frame: RequestFrame): OpenCall {
    const call = { info: infoOf(frame, ++this.#count), begunAt: performance.now() }
    this.#open.set(frame.id, call)
    this.#emit({ type: 'call-begun', call: call.info })
    return call
  }

  get(id: FrameId): OpenCall | undefined {
    return this.#open.get(id)
  }

  /** Nothing, when the call is over already or the request was none. */
  end(id: unknown, { status, rpcCode, hidden }: CallEnd): void {
    const call = this.#open.get(id as FrameId)
    if (call === undefined) return
    this.#open.delete(id as FrameId)
    this.#emit({
      type: 'call-ended',
      call: call.info,
      status,
      latencyMs: performance.now() - call.begunAt,
      ...(rpcCode !== undefined && { rpcCode }),
      ...(hidden !== undefined && hidden > 0 && { hidden }),
    })
  }

  close(): void {
    for (const id of [...this.#open.keys()]) this.end(id, { status: 'closed' })
  }
}

function infoOf({ method, params }: RequestFrame, n: number): CallInfo {
  const [args, meta] = [params?.['arguments'], params?.['_meta']]
  return {
    n,
    method,
    name: textOf(params?.[method === 'resources/read' ? 'uri' : 'name']),
    arguments: isJsonObject(args) ? args : undefined,
    meta: isJsonObject(meta) ? meta : undefined,
  }
}

/** A name as the host sent it; what is no text names nothing. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
