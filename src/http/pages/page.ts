import type { ErrorRequestHandler, Request, RequestHandler, Response, Router } from 'express'
import type { Logger } from 'pino'
import { errorPage, pageHeaders } from '../../auth/pages/index.js'
import { addressKey, type Limiter } from '../limits.js'
import { toProblem, type Problem } from '../problems.js'
import { localsOf } from '../route.js'
import type { Csrf } from './csrf.js'
import { parseForm, receiveForm, type Form } from './form.js'
import { PageRefused } from './refused.js'

/** What is sent; undefined when the authorization server has answered with a redirect of its own. */
export interface Page {
  readonly status?: number
  readonly html: string
  readonly formTargets?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}
export type Answer = Page | { readonly redirect: string } | undefined

/** One visit: everything checked that is the same for all pages. */
export interface Visit {
  readonly req: Request
  readonly res: Response
  readonly address: string
  /** A token for a form of this page that posts there. */
  readonly csrf: (action: string) => string
  /** Empty for a GET. */
  readonly form: Form
}
export type Visitor = (visit: Visit) => Promise<Answer>

export interface PageTools {
  readonly csrf: Csrf
  readonly limiter: Limiter
  readonly registry: string
  readonly log: Logger
}

const NO_FORM: Form = { text: () => '' }

/** A page that is read. */
export function addGet(router: Router, path: string, tools: PageTools, visitor: Visitor): void {
  router.get(path, prepare, async (req, res) => {
    answer(res, await visitor(visit(req, res, tools, NO_FORM)))
  })
}

/** A form: how often, its bytes, whether it is ours, and only then what it says. */
export function addPost(router: Router, path: string, tools: PageTools, visitor: Visitor): void {
  const count: RequestHandler = async (req, _res, next) => {
    await tools.limiter('token', addressKey(req.ip))
    next()
  }
  router.post(path, prepare, count, receiveForm, async (req, res) => {
    const form = parseForm(req)
    tools.csrf.assert(req, req.path, form.text('csrf'))
    answer(res, await visitor(visit(req, res, tools, form)))
  })
}

/** Before anything else, so that redirects and errors have the pages' headers, too. */
const prepare: RequestHandler = (_req, res, next) => {
  res.set(pageHeaders())
  next()
}

function visit(req: Request, res: Response, { csrf }: PageTools, form: Form): Visit {
  let cookie: string | undefined
  const token = (action: string): string => {
    if (cookie === undefined) {
      const { value, set } = csrf.cookieFor(req)
      cookie = value
      if (set !== undefined) res.append('Set-Cookie', set)
    }
    return csrf.token(cookie, action)
  }
  return { req, res, address: addressKey(req.ip), csrf: token, form }
}

function answer(res: Response, given: Answer): void {
  if (given === undefined) return
  if ('redirect' in given) {
    res.redirect(303, given.redirect)
    return
  }
  const { status = 200, html, formTargets = [], headers = {} } = given
  res.status(status).set({ ...pageHeaders(formTargets), ...headers })
  res.end(html)
}

/** Refusals of pages are pages: the same codes, and the log keeps the inner reason under the same trace id. */
export function answerErrors({ registry, log }: PageTools): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- counted, not used
  return (error: unknown, req, res, _next) => {
    const { traceId } = localsOf(res)
    const { status, code, detail, headers = {} } = problemOf(error)
    if (status >= 500) log.error({ traceId, code, err: error }, 'page failed')
    else log.debug({ traceId, code, detail }, 'page refused')
    if (res.headersSent) {
      res.destroy()
      return
    }
    const again = code === 'interaction-gone' || code === 'not-found' ? {} : { again: req.path }
    res.status(status).set({ ...pageHeaders(), ...headers })
    res.end(errorPage({ code, detail, registry, traceId, ...again }))
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof PageRefused) return { status: 403, code: error.code, detail: error.message }
  const { headers = {}, ...problem } = toProblem(error, '')
  // A challenge is for programs with tokens.
  const forPeople = Object.entries(headers).filter(([name]) => name !== 'WWW-Authenticate')
  return { ...problem, headers: Object.fromEntries(forPeople) }
}
