import { isFrameId, LISTEN, type FrameId, type RequestFrame, type ResponseFrame } from './frames.js'

/** Ids of the guard's own requests begin so; no answer to one ever reaches the host. */
export const OWN_PREFIX = 'countersign:'

/** Requests of the host that may wait at once. */
export const MAX_PENDING = 10_000

/** Ids of given-up requests that are remembered until the server answers them. */
const MAX_ABANDONED = 10_000

interface Waiting {
  readonly request: RequestFrame
  readonly forwarded: boolean
}

interface Own {
  readonly answer: Answer
  readonly fail: (reason: Error) => void
}

export type Answer = (frame: ResponseFrame) => void

/** `in-use`: the first still waits. `abandoned`: its answer may still come. `full`: too many wait. */
export type Admission = 'admitted' | 'in-use' | 'abandoned' | 'full'

/**
 * The requests that wait for an answer. A response without an entry is unsolicited and dropped; keys are the ids
 * themselves (1 is not "1"), and the host's ids are never rewritten.
 */
export class PendingRequests {
  readonly #host = new Map<FrameId, Waiting>()
  readonly #own = new Map<FrameId, Own>()
  readonly #abandoned = new Set<FrameId>()
  readonly #kept = new Set<FrameId>()
  readonly #listening = new Map<FrameId, RequestFrame>()
  readonly #session = globalThis.crypto.randomUUID()
  #count = 0

  /**
   * Takes a request in. An id that is used twice at once, or again while the server may still answer its first use, would
   * let one answer pass for the other.
   */
  add(request: RequestFrame): Admission {
    if (this.#host.has(request.id)) return 'in-use'
    if (this.#abandoned.has(request.id)) return 'abandoned'
    if (this.#host.size >= MAX_PENDING) return 'full'
    this.#set(request)
    return 'admitted'
  }

  /** From here on the server may answer it. */
  forward(id: FrameId): void {
    const waiting = this.#host.get(id)
    if (waiting !== undefined) this.#host.set(id, { ...waiting, forwarded: true })
  }

  /** Whether a request is held by the guard alone, by {@link keep}. */
  isKept(id: FrameId): boolean {
    return this.#kept.has(id) && this.#host.has(id)
  }

  /** Answered by the server and kept open all the same: from here on the guard itself speaks to it. */
  keep(request: RequestFrame): void {
    this.#kept.add(request.id)
    this.#set(request)
  }

  #set(request: RequestFrame): void {
    this.#host.set(request.id, { request, forwarded: false })
    if (request.method === LISTEN) this.#listening.set(request.id, request)
  }

  /**
   * For an answer of the server: only what it was asked. A request that the guard answers itself, or that still waits
   * for its verdict, has an id that is easily guessed.
   */
  takeForwarded(id: FrameId): RequestFrame | undefined {
    return this.#host.get(id)?.forwarded === true ? this.take(id) : undefined
  }

  /** The answer to a request that was given up; true once. */
  takeAbandoned(id: FrameId): boolean {
    return this.#abandoned.delete(id)
  }

  /** This very request: its id may have been given up and used again while a verdict was awaited. */
  waits(request: RequestFrame): boolean {
    return this.#host.get(request.id)?.request === request
  }

  /** Takes the entry out: the caller answers it now, or never. */
  take(id: FrameId): RequestFrame | undefined {
    const waiting = this.#host.get(id)
    this.#host.delete(id)
    this.#kept.delete(id)
    this.#listening.delete(id)
    return waiting?.request
  }

  /** The host lost interest; the server may answer all the same. */
  cancel(id: unknown): void {
    const waiting = isFrameId(id) ? this.#host.get(id) : undefined
    if (waiting === undefined) return
    this.take(waiting.request.id)
    if (!waiting.forwarded) return
    for (const oldest of this.#abandoned) {
      if (this.#abandoned.size < MAX_ABANDONED) break
      this.#abandoned.delete(oldest)
    }
    this.#abandoned.add(waiting.request.id)
  }

  /** The host's open `subscriptions/listen`: streams that stay open, few beside the calls. */
  get subscriptions(): RequestFrame[] {
    return [...this.#listening.values()]
  }

  addOwn(answer: Answer, fail: (reason: Error) => void): string {
    const id = `${OWN_PREFIX}${this.#session}:${++this.#count}`
    this.#own.set(id, { answer, fail })
    return id
  }

  dropOwn(id: string): void {
    this.#own.delete(id)
  }

  takeOwn(id: FrameId): Own | undefined {
    const entry = this.#own.get(id)
    this.#own.delete(id)
    return entry
  }

  /** The connection is gone: nobody answers any more. */
  close(reason: Error): void {
    const waiting = [...this.#own.values()]
    this.#own.clear()
    this.#host.clear()
    this.#abandoned.clear()
    this.#listening.clear()
    this.#kept.clear()
    for (const { fail } of waiting) fail(reason)
  }
}
