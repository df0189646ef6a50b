import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { OutsideError, type OutsideAnswer } from './outside.js'

/** Sends and collects: an answer of at most so many bytes, or OutsideError. The request carries its own deadline. */
export function exchange(
  request: ClientRequest,
  body: string | undefined,
  maxBytes: number,
): Promise<OutsideAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      request.destroy()
      reject(failure(cause))
    }
    request.on('error', fail)
    // An answer that changes the protocol ends the connection without an answer and without an error.
    const onClose = (): void => fail(new Error('the connection ended without an answer'))
    request.on('close', onClose)
    request.on('response', (response) => {
      request.off('close', onClose)
      response.on('error', fail)
      collect(response, maxBytes).then(resolve, fail)
    })
    request.end(body)
  })
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<OutsideAnswer> {
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return {
    status: response.statusCode ?? 0,
    headers: plainHeaders(response.headers),
    body: Buffer.concat(chunks),
  }
}

function tooLarge(maxBytes: number): OutsideError {
  return new OutsideError('too-large', `the answer has more than ${maxBytes} bytes`)
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const plain = Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')])
  return Object.fromEntries(plain) as Record<string, string>
}

function failure(cause: unknown): OutsideError {
  if (cause instanceof OutsideError) return cause
  return new OutsideError('unreachable', 'no connection, or no answer in time', { cause })
}
