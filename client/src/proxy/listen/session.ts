import { errorFrame, INTERNAL_ERROR, typeFrame, type FrameId, type RequestFrame } from '../../guard/frames.js'
import { isLarger } from '../../guard/measure.js'
import type { Guarded } from '../open-server.js'
import type { Reply } from './reply.js'
import { MAX_OPEN, progressTokenOf } from './upstream.js'

/** Messages that wait for a stream they may go on. */
const MAX_QUEUED = 100
/** Of one message that waits so. */
const MAX_QUEUED_SIZE = 256 * 1024
const INVALID_REQUEST = -32600

interface Waiting {
  readonly reply: Reply
  readonly token: string | number | undefined
}

/** A session of the 2025 era: one client, and a guarded server of its own. */
export class Session {
  readonly #guarded: Guarded['guarded']
  readonly #waiting = new Map<FrameId, Waiting>()
  #stream: Reply | undefined
  #queue: object[] = []
  #usedAt: number
  readonly #now: () => number

  constructor({ guarded }: Guarded, now: () => number, onEnd: () => void) {
    this.#guarded = guarded
    this.#now = now
    this.#usedAt = now()
    guarded.onmessage = (message) => this.#fromServer(message)
    guarded.onclose = () => {
      this.#endAll()
      onEnd()
    }
  }

  /** Milliseconds in which nobody asked and nobody waited; a client that went away does not wait. */
  get idleMs(): number {
    const waits = [...this.#waiting.values()].some(({ reply }) => !reply.isOver)
    const busy = waits || this.#stream?.isStream === true
    return busy ? 0 : this.#now() - this.#usedAt
  }

  ask(frame: RequestFrame, message: object, reply: Reply): void {
    this.#usedAt = this.#now()
    const { id } = frame
    if (this.#waiting.has(id)) {
      reply.end(errorFrame(id, INVALID_REQUEST, 'this id is in use'), 400)
      return
    }
    if (this.#waiting.size >= MAX_OPEN) {
      reply.end(errorFrame(id, INTERNAL_ERROR, 'too many requests'), 429)
      return
    }
    this.#waiting.set(id, { reply, token: progressTokenOf(frame.params) })
    this.#guarded.send(message).catch((error: unknown) => this.#answer(id, failed(id, error)))
  }

  /** A notification, or the answer to a request of the server. */
  async tell(message: object): Promise<void> {
    this.#usedAt = this.#now()
    const frame = typeFrame(message)
    if (frame?.kind === 'notification' && frame.method === 'notifications/cancelled')
      this.#cancel(frame.params?.['requestId'])
    await this.#guarded.send(message)
  }

  /** The guard passes no answer to what the client gave up. */
  #cancel(id: unknown): void {
    const waiting = this.#waiting.get(id as FrameId)
    this.#waiting.delete(id as FrameId)
    waiting?.reply.cancel()
  }

  /** False: there is such a stream already. */
  listen(reply: Reply): boolean {
    this.#usedAt = this.#now()
    if (this.#stream?.isStream === true) return false
    this.#stream = reply
    reply.open()
    for (const message of this.#queue.splice(0)) reply.push(message)
    return true
  }

  async close(): Promise<void> {
    this.#endAll()
    await this.#guarded.close()
  }

  #fromServer(message: object): void {
    const frame = typeFrame(message)
    if (frame?.kind === 'response') {
      this.#answer(frame.id, message)
      return
    }
    const stream = this.#streamFor(frame?.method, frame?.params?.['progressToken'])
    if (stream !== undefined) stream.push(message)
    else if (this.#queue.length < MAX_QUEUED && !isLarger(message, MAX_QUEUED_SIZE)) this.#queue.push(message)
  }

  /** Progress goes with its request; all else on the stream that was opened for it, or else on the newest there is. */
  #streamFor(method: string | undefined, token: unknown): Reply | undefined {
    const open = [...this.#waiting.values()].filter(({ reply }) => reply.isStream)
    if (method === 'notifications/progress') return open.find((one) => one.token === token)?.reply
    return this.#stream?.isStream === true ? this.#stream : open.at(-1)?.reply
  }

  #answer(id: FrameId, message: object): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    this.#usedAt = this.#now()
    waiting?.reply.end(message)
  }

  #endAll(): void {
    for (const id of [...this.#waiting.keys()]) this.#answer(id, failed(id, new Error('the server ended')))
    this.#stream?.close()
    this.#queue = []
  }
}

export function failed(id: FrameId, error: unknown): object {
  return errorFrame(id, INTERNAL_ERROR, error instanceof Error ? error.message : 'the server failed')
}
