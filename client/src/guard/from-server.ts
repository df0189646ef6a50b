import { CALL_METHODS } from './call-log.js'
import { drop, toHostInTurn, whyNoFrame, type Connection } from './connection.js'
import {
  answeredId,
  errorFrame,
  INTERNAL_ERROR,
  typeFrame,
  type NotificationFrame,
  type RequestFrame,
  type ResponseFrame,
} from './frames.js'
import { isLarger } from './measure.js'
import { endOf, screenAnswer, screenTaskNews, TASK_NEWS } from './results.js'
import { withoutSampledTools } from './rewrite.js'
import { acknowledgement, honourLists, isNoSubscriptions } from './subscription.js'
import { LISTS } from './walk.js'

const HANDSHAKES: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

/** A message of the server, whatever it is. */
export function fromServer(connection: Connection, message: unknown, extra?: object): void {
  const frame = typeFrame(message)
  const received = message as object
  if (frame === undefined) serverNoise(connection, message)
  else if (frame.kind === 'response') serverResponse(connection, frame, received, extra)
  else if (frame.kind === 'notification') serverNotification(connection, frame, received, extra)
  else if (connection.wire.modern) drop(connection, 'server', 'request-in-modern-era')
  else serverRequest(connection, frame, received, extra)
}

/** An answer that is none is an error for who waits for it. */
function serverNoise(connection: Connection, message: unknown): void {
  const { pending } = connection.wire
  const id = answeredId(message)
  const own = id === undefined ? undefined : pending.takeOwn(id)
  const request = id === undefined ? undefined : pending.takeForwarded(id)
  const isAnswer = own !== undefined || request !== undefined
  drop(connection, 'server', isAnswer ? 'malformed-response' : whyNoFrame(message))
  own?.fail(new Error('the answer is none'))
  if (request === undefined) return
  connection.calls.end(request.id, { status: 'error', rpcCode: INTERNAL_ERROR })
  const why = `${request.method}: the server's answer is malformed`
  connection.wire.toHost(errorFrame(request.id, INTERNAL_ERROR, why))
}

function serverRequest(connection: Connection, frame: RequestFrame, message: object, extra?: object): void {
  const screened =
    frame.method === 'sampling/createMessage' ? withoutSampledTools(frame.params) : frame.params
  const clean = screened === frame.params || connection.verifier.observing
  if (!clean) connection.settings.emit({ type: 'sampling-tools-removed' })
  toHostInTurn(connection, clean ? message : { ...message, params: screened }, extra)
}

// -------------------------------------------------------------------------------------------- notifications

/** A `list_changed` says nothing but that, and many of them may wait. */
const MAX_NEWS_SIZE = 8 * 1024

/** `list_changed` freezes at once, and is told behind the answers about the list before it. */
function serverNotification(
  connection: Connection,
  frame: NotificationFrame,
  message: object,
  extra?: object,
): void {
  const { wire, verifier, subscription } = connection
  const lists = LISTS.filter((one) => one.changed === frame.method)
  const surfaces = lists.map((list) => verifier.surface(list.kind))
  for (const surface of surfaces) surface.freeze('server')
  if (subscription.owns(frame)) return
  if (wire.modern && frame.method === 'notifications/cancelled') endSubscription(connection, frame)
  const screened =
    frame.method === TASK_NEWS
      ? screenTaskNews(connection, frame, message)
      : honourLists(frame, message, () => wire.pending.subscriptions)
  if (screened === undefined) return
  const pass = (): void => toHostInTurn(connection, screened, extra)
  const queue = surfaces.at(-1)
  if (queue === undefined) pass()
  else if (isLarger(screened, MAX_NEWS_SIZE) || !queue.enqueueNews(pass)) drop(connection, 'server', 'flood')
}

/** In the 2026 era a server ends a subscription by cancelling it. */
function endSubscription({ wire, subscription }: Connection, { params }: NotificationFrame): void {
  const ended = wire.pending.subscriptions.find(({ id }) => id === params?.['requestId'])
  if (ended === undefined) return
  wire.pending.take(ended.id)
  subscription.sync()
}

// -------------------------------------------------------------------------------------------------- answers

function serverResponse(connection: Connection, frame: ResponseFrame, message: object, extra?: object): void {
  const { pending } = connection.wire
  const own = pending.takeOwn(frame.id)
  const request = own === undefined ? pending.takeForwarded(frame.id) : undefined
  if (own !== undefined) own.answer(frame)
  else if (request !== undefined) answerRequest(connection, request, frame, message, extra)
  else drop(connection, 'server', pending.takeAbandoned(frame.id) ? 'late-response' : 'unsolicited-response')
}

function answerRequest(
  connection: Connection,
  request: RequestFrame,
  frame: ResponseFrame,
  message: object,
  extra?: object,
): void {
  const { handshake, wire, calls, subscription } = connection
  if (HANDSHAKES.has(request.method)) {
    if (frame.result === undefined) handshake.fail(request, frame.error, message, extra)
    else handshake.complete(request, frame.result, extra)
  } else if (isNoSubscriptions(request, frame.error?.code)) {
    wire.pending.keep(request)
    toHostInTurn(connection, acknowledgement(request))
  } else {
    const answered = screenAnswer(connection, request, frame, message)
    if (CALL_METHODS.has(request.method)) calls.end(request.id, endOf(answered))
    wire.toHost(answered, extra)
  }
  if (frame.result !== undefined) subscription.noteResult()
}
