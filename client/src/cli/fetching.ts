import { CountersignError, refuse } from '../core/index.js'

const TIMEOUT_MS = 60_000

/**
 * One request: no redirect is followed, it ends in a minute, and at once when the person ends the command.
 * @throws CountersignError `registry-unreachable`
 */
export async function reach(url: URL, init: RequestInit, ended: AbortSignal): Promise<Response> {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(TIMEOUT_MS)])
  try {
    return await fetch(url, { ...init, redirect: 'error', signal })
  } catch (cause) {
    const detail = { url: url.origin }
    throw new CountersignError('registry-unreachable', `${url.host} does not answer`, detail, { cause })
  }
}

/** The body of an answer, as long as it is no longer than that. @throws CountersignError `registry-error`, `registry-unreachable` */
export async function readCapped(response: Response, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += part.length
      if (length > maxBytes) refuse('registry-error', 'the answer is too large', { maxBytes })
      parts.push(part)
    }
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('registry-unreachable', 'the answer broke off', {}, { cause })
  }
  return Buffer.concat(parts)
}
