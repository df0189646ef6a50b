import type { RequestHandler, Response } from 'express'

/** What a page of another origin may send: a token is its own, since there are no cookies that it could borrow. */
const ALLOWED = 'Authorization, DPoP, If-None-Match, Last-Event-ID, X-Request-Id'
/** What it may read besides the body and the plain headers. */
const EXPOSED =
  'ETag, Location, Retry-After, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id'
const DAY_SECONDS = '86400'

/** What anyone may read, a page of any origin may read. */
export function allowAnyOrigin(res: Response): void {
  res.set({ 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': EXPOSED })
}

/** A browser asks before it sends a token; this is answered without one. */
export const preflight: RequestHandler = (_req, res) => {
  res.set({
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': ALLOWED,
    'Access-Control-Max-Age': DAY_SECONDS,
    'Cache-Control': 'no-store',
  })
  res.status(204).end()
}
