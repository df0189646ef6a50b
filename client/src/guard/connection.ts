import { CallLog } from './call-log.js'
import type { DropReason } from './events.js'
import { SUBSCRIPTION_KEY } from './frames.js'
import { Handshake } from './handshake.js'
import type { Settings } from './options.js'
import type { Session } from './session.js'
import { Staples } from './staple.js'
import { asksFor, OwnSubscription } from './subscription.js'
import type { Surface } from './surface.js'
import { TaskTable } from './tasks.js'
import type { InnerTransport } from './transport.js'
import { Verifier } from './verifier.js'
import { Wire, type HostEnd } from './wire.js'

/** One guarded connection: what its parts share, and those that own a part of its course. */
export interface Connection extends Session {
  readonly handshake: Handshake
  readonly subscription: OwnSubscription
}

export function openConnection(inner: InnerTransport, host: HostEnd, settings: Settings): Connection {
  const wire = new Wire(inner, host, settings.pageMs)
  const session: Session = {
    settings,
    wire,
    verifier: new Verifier(settings, wire),
    calls: new CallLog(settings.emit),
    tasks: new TaskTable(),
    staples: new Staples(settings.emit),
  }
  return {
    ...session,
    handshake: new Handshake(session, inner),
    subscription: new OwnSubscription(session),
  }
}

export function closeConnection({ subscription, wire, calls }: Connection): void {
  subscription.stop()
  wire.close()
  calls.close()
}

export function drop({ settings }: Session, from: 'server' | 'host', reason: DropReason): void {
  settings.emit({ type: 'frame-dropped', from, reason })
}

export function whyNoFrame(message: unknown): DropReason {
  return Array.isArray(message) ? 'batch' : 'not-a-frame'
}

/** Behind what the handshake holds back. */
export function toHostInTurn(connection: Connection, message: object, extra?: object): void {
  if (!connection.handshake.toHostInTurn(message, extra)) drop(connection, 'server', 'flood')
}

/** The host no longer waits for an answer. */
export function giveUp({ wire, calls, subscription }: Connection, id: unknown): void {
  wire.pending.cancel(id)
  calls.end(id, { status: 'cancelled' })
  subscription.sync()
}

/** Tells the host that a list changed: plainly in the 2025 era, to each subscriber of it in the 2026 era. */
export function announce(connection: Connection, { list }: Surface): void {
  const { pending, modern } = connection.wire
  const subscribers = pending.subscriptions.filter(({ params }) => asksFor(params, list.filter))
  for (const id of modern ? subscribers.map((request) => request.id) : [undefined]) {
    const params = id === undefined ? {} : { params: { _meta: { [SUBSCRIPTION_KEY]: id } } }
    toHostInTurn(connection, { jsonrpc: '2.0', method: list.changed, ...params })
  }
  connection.settings.emit({ type: 'list-changed-injected', list: list.kind })
}
