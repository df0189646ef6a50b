import type { ServerResponse } from 'node:http'
import { CountersignError, type ErrorCode } from 'countersign/core'
import { ZodError } from 'zod'
import { DPOP_ALGORITHMS } from '../auth/token/dpop.js'
import { AuthError, type AuthCode } from '../auth/errors.js'
import { JudgeUnavailable } from '../judge/errors.js'
import { LedgerBusy, LedgerClosed, LedgerFatal, LedgerRefusal } from '../log/errors.js'
import { ManifestRefused } from '../publish/errors.js'
import { StoreError, type StoreErrorCode } from '../storage/errors.js'
import { AUTH_PROBLEMS } from './problems/auth.js'
import type { ProblemEntry } from './problems/entry.js'
import { FORMAT_PROBLEMS, GATE_PROBLEMS } from './problems/format.js'
import { HTTP_PROBLEMS, type HttpCode } from './problems/http.js'
import { REFUSALS } from './problems/log.js'

export type { HttpCode }

export class HttpProblem extends Error {
  override readonly name = 'HttpProblem'
  readonly code: HttpCode
  readonly headers: Readonly<Record<string, string>>

  constructor(code: HttpCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

/** RFC 9457, with the stable `code`, the paths at fault, and the id under which the log knows more. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fields?: readonly string[]
  /** The values that explain it, as `explanation` in the document. */
  readonly explanation?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The one place that knows which refusal is which status. What nobody foresaw is a 500 that says nothing. */
export function toProblem(error: unknown, resourceMetadata: string): Problem {
  if (error instanceof HttpProblem) return httpProblem(error)
  if (error instanceof AuthError) return authProblem(error, resourceMetadata)
  if (error instanceof LedgerRefusal) {
    return {
      status: REFUSALS[error.code].status,
      code: error.code,
      detail: error.message,
      explanation: error.detail,
    }
  }
  if (error instanceof CountersignError) return formatProblem(error)
  if (error instanceof ManifestRefused) {
    const { status } = GATE_PROBLEMS[error.code]
    return { status, code: error.code, detail: error.message, explanation: { findings: error.findings } }
  }
  if (error instanceof ZodError) return shapeProblem(error)
  // Without a cause it is no write that failed, but a read before the first publication.
  if (error instanceof LedgerFatal && error.code === 'not-published' && error.cause === undefined) {
    return unavailable('nothing is published yet: the witnesses have not cosigned')
  }
  if (error instanceof LedgerBusy || error instanceof LedgerClosed || error instanceof LedgerFatal) {
    return unavailable('the log takes nothing right now')
  }
  if (error instanceof JudgeUnavailable) return unavailable('this cannot be judged right now')
  if (error instanceof StoreError && isOutage(error.code)) return unavailable('the database cannot be used')
  return parserProblem(error) ?? httpProblem(new HttpProblem('internal', 'something went wrong on our side'))
}

export function sendProblem(res: ServerResponse, problem: Problem, traceId: string): void {
  if (res.headersSent) {
    res.destroy()
    return
  }
  const body = formatProblemDocument(problem, traceId)
  res.writeHead(problem.status, {
    ...problem.headers,
    'Content-Type': 'application/problem+json',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  res.end(body)
}

/** The document of RFC 9457, as bytes. */
export function formatProblemDocument(problem: Problem, traceId: string): Buffer {
  const { status, code, detail, fields, explanation } = problem
  const title = TITLES[status] ?? 'Error'
  return Buffer.from(
    JSON.stringify({ type: 'about:blank', title, status, code, detail, fields, explanation, traceId }),
  )
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

function httpProblem({ code, message, headers }: HttpProblem): Problem {
  return { status: HTTP_PROBLEMS[code].status, code, detail: message, headers }
}

function unavailable(detail: string): Problem {
  return httpProblem(new HttpProblem('unavailable', detail, { 'Retry-After': '2' }))
}

/** A disk that is full or cannot be read passes; every other failure of the cellar is a mistake of ours. */
function isOutage(code: StoreErrorCode): boolean {
  return ['io', 'closed', 'commit-unknown', 'lost-race', 'busy', 'unavailable'].includes(code)
}

function authProblem(error: AuthError, resourceMetadata: string): Problem {
  const problem = { status: AUTH_PROBLEMS[error.code].status, code: error.code, detail: error.message }
  const retryAfter = error.retryAfter ?? (problem.status === 503 ? 2 : undefined)
  if (retryAfter !== undefined) return { ...problem, headers: { 'Retry-After': String(retryAfter) } }
  const challenge = bearerError(error.code)
  if (challenge === undefined) return problem
  const isProof = error.code.startsWith('dpop')
  const scheme = isProof ? 'DPoP' : 'Bearer'
  const words = [`resource_metadata="${resourceMetadata}"`, challenge]
  if (error.scope !== undefined) words.push(`scope="${error.scope}"`)
  // RFC 9449 7.1: what a proof may be signed with.
  if (isProof) words.push(`algs="${DPOP_ALGORITHMS.join(' ')}"`)
  return {
    ...problem,
    headers: { 'WWW-Authenticate': `${scheme} ${words.filter((word) => word !== '').join(', ')}` },
  }
}

/** RFC 6750 section 3: a request without any token is told where to get one, and no error. */
function bearerError(code: AuthCode): string | undefined {
  switch (code) {
    case 'token-missing':
      return ''
    case 'token-invalid':
    case 'account-disabled':
      return 'error="invalid_token"'
    case 'scope-missing':
    case 'role-missing':
    case 'token-limited':
      return 'error="insufficient_scope"'
    case 'dpop-invalid':
    case 'dpop-required':
      return 'error="invalid_dpop_proof"'
    default:
      return undefined
  }
}

const formats: Partial<Record<ErrorCode, ProblemEntry>> = FORMAT_PROBLEMS

function formatProblem(error: CountersignError): Problem {
  const status = formats[error.code]?.status
  if (status === undefined)
    return { status: 500, code: 'internal', detail: 'something went wrong on our side' }
  return { status, code: error.code, detail: error.message, explanation: error.detail }
}

/** Where the request is wrong, as JSON pointers, and the rule each breaks; an unknown member is named by its own path. */
function shapeProblem(error: ZodError): Problem {
  const broken = error.issues.flatMap((issue) => {
    const at = issue.path.map(String)
    if (issue.code !== 'unrecognized_keys') return [{ field: pointer(at), rule: issue.message.slice(0, 200) }]
    return issue.keys.map((key) => ({ field: pointer([...at, key]), rule: 'no such member here' }))
  })
  const rules = broken.slice(0, 32)
  const detail = 'the request has members that are missing, unknown or wrong'
  return {
    ...{ status: 400, code: 'request-invalid', detail },
    ...{ fields: rules.map(({ field }) => field), explanation: { rules } },
  }
}

function pointer(path: readonly string[]): string {
  return path.map((part) => `/${part.slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** What Express and its body parser throw, told apart by the marks they document. */
function parserProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const { type, status } = error as Error & { type?: unknown; status?: unknown }
  if (type === 'entity.too.large')
    return httpProblem(new HttpProblem('body-too-large', 'the body is too large'))
  if (type === 'encoding.unsupported') {
    return httpProblem(
      new HttpProblem('media-type-unsupported', 'a body is sent as it is, without an encoding'),
    )
  }
  if (type === 'request.aborted')
    return httpProblem(new HttpProblem('request-aborted', 'the request ended too early'))
  if (status === 400) return httpProblem(new HttpProblem('request-invalid', 'the request cannot be read'))
  return undefined
}
