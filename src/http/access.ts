import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { Logger } from 'pino'
import { sendProblem, toProblem } from './problems.js'
import { localsOf } from './route.js'

/** One line a request: no query, no header, no body, so that no secret can be in it. */
export function logAccess(log: Logger): RequestHandler {
  return (req, res, next) => {
    const started = performance.now()
    res.on('finish', () => {
      const { traceId, principal } = localsOf(res)
      log.info(
        {
          traceId,
          method: req.method,
          path: req.path,
          status: res.statusCode,
          ms: Math.round(performance.now() - started),
          account: principal?.account,
        },
        'request',
      )
    })
    next()
  }
}

export interface Problems {
  readonly handler: ErrorRequestHandler
  answer(error: unknown, req: IncomingMessage, res: ServerResponse): void
}

/**
 * Every error ends here: the caller gets the problem, the log keeps the inner reason under the same trace id.
 */
export function answerProblems(resourceMetadata: string, log: Logger): Problems {
  const respond = (error: unknown, res: ServerResponse, traceId: string): void => {
    const problem = toProblem(error, resourceMetadata)
    if (problem.status >= 500) log.error({ traceId, code: problem.code, err: error }, 'request failed')
    else log.debug({ traceId, code: problem.code, detail: problem.detail }, 'request refused')
    sendProblem(res, problem, traceId)
  }
  return {
    // Express tells an error handler by its four parameters.
    // eslint-disable-next-line @typescript-eslint/no-unused-vars -- counted, not used
    handler: (error, _req, res, _next) => respond(error, res, localsOf(res).traceId),
    answer: (error, _req, res) => respond(error, res, randomUUID()),
  }
}
