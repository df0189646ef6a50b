import * as oauth from 'oauth4webapi'
import { CountersignError, parseStrictJson, type JsonValue } from '../core/index.js'
import { assertSecure, isLocal, registryUrl, type Context } from './context.js'
import { fileKeeper, processKeeper, type Keeper } from './login/credentials.js'
import { readCapped, reach } from './fetching.js'
import { CLI_CLIENT, discoverDoor, discoverIssuer, issuerOfMachines } from './login/oauth/discovery.js'
import { makeProofKey, offersProofs, withNonce } from './login/oauth/dpop.js'
import { idTokenSource } from './login/oauth/workflow.js'
import { problemOf } from './problem.js'
import { openTokens, type Access, type Tokens } from './login/token.js'

const MAX_ANSWER_BYTES = 8 * 1024 * 1024

export interface Body {
  readonly type: string
  readonly text: string
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
/** An authorised request; resolves with the JSON of a 2xx answer. */
export type Call = (method: Method, path: string, body?: Body) => Promise<JsonValue>

/**
 * Requests with this person's token.
 * @throws CountersignError (from the call) `not-logged-in`, `registry-refused` with the problem's `code`, `status` and
 * `traceId`, `registry-unreachable`, `registry-error`
 */
export function openCall(context: Context): Call {
  const registry = registryUrl(context)
  return callWith(context, registry, openTokens(context, registry, fileKeeper(context, registry)))
}

/** The same where a workflow may call: without a login, it shows its service's token, and nothing is written down. */
export function openPublisherCall(context: Context): Call {
  const registry = registryUrl(context)
  const isWorkflow = idTokenSource(context.env) !== undefined
  if (!isWorkflow || fileKeeper(context, registry).read() !== undefined) return openCall(context)
  const keeper = openWorkflow(context, registry)
  return async (...request) =>
    callWith(context, registry, openTokens(context, registry, await keeper()))(...request)
}

/** Who this workflow is to the registry, found out once. */
function openWorkflow(context: Context, registry: string): () => Promise<Keeper> {
  let keeper: Promise<Keeper> | undefined
  const start = async (): Promise<Keeper> => {
    const door = await discoverDoor(registry, context.signal)
    const issuer = issuerOfMachines(door)
    const server = await discoverIssuer(issuer, context.signal)
    const proofKey = offersProofs(server, door) ? await makeProofKey() : undefined
    const { resource } = door
    const bound = proofKey !== undefined && { proofKey }
    return processKeeper({ kind: 'workflow', clientId: CLI_CLIENT, issuer, resource, ...bound })
  }
  return () => (keeper ??= start())
}

function callWith(context: Context, registry: string, tokens: Tokens): Call {
  return async (method, path, body) => {
    const request = (access: Access): Promise<JsonValue> =>
      send(registry, { method, path, access, signal: context.signal, ...(body !== undefined && { body }) })
    const access = await tokens.current()
    try {
      return await request(access)
    } catch (error) {
      // A kept token may be of a key that the registry no longer has: a fresh one settles it.
      if (!isUnauthorized(error)) throw error
      return await request(await tokens.another(access.token))
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
  if (fileKeeper(context, registry).read() !== undefined) return openCall(context)
  const { signal } = context
  return (method, path, body) => send(registry, { method, path, signal, ...(body !== undefined && { body }) })
}

/** A JSON body. */
export function jsonBody(value: unknown): Body {
  return { type: 'application/json', text: JSON.stringify(value) }
}

export interface Request {
  readonly method: Method
  readonly path: string
  readonly signal: AbortSignal
  readonly access?: Access
  readonly body?: Body
}

/** One request. A token never leaves over plain HTTP except to this machine, and no redirect is followed. */
export async function send(registry: string, request: Request): Promise<JsonValue> {
  const url = new URL(`${registry}${request.path}`)
  assertSecure(url)
  const response = await deliver(url, request)
  const answer = await readAnswer(response)
  if (response.ok) return answer
  throw problemOf(response, answer)
}

async function deliver(url: URL, { method, access, body, signal }: Request): Promise<Response> {
  const headers = { accept: 'application/json', ...(body !== undefined && { 'content-type': body.type }) }
  const text = body?.text
  if (access === undefined) {
    return await reach(url, { method, headers, ...(text !== undefined && { body: text }) }, signal)
  }
  const through = (to: URL, init: RequestInit): Promise<Response> => reach(to, init, signal)
  return await deliverWith(access, url, { method, headers, text }, through)
}

export interface Delivery {
  readonly method: Method
  readonly headers: Readonly<Record<string, string>>
  readonly text?: string | undefined
}

/** One request with a token, proved where it is bound to a key. `through` sends it. */
export async function deliverWith(
  { token, proof }: Access,
  url: URL,
  { method, headers, text }: Delivery,
  through: (url: URL, init: RequestInit) => Promise<Response>,
): Promise<Response> {
  assertSecure(url)
  const options = {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out; here for loopback only
    [oauth.allowInsecureRequests]: isLocal(url),
    [oauth.customFetch]: (to: string, init: Sent) => through(new URL(to), fetchable(init)),
    ...(proof !== undefined && { DPoP: proof }),
  }
  const value = token.value.reveal()
  return await answered(() =>
    oauth.protectedResourceRequest(value, method, url, new Headers(headers), text, options),
  )
}

type Sent = oauth.CustomFetchOptions<string, oauth.ProtectedResourceRequestBody>

function fetchable({ method, headers, body }: Sent): RequestInit {
  return { method, headers, ...(typeof body === 'string' && { body }) }
}

/** A refusal is an answer as well: its body says more than its header. */
async function answered(request: () => Promise<Response>): Promise<Response> {
  try {
    return await withNonce(request)
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response
    throw error
  }
}

async function readAnswer(response: Response): Promise<JsonValue> {
  const bytes = await readCapped(response, MAX_ANSWER_BYTES)
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
