import type { ServerResponse } from 'node:http'
import { typeFrame } from '../../guard/frames.js'
import { formatLine, lostAnswer, TOO_DEEP } from '../message-lines.js'

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
    // The client may have gone while its server was started.
    if (response.destroyed) this.#finish()
    response.on('close', () => {
      const early = !this.#over
      this.#finish()
      if (early) this.onclosed?.()
    })
  }

  /** Answered, or given up by the client. */
  get isOver(): boolean {
    return this.#over
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
    const line = this.isStream ? lineOf(message) : undefined
    if (line !== undefined) this.#write(`event: message\ndata: ${line}\n`)
  }

  end(message: object, status = 200): void {
    if (this.#over) return
    if (this.#response.headersSent) this.push(message)
    else {
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
      this.#response.writeHead(status, headers).write(lineOf(message) ?? '')
    }
    this.close()
  }

  /** There will be no answer: the client said that it does not want one. */
  cancel(): void {
    if (this.#over) return
    this.open()
    if (!this.#response.headersSent) this.#response.writeHead(204)
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

/** A server may nest deeper than the engine writes: an answer is then an error, anything else nothing. */
function lineOf(message: object): string | undefined {
  try {
    return formatLine(message)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const frame = typeFrame(message)
    return frame?.kind === 'response' ? formatLine(lostAnswer(frame.id, TOO_DEEP)) : undefined
  }
}
