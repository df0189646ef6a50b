import type { Request, RequestHandler, Response } from 'express'
import type { Auth } from '../auth/auth.js'
import { errorPage, pageHeaders } from '../auth/pages/index.js'
import { isForBrowsers, isPublished, ROUTES } from '../auth/provider/paths.js'
import { addressKey, type Limiter } from './limits.js'
import { HttpProblem, toProblem } from './problems.js'

/**
 * The authorization server answers everything it is given, 404 included: it is given its own paths and no others, and
 * from one address no more than it can do. Each look at its login makes a row, so those are counted as well, and once
 * more for all addresses together.
 */
export function providerGate({ provider, owns }: Auth, limiter: Limiter, publicUrl: string): RequestHandler {
  const registry = new URL(publicUrl).host
  return async (req, res, next) => {
    if (!owns(req.path)) {
      next()
      return
    }
    try {
      if (!isPublished(req.path)) res.set(await count(req, limiter))
      assertSmall(req)
      if (BEGINS.has(req.path)) await limiter('starts', 'all')
    } catch (error) {
      refuse(error, req, res, registry)
      return
    }
    await provider(req, res)
  }
}

/** Where whoever comes, known or not, makes us keep something. */
const BEGINS: ReadonlySet<string> = new Set([
  ROUTES.authorization,
  ROUTES.device_authorization,
  ROUTES.code_verification,
])

/** Most of what is sent is kept until the login is over; only an exchanged token is long, and that is not kept. */
const MAX_URL = 4096
const MAX_BODY = 4096
const MAX_TOKEN_BODY = 32_768

function assertSmall({ method, originalUrl, path, headers }: Request): void {
  if (originalUrl.length > MAX_URL) {
    throw new HttpProblem('request-invalid', `the address is longer than ${MAX_URL} characters`)
  }
  if (method !== 'POST') return
  const length = Number(headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? 0 : NaN))
  if (Number.isNaN(length)) throw new HttpProblem('request-invalid', 'the body must announce its length')
  const most = path === ROUTES.token ? MAX_TOKEN_BODY : MAX_BODY
  if (length > most) throw new HttpProblem('body-too-large', `the body is larger than ${most} bytes`)
}

/** Browsers are shown a page, programs the problem. */
function refuse(error: unknown, req: Request, res: Response, registry: string): void {
  if (!(error instanceof HttpProblem) || !isForBrowsers(req.path)) throw error
  const { status, code, detail, headers } = toProblem(error, '')
  res.status(status).set({ ...headers, ...pageHeaders() })
  res.end(errorPage({ code, detail, registry }))
}

/** A device's code is short enough to be worth guessing: trying one counts like trying a password. */
function count(req: Request, limiter: Limiter): Promise<Readonly<Record<string, string>>> {
  const address = addressKey(req.ip)
  const triesCode = req.method === 'POST' && req.path === ROUTES.code_verification
  return triesCode ? limiter('bootstrap', `device ${address}`) : limiter('token', address)
}
