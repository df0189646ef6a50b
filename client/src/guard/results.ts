import { isJsonObject, type ErrorDetail, type JsonObject, type VerdictCode } from '../core/index.js'
import { explainVerdict } from '../verdict.js'
import { CALL_METHODS, type CallEnd, type OpenCall } from './call-log.js'
import {
  errorFrame,
  INTERNAL_ERROR,
  modernEnvelope,
  resultFrame,
  type NotificationFrame,
  type RequestFrame,
  type ResponseFrame,
  type RpcError,
} from './frames.js'
import { violation } from './judge-call.js'
import { countHidden, isLarger, MAX_RESULT_SIZE } from './measure.js'
import { lowerTtl, rewriteResources, screenInputRequests, withoutOwnMeta } from './rewrite.js'
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
  const { result } = frame
  const judged = (): JsonObject | undefined => {
    if (result !== undefined && request.method === 'tools/call') session.tasks.note(call, result)
    return request.method === 'tasks/get' ? innerResult(result) : result
  }
  const fault = faultOf(session, call, result ?? frame.error, judged, stepOf(request))
  return fault !== undefined && tellFault(session, call, fault) ? withheld(session, request, fault) : message
}

/** What is wrong with an answer, and the verdict that this is. */
interface Fault {
  readonly code: Extract<VerdictCode, 'limit-exceeded' | 'schema-violation'>
  readonly detail: ErrorDetail
}

/** @param result what of it is held against the signed schema; asked for once it is known not to be too large */
function faultOf(
  session: Session,
  call: OpenCall,
  received: unknown,
  result: () => JsonObject | undefined,
  isStep: (result: JsonObject) => boolean,
): Fault | undefined {
  if (isLarger(received, MAX_RESULT_SIZE)) {
    const detail = { name: call.info.name, part: 'result', reason: 'size', limit: MAX_RESULT_SIZE }
    return { code: 'limit-exceeded', detail }
  }
  const judged = result()
  const detail = violationOf(session, call, judged, judged !== undefined && isStep(judged))
  return detail && { code: 'schema-violation', detail }
}

const isModernStep = (result: JsonObject): boolean => (result['resultType'] ?? 'complete') !== 'complete'

/**
 * Whether a result is not the last one, as the era of the request says it: what means nothing there is read by no host,
 * which would take the result for the last one and find nothing of what was signed.
 */
function stepOf({ method, params }: RequestFrame): (result: JsonObject) => boolean {
  if (modernEnvelope(params) !== undefined) return isModernStep
  const mayBeTask = method === 'tools/call' && isJsonObject(params?.['task'])
  return (result) => mayBeTask && isJsonObject(result['task'])
}

/** In the 2026 era a task carries the result of the call inside. */
function innerResult(task: JsonObject | undefined): JsonObject | undefined {
  const inner = task?.['result']
  return isJsonObject(inner) ? inner : undefined
}

/** A result that has an outputSchema has structured content, unless it is an error or only a step on the way. */
function violationOf(
  session: Session,
  call: OpenCall,
  result: JsonObject | undefined,
  isStep: boolean,
): ErrorDetail | undefined {
  const strictness = strictnessOf(session, 'results')
  if (call.facts?.output === undefined || result === undefined || strictness === 'off') return undefined
  if (result['isError'] === true || session.settings.validator === undefined) return undefined
  // Whatever the result calls itself: a host reads the content that is there.
  if ('structuredContent' in result)
    return violation(session, call.facts, 'result', result['structuredContent'])
  if (isStep) return undefined
  return { name: call.facts.name, part: 'result', faults: ['/: structuredContent is missing'] }
}

/** @returns whether the answer is withheld; else policy only reports */
function tellFault(session: Session, { info: call }: OpenCall, { code, detail }: Fault): boolean {
  const { settings, verifier } = session
  const enforced =
    code === 'limit-exceeded' ? !verifier.observing : strictnessOf(session, 'results') === 'enforce'
  settings.emit({ type: 'schema-violation', call, part: 'result', enforced, detail })
  return enforced
}

/** The frame that takes the place of an answer. */
function withheld(session: Session, { id, method }: RequestFrame, { code, detail }: Fault): object {
  if (method === 'tools/call' || method === 'tasks/result')
    return resultFrame(id, errorResult(session, code, detail))
  return errorFrame(id, INTERNAL_ERROR, `${method}: the answer was withheld: ${code}`, { code })
}

function errorResult({ wire }: Session, code: Fault['code'], detail: ErrorDetail): JsonObject {
  const { sentence, remedy } = code === 'limit-exceeded' ? TOO_LARGE : explainVerdict(code, detail)
  return {
    content: [{ type: 'text', text: `Countersign withheld this result (${code}). ${sentence} ${remedy}` }],
    isError: true,
    ...(wire.modern && { resultType: 'complete' }),
  }
}

const TOO_LARGE = { sentence: 'It is larger than a host takes in.', remedy: 'Ask the tool for less.' }

function screenRest(session: Session, { method }: RequestFrame, received: JsonObject): JsonObject {
  const { recheckMs } = session.settings
  const result = withoutOwnMeta(received)
  if (method === 'tasks/list') return screenTaskList(session, result)
  if (method === 'resources/list') return rewriteResources(result, recheckMs)
  if (!CALL_METHODS.has(method) && method !== 'tasks/get') return result
  return withoutUnsignedTools(session, method === 'resources/read' ? lowerTtl(result, recheckMs) : result)
}

function withoutUnsignedTools({ settings }: Session, result: JsonObject): JsonObject {
  const screened = screenInputRequests(result)
  if (screened !== result) settings.emit({ type: 'sampling-tools-removed' })
  return screened
}

/** In the 2026 era it says all that `tasks/get` would say, and nobody asked. */
export const TASK_NEWS = 'notifications/tasks'

/** {@link TASK_NEWS} as the host gets it, or undefined: it can still ask, and hears why. */
export function screenTaskNews(
  session: Session,
  { method, params = {} }: NotificationFrame,
  message: object,
): object | undefined {
  const { tasks, settings, verifier } = session
  const call = tasks.get(params['taskId'])
  if (call === undefined) {
    if (verifier.observing) return message
    settings.emit({ type: 'frame-dropped', from: 'server', reason: 'unknown-task' })
    return undefined
  }
  const fault = faultOf(session, call, params, () => innerResult(params), isModernStep)
  if (fault !== undefined && tellFault(session, call, fault)) return undefined
  const screened = verifier.observing ? params : withoutUnsignedTools(session, withoutOwnMeta(params))
  return screened === params ? message : { jsonrpc: '2.0', method, params: screened }
}
