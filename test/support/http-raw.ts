import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request as it came, its body parsed where it is JSON. */
export interface RawRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: { id?: string | number; method?: string; params?: Record<string, unknown> } | undefined
}

export interface RawHttp {
  readonly url: string
  readonly requests: RawRequest[]
  /** Response streams that the client closed before they were ended. */
  readonly abandoned: RawRequest[]
  close(): Promise<void>
}

/** No connection is closed at the moment when a client that was late uses it again. */
export const LONG_MS = 300_000

/** An HTTP server on loopback that answers exactly what a test says; closed with the test. */
export async function openRawHttp(
  answer: (request: RawRequest, response: ServerResponse) => void,
): Promise<RawHttp> {
  const requests: RawRequest[] = []
  const abandoned: RawRequest[] = []
  const server = createServer({ keepAliveTimeout: LONG_MS }, (incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming
      const text = Buffer.concat(parts).toString('utf8')
      const body = text.startsWith('{') ? (JSON.parse(text) as NonNullable<RawRequest['body']>) : undefined
      const request: RawRequest = { method, url, headers, text, body }
      requests.push(request)
      response.on('close', () => response.writableEnded || abandoned.push(request))
      answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  let closing: Promise<void> | undefined
  const close = (): Promise<void> =>
    (closing ??= new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }))
  onTestFinished(close)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, requests, abandoned, close }
}

export function sendJson(
  response: ServerResponse,
  message: object,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(200, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify({ jsonrpc: '2.0', ...message }))
}

export function openEvents(response: ServerResponse): (message: object) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  return (message) => response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
}
