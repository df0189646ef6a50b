import type { Request, RequestHandler, Response } from 'express'
import { raw } from 'express'
import { MAX_ENVELOPE_BYTES, parseStrictJson, parseText } from 'countersign/core'
import type { z } from 'zod'
import { HttpProblem } from './problems.js'

/** Any body but an envelope, in bytes. */
const MAX_JSON_BYTES = 64 * 1024

/** How a route reads its body: an envelope's text, or strict JSON of exactly this shape. */
export interface BodyReader<B> {
  /** Most bytes it reads. */
  readonly limit: number
  readonly type: 'application/jose' | 'application/json' | 'text/plain'
  /** Of JSON bodies. */
  readonly schema?: z.ZodType
  receive(req: Request, res: Response): Promise<void>
  parse(bytes: Uint8Array): B
}

/** `application/jose`: the compact envelope as text, untouched. */
export const envelopeBody: BodyReader<string> = {
  limit: MAX_ENVELOPE_BYTES,
  type: 'application/jose',
  receive: receiveBytes('application/jose', MAX_ENVELOPE_BYTES),
  parse: (bytes) => parseText(bytes, MAX_ENVELOPE_BYTES),
}

/** `application/json`, no duplicate and no unknown members. */
export function jsonBody<B>(schema: z.ZodType<B>): BodyReader<B> {
  return {
    limit: MAX_JSON_BYTES,
    type: 'application/json',
    schema,
    receive: receiveBytes('application/json', MAX_JSON_BYTES),
    parse: (bytes) => schema.parse(parseStrictJson(bytes, { maxBytes: MAX_JSON_BYTES, maxDepth: 16 })),
  }
}

/** `text/plain`: a signed note, as the bytes that arrived. */
export function noteBody(limit: number): BodyReader<Uint8Array> {
  return { limit, type: 'text/plain', receive: receiveBytes('text/plain', limit), parse: (bytes) => bytes }
}

/** The type is checked before a byte is read, the size while they arrive; compressed bodies are refused. */
export function receiveBytes(type: string, limit: number): BodyReader<unknown>['receive'] {
  const read: RequestHandler = raw({ type, limit, inflate: false })
  return async (req, res) => {
    if (req.is(type) !== type) throw new HttpProblem('media-type-unsupported', `the body must be ${type}`)
    await Promise.race([tooLarge(req, limit), readWhole(req, res, read)])
  }
}

/**
 * Rejects as soon as the body is known to be too large, and never resolves. The parser says so as well, but only when
 * all of it has come: whoever sends without an end would be told nothing, and keep the room of their body.
 */
function tooLarge(req: Request, limit: number): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = (): void =>
      reject(new HttpProblem('body-too-large', `the body is larger than ${limit} bytes`))
    if (Number(req.headers['content-length'] ?? 0) > limit) refuse()
    let came = 0
    req.on('data', (chunk: Buffer) => {
      came += chunk.length
      if (came > limit) refuse()
    })
  })
}

function readWhole(req: Request, res: Response, read: RequestHandler): Promise<void> {
  return new Promise((resolve, reject) => {
    void read(req, res, (error?: unknown) => {
      if (error === undefined) resolve()
      else reject(error instanceof Error ? error : new Error('the body cannot be read', { cause: error }))
    })
  })
}
