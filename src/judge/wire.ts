import { CountersignError, type ErrorCode, type ErrorDetail } from 'countersign/core'
import type { Task, Value, Work } from './work.js'

// What the threads say to each other: plain data only. An error loses its class on the way, so it is spelled.

export interface Asked {
  readonly id: number
  readonly task: Task
}

export type Answer =
  | { readonly id: number; readonly value: Value }
  | { readonly id: number; readonly refused: Refused }
  /** A mistake of ours, for the log. */
  | { readonly id: number; readonly failed: string }

/** What a thread says before anything else. */
export const READY = 'ready'

interface Refused {
  readonly code: ErrorCode
  readonly message: string
  readonly detail: ErrorDetail
}

export function answerOf({ id, task }: Asked, work: Work): Answer {
  try {
    return { id, value: work(task) }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) return { id, failed: stackOf(cause) }
    const { code, message, detail } = cause
    return { id, refused: { code, message, detail } }
  }
}

/** Throws what was thrown there. */
export function valueOf(answer: Answer): Value {
  if ('value' in answer) return answer.value
  if ('failed' in answer) throw new Error(`a manifest could not be judged: ${answer.failed}`)
  const { code, message, detail } = answer.refused
  throw new CountersignError(code, message, detail)
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
