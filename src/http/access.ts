import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import type { Logger } from 'pino'
import type { Counted } from './metrics/answers.js'
import { sendProblem, toProblem } from './problems.js'
import { localsOf } from './route.js'

/**
 * One line a request: no query, no header, no body, so that no secret can be in it. And one more when somebody known
 * changed something.
 */
export function logAccess(log: Logger, count: (answer: Counted) => void): RequestHandler {
  return (req, res, next) => {
    const started = performance.now()
    res.on('close', () => {
      const ms = performance.now() - started
      const { statusCode: status } = res
      log.info({ ...describe(req, res), status, ms: Math.round(ms) }, 'request')
      if (isChange(req, res)) log.info(auditLine(req, res), 'audit')
      count({ route: routeOf(req), method: req.method, status, seconds: ms / 1000 })
    })
    next()
  }
}

function describe(req: Request, res: Response) {
  const { traceId, callerId, parentTrace, principal, isReplay } = localsOf(res)
  return {
    ...{ traceId, callerId, parentTrace, method: req.method, path: req.path, account: principal?.account },
    // The caller went away, or was cut off.
    ...(!res.writableFinished && { aborted: true }),
    ...(isReplay === true && { replayed: true }),
  }
}

function isChange(req: Request, res: Response): boolean {
  const { principal, isReplay } = localsOf(res)
  const isWrite = req.method !== 'GET' && req.method !== 'HEAD'
  return isWrite && principal !== undefined && isReplay !== true && res.statusCode < 400
}

function auditLine(req: Request, res: Response) {
  const { traceId, principal, index } = localsOf(res)
  const { account, person, clientId } = principal ?? {}
  return {
    traceId,
    account,
    person,
    clientId,
    action: `${req.method} ${routeOf(req)}`,
    path: req.path,
    index,
  }
}

/** The pattern that the path matched: there are as many as there are routes, whatever callers write. */
function routeOf(req: Request): string {
  const { path } = (req.route ?? {}) as { path?: unknown }
  return typeof path === 'string' ? path : 'other'
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
    answer(error, _req, res) {
      const traceId = randomUUID()
      if (!res.headersSent) {
        res.setHeader('X-Request-Id', traceId)
        res.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
      }
      respond(error, res, traceId)
    },
  }
}
