import type { RequestHandler } from 'express'
import type { Context } from '../publishers/context.js'

export interface EventStreams {
  readonly handler: RequestHandler
  /** Ends every stream: clients come again with the index they have. */
  close(): void
}

/** `GET /v1/events`: what is published, as server-sent events; resumable by log index. */
export function openEventStreams(context: Pick<Context, 'store' | 'ledger'>): EventStreams {
  void context
  return { handler: (_req, _res, next) => next(), close: () => undefined }
}
