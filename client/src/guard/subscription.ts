import { isJsonObject, type JsonObject } from '../core/index.js'
import {
  LISTEN,
  METHOD_NOT_FOUND,
  SUBSCRIPTION_KEY,
  type NotificationFrame,
  type RequestFrame,
} from './frames.js'
import type { Session } from './session.js'
import { LISTS } from './walk.js'

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
const FILTERS: ReadonlySet<string> = new Set(LISTS.map((list) => list.filter))

/** How often the guard subscribes anew after the server ended its subscription. */
const MAX_REOPENED = 20
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 60_000

/**
 * In the 2026 era a server says that a list changed only to who subscribed. While the host has no subscription to its
 * lists the guard keeps one of its own, so that a change freezes the tools whether the host listens or not.
 */
export class OwnSubscription {
  readonly #session: Session
  #id: string | undefined
  #abort: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #reopened = 0
  #given = false
  #confirmed = false

  constructor(session: Session) {
    this.#session = session
  }

  /** The server answered a request of the host with a result: in the 2026 era it speaks that era. */
  noteResult(): void {
    if (this.#session.wire.modern) this.#confirmed = true
    this.sync()
  }

  /** Opens or ends it, as the host's own subscriptions and the server's capabilities say. Cheap: runs on each answer. */
  sync(): void {
    const wanted = this.#isWanted()
    if (wanted && this.#id === undefined && this.#timer === undefined) this.#open()
    else if (!wanted && this.#id !== undefined) this.#end()
  }

  /** Whether a notification belongs to it and not to the host. */
  owns({ method, params }: NotificationFrame): boolean {
    if (this.#id === undefined) return false
    if (method === 'notifications/cancelled' && params?.['requestId'] === this.#id) {
      this.#ended()
      return true
    }
    if (subscriptionOf(params) !== this.#id) return false
    if (method === ACKNOWLEDGED) this.#reopened = 0
    return true
  }

  stop(): void {
    this.#given = true
    clearTimeout(this.#timer)
    this.#abort?.abort()
  }

  #isWanted(): boolean {
    const { wire, verifier } = this.#session
    // A server of the 2025 era may end over a request it does not know: not before it showed that it knows this one.
    if (this.#given || !this.#confirmed || wire.closed || !wire.modern) return false
    const { capabilities } = verifier
    if (capabilities !== undefined && !announcesChanges(capabilities)) return false
    return !wire.pending.subscriptions.some(({ params }) => asksForLists(params))
  }

  #open(): void {
    const abort = new AbortController()
    const notifications = Object.fromEntries([...FILTERS].map((filter) => [filter, true]))
    this.#abort = abort
    this.#id = this.#session.wire.askOpen(
      LISTEN,
      { notifications },
      {
        // Streamable HTTP ends the stream by the signal and says when it ended by itself; stdio knows neither.
        options: { requestSignal: abort.signal, onRequestStreamEnd: () => this.#ended() },
        // An end in good order is an answer; an error says that there is nothing to subscribe to.
        onAnswer: (frame) => {
          if (frame.error !== undefined) this.#given = true
          this.#ended()
        },
        onFailure: () => this.#ended(),
      },
    )
  }

  #end(): void {
    const id = this.#id
    this.#forget()
    void this.#session.wire
      .toServer({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } })
      .catch(() => undefined)
  }

  #ended(): void {
    if (this.#id === undefined) return
    this.#forget()
    if (this.#given || ++this.#reopened > MAX_REOPENED) {
      this.#given = true
      return
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#reopened, LONGEST_PAUSE_MS)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.sync()
    }, pause)
    if (typeof this.#timer === 'object') this.#timer.unref()
  }

  #forget(): void {
    if (this.#id !== undefined) this.#session.wire.pending.dropOwn(this.#id)
    this.#id = undefined
    this.#abort?.abort()
    this.#abort = undefined
  }
}

function announcesChanges(capabilities: JsonObject): boolean {
  return LISTS.some(({ capability }) => {
    const offered = capabilities[capability]
    return isJsonObject(offered) && offered['listChanged'] === true
  })
}

// ------------------------------------------------------------------------------------ the host's subscriptions

export function subscriptionOf(params: JsonObject | undefined): unknown {
  const meta = params?.['_meta']
  return isJsonObject(meta) ? meta[SUBSCRIPTION_KEY] : undefined
}

export function asksFor(params: JsonObject | undefined, filter: string): boolean {
  const wanted = params?.['notifications']
  return isJsonObject(wanted) && wanted[filter] === true
}

function asksForLists(params: JsonObject | undefined): boolean {
  return asksFor(params, 'toolsListChanged')
}

/** The guard announces changes of lists itself, so a subscription to them is honoured whatever the server honours. */
export function honourLists(
  frame: NotificationFrame,
  message: object,
  open: () => readonly RequestFrame[],
): object {
  if (frame.method !== ACKNOWLEDGED) return message
  const id = subscriptionOf(frame.params)
  const request = open().find((one) => one.id === id)
  if (request === undefined) return message
  const told = frame.params?.['notifications']
  const notifications = { ...(isJsonObject(told) && told), ...listFilters(request.params) }
  return { ...message, params: { ...frame.params, notifications } }
}

/** A server that has no subscriptions: the guard keeps the host's open and speaks on it alone. */
export function isNoSubscriptions(request: RequestFrame, code: number | undefined): boolean {
  return (
    request.method === LISTEN &&
    code === METHOD_NOT_FOUND &&
    Object.keys(listFilters(request.params)).length > 0
  )
}

export function acknowledgement({ id, params }: RequestFrame): object {
  const notifications = listFilters(params)
  return {
    jsonrpc: '2.0',
    method: ACKNOWLEDGED,
    params: { notifications, _meta: { [SUBSCRIPTION_KEY]: id } },
  }
}

function listFilters(params: JsonObject | undefined): JsonObject {
  return Object.fromEntries(
    [...FILTERS].filter((filter) => asksFor(params, filter)).map((filter) => [filter, true]),
  )
}
