import { isJsonObject, type JsonObject } from '../core/index.js'
import { textOf, type OpenCall } from './call-log.js'
import { settle } from './calls.js'
import { errorFrame, INVALID_PARAMS, type RequestFrame } from './frames.js'
import { judgeName, shownName } from './refusal.js'
import type { Forward, Session } from './session.js'

/** Each keeps the call it came out of, with its arguments. */
const MAX_TASKS = 1000
const MAX_ID = 1024

export const TASK_METHODS: ReadonlySet<string> = new Set([
  'tasks/get',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
])

/** The tasks that came out of calls that were let through; the oldest are forgotten when there are too many. */
export class TaskTable {
  readonly #tasks = new Map<string, OpenCall>()

  /** Notes the task when the result of a call is one: `task` in the 2025 era, `resultType` in the 2026 era. */
  note(call: OpenCall, result: JsonObject): void {
    const handle = result['resultType'] === 'task' ? result : result['task']
    const id = isJsonObject(handle) ? handle['taskId'] : undefined
    if (typeof id !== 'string' || id.length > MAX_ID) return
    // The first call keeps its task: a server must not move it under another tool's name.
    if (!this.#tasks.has(id)) this.#tasks.set(id, call)
    for (const oldest of this.#tasks.keys()) {
      if (this.#tasks.size <= MAX_TASKS) break
      this.#tasks.delete(oldest)
    }
  }

  get(id: unknown): OpenCall | undefined {
    return typeof id === 'string' ? this.#tasks.get(id) : undefined
  }
}

/**
 * A task belongs to a call that was let through, and its tool must still be one that may be used; to end a task is always
 * allowed.
 */
export async function gateTask(session: Session, frame: RequestFrame, forward: Forward): Promise<void> {
  const { verifier, wire, settings } = session
  const id = textOf(frame.params?.['taskId'])
  const call = session.tasks.get(id)
  const refused = call === undefined || (frame.method !== 'tasks/cancel' && (await isRefused(session, call)))
  if (!wire.pending.waits(frame)) return
  if (!refused || verifier.observing) return forward()
  const name = shownName(id)
  settings.emit({ type: 'request-refused', method: frame.method, name, code: 'not-listed' })
  wire.answer(frame, errorFrame(frame.id, INVALID_PARAMS, `Unknown task: ${name}`))
}

async function isRefused({ verifier }: Session, call: OpenCall): Promise<boolean> {
  const known = verifier.tools.usable ?? (await settle(verifier.tools))
  return 'code' in known || judgeName('tools', known.offer, call.info.name) !== undefined
}

/** `tasks/list` shows what the host itself started through this guard. */
export function screenTaskList({ tasks }: Session, result: JsonObject): JsonObject {
  const listed = result['tasks']
  if (!Array.isArray(listed)) return result
  return { ...result, tasks: listed.filter((one) => isJsonObject(one) && tasks.get(one['taskId'])) }
}
