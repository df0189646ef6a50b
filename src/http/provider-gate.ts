import type { RequestHandler } from 'express'
import { PROVIDER_PATHS, type ProviderHandler } from '../auth/provider.js'
import { addressKey, type Limiter } from './limits.js'

/**
 * The authorization server answers everything it is given, 404 included: it is given its own paths and no
 * others.
 */
export function providerGate(provider: ProviderHandler, limiter: Limiter): RequestHandler {
  return async (req, res, next) => {
    if (!PROVIDER_PATHS.has(req.path)) {
      next()
      return
    }
    if (req.method === 'POST') res.set(await limiter('token', addressKey(req.ip)))
    await provider(req, res)
  }
}
