import { CountersignError, parseStrictJson, refuse, type JsonValue } from '../core/index.js'
import { problemOf } from './problem.js'
import { assertSecure, registryUrl, type Context } from './context.js'
import { readCredentials, type AccessToken, type Secret } from './credentials.js'
import { accessToken, renewToken } from './token.js'

const MAX_ANSWER_BYTES = 8 * 1024 * 1024
const TIMEOUT_MS = 60_000

export interface Body {
  readonly type: string
  readonly text: string
}

export type Method = 'GET' | 'POST' | 'PUT'
/** An authorised request; resolves with the JSON of a 2xx answer. */
export type Call = (method: Method, path: string, body?: Body) => Promise<JsonValue>

/**
 * Requests with this person's token.
 * @throws CountersignError (from the call) `not-logged-in`, `registry-refused` with the problem's `code`, `status` and
 * `traceId`, `registry-unreachable`, `registry-error`
 */
export function openCall(context: Context): Call {
  const registry = registryUrl(context)
  return async (method, path, body) => {
    const request = (token: AccessToken): Promise<JsonValue> =>
      send(registry, { method, path, token: token.value, ...(body !== undefined && { body }) })
    const token = await accessToken(context, registry)
    try {
      return await request(token)
    } catch (error) {
      // A cached token may be of a key that the registry no longer has: a fresh one settles it.
      const credentials = isUnauthorized(error) ? readCredentials(context, registry) : undefined
      if (credentials === undefined) throw error
      return await request(await renewToken(context, registry, credentials))
    }
  }
}

function isUnauthorized(error: unknown): boolean {
  return (
    error instanceof CountersignError && error.code === 'registry-refused' && error.detail['status'] === 401
  )
}

/** The same, without a token for people who have none: what is public is answered, the rest is refused there. */
export function openPublicCall(context: Context): Call {
  const registry = registryUrl(context)
  if (readCredentials(context, registry) !== undefined) return openCall(context)
  return (method, path, body) => send(registry, { method, path, ...(body !== undefined && { body }) })
}

/** A JSON body. */
export function jsonBody(value: unknown): Body {
  return { type: 'application/json', text: JSON.stringify(value) }
}

/** One request. A token never leaves over plain HTTP except to this machine, and no redirect is followed. */
export async function send(
  registry: string,
  request: { method: Method; path: string; token?: Secret; body?: Body },
): Promise<JsonValue> {
  const url = new URL(`${registry}${request.path}`)
  assertSecure(url)
  const response = await reach(url, request)
  const answer = await readAnswer(response)
  if (response.ok) return answer
  throw problemOf(response.status, answer)
}

async function reach(
  url: URL,
  { method, token, body }: { method: Method; token?: Secret; body?: Body },
): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': body.type }),
        ...(token !== undefined && { authorization: `Bearer ${token.reveal()}` }),
      },
      ...(body !== undefined && { body: body.text }),
    })
  } catch (cause) {
    throw new CountersignError(
      'registry-unreachable',
      'the registry does not answer',
      { url: url.origin },
      { cause },
    )
  }
}

async function readAnswer(response: Response): Promise<JsonValue> {
  const bytes = await readCapped(response)
  if (bytes.length === 0) return null
  try {
    return parseStrictJson(bytes, { maxBytes: MAX_ANSWER_BYTES })
  } catch (cause) {
    const detail = { status: response.status }
    throw new CountersignError(
      'registry-error',
      'the registry answered with something else than JSON',
      detail,
      { cause },
    )
  }
}

async function readCapped(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += part.length
      if (length > MAX_ANSWER_BYTES) refuse('registry-error', 'the registry’s answer is too large')
      parts.push(part)
    }
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('registry-unreachable', 'the registry’s answer broke off', {}, { cause })
  }
  return Buffer.concat(parts)
}
