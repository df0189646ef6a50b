import * as oauth from 'oauth4webapi'
import { CountersignError, refuse } from '../../../core/index.js'
import { assertSecure, isLocal } from '../../context.js'

/** No answer of an authorization server is larger than this. */
const MAX_ANSWER_BYTES = 256 * 1024
/** Renewing happens under a lock that others wait for: nobody may hold it for long. */
const TIMEOUT_MS = 10_000

/**
 * How requests to an authorization server are made: https, or http to this machine, which `party` must be too; no
 * redirect; capped in size and in time, and over at once when the person ends the command.
 */
export function requestOptions(party: string, signal: AbortSignal) {
  const url = new URL(party)
  assertSecure(url)
  return {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out; here for loopback only
    [oauth.allowInsecureRequests]: isLocal(url),
    [oauth.customFetch]: cappedFetch,
    signal: () => AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  }
}

interface Request {
  readonly body?: RequestInit['body']
  readonly headers: Record<string, string>
  readonly method: string
  readonly redirect: 'manual'
  readonly signal?: AbortSignal | undefined
}

/** The whole answer, read here: its reader never meets more than the cap, nor one that never ends. */
async function cappedFetch(url: string, request: Request): Promise<Response> {
  // Where metadata of a server sends us is looked at as well as what a person typed.
  assertSecure(new URL(url))
  const { body, signal, ...rest } = request
  const response = await fetch(url, { ...rest, body: body ?? null, signal: signal ?? null })
  const bytes = await readBytes(response)
  const { status, statusText, headers } = response
  const isEmpty = [101, 204, 205, 304].includes(status) || bytes.length === 0
  return new Response(isEmpty ? null : bytes, { status, statusText, headers })
}

async function readBytes(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > MAX_ANSWER_BYTES) {
      refuse('registry-error', 'the authorization server’s answer is too large', { url: response.url })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** What an authorization server refused, as the OAuth error code it gave. */
export function oauthCode(error: unknown): string | undefined {
  if (error instanceof oauth.ResponseBodyError) return error.error
  if (!(error instanceof oauth.WWWAuthenticateChallengeError)) return undefined
  return error.cause[0]?.parameters.error ?? 'invalid_client'
}

/** A failure of the conversation with `party` as one of ours; it never carries a token or a secret. */
export function asFailure(error: unknown, party: string): CountersignError {
  if (error instanceof CountersignError) return error
  const code = oauthCode(error)
  if (code !== undefined) return refusal(error, code, party)
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return asProcessing(error, party)
  }
  const message = `${party} does not answer`
  return new CountersignError('registry-unreachable', message, { url: party }, { cause: error })
}

function refusal(error: unknown, code: string, party: string): CountersignError {
  const body = error instanceof oauth.ResponseBodyError ? error : undefined
  const said = body?.error_description
  const status = body?.status ?? 401
  const detail = { code, status, issuer: party, ...(said !== undefined && { said }) }
  return new CountersignError('registry-refused', `${party} gives no token: ${code}`, detail, {
    cause: error,
  })
}

/** Busy, or not an authorization server at all. */
function asProcessing(error: Error, party: string): CountersignError {
  const response = error.cause instanceof Response ? error.cause : undefined
  const isBusy = response !== undefined && (response.status === 429 || response.status >= 502)
  const message = isBusy ? `${party} is busy` : `${party} did not answer as an authorization server`
  const detail = { url: party, ...(response !== undefined && { status: response.status }) }
  return new CountersignError(isBusy ? 'registry-unreachable' : 'registry-error', message, detail, {
    cause: error,
  })
}
