import { closeConnection, announce, drop, openConnection, whyNoFrame, type Connection } from './connection.js'
import type { GuardEvent } from './events.js'
import { typeFrame } from './frames.js'
import { fromHost } from './from-host.js'
import { fromServer } from './from-server.js'
import { readOptions, type GuardOptions, type Settings } from './options.js'
import { PASSED_GETTERS, PASSED_METHODS, type GuardedTransport, type InnerTransport } from './transport.js'

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

/** The transport itself: two ends that meet in one connection, and the clock that asks the registry again. */
class Guard implements GuardedTransport {
  onclose: (() => void) | undefined = undefined
  onerror: ((error: Error) => void) | undefined = undefined
  onmessage: ((message: object, extra?: object) => void) | undefined = undefined
  declare readonly setProtocolVersion?: (version: string) => void
  declare readonly setSupportedProtocolVersions?: (versions: string[]) => void
  declare readonly hasPerRequestStream?: boolean

  readonly #inner: InnerTransport
  readonly #recheckMs: number
  readonly #connection: Connection
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(inner: InnerTransport, settings: Settings) {
    const emit = (event: GuardEvent): void => this.#tell(settings, event)
    const deliver = (message: object, extra?: object): void => this.onmessage?.(message, extra)
    this.#inner = inner
    this.#recheckMs = settings.recheckMs
    this.#connection = openConnection(inner, { deliver }, { ...settings, emit })
    passMembers(inner, this)
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId
  }

  // Writable members: SDK v2 replaces `start` once after it probed the era.
  start = async (): Promise<void> => {
    this.#inner.onmessage = (message: unknown, extra?: object) => fromServer(this.#connection, message, extra)
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
    if (frame === undefined) drop(this.#connection, 'host', whyNoFrame(message))
    else await fromHost(this.#connection, frame, message, options)
  }

  recheck = async (): Promise<void> => {
    const changed = await this.#connection.verifier.recheck()
    // Templates and resources share one notification: said once.
    const told = new Map(changed.map((surface) => [surface.list.changed, surface]))
    for (const surface of told.values()) surface.enqueue(() => announce(this.#connection, surface))
  }

  /** A listener that throws must not cost the host its answer. */
  #tell({ emit }: Settings, event: GuardEvent): void {
    try {
      emit(event)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }

  #scheduleRecheck(): void {
    // A tenth of jitter: ten thousand hosts that start together do not ask together.
    const delay = this.#recheckMs * (0.9 + Math.random() * 0.1)
    this.#timer = setTimeout(() => {
      void this.recheck()
        .catch((error: unknown) => this.#fail(error))
        .then(() => this.#connection.wire.closed || this.#scheduleRecheck())
    }, delay)
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  #stop(): void {
    clearTimeout(this.#timer)
    closeConnection(this.#connection)
  }
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
