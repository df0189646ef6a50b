import type { JsonObject } from '../core/index.js'
import { modernEnvelope, type Frame, type RequestFrame, type ResponseFrame } from './frames.js'
import { PendingRequests, type Answer } from './pending.js'
import type { InnerTransport } from './transport.js'

/** A request of the guard's own that stays open until the server ends it. */
export interface OpenAsk {
  readonly options: object
  readonly onAnswer: Answer
  readonly onFailure: (reason: Error) => void
}

export interface HostEnd {
  readonly deliver: (message: object, extra?: object) => void
}

/** The two ends of one connection, the requests that wait between them, and the era the host speaks. */
export class Wire {
  readonly pending = new PendingRequests()
  readonly #inner: InnerTransport
  readonly #host: HostEnd
  readonly #pageMs: number
  #envelope: JsonObject | undefined
  #closed = false

  constructor(inner: InnerTransport, host: HostEnd, pageMs: number) {
    this.#inner = inner
    this.#host = host
    this.#pageMs = pageMs
  }

  /** The 2026 era; told by the newest request of the host, for SDK v2 probes one era and may then speak the other. */
  get modern(): boolean {
    return this.#envelope !== undefined
  }

  get closed(): boolean {
    return this.#closed
  }

  noteEra(frame: Frame): void {
    if (frame.kind === 'request') this.#envelope = modernEnvelope(frame.params)
  }

  /**
   * Options go on by reference: the SDKs compare signals and callbacks by identity. Rejects also where a transport
   * throws, for a request of the guard's own is noted only once its sending returned.
   */
  async toServer(message: object, options?: object): Promise<void> {
    await this.#inner.send(message as never, options as never)
  }

  toHost(message: object, extra?: object): void {
    if (!this.#closed) this.#host.deliver(message, extra)
  }

  /** Forwards a request of the host; when it cannot be sent nothing waits for its answer. */
  async forward(frame: RequestFrame, message: object, options?: object): Promise<void> {
    this.pending.forward(frame.id)
    try {
      await this.toServer(message, options)
    } catch (error) {
      this.pending.take(frame.id)
      throw error
    }
  }

  /** Answers a request of the host here, unless it was cancelled in the meantime. */
  answer(frame: RequestFrame, message: object): void {
    if (!this.pending.waits(frame)) return
    this.pending.take(frame.id)
    this.toHost(message)
  }

  /**
   * A request of the guard's own. In the 2026 era it carries the host's envelope, for each request there stands alone.
   * @throws Error when the connection closes or the server stays silent for `pageMs`
   */
  ask(method: string, params: JsonObject): Promise<ResponseFrame> {
    return new Promise((resolve, reject) => {
      const fail = (reason: Error): void => {
        clearTimeout(timer)
        this.pending.dropOwn(id)
        reject(reason)
      }
      const timer = setTimeout(() => fail(new Error(`the server did not answer ${method}`)), this.#pageMs)
      const id = this.#sendOwn(method, params, {
        options: undefined,
        onAnswer: (frame) => {
          clearTimeout(timer)
          resolve(frame)
        },
        onFailure: fail,
      })
    })
  }

  /** A request of the guard's own without an end in sight. Returns its id. */
  askOpen(method: string, params: JsonObject, ask: OpenAsk): string {
    return this.#sendOwn(method, params, ask)
  }

  #sendOwn(
    method: string,
    params: JsonObject,
    { options, onAnswer, onFailure }: Omit<OpenAsk, 'options'> & { readonly options: object | undefined },
  ): string {
    const id = this.pending.addOwn(onAnswer, onFailure)
    const full: JsonObject = this.#envelope === undefined ? params : { ...params, _meta: this.#envelope }
    const message = { jsonrpc: '2.0', id, method, ...(Object.keys(full).length > 0 && { params: full }) }
    this.toServer(message, options).catch((error: unknown) =>
      onFailure(error instanceof Error ? error : new Error(String(error))),
    )
    return id
  }

  close(): void {
    this.#closed = true
    this.pending.close(new Error('the connection closed'))
  }
}
