import { isUtf8 } from 'node:buffer'
import { TransformStream, type Transformer } from 'node:stream/web'
import { typeFrame } from '../guard/frames.js'
import { ByteBuffer } from './byte-buffer.js'
import { MAX_LINE_BYTES } from './line-reader.js'

const [LF, CR, OPEN_BRACKET] = [0x0a, 0x0d, 0x5b]

/**
 * `fetch` for a server that may send anything: a body of JSON is one message of at most 10 MB in UTF-8, and so is each
 * event of a stream. Redirects are left to the transport, which follows none to another origin.
 */
export const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: init?.redirect ?? 'error' })
  if (response.body === null) return response
  const check = isReadByEvents(response, init) ? eventCheck() : bodyCheck()
  const body = response.body.pipeThrough<Uint8Array>(new TransformStream(check) as never)
  const { status, statusText, headers } = response
  const bounded = new Response(body, { status, statusText, headers })
  // Where a redirect would have led is said by the answer's URL, which a new one does not have.
  Object.defineProperty(bounded, 'url', { value: response.url })
  return bounded
}

/**
 * Whether the transport reads this body event by event. Any other one it collects whole, whatever its type says, and then
 * a limit for each event would be none.
 */
function isReadByEvents({ ok, status, headers }: Response, init?: RequestInit): boolean {
  const [type] = (headers.get('content-type') ?? '').split(';')
  if (!ok || status === 202 || type?.trim().toLowerCase() !== 'text/event-stream') return false
  const { method = 'GET', body } = init ?? {}
  return method === 'GET' || (typeof body === 'string' && typeFrame(JSON.parse(body))?.kind === 'request')
}

/** Holds a whole body back until it was looked at. */
function bodyCheck(): Transformer<Uint8Array, Uint8Array> {
  const body = new ByteBuffer()
  return {
    transform(chunk) {
      body.add(chunk)
      if (body.length > MAX_LINE_BYTES) throw new Error('the server sent a body of more than 10 MB')
    },
    flush(controller) {
      const bytes = body.take()
      if (!isUtf8(bytes)) throw new Error('the server sent a body that is no UTF-8')
      if (bytes.find((byte) => byte > 0x20) === OPEN_BRACKET) throw new Error('the server sent a batch')
      controller.enqueue(bytes)
    },
  }
}

/** Passes lines on as they come whole; an empty one ends an event. */
function eventCheck(): Transformer<Uint8Array, Uint8Array> {
  const held = new ByteBuffer()
  let inEvent = 0
  let atLineStart = true
  const grow = (count: number): void => {
    inEvent += count
    if (inEvent > MAX_LINE_BYTES) throw new Error('the server sent an event of more than 10 MB')
  }
  const pass = (line: Uint8Array, controller: { enqueue(chunk: Uint8Array): void }): void => {
    if (held.length > 0) held.add(line)
    const whole = held.length === 0 ? line : held.take()
    if (!isUtf8(whole)) throw new Error('the server sent an event that is no UTF-8')
    controller.enqueue(whole)
  }
  return {
    transform(chunk, controller) {
      let start = 0
      for (let at = 0; at < chunk.length; at++) {
        const isEnd = chunk[at] === LF || chunk[at] === CR
        if (isEnd && atLineStart) inEvent = 0
        else grow(1)
        if (isEnd) {
          pass(chunk.subarray(start, at + 1), controller)
          start = at + 1
        }
        atLineStart = isEnd
      }
      if (start < chunk.length) held.add(chunk.subarray(start))
    },
    flush(controller) {
      if (held.length > 0) pass(new Uint8Array(), controller)
    },
  }
}
