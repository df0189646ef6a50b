import { isJsonObject, type JsonObject } from '../core/index.js'
import { gateCall, gatePrompt } from './calls.js'
import type { DropReason } from './events.js'
import {
  resultFrame,
  SUBSCRIPTION_KEY,
  typeFrame,
  type Frame,
  type NotificationFrame,
  type RequestFrame,
  type ResponseFrame,
} from './frames.js'
import { Handshake } from './handshake.js'
import { answerList } from './listing.js'
import { readOptions, type GuardOptions, type Settings } from './options.js'
import { rewriteResources, screenInputRequests, withoutSampledTools } from './rewrite.js'
import type { Surface } from './surface.js'
import { PASSED_GETTERS, PASSED_METHODS, type GuardedTransport, type InnerTransport } from './transport.js'
import { Verifier, type Session } from './verifier.js'
import { LISTS } from './walk.js'
import { Wire } from './wire.js'

/**
 * Puts the guard between a host's client and a server: the host sees and calls only tools that were signed, logged,
 * approved, unchanged and not revoked; instructions, prompts and resource templates as signed. Works above any MCP
 * transport, with both protocol eras and both major versions of the official SDK.
 *
 * What it promises (PROTOCOL 14): the host gets the signed copy, never the received object; a call goes through only for
 * a tool verified since the server's last `list_changed`; what cannot be verified is refused with an error, never
 * passed and never left unanswered. In `observe` everything passes as received and `onEvent` tells what would not have.
 *
 * @throws CountersignError `usage` when the options do not say which server this is
 *
 * @example
 * const inner = new StdioClientTransport({ command: 'weather-mcp' })
 * await client.connect(guardTransport(inner, { host, server: 'com.example/weather' }))
 */
export function guardTransport(inner: InnerTransport, options: GuardOptions): GuardedTransport {
  return new Guard(inner, readOptions(options))
}

class Guard implements GuardedTransport {
  onclose: (() => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onmessage: ((message: object, extra?: object) => void) | undefined = undefined
  declare readonly setProtocolVersion?: (version: string) => void
  declare readonly setSupportedProtocolVersions?: (versions: string[]) => void
  declare readonly hasPerRequestStream?: boolean

  readonly #inner: InnerTransport
  readonly #settings: Settings
  readonly #wire: Wire
  readonly #verifier: Verifier
  readonly #session: Session
  readonly #handshake: Handshake
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(inner: InnerTransport, settings: Settings) {
    this.#inner = inner
    this.#settings = settings
    this.#wire = new Wire(
      inner,
      { deliver: (message, extra) => this.onmessage?.(message, extra) },
      settings.pageMs,
    )
    this.#verifier = new Verifier(settings, this.#wire)
    this.#session = { settings, wire: this.#wire, verifier: this.#verifier }
    this.#handshake = new Handshake(this.#session, inner)
    passMembers(inner, this)
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId
  }

