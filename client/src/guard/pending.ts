import { isFrameId, type FrameId, type RequestFrame, type ResponseFrame } from './frames.js'

/** Ids of the guard's own requests begin so; no answer to one ever reaches the host. */
export const OWN_PREFIX = 'countersign:'

interface Waiting {
  readonly request: RequestFrame
  readonly forwarded: boolean
}

export type Answer = (frame: ResponseFrame) => void

/**
 * The requests that wait for an answer. A response without an entry is unsolicited and dropped; keys are the ids
 * themselves (1 is not "1"), and the host's ids are never rewritten.
 */
export class PendingRequests {
  readonly #host = new Map<FrameId, Waiting>()
  readonly #own = new Map<FrameId, { answer: Answer; fail: (reason: Error) => void }>()
  #count = 0
  readonly #session = globalThis.crypto.randomUUID()

  /** False when the host uses an id twice at once: the second answer could not be told from the first. */
  add(request: RequestFrame): boolean {
    if (this.#host.has(request.id)) return false
    this.#host.set(request.id, { request, forwarded: false })
    return true
  }

  /** From here on the server may answer it. */
  forward(id: FrameId): void {
    const waiting = this.#host.get(id)
    if (waiting !== undefined) this.#host.set(id, { ...waiting, forwarded: true })
  }

  /**
   * For an answer of the server: only what it was asked. A request that the guard answers itself, or that still waits
   * for its verdict, has an id that is easily guessed.
   */
  takeForwarded(id: FrameId): RequestFrame | undefined {
    return this.#host.get(id)?.forwarded === true ? this.take(id) : undefined
  }

  has(id: FrameId): boolean {
    return this.#host.has(id)
  }

  /** Takes the entry out: the caller answers it now, or never. */
  take(id: FrameId): RequestFrame | undefined {
    const waiting = this.#host.get(id)
    this.#host.delete(id)
    return waiting?.request
  }

  /** The host lost interest; a late answer is then unsolicited. */
  cancel(id: unknown): void {
    if (isFrameId(id)) this.#host.delete(id)
  }

  /** The host's open requests of one method, as `subscriptions/listen`. */
  open(method: string): RequestFrame[] {
    return [...this.#host.values()]
      .map(({ request }) => request)
      .filter((request) => request.method === method)
  }

  addOwn(answer: Answer, fail: (reason: Error) => void): string {
    const id = `${OWN_PREFIX}${this.#session}:${++this.#count}`
    this.#own.set(id, { answer, fail })
    return id
  }

  dropOwn(id: string): void {
    this.#own.delete(id)
  }

  takeOwn(id: FrameId): Answer | undefined {
    const entry = this.#own.get(id)
    this.#own.delete(id)
    return entry?.answer
  }

  /** The connection is gone: nobody answers any more. */
  close(reason: Error): void {
    const waiting = [...this.#own.values()]
    this.#own.clear()
    this.#host.clear()
    for (const { fail } of waiting) fail(reason)
  }
}
