import { gateCall, gatePrompt } from './calls.js'
import { drop, giveUp, type Connection } from './connection.js'
import {
  errorFrame,
  INVALID_REQUEST,
  LISTEN,
  type Frame,
  type NotificationFrame,
  type RequestFrame,
} from './frames.js'
import { answerList } from './listing.js'
import type { Admission } from './pending.js'
import { gateCompletion, gateSubscription } from './requests.js'
import { answerResources, gateRead } from './resources.js'
import type { Forward, Session } from './session.js'
import { watchStream } from './streams.js'
import { gateTask, TASK_METHODS } from './tasks.js'
import { LISTS } from './walk.js'

/** A frame of the host: answers and notifications go on, a request goes to the gate of its kind. */
export async function fromHost(
  connection: Connection,
  frame: Frame,
  message: object,
  options?: object,
): Promise<void> {
  const { wire } = connection
  wire.noteEra(frame)
  if (frame.kind === 'response') return wire.toServer(message, options)
  if (frame.kind === 'notification') return hostNotification(connection, frame, message, options)
  const admission = wire.pending.add(frame)
  if (admission !== 'admitted') {
    turnAway(connection, frame, admission)
  } else {
    const watched = watch(connection, frame, options)
    await hostRequest(connection, frame, () => forward(connection, frame, message, watched))
  }
}

type Gate = (session: Session, frame: RequestFrame, forward: Forward) => Promise<void> | void

const GATES: ReadonlyMap<string, Gate> = new Map<string, Gate>([
  ['tools/call', gateCall],
  ['prompts/get', gatePrompt],
  ['resources/read', gateRead],
  ['resources/list', answerResources],
  ['resources/subscribe', gateSubscription],
  ['completion/complete', gateCompletion],
  ...[...TASK_METHODS].map((method) => [method, gateTask] as const),
])

/** What no gate knows goes on. */
async function hostRequest(connection: Connection, frame: RequestFrame, passOn: Forward): Promise<void> {
  const gate = GATES.get(frame.method)
  const list = LISTS.find((one) => one.method === frame.method)
  if (gate !== undefined) await gate(connection, frame, passOn)
  else if (list === undefined) await passOn()
  else answerList(connection, connection.verifier.surface(list.kind), frame, passOn)
}

async function forward(
  { wire, calls, subscription }: Connection,
  frame: RequestFrame,
  message: object,
  options?: object,
): Promise<void> {
  try {
    await wire.forward(frame, message, options)
  } catch (error) {
    calls.end(frame.id, { status: 'closed' })
    throw error
  }
  if (frame.method === LISTEN) subscription.sync()
}

/** A second request under an id that still waits cannot be answered: the host would take it for the first's. */
function turnAway(
  connection: Connection,
  frame: RequestFrame,
  admission: Exclude<Admission, 'admitted'>,
): void {
  drop(connection, 'host', admission === 'full' ? 'flood' : 'id-in-use')
  if (admission === 'in-use') return
  const why = admission === 'full' ? 'too many requests wait' : 'this id may still be answered'
  connection.wire.toHost(errorFrame(frame.id, INVALID_REQUEST, why))
}

async function hostNotification(
  connection: Connection,
  frame: NotificationFrame,
  message: object,
  options?: object,
): Promise<void> {
  if (frame.method === 'notifications/cancelled') giveUp(connection, frame.params?.['requestId'])
  if (frame.method === 'notifications/initialized' && connection.handshake.hostInitialized()) return
  await connection.wire.toServer(message, options)
}

function watch(connection: Connection, { id }: RequestFrame, options?: object): object | undefined {
  const { wire, calls } = connection
  const onEnd = (): boolean => {
    // A subscription that the guard keeps open alone outlives the stream of the server's refusal.
    if (wire.pending.isKept(id)) return false
    wire.pending.take(id)
    calls.end(id, { status: 'closed' })
    return true
  }
  return watchStream(options, () => giveUp(connection, id), onEnd)
}
