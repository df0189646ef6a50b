import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply } from './request.js'

const MAX_TRIES = 3
const FIRST_PAUSE_MS = 25

/** A moment until which work may start, on a clock that nobody sets. */
export interface Deadline {
  /** Milliseconds, at least 1. */
  left(): number
  isOver(): boolean
}

export function deadlineIn(ms: number): Deadline {
  const end = performance.now() + ms
  return {
    left: () => Math.max(1, Math.ceil(end - performance.now())),
    isOver: () => performance.now() >= end,
  }
}

/** Tries again what may pass: a witness that restarts, a connection that broke. */
export async function insist(deadline: Deadline, attempt: () => Promise<Reply>): Promise<Reply> {
  for (let tries = 1; ; tries++) {
    const reply = await attempt()
    if (reply.kind !== 'failed' || !reply.mayPass) return reply
    const wait = FIRST_PAUSE_MS * 4 ** (tries - 1)
    if (tries === MAX_TRIES || deadline.left() <= wait) return reply
    await sleep(wait)
  }
}
