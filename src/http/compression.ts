import compression from 'compression'
import type { RequestHandler, Response } from 'express'
import { localsOf } from './route.js'

const THRESHOLD_BYTES = 1024

/**
 * Compresses answers that are worth it. Never a stream of events, which would wait in the compressor, and never a
 * secret: its length would tell of it.
 */
export function compressAnswers(): RequestHandler {
  return compression({
    threshold: THRESHOLD_BYTES,
    filter: (req, res: Response) => {
      if (localsOf(res).isSecret === true) return false
      const type = res.getHeader('Content-Type')
      if (typeof type === 'string' && type.startsWith('text/event-stream')) return false
      return compression.filter(req, res)
    },
  })
}
