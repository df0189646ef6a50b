import type { ServerResponse } from 'node:http'
import { formatLine } from '../message-lines.js'

/** Proxies and clients take a silent connection for a dead one. */
const KEEP_ALIVE_MS = 15_000
/** Bytes that wait for a client that does not read. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

const EVENTS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Else a reverse proxy collects events until it has a buffer full.
  'x-accel-buffering': 'no',
}

/**
 * The answer to one HTTP request: JSON where the answer is all there is, a stream of events as soon as something comes
 * before it, or nothing comes for a while.
 */
export class Reply {
  readonly #response: ServerResponse
  readonly #takesEvents: boolean
  readonly #timer: ReturnType<typeof setInterval>
  #over = false
  /** The client closed the connection before the answer was there. */
  onclosed: (() => void) | undefined = undefined

  constructor(response: ServerResponse, takesEvents: boolean) {
    this.#response = response
    this.#takesEvents = takesEvents
    this.#timer = setInterval(() => takesEvents && this.#write(': still here\n\n'), KEEP_ALIVE_MS)
    this.#timer.unref()
    response.on('close', () => {
      const early = !this.#over
      this.#finish()
      if (early) this.onclosed?.()
    })
  }

  /** Whether something may be pushed. */
  get isStream(): boolean {
    return this.#takesEvents && !this.#over
  }

  /** Opens the stream, before anything is there to be sent. */
  open(): void {
    if (this.isStream && !this.#response.headersSent) this.#response.writeHead(200, EVENTS).flushHeaders()
  }

  push(message: object): void {
    if (this.isStream) this.#write(`event: message\ndata: ${formatLine(message)}\n`)
  }

  end(message: object, status = 200): void {
    if (this.#over) return
    if (this.#response.headersSent) this.push(message)
    else {
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
      this.#response.writeHead(status, headers).write(formatLine(message))
    }
    this.close()
  }

  close(): void {
    this.#finish()
    this.#response.end()
  }

  #write(text: string): void {
    if (this.#over) return
    this.open()
    this.#response.write(text)
    if (this.#response.writableLength > MAX_WAITING_BYTES) this.#response.destroy()
  }

  #finish(): void {
    this.#over = true
    clearInterval(this.#timer)
  }
}