  // Writable members: SDK v2 replaces `start` once after it probed the era.
  start = async (): Promise<void> => {
    this.#inner.onmessage = (message: unknown, extra?: object) => this.#fromServer(message, extra)
    this.#inner.onerror = (error) => this.onerror?.(error)
    this.#inner.onclose = () => {
      this.#stop()
      this.onclose?.()
    }
    await this.#inner.start()
    this.#scheduleRecheck()
  }

  close = async (): Promise<void> => {
    this.#stop()
    await this.#inner.close()
  }

  send = async (message: object, options?: object): Promise<void> => {
    const frame = typeFrame(message)
    if (frame === undefined) this.#drop('host', whyNoFrame(message))
    else await this.#fromHost(frame, message, options)
  }

  recheck = async (): Promise<void> => {
    for (const surface of await this.#verifier.recheck()) surface.enqueue(() => this.#announce(surface))
  }

  async #fromHost(frame: Frame, message: object, options?: object): Promise<void> {
    this.#wire.noteEra(frame)
    if (frame.kind === 'response') await this.#wire.toServer(message, options)
    else if (frame.kind === 'notification') await this.#hostNotification(frame, message, options)
    else if (this.#wire.pending.add(frame)) await this.#hostRequest(frame, message, options)
    else this.#drop('host', 'id-in-use')
  }

  async #hostRequest(frame: RequestFrame, message: object, options?: object): Promise<void> {
    const forward = (): Promise<void> => this.#wire.forward(frame, message, options)
    const list = LISTS.find((one) => one.method === frame.method)
    const surface = list && this.#verifier.surface(list.kind)
    if (surface !== undefined) answerList(this.#session, surface, frame, forward)
    else if (frame.method === 'tools/call') await gateCall(this.#session, frame, forward)
    else if (frame.method === 'prompts/get') await gatePrompt(this.#session, frame, forward)
    else await forward()
  }

  async #hostNotification(frame: NotificationFrame, message: object, options?: object): Promise<void> {
    if (frame.method === 'notifications/cancelled') this.#wire.pending.cancel(frame.params?.['requestId'])
    if (frame.method === 'notifications/initialized' && this.#handshake.hostInitialized()) return
    await this.#wire.toServer(message, options)
  }

  #fromServer(message: unknown, extra?: object): void {
    const frame = typeFrame(message)
    const received = message as object
    if (frame === undefined) this.#drop('server', whyNoFrame(message))
    else if (frame.kind === 'response') this.#serverResponse(frame, received, extra)
    else if (frame.kind === 'notification') this.#serverNotification(frame, received, extra)
    else if (this.#wire.modern) this.#drop('server', 'request-in-modern-era')
    else this.#serverRequest(frame, received, extra)
  }

  #serverNotification(frame: NotificationFrame, message: object, extra?: object): void {
    const list = LISTS.find((one) => one.changed === frame.method)
    const surface = list && this.#verifier.surface(list.kind)
    const pass = (): void => this.#toHostInTurn(message, extra)
    surface?.freeze('server')
    if (surface === undefined) pass()
    else if (!surface.enqueueNews(pass)) this.#drop('server', 'flood')
  }

  #serverRequest(frame: RequestFrame, message: object, extra?: object): void {
    const screened =
      frame.method === 'sampling/createMessage' ? withoutSampledTools(frame.params) : frame.params
    const clean = screened === frame.params || this.#verifier.observing
    if (!clean) this.#settings.emit({ type: 'sampling-tools-removed' })
    this.#toHostInTurn(clean ? message : { ...message, params: screened }, extra)
  }

  #serverResponse(frame: ResponseFrame, message: object, extra?: object): void {
    const own = this.#wire.pending.takeOwn(frame.id)
    const request = own === undefined ? this.#wire.pending.takeForwarded(frame.id) : undefined
    if (own !== undefined) own(frame)
    else if (request === undefined) this.#drop('server', 'unsolicited-response')
    else if (frame.result === undefined) this.#wire.toHost(message, extra)
    else if (HANDSHAKES.has(request.method)) this.#handshake.complete(request, frame.result, extra)
    else this.#passResult(request, frame.result, message, extra)
  }

  #passResult(request: RequestFrame, result: JsonObject, message: object, extra?: object): void {
    const screened = this.#screen(request.method, result)
    this.#wire.toHost(screened === result ? message : resultFrame(request.id, screened), extra)
  }

  #screen(method: string, result: JsonObject): JsonObject {
    if (this.#verifier.observing) return result
    if (method === 'resources/list') return rewriteResources(result, this.#settings.recheckMs)
    const screened = screenInputRequests(result)
    if (screened !== result) this.#settings.emit({ type: 'sampling-tools-removed' })
    return screened
  }

  /** Tells the host that a list changed: plainly in the 2025 era, to each subscriber of it in the 2026 era. */
  #announce({ list }: Surface): void {
    const { pending, modern } = this.#wire
    const subscribers = pending
      .open('subscriptions/listen')
      .filter(({ params }) => asksFor(params, list.filter))
    for (const id of modern ? subscribers.map((request) => request.id) : [undefined]) {
      const params = id === undefined ? {} : { params: { _meta: { [SUBSCRIPTION_KEY]: id } } }
      this.#toHostInTurn({ jsonrpc: '2.0', method: list.changed, ...params })
    }
    this.#settings.emit({ type: 'list-changed-injected', list: list.kind })
  }

  #toHostInTurn(message: object, extra?: object): void {
    if (!this.#handshake.toHostInTurn(message, extra)) this.#drop('server', 'flood')
  }

  #drop(from: 'server' | 'host', reason: DropReason): void {
    this.#settings.emit({ type: 'frame-dropped', from, reason })
  }

  #scheduleRecheck(): void {
    // A tenth of jitter: ten thousand hosts that start together do not ask together.
    const delay = this.#settings.recheckMs * (0.9 + Math.random() * 0.1)
    this.#timer = setTimeout(() => {
      void this.recheck()
        .catch((error: unknown) => this.onerror?.(error instanceof Error ? error : new Error(String(error))))
        .then(() => this.#wire.closed || this.#scheduleRecheck())
    }, delay)
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#wire.close()
  }
}

function whyNoFrame(message: unknown): DropReason {
  return Array.isArray(message) ? 'batch' : 'not-a-frame'
}

const HANDSHAKES: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

function asksFor(params: JsonObject | undefined, filter: string): boolean {
  const wanted = params?.['notifications']
  return isJsonObject(wanted) && wanted[filter] === true
}

/** Members by which an SDK tells one transport from another are there exactly when the inner one has them. */
function passMembers(inner: InnerTransport, guard: GuardedTransport): void {
  for (const name of PASSED_METHODS) {
    const method = inner[name]
    if (method === undefined) continue
    Object.defineProperty(guard, name, { value: (value: never) => method.call(inner, value) })
  }
  for (const name of PASSED_GETTERS) {
    if (name in inner) Object.defineProperty(guard, name, { get: () => Reflect.get(inner, name) as unknown })
  }
}
