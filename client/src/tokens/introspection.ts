import { isJsonObject, parseStrictJson } from '../core/index.js'

/** RFC 7662: who says what an opaque token allows. */
export interface Introspection {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly fetch?: typeof fetch
}

const TIMEOUT_MS = 5000
const MAX_BYTES = 64 * 1024

/** @returns the claims, or undefined when the endpoint does not answer with any; a dead token has no scopes */
export async function introspect(
  { url, clientId, clientSecret, fetch: send = fetch }: Introspection,
  token: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const response = await send(url, {
      method: 'POST',
      headers: { accept: 'application/json', authorization: basic(clientId, clientSecret) },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!response.ok || response.body === null) return undefined
    const claims = parseStrictJson(await readBody(response.body))
    if (!isJsonObject(claims)) return undefined
    return claims['active'] === true ? claims : { scope: '' }
  } catch {
    return undefined // unknown is an answer: the guard says so, and the server decides
  }
}

/** RFC 6749 2.3.1: both are form-encoded before they are joined. */
function basic(id: string, secret: string): string {
  const encode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`
}

async function readBody(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = body.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length
    if (length > MAX_BYTES) {
      await reader.cancel()
      throw new Error('the answer is too large')
    }
    parts.push(next.value)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
