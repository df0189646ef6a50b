import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { isJsonObject, type JsonObject } from '../core/index.js'
import {
  errorFrame,
  INTERNAL_ERROR,
  modernEnvelope,
  typeFrame,
  type FrameId,
  type NotificationFrame,
  type RequestFrame,
} from '../guard/frames.js'
import { LISTS } from '../guard/walk.js'
import { parseServerUrl } from '../publish/http-session.js'
import { boundedFetch } from './bounded-fetch.js'
import { formatParamHeaders, type KnownHeaderParams } from './param-headers.js'
import { ServerBase } from './server.js'
import type { UrlTarget } from './target.js'

/** What the protocol sets itself, or would be sent to the wrong place. */
const OURS = /^(?:host|content-.*|accept|connection|transfer-encoding|cookie|last-event-id|mcp-.*)$/i
const NOTIFY_MS = 30_000
const GOODBYE_MS = 2_000
/** A stream whose answer came ends by itself, or is left: a server could hold one open for every call. */
const LINGER_MS = 2_000
/** A server names the pause before its stream is opened again: none at all, or one that no timer holds. */
const [SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS] = [500, 60_000]

/** What of a new session is verified when it answers. Everything else rests on a verdict about the session before. */
const ASKED_AGAIN: ReadonlySet<string> = new Set([
  ...LISTS.map(({ method }) => method),
  'logging/setLevel',
  'ping',
])
const STARTED_ANEW = 'the server started anew and is verified again: nothing was done, ask again'

interface Exchange {
  readonly abort: AbortController
  /** In the 2026 era a stream is closed by whoever gives up; before, a message says so. */
  readonly modern: boolean
  /** A request of the guard's own may be asked again: it hears of a lost stream where a host gets an error. */
  readonly onLost: (() => void) | undefined
}

/** Members of the SDKs' send options, by which the guard watches a request of its own. */
interface AskOptions {
  readonly requestSignal?: AbortSignal
  readonly onRequestStreamEnd?: () => void
}

/**
 * A server over Streamable HTTP, both eras. Every request of the host is answered: where the network, the server or its
 * stream fails, with an error that says so in words of ours.
 */
export class RemoteServer extends ServerBase {
  readonly #target: UrlTarget
  readonly #params: KnownHeaderParams
  readonly #open = new Map<FrameId, Exchange>()
  #http: StreamableHTTPClientTransport
  #hello: RequestFrame | undefined
  /** What was told last: a request waits until the server took it, for over HTTP nothing has an order. */
  #told: Promise<void> = Promise.resolve()
  #revival: Promise<void> | undefined
  #modern = false
  #closed = false

  /** @throws CountersignError `usage` for a URL that is neither https nor of this machine */
  constructor(target: UrlTarget, params: KnownHeaderParams) {
    super()
    this.#target = target
    this.#params = params
    this.#http = this.#connect()
  }

  override start(): Promise<void> {
    return this.#http.start()
  }

