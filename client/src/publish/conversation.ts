import { CountersignError, isJsonObject, refuse, type JsonObject, type JsonValue } from '../core/index.js'

interface Waiting {
  readonly method: string
  readonly resolve: (result: JsonObject) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Our end of a JSON-RPC conversation with a server under capture: matches answers to questions by id, answers what a
 * server may ask of a client, and remembers which lists it said had changed.
 */
export class Conversation {
  /** `tools`, `prompts`, `resources`: announced as changed since last cleared. */
  readonly changed = new Set<string>()
  readonly #send: (frame: JsonObject) => void
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1
  #broken: Error | undefined

  constructor(send: (frame: JsonObject) => void) {
    this.#send = send
  }

  /**
   * @throws CountersignError `capture-failed` with `reason`: `timeout`, `server-error`, `server-exited`, or why a
   * frame was refused.
   */
  request(method: string, params: JsonObject, timeoutMs: number): Promise<JsonObject> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#expire(id, method, timeoutMs), timeoutMs)
      this.#waiting.set(id, { method, resolve, reject, timer })
      this.#send({ jsonrpc: '2.0', id, method, params })
    })
  }

  notify(method: string): void {
    this.#send({ jsonrpc: '2.0', method })
  }

  /** Takes one received frame. Frames that are no request, notification or awaited answer are dropped. */
  receive(frame: JsonObject): void {
    const { id, method } = frame
    if (typeof method === 'string') {
      if (id === undefined) this.#noteChange(method)
      else this.#answer(method, id)
      return
    }
    if (typeof id === 'number') this.#settle(id, frame)
  }

  /** Ends every open question with this error; later questions end with it at once. */
  break(error: Error): void {
    this.#broken ??= error
    for (const [id, waiting] of this.#waiting) {
      this.#waiting.delete(id)
      clearTimeout(waiting.timer)
      waiting.reject(this.#broken)
    }
  }

  #settle(id: number, frame: JsonObject): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    try {
      waiting.resolve(readResult(waiting.method, frame))
    } catch (error) {
      waiting.reject(error as Error)
    }
  }

  #expire(id: number, method: string, timeoutMs: number): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    const seconds = Math.round(timeoutMs / 1000)
    waiting?.reject(
      new CountersignError('capture-failed', `no answer to ${method} within ${seconds} s`, {
        reason: 'timeout',
      }),
    )
  }

  #noteChange(method: string): void {
    const list = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(method)?.[1]
    if (list !== undefined) this.changed.add(list)
  }

  #answer(method: string, id: JsonValue): void {
    if (typeof id !== 'number' && typeof id !== 'string') return
    const result = ANSWERS.get(method)
    if (result !== undefined) this.#send({ jsonrpc: '2.0', id, result })
    else this.#send({ jsonrpc: '2.0', id, error: { code: -32601, message: 'not offered during a capture' } })
  }
}

/** Nothing of this machine is handed to a server under capture. */
const ANSWERS: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ['ping', {}],
  ['roots/list', { roots: [] }],
])

function readResult(method: string, frame: JsonObject): JsonObject {
  const { result, error } = frame
  if (isJsonObject(error) && result === undefined) {
    const code = typeof error['code'] === 'number' ? error['code'] : 0
    const said = typeof error['message'] === 'string' ? error['message'].slice(0, 500) : ''
    refuse('capture-failed', `the server answered ${method} with error ${code}: ${said}`, {
      reason: 'server-error',
      rpcCode: code,
    })
  }
  if (!isJsonObject(result) || error !== undefined) {
    refuse('capture-failed', `the answer to ${method} is not a result object`, { reason: 'malformed-answer' })
  }
  return result
}
