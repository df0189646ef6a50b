import { TransformStream, type Transformer } from 'node:stream/web'
import { CountersignError, parseStrictJson, refuse, type JsonObject } from '../core/index.js'
import { Conversation } from './conversation.js'
import { MAX_LINE_BYTES, readFrame } from './frames.js'
import type { Session } from './session.js'
import { takeAll } from './stdio-session.js'
import { readProtocol } from './surface.js'

/**
 * Reaches a remote server over Streamable HTTP. The SDK's transport does the framing; the bytes pass through
 * {@link strictFetch} first, because only they show a duplicate member or a number that no double holds.
 */
export async function openHttpSession(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<Session> {
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client')
  const transport = new StreamableHTTPClientTransport(parseServerUrl(url), {
    requestInit: { headers: { ...headers } },
    fetch: strictFetch,
  })
  const conversation = new Conversation((frame) => {
    transport.send(frame as never).catch((error: unknown) => conversation.break(asFailure(error)))
  })
  transport.onmessage = (message) => {
    conversation.receive(message as unknown as JsonObject)
  }
  transport.onclose = () =>
    conversation.break(new CountersignError('capture-failed', 'the connection was closed'))
  await transport.start()
  return {
    request: async (method, params, timeoutMs) => {
      const result = await conversation.request(method, params, timeoutMs)
      if (method === 'initialize') transport.setProtocolVersion(readProtocol(result))
      return result
    },
    notify: (method) =>
      transport.send({ jsonrpc: '2.0', method }).catch((error: unknown) => {
        throw asFailure(error)
      }),
    takeChanged: () => takeAll(conversation.changed),
    noise: 0,
    complaint: '',
    close: () => transport.close().catch(() => undefined),
  }
}

/** @throws CountersignError `usage` unless https, or http to this machine */
export function parseServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const local = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    refuse('usage', 'a server URL is https:// (http:// only for this machine)')
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    refuse('usage', 'a server URL carries no password and no fragment')
  }
  return url
}

async function strictFetch(input: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, { ...init, redirect: 'error' })
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !response.ok) return response
  const reader = type.includes('text/event-stream') ? eventCheck() : bodyCheck()
  const body = response.body.pipeThrough<Uint8Array>(new TransformStream(reader) as never)
  return new Response(body, { status: response.status, headers: response.headers })
}

/** Holds a whole JSON body back until the strict parser has read it. */
function bodyCheck(): Transformer<Uint8Array, Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  return {
    transform(chunk) {
      length += chunk.length
      if (length > MAX_LINE_BYTES) refuse('capture-failed', 'the server sent a body of more than 10 MB')
      parts.push(chunk)
    },
    flush(controller) {
      const bytes = Buffer.concat(parts)
      if (bytes.length > 0 && readFrame(bytes) === undefined) {
        refuse('capture-failed', 'the server sent a body that is no single JSON-RPC message')
      }
      controller.enqueue(bytes)
    },
  }
}

/** Holds each server-sent event back until its data was read strictly. */
function eventCheck(): Transformer<Uint8Array, Uint8Array> {
  let held = ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const encoder = new TextEncoder()
  return {
    transform(chunk, controller) {
      held += decoder.decode(chunk, { stream: true })
      if (held.length > MAX_LINE_BYTES)
        refuse('capture-failed', 'the server sent an event of more than 10 MB')
      for (let cut = eventEnd(held); cut > 0; cut = eventEnd(held)) {
        checkEvent(held.slice(0, cut))
        controller.enqueue(encoder.encode(held.slice(0, cut)))
        held = held.slice(cut)
      }
    },
  }
}

function eventEnd(text: string): number {
  const match = /\r\n\r\n|\n\n|\r\r/.exec(text)
  return match === null ? 0 : match.index + match[0].length
}

function checkEvent(event: string): void {
  const data = event
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).replace(/^ /, ''))
    .join('\n')
  if (data !== '') parseStrictJson(data, { maxBytes: MAX_LINE_BYTES })
}

function asFailure(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error
  const said = error instanceof Error ? error.message : String(error)
  return new CountersignError(
    'capture-failed',
    `the server could not be reached: ${said}`,
    {},
    { cause: error },
  )
}
