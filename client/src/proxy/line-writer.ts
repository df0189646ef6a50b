import type { Writable } from 'node:stream'
import { formatLine } from './message-lines.js'

/** Bytes that may wait for a reader that does not read; beyond it the connection is given up. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024
const FLUSH_MS = 2_000

export interface LineWriterHandlers {
  /** The pipe is full; until `onDrain` the other side is better not read. */
  readonly onFull: () => void
  readonly onDrain: () => void
  /** It takes nothing any more: the reader is gone (EPIPE), or never reads. Once. */
  readonly onFailure: (error: Error) => void
}

/** Writes messages to a pipe, a line each; those of one turn of the event loop go in one system call. */
export class LineWriter {
  readonly #stream: Writable
  readonly #handlers: LineWriterHandlers
  #lines: string[] = []
  #full = false
  #failed = false

  constructor(stream: Writable, handlers: LineWriterHandlers) {
    this.#stream = stream
    this.#handlers = handlers
    stream.on('error', (error: Error) => this.#fail(error))
    stream.on('drain', () => {
      this.#full = false
      handlers.onDrain()
    })
  }

  /** @returns false for what is nested deeper than the engine writes: nothing of it was written */
  tryWrite(message: object): boolean {
    try {
      this.write(message)
      return true
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
  }

  /** @throws RangeError as `JSON.stringify` */
  write(message: object): void {
    const line = formatLine(message)
    if (this.#failed) return
    if (this.#lines.push(line) === 1) process.nextTick(() => this.#flush())
  }

  /** After what waits was taken, or two seconds later. */
  async end(): Promise<void> {
    this.#flush()
    if (this.#failed || this.#stream.writableFinished) return
    await new Promise<void>((settle) => {
      const timer = setTimeout(settle, FLUSH_MS)
      this.#stream.end(() => {
        clearTimeout(timer)
        settle()
      })
    })
  }

  #flush(): void {
    if (this.#lines.length === 0 || this.#failed) return
    const text = this.#lines.join('')
    this.#lines = []
    const takesMore = this.#stream.write(text)
    if (this.#stream.writableLength > MAX_WAITING_BYTES)
      this.#fail(new Error(`nobody reads: more than ${MAX_WAITING_BYTES} bytes wait`))
    else if (!takesMore && !this.#full) {
      this.#full = true
      this.#handlers.onFull()
    }
  }

  #fail(error: Error): void {
    if (this.#failed) return
    this.#failed = true
    this.#lines = []
    this.#handlers.onFailure(error)
  }
}