  override async send(message: object, options: AskOptions = {}): Promise<void> {
    const frame = typeFrame(message)
    if (frame === undefined) return
    if (frame.kind === 'request') void this.#ask(frame, message, options)
    else if (!this.#abort(frame)) this.#tell(message)
    return Promise.resolve()
  }

  override async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const goodbye = this.#http.terminateSession().catch(() => undefined) // it is over either way
    await Promise.race([goodbye, new Promise((settle) => setTimeout(settle, GOODBYE_MS).unref())])
    await this.#http.close()
    for (const id of [...this.#open.keys()]) this.#fail(id, 'the connection was closed')
    this.onclose?.()
  }

  #connect(): StreamableHTTPClientTransport {
    const { url, headers = {}, serverToken } = this.#target
    const http = new StreamableHTTPClientTransport(parseServerUrl(url), {
      requestInit: {
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !OURS.test(name))),
      },
      fetch: boundedFetch,
      redirectPolicy: 'same-origin',
      reconnectionScheduler: reconnectLater,
      ...(serverToken !== undefined && { authProvider: { token: serverToken } }),
    })
    http.onmessage = (message) => this.#receive(message)
    http.onerror = (error) => this.#closed || this.onerror?.(new Error(reasonOf(error)))
    return http
  }

  async #ask(frame: RequestFrame, message: object, options: AskOptions, isRetry = false): Promise<void> {
    const { id, method, params } = frame
    const exchange: Exchange = {
      abort: new AbortController(),
      modern: modernEnvelope(params) !== undefined,
      onLost: options.onRequestStreamEnd,
    }
    this.#open.set(id, exchange)
    this.#modern = exchange.modern
    options.requestSignal?.addEventListener('abort', () => this.#giveUp(id, exchange), { once: true })
    if (method === 'initialize') this.#hello = frame
    const session = this.#http.sessionId
    try {
      await this.#told
      await this.#http.send(message as never, {
        requestSignal: exchange.abort.signal,
        onRequestStreamEnd: () =>
          this.#lose(id, exchange, 'the server ended its answer before the answer was there'),
        ...(exchange.modern && method === 'tools/call' && { headers: this.#paramHeaders(params) }),
      })
    } catch (error) {
      const isLost = statusOf(error) === 404 && session !== undefined && method !== 'initialize'
      const isRevived = isLost && !isRetry && (await this.#revive())
      if (isRevived && ASKED_AGAIN.has(method)) await this.#ask(frame, message, options, true)
      else if (isRevived && this.#open.get(id) === exchange) this.#fail(id, STARTED_ANEW)
      else if (statusOf(error) === undefined) this.#lose(id, exchange, reasonOf(error))
      else if (this.#open.get(id) === exchange) this.#fail(id, reasonOf(error))
    }
  }

  #paramHeaders(params: JsonObject | undefined): Record<string, string> {
    return formatParamHeaders(this.#params.of(params?.['name']), params?.['arguments'])
  }

  /** A notification, or an answer to the server's own request. */
  #tell(message: object): void {
    this.#told = this.#told
      .then(() => this.#http.send(message as never, { requestSignal: AbortSignal.timeout(NOTIFY_MS) }))
      .catch((error: unknown) => this.#closed || this.onerror?.(new Error(reasonOf(error))))
      .then(() => undefined)
  }

  /** 2026: a request is given up by closing its stream. */
  #abort(frame: Exclude<ReturnType<typeof typeFrame>, undefined>): boolean {
    if (frame.kind !== 'notification' || frame.method !== 'notifications/cancelled') return false
    const id = cancelledId(frame)
    const exchange = id === undefined ? undefined : this.#open.get(id)
    if (exchange === undefined || id === undefined) return this.#modern
    if (exchange.modern) this.#giveUp(id, exchange)
    return exchange.modern
  }

  #giveUp(id: FrameId, exchange: Exchange): void {
    if (this.#open.get(id) === exchange) this.#open.delete(id)
    exchange.abort.abort()
  }

  #receive(message: object): void {
    const frame = typeFrame(message)
    if (frame?.kind === 'response') {
      const answered = this.#open.get(frame.id)
      if (answered !== undefined) setTimeout(() => answered.abort.abort(), LINGER_MS).unref()
      this.#open.delete(frame.id)
      if (frame.id === this.#hello?.id) this.#adoptVersion(frame.result)
    }
    this.onmessage?.(message)
  }

  #adoptVersion(result: JsonObject | undefined): void {
    const version = result?.['protocolVersion']
    if (typeof version === 'string') this.#http.setProtocolVersion(version)
  }

  /** A stream may end long after its answer, when another request bears the same id. */
  #lose(id: FrameId, exchange: Exchange, reason: string): void {
    if (this.#open.get(id) !== exchange) return
    const { onLost } = exchange
    if (onLost === undefined) this.#fail(id, reason)
    else {
      this.#open.delete(id)
      onLost()
    }
  }

  #fail(id: FrameId, reason: string): void {
    if (this.#open.delete(id)) this.onmessage?.(errorFrame(id, INTERNAL_ERROR, reason))
  }

  /**
   * A server of the 2025 era forgot the session, as after a restart: it is greeted again in the host's words. Nothing that
   * it showed before counts any more, which its lists are said to have changed for.
   */
  async #revive(): Promise<boolean> {
    this.#revival ??= this.#greetAgain().finally(() => (this.#revival = undefined))
    return await this.#revival.then(
      () => true,
      () => false,
    )
  }

  async #greetAgain(): Promise<void> {
    const hello = this.#hello
    if (hello === undefined || this.#closed) throw new Error('there was no session')
    const [old, http] = [this.#http, this.#connect()]
    await http.start()
    const result = await greet(http, hello).catch(async (error: unknown) => {
      await http.close()
      throw error
    })
    this.#http = http
    this.#adoptVersion(result)
    http.onmessage = (message) => this.#receive(message)
    await http.send({ jsonrpc: '2.0', method: 'notifications/initialized' })
    old.onmessage = old.onerror = () => undefined
    await old.close()
    for (const { changed } of LISTS) this.onmessage?.({ jsonrpc: '2.0', method: changed })
  }
}

/** The host's `initialize` once more; its answer is not for the host. */
async function greet(
  http: StreamableHTTPClientTransport,
  { id, method, params }: RequestFrame,
): Promise<JsonObject> {
  const signal = AbortSignal.timeout(NOTIFY_MS)
  const answered = new Promise<JsonObject>((settle, fail) => {
    signal.addEventListener('abort', () => fail(new Error('the server did not answer')))
    http.onmessage = (message) => {
      const frame = typeFrame(message)
      if (frame?.kind !== 'response' || frame.id !== id) return
      if (frame.result === undefined) fail(new Error('the server refused'))
      else settle(frame.result)
    }
  })
  const message = { jsonrpc: '2.0', id, method, ...(params && { params }) } as never
  await Promise.all([answered, http.send(message, { requestSignal: signal })])
  return await answered
}

function reconnectLater(reconnect: () => void, wanted: number): () => void {
  const timer = setTimeout(reconnect, Math.min(Math.max(wanted, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS))
  // The transport forgets all of these but the last: closed, it would keep the process for as long as a server likes.
  timer.unref()
  return () => clearTimeout(timer)
}

function cancelledId({ params }: NotificationFrame): FrameId | undefined {
  const id = params?.['requestId']
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('data' in error) || !isJsonObject(error.data)) return undefined
  return typeof error.data['status'] === 'number' ? error.data['status'] : undefined
}

/** Words of ours: what the server wrote into its answer goes nowhere. */
function reasonOf(error: unknown): string {
  const status = statusOf(error)
  if (status === 401 || (error instanceof Error && error.name === 'UnauthorizedError'))
    return 'the server wants another token (HTTP status 401)'
  if (status !== undefined) return `the server answered with HTTP status ${status}`
  return 'the server could not be reached, or its answer could not be read'
}
