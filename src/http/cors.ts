import type { RequestHandler, Response } from 'express'

/** What a page of another origin is told before it sends a token: its own, since there are no cookies to borrow. */
export const PREFLIGHT = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD',
  'Access-Control-Allow-Headers': 'Authorization, DPoP, If-None-Match, Last-Event-ID, X-Request-Id',
  'Access-Control-Max-Age': '86400',
} as const

/** What anyone may read, a page of any origin may read: the body, the plain headers, and these. */
const OPEN = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers':
    'ETag, Location, Retry-After, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id',
} as const

/** The same of a finished document, which carries none of them but its tag. */
export const OPEN_DOCUMENT = { ...OPEN, 'Access-Control-Expose-Headers': 'ETag' } as const

export function allowAnyOrigin(res: Response): void {
  res.set(OPEN)
}

/** A browser asks before it sends a token; this is answered without one. */
export const preflight: RequestHandler = (_req, res) => {
  res.set({ ...PREFLIGHT, 'Cache-Control': 'no-store' })
  res.status(204).end()
}
