import { isJsonObject, type ErrorDetail, type JsonObject, type VerdictCode } from '../core/index.js'
import { explainVerdict } from '../verdict.js'
import { CALL_METHODS, type CallEnd, type OpenCall } from './call-log.js'
import {
  errorFrame,
  INTERNAL_ERROR,
  resultFrame,
  type RequestFrame,
  type ResponseFrame,
  type RpcError,
} from './frames.js'
import { violation } from './judge-call.js'
import { countHidden, isLarger, MAX_RESULT_SIZE } from './measure.js'
import { rewriteResources, screenInputRequests } from './rewrite.js'
import { LISTS } from './walk.js'
import { strictnessOf, type Session } from './session.js'
import { screenTaskList } from './tasks.js'

/**
 * The server's answer to a request that was forwarded, as the host gets it: the message itself wherever nothing had to
 * change. Results of calls are bounded and held against the signed schema, tasks are noted, and what the server asks of
 * the host's model comes without tools.
 */
export function screenAnswer(
  session: Session,
  request: RequestFrame,
  frame: ResponseFrame,
  message: object,
): object {
  const call = session.calls.get(request.id) ?? taskOf(session, request)
  if (frame.error !== undefined && isListing(request))
    return listingError(session, request, frame.error, message)
  const screened = call === undefined ? message : screenCall(session, request, call, frame, message)
  const seen = frame.result
  if (screened !== message || seen === undefined || session.verifier.observing) return screened
  const result = screenRest(session, request, seen)
  return result === seen ? message : resultFrame(request.id, result)
}

const isListing = ({ method }: RequestFrame): boolean => LISTS.some((list) => list.method === method)

/** A page that the guard did not ask for itself: of the server's error the code goes on, and none of its words. */
function listingError(
  { verifier }: Session,
  { id, method }: RequestFrame,
  { code }: RpcError,
  message: object,
): object {
  return verifier.observing ? message : errorFrame(id, code, `${method} failed at the server`)
}

/** How the call ended, by the frame that goes to the host. */
export function endOf(answered: object): CallEnd {
  const { result, error } = answered as { result?: JsonObject; error?: { code: number } }
  if (result === undefined) return { status: 'error', rpcCode: error?.code }
  return { status: result['isError'] === true ? 'tool-error' : 'ok', hidden: countHidden(result['content']) }
}

/** What is asked of a task is held against the schema of the call that began it. */
function taskOf({ tasks }: Session, { method, params }: RequestFrame): OpenCall | undefined {
  return method === 'tasks/result' || method === 'tasks/get' ? tasks.get(params?.['taskId']) : undefined
}

function screenCall(
  session: Session,
  request: RequestFrame,
  call: OpenCall,
  frame: ResponseFrame,
  message: object,
): object {
  if (isLarger(frame.result ?? frame.error, MAX_RESULT_SIZE)) {
    const detail = { name: call.info.name, part: 'result', reason: 'size', limit: MAX_RESULT_SIZE }
    return withhold(session, request, call, 'limit-exceeded', detail) ?? message
  }
  if (frame.result === undefined) return message
  if (request.method === 'tools/call') session.tasks.note(call, frame.result)
  const detail = violationOf(session, call, resultOf(request, frame.result))
  if (detail === undefined) return message
  return withhold(session, request, call, 'schema-violation', detail) ?? message
}

/** In the 2026 era `tasks/get` carries the result of the call inside its own. */
function resultOf({ method }: RequestFrame, result: JsonObject): JsonObject | undefined {
  if (method !== 'tasks/get') return result
  const inner = result['result']
  return isJsonObject(inner) ? inner : undefined
}

/** A result that has an outputSchema has structured content, unless it is an error or only a step on the way. */
function violationOf(
  session: Session,
  call: OpenCall,
  result: JsonObject | undefined,
): ErrorDetail | undefined {
  const strictness = strictnessOf(session, 'results')
  if (call.facts?.output === undefined || result === undefined || strictness === 'off') return undefined
  const isOver = (result['resultType'] ?? 'complete') === 'complete' && !('task' in result)
  if (result['isError'] === true || session.settings.validator === undefined) return undefined
  // Whatever the result calls itself: a host reads the content that is there.
  if ('structuredContent' in result)
    return violation(session, call.facts, 'result', result['structuredContent'])
  if (!isOver) return undefined
  return { name: call.facts.name, part: 'result', faults: ['/: structuredContent is missing'] }
}

/** The frame that takes the place of an answer, or undefined where policy only reports. */
function withhold(
  session: Session,
  request: RequestFrame,
  call: OpenCall,
  code: Extract<VerdictCode, 'limit-exceeded' | 'schema-violation'>,
  detail: ErrorDetail,
): object | undefined {
  const { settings, verifier } = session
  const enforced =
    code === 'limit-exceeded' ? !verifier.observing : strictnessOf(session, 'results') === 'enforce'
  settings.emit({ type: 'schema-violation', call: call.info, part: 'result', enforced, detail })
  if (!enforced) return undefined
  const { id, method } = request
  if (method === 'tools/call' || method === 'tasks/result')
    return resultFrame(id, errorResult(session, code, detail))
  return errorFrame(id, INTERNAL_ERROR, `${method}: the answer was withheld: ${code}`, { code })
}

function errorResult({ wire }: Session, code: VerdictCode, detail: ErrorDetail): JsonObject {
  const { sentence, remedy } = code === 'limit-exceeded' ? TOO_LARGE : explainVerdict(code, detail)
  return {
    content: [{ type: 'text', text: `Countersign withheld this result (${code}). ${sentence} ${remedy}` }],
    isError: true,
    ...(wire.modern && { resultType: 'complete' }),
  }
}

const TOO_LARGE = { sentence: 'It is larger than a host takes in.', remedy: 'Ask the tool for less.' }

function screenRest(session: Session, { method }: RequestFrame, result: JsonObject): JsonObject {
  if (method === 'tasks/list') return screenTaskList(session, result)
  if (method === 'resources/list') return rewriteResources(result, session.settings.recheckMs)
  if (!CALL_METHODS.has(method) && method !== 'tasks/get') return result
  const screened = screenInputRequests(result)
  if (screened !== result) session.settings.emit({ type: 'sampling-tools-removed' })
  return screened
}
