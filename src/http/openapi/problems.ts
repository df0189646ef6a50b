import { codesOf, PROBLEMS, problemsByStatus } from '../problems/table.js'
import type { JsonSchema, Reference, Response } from './types.js'

const STATUSES = [...new Set(problemsByStatus().map(({ status }) => status))]

/** RFC 9457 with what every problem here has besides. */
const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'RFC 9457. Every code, with its meaning and what to do, is at /docs/problems.',
  required: ['type', 'title', 'status', 'code', 'detail', 'traceId'],
  properties: {
    type: { type: 'string', const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { $ref: '#/components/schemas/ProblemCode' },
    detail: { type: 'string', description: 'For people; may change.' },
    fields: {
      type: 'array',
      items: { type: 'string' },
      description: 'RFC 6901 pointers to what is wrong in the request.',
    },
    explanation: { description: 'The values that explain it; which, the code decides.' },
    traceId: { type: 'string', description: "What the operator's log has it under." },
  },
}

export function problemSchemas(): Readonly<Record<string, JsonSchema>> {
  return { Problem: PROBLEM, ProblemCode: { type: 'string', enum: Object.keys(PROBLEMS).toSorted() } }
}

const WAITING: Readonly<Record<number, readonly string[]>> = {
  401: ['WWW-Authenticate'],
  403: ['WWW-Authenticate'],
  409: ['Retry-After'],
  429: ['Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
  503: ['Retry-After'],
}

/** One response a status, with the codes it can carry. */
export function problemResponses(): Readonly<Record<string, Response>> {
  return Object.fromEntries(STATUSES.map((status) => [`Problem${status}`, problemResponse(status)]))
}

function problemResponse(status: number): Response {
  const codes = codesOf(status)
  const schema = {
    allOf: [{ $ref: '#/components/schemas/Problem' }],
    properties: { status: { const: status }, code: { enum: codes } },
  }
  const headers = WAITING[status]?.map((name) => [name, { $ref: `#/components/headers/${name}` }] as const)
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code]?.meaning ?? ''}`).join('\n\n'),
    ...(headers !== undefined && { headers: Object.fromEntries(headers) }),
    content: { 'application/problem+json': { schema } },
  }
}

export function problemReference(status: number): Reference {
  if (!STATUSES.includes(status)) throw new Error(`no problem has the status ${status}`)
  return { $ref: `#/components/responses/Problem${status}` }
}

export function statusOf(code: string): number {
  const entry = PROBLEMS[code]
  if (entry === undefined) throw new Error(`no problem has the code ${code}`)
  return entry.status
}
