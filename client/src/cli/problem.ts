import {
  CountersignError,
  isJsonObject,
  type ErrorDetail,
  type JsonObject,
  type JsonValue,
} from '../core/index.js'
import { objectsOf, shownMember } from './members.js'

const MAX_VALUES = 16

/** A registry's refusal (RFC 9457) as an error of ours: its own stable code, and the values that explain it. */
export function problemOf(
  response: Pick<Response, 'status' | 'headers'>,
  answer: JsonValue,
): CountersignError {
  const { status } = response
  const problem = isJsonObject(answer) ? answer : {}
  const code = shownMember(problem, 'code')
  const traceId = shownMember(problem, 'traceId')
  const message = shownMember(problem, 'detail') || shownMember(problem, 'title')
  const retryAfter = readSeconds(response.headers.get('retry-after'))
  return new CountersignError(
    familyOf(status),
    message === '' ? `the registry answered ${status}` : message,
    {
      ...explain(problem['explanation']),
      code: code === '' ? `http-${status}` : code,
      status,
      ...fieldsOf(problem),
      ...(traceId !== '' && { traceId }),
      ...(retryAfter !== undefined && { retryAfter }),
    },
  )
}

function readSeconds(header: string | null): number | undefined {
  return header !== null && /^[0-9]{1,6}$/.test(header) ? Number(header) : undefined
}

/** Busy or behind a door that is shut counts as not there: the same command may do later. */
function familyOf(status: number): 'registry-unreachable' | 'registry-error' | 'registry-refused' {
  if (status === 502 || status === 503 || status === 504) return 'registry-unreachable'
  return status >= 500 ? 'registry-error' : 'registry-refused'
}

function fieldsOf(problem: JsonObject): { fields?: string[] } {
  const { fields } = problem
  const texts = Array.isArray(fields) ? fields.filter((one) => typeof one === 'string') : []
  return texts.length === 0 ? {} : { fields: texts }
}

/** The values beside the code, as far as they are plain; findings of the gates and broken rules one line each. */
function explain(explanation: JsonValue | undefined): ErrorDetail {
  if (!isJsonObject(explanation)) return {}
  const detail: Record<string, ErrorDetail[string]> = {}
  for (const [name, value] of Object.entries(explanation).slice(0, MAX_VALUES)) {
    if (name === 'findings')
      detail[name] = objectsOf(value)
        .slice(0, 2 * MAX_VALUES)
        .map(findingText)
    else if (name === 'rules')
      detail[name] = objectsOf(value)
        .slice(0, MAX_VALUES)
        .map((rule) => `${shownMember(rule, 'field')}: ${shownMember(rule, 'rule')}`)
    else if (value === null || typeof value !== 'object') detail[name] = value
  }
  return detail
}

function findingText(finding: JsonObject): string {
  const words = ['rule', 'pointer', 'message', 'shown'].map((name) => shownMember(finding, name))
  return words.filter((word) => word !== '').join(' · ')
}
