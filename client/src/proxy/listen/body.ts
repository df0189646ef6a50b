import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { isJsonObject, type JsonObject } from '../../core/index.js'
import { ByteBuffer } from '../byte-buffer.js'
import { keepExactText } from '../exact-text.js'
import { MAX_LINE_BYTES } from '../line-reader.js'

/** What a POST said, or the status with which it is refused. */
export type Body = JsonObject | 400 | 413 | 415

/** One message: no batch, no other type, no more than 10 MB, UTF-8. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') return 415
  const body = new ByteBuffer()
  for await (const part of request as AsyncIterable<Buffer>) {
    body.add(part)
    if (body.length > MAX_LINE_BYTES) return 413
  }
  const bytes = body.take()
  if (!isUtf8(bytes)) return 400
  try {
    const text = bytes.toString('utf8')
    const value: unknown = JSON.parse(text)
    if (!isJsonObject(value)) return 400
    keepExactText(value, text)
    return value
  } catch {
    return 400
  }
}
