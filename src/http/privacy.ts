import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'
import { AuthError } from '../auth/errors.js'
import { assertScope, READ_SCOPE, type Principal } from '../auth/scopes.js'
import type { Authenticate } from '../auth/token.js'
import type { Privacy } from '../config.js'
import { localsOf, type Method } from './route.js'

/** Who reads: everybody, or whoever has a token with `registry:read`. */
export interface Readers {
  /** Whether any read is closed: then nothing is for shared caches and for pages of other origins. */
  readonly isPrivate: boolean
  /** The scope that an open route asks for here. */
  scopeOf(method: Method, path: string): typeof READ_SCOPE | undefined
  /**
   * Before a byte of a document leaves; undefined, at once, where anyone may read it. `path`: what is served, in one
   * spelling. Rejects with AuthError.
   */
  readonly assertReader: (req: IncomingMessage, path: string) => Promise<unknown> | undefined
  /** The same for routes that are no line of the API's index, by their path. */
  readonly gate: RequestHandler
}

export function openReaders(privacy: Privacy | undefined, authenticate: Authenticate): Readers {
  const read = async (req: IncomingMessage, target: string): Promise<Principal> => {
    const { authorization } = req.headers
    if (authorization === undefined) {
      throw new AuthError('token-missing', 'this registry is read with an access token', {
        scope: READ_SCOPE,
      })
    }
    const dpop = req.headersDistinct['dpop']
    const { method = 'GET' } = req
    const principal = await authenticate({ method, path: target, authorization, dpop })
    assertScope(principal, READ_SCOPE)
    return principal
  }
  return {
    isPrivate: privacy !== undefined,
    scopeOf: (method, path) =>
      privacy !== undefined && method === 'get' && path.startsWith('/v1/') ? READ_SCOPE : undefined,
    assertReader: (req, path) =>
      isRead(req.method) && isClosedDocument(path, privacy) ? read(req, req.url ?? '') : undefined,
    gate: async (req, res, next) => {
      const isClosed = isRead(req.method) && isClosedRoute(req.path, privacy)
      if (isClosed) localsOf(res).principal = await read(req, req.originalUrl)
      next()
    },
  }
}

/** A preflight carries no token, and whatever writes has a scope of its own. */
function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Closed unless known to be open: a document that nobody thought of here is closed as well. */
function isClosedDocument(path: string, privacy: Privacy | undefined): boolean {
  return privacy === 'all' || (privacy === 'reads' && !path.startsWith('/log/'))
}

function isClosedRoute(path: string, privacy: Privacy | undefined): boolean {
  if (privacy === undefined) return false
  if (/^\/v1\/events(?:\/|$)/i.test(path)) return true
  return privacy === 'all' && /^\/v0(?:\.|%2e|$|\/)/i.test(path)
}
