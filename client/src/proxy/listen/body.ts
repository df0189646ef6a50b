import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { isJsonObject, type JsonObject } from '../../core/index.js'
import { MAX_LINE_BYTES } from '../line-reader.js'

/** What a POST said, or the status with which it is refused. */
export type Body = JsonObject | 400 | 413 | 415

/** One message: no batch, no other type, no more than 10 MB, UTF-8. */
export async function readBody(request: IncomingMessage): Promise<Body> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') return 415
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_LINE_BYTES) return 413
    parts.push(part)
  }
  const bytes = Buffer.concat(parts)
  if (!isUtf8(bytes)) return 400
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isJsonObject(value) ? value : 400
  } catch {
    return 400
  }
}
