import { OutsideError, type Outside } from '../net/outside.js'
import type { WebhookRow } from '../storage/store.js'
import type { Message } from './message.js'

const TIMEOUT_MS = 10_000
/** Receivers say little, and pages about errors much: what they say is not looked at, its status is. */
const MAX_ANSWER_BYTES = 1_048_576

/** The receiver's status, or undefined when there was none. */
export async function post(
  webhook: Pick<WebhookRow, 'url' | 'namespace'>,
  { body, headers }: Message,
  outside: Outside,
): Promise<number | undefined> {
  try {
    const answer = await outside.request(webhook.url, {
      ...{ method: 'POST', headers, body, timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES },
      // A publisher's webhook must not reach into the registry's own network; an admin's may.
      trusted: webhook.namespace === undefined,
    })
    return answer.status
  } catch (error) {
    if (error instanceof OutsideError) return undefined
    throw error
  }
}

export function isTaken(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300
}
