import { CountersignError, refuse } from '../core/index.js'

export interface HttpOptions {
  readonly fetch?: typeof fetch
  /** For one request with its body; 10 000 when absent. */
  readonly timeoutMs?: number
  /**
   * Of a registry that is read by whom it knows: an access token, or what gives one for each request. It goes to the
   * registry's own address and nowhere else.
   */
  readonly token?: string | (() => Promise<string>)
}

/** An answer of 200 has a body; of the others nobody looks at it. */
export interface HttpAnswer {
  readonly status: number
  readonly body?: Uint8Array
}

/** Redirects are not followed: a browser shows them as status 0. */
export function isRedirect({ status }: HttpAnswer): boolean {
  return status === 0 || (status >= 300 && status < 400)
}

/**
 * One request: time and size are capped, no credentials are sent but the token that is given.
 * @throws CountersignError `registry-unreachable`, `registry-error` for more than `maxBytes`
 */
export async function request(
  url: URL,
  maxBytes: number,
  { fetch: send = fetch, timeoutMs = 10_000, token }: HttpOptions,
  init: RequestInit = {},
): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(timeoutMs)
  const authorization = token === undefined ? {} : { authorization: await bearer(token, url, signal) }
  try {
    // The signal stays on the body: a registry that dribbles bytes is as unreachable as a silent one.
    const response = await send(url, {
      redirect: 'manual',
      credentials: 'omit',
      signal,
      headers: { accept: 'application/json, text/plain', ...authorization },
      ...init,
    })
    if (response.status === 200) return { status: 200, body: await readCapped(response, maxBytes) }
    await response.body?.cancel()
    return { status: response.status }
  } catch (error) {
    if (error instanceof CountersignError) throw error
    const detail = { url: url.href }
    throw new CountersignError('registry-unreachable', 'the registry does not answer', detail, {
      cause: error,
    })
  }
}

const MAX_TOKEN_LENGTH = 16_384

/** Whoever cannot say who asks is not answered either. What went wrong may quote the token: it stays a cause. */
async function bearer(
  token: NonNullable<HttpOptions['token']>,
  url: URL,
  signal: AbortSignal,
): Promise<string> {
  try {
    const text = typeof token === 'string' ? token : await within(signal, token)
    if (text.length <= MAX_TOKEN_LENGTH && /^[A-Za-z0-9._~+/-]+=*$/.test(text)) return `Bearer ${text}`
  } catch (cause) {
    const detail = { url: url.href }
    throw new CountersignError('registry-unreachable', 'no token for the registry was to be had', detail, {
      cause,
    })
  }
  return refuse('usage', 'this is no access token')
}

/** A source of tokens that never answers costs no more than a registry that does not. */
function within<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    run().then(resolve, reject)
  })
}

/** What a registry may come back from is no answer, nor is that a token has ended; everything else is a refusal. */
export function refuseStatus({ status }: HttpAnswer, url: URL): never {
  const isAbsent = status >= 500 || status === 429 || status === 401 || isRedirect({ status })
  const code = isAbsent ? 'registry-unreachable' : 'registry-error'
  return refuse(code, `the registry answered ${status}`, { url: url.href, status })
}

async function readCapped(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader()
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    length += part.value.length
    if (length > maxBytes) {
      await reader?.cancel()
      refuse('registry-error', 'the registry’s answer is too large', { maxBytes })
    }
    chunks.push(part.value)
  }
  return joined(chunks, length)
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
