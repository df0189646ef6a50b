import type { RequestHandler } from 'express'
import { raw } from 'express'
import { MAX_ENVELOPE_BYTES, parseStrictJson, parseText } from 'countersign/core'
import type { z } from 'zod'
import { HttpProblem } from './problems.js'

/** Any body but an envelope, in bytes. */
const MAX_JSON_BYTES = 64 * 1024

/** How a route reads its body: an envelope's text, or strict JSON of exactly this shape. */
export interface BodyReader<B> {
  readonly receive: RequestHandler
  parse(bytes: Uint8Array): B
}

/** `application/jose`: the compact envelope as text, untouched. */
export const envelopeBody: BodyReader<string> = {
  receive: receive('application/jose', MAX_ENVELOPE_BYTES),
  parse: (bytes) => parseText(bytes, MAX_ENVELOPE_BYTES),
}

/** `application/json`, no duplicate and no unknown members. */
export function jsonBody<B>(schema: z.ZodType<B>): BodyReader<B> {
  return {
    receive: receive('application/json', MAX_JSON_BYTES),
    parse: (bytes) => schema.parse(parseStrictJson(bytes, { maxBytes: MAX_JSON_BYTES, maxDepth: 16 })),
  }
}

/** The type is checked before a byte is read, the size while they arrive; compressed bodies are refused. */
function receive(type: string, limit: number): RequestHandler {
  const read: RequestHandler = raw({ type, limit, inflate: false })
  return (req, res, next) => {
    if (req.is(type) !== type) {
      next(new HttpProblem('media-type-unsupported', `the body must be ${type}`))
      return
    }
    read(req, res, next)
  }
}
