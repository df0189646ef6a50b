import type { ServerResponse } from 'node:http'
import type { Feed } from './feed.js'
import type { PublicEvent } from './public-event.js'

export interface StreamOptions {
  readonly feed: Feed
  readonly isWanted: (event: PublicEvent) => boolean
  /** The first position that is told. */
  readonly from: number
  readonly publishedEnd: () => number
  /** Silence is broken this often, so that nobody in between gives up. */
  readonly heartbeatMs: number
  /** A consumer that takes nothing for this long is cut off. */
  readonly stallMs: number
  /** How long to wait when the log cannot be read. */
  readonly retryMs: number
  /** Told what went wrong with reading; the stream goes on. */
  readonly onFailure: (cause: unknown) => void
}

/**
 * One consumer. It takes from the log at its own speed: nothing is kept for it but the one stretch that is on its way.
 */
export class EventStream {
  readonly #res: ServerResponse
  readonly #options: StreamOptions
  #next: number
  /** The position that the consumer would come again with. */
  #told: number
  #wake: (() => void) | undefined
  #isOver = false
  #wrote = 0

  constructor(res: ServerResponse, options: StreamOptions) {
    this.#res = res
    this.#options = options
    this.#next = options.from
    this.#told = options.from
    // Whoever left before we began to listen says so no more.
    if (res.destroyed) this.#isOver = true
    res.once('close', () => this.end())
  }

  /** Something more may be published. */
  readonly wake = (): void => this.#wake?.()

  /** The consumer comes again with the position it has. */
  end(): void {
    this.#isOver = true
    this.#wake?.()
    if (!this.#res.writableEnded) this.#res.end()
  }

  /** Until the consumer is gone or `end` is called. */
  async run(): Promise<void> {
    await this.#write(`retry: 2000\n${this.#place()}\n`)
    while (!this.#isOver) {
      const text = await this.#take()
      if (text !== '') await this.#write(text)
      else if (this.#silence() >= this.#options.heartbeatMs) await this.#write(this.#beat())
    }
  }

  /** What is told next; empty after a while in which that was nothing. */
  async #take(): Promise<string> {
    const { feed, publishedEnd, isWanted, heartbeatMs, retryMs, onFailure } = this.#options
    if (this.#next >= publishedEnd()) await this.#sleep(heartbeatMs - this.#silence())
    if (this.#isOver) return ''
    try {
      const { events, next } = await feed.read(this.#next)
      this.#next = next
      const wanted = events.filter(isWanted)
      this.#told = (wanted.at(-1)?.position ?? this.#told - 1) + 1
      return wanted.map(({ text }) => text).join('')
    } catch (cause) {
      onFailure(cause)
      await this.#sleep(retryMs, false)
      return ''
    }
  }

  #silence(): number {
    return performance.now() - this.#wrote
  }

  /** With how far the log was read, where nothing of it was wanted: whoever comes again need not read that again. */
  #beat(): string {
    return `: \n${this.#told < this.#next ? this.#place() : ''}\n`
  }

  #place(): string {
    this.#told = this.#next
    return this.#next === 0 ? '' : `id: ${this.#next - 1}\n`
  }

  #sleep(ms: number, wakes = true): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, Math.max(1, ms))
      this.#wake = () => {
        if (wakes || this.#isOver) done()
      }
    })
  }

  /** Resolves when there is room for more; a consumer that makes none loses its connection. */
  async #write(text: string): Promise<void> {
    const res = this.#res
    this.#wrote = performance.now()
    if (this.#isOver || res.write(text)) return
    await new Promise<void>((resolve) => {
      const stalled = setTimeout(() => res.destroy(), this.#options.stallMs)
      const go = (): void => {
        clearTimeout(stalled)
        res.off('drain', go)
        res.off('close', go)
        resolve()
      }
      res.once('drain', go)
      res.once('close', go)
    })
  }
}
