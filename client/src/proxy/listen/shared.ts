import { isJsonObject, type JsonObject } from '../../core/index.js'
import {
  errorFrame,
  INTERNAL_ERROR,
  SUBSCRIPTION_KEY,
  typeFrame,
  type FrameId,
  type NotificationFrame,
  type RequestFrame,
  type ResponseFrame,
} from '../../guard/frames.js'
import type { Guarded } from '../open-server.js'
import type { Reply } from './reply.js'
import { failed } from './session.js'
import { MAX_OPEN, progressTokenOf } from './upstream.js'

interface Waiting {
  readonly id: FrameId
  readonly token: string | number | undefined
  readonly reply: Reply
}

/** Of the 2026 era: what the protocol wants said by HTTP as well. */
const STATUS: ReadonlyMap<number, number> = new Map([
  [-32601, 404],
  [-32020, 400],
  [-32021, 400],
  [-32022, 400],
])

/**
 * The one guarded server that all requests of the 2026 era go to: each stands alone, and clients choose the same ids. On
 * the way to the server an id, and a progress token, is one of ours.
 */
export class SharedServer {
  readonly #guarded: Guarded['guarded']
  readonly #waiting = new Map<string, Waiting>()
  readonly #now: () => number
  readonly params: Guarded['params']
  #count = 0
  #usedAt: number

  constructor({ guarded, params }: Guarded, now: () => number, onEnd: () => void) {
    this.#guarded = guarded
    this.params = params
    this.#now = now
    this.#usedAt = now()
    guarded.onmessage = (message) => this.#fromServer(message)
    guarded.onclose = () => {
      this.#endAll()
      onEnd()
    }
  }

  get idleMs(): number {
    return this.#waiting.size > 0 ? 0 : this.#now() - this.#usedAt
  }

  ask({ id, params }: RequestFrame, message: JsonObject, reply: Reply): void {
    this.#usedAt = this.#now()
    if (this.#waiting.size >= MAX_OPEN) {
      reply.end(errorFrame(id, INTERNAL_ERROR, 'too many requests'), 429)
      return
    }
    // Nobody would ever give it up.
    if (reply.isOver) return
    const own = `h:${++this.#count}`
    const token = progressTokenOf(params)
    this.#waiting.set(own, { id, token, reply })
    reply.onclosed = () => this.#giveUp(own)
    const sent = { ...message, id: own, ...(token !== undefined && { params: withToken(params, own) }) }
    this.#guarded.send(sent).catch((error: unknown) => this.#end(own, failed(id, error)))
  }

  async close(): Promise<void> {
    this.#endAll()
    await this.#guarded.close()
  }

  /** 2026: a client gives a request up by closing its stream. */
  #giveUp(own: string): void {
    if (!this.#waiting.delete(own)) return
    const params = { requestId: own, reason: 'the client closed the stream' }
    // The server is gone: that ends all of them.
    this.#guarded
      .send({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
      .catch((error: unknown) =>
        this.#guarded.onerror?.(new Error('a request was not given up', { cause: error })),
      )
  }

  #fromServer(message: object): void {
    const frame = typeFrame(message)
    if (frame?.kind === 'response') this.#answer(frame, message)
    else if (frame?.kind === 'notification') this.#pass(frame, message)
  }

  #answer(frame: ResponseFrame, message: object): void {
    const waiting = typeof frame.id === 'string' ? this.#waiting.get(frame.id) : undefined
    if (waiting === undefined) return
    const status = frame.error && STATUS.get(frame.error.code)
    this.#end(String(frame.id), { ...message, id: waiting.id }, status)
  }

  #end(own: string, message: object, status?: number): void {
    const waiting = this.#waiting.get(own)
    this.#waiting.delete(own)
    this.#usedAt = this.#now()
    waiting?.reply.end(message, status)
  }

  /** To the request that it names, by subscription or progress token; what names none goes to all that listen. */
  #pass({ method, params = {} }: NotificationFrame, message: object): void {
    if (method === 'notifications/cancelled') {
      this.#cancel(params['requestId'])
      return
    }
    const meta = isJsonObject(params['_meta']) ? params['_meta'] : {}
    const subscriber = this.#named(meta[SUBSCRIPTION_KEY])
    const progressed = this.#named(params['progressToken'])
    if (subscriber !== undefined) {
      const tagged = { ...params, _meta: { ...meta, [SUBSCRIPTION_KEY]: subscriber.id } }
      subscriber.reply.push({ ...message, params: tagged })
    } else if (progressed?.token !== undefined) {
      progressed.reply.push({ ...message, params: { ...params, progressToken: progressed.token } })
    } else if (meta[SUBSCRIPTION_KEY] === undefined && params['progressToken'] === undefined) {
      for (const { reply } of this.#waiting.values()) reply.push(message)
    }
  }

  /** What a server on stdio cancels is a subscription: over HTTP that is the end of its stream. */
  #cancel(own: unknown): void {
    const cancelled = this.#named(own)
    if (cancelled === undefined) return
    this.#waiting.delete(String(own))
    this.#usedAt = this.#now()
    cancelled.reply.cancel()
  }

  #named(own: unknown): Waiting | undefined {
    return typeof own === 'string' ? this.#waiting.get(own) : undefined
  }

  #endAll(): void {
    for (const [own, { id }] of [...this.#waiting]) this.#end(own, failed(id, new Error('the server ended')))
  }
}

function withToken(params: JsonObject | undefined, token: string): JsonObject {
  const meta = params?.['_meta']
  return { ...params, _meta: { ...(isJsonObject(meta) && meta), progressToken: token } }
}
