import {
  parseEvent,
  parseServerName,
  type ApproveEvent,
  type DecisionEvent,
  type KeyRevokeEvent,
  type RootEvent,
} from 'countersign/core'
import type { Ledger } from '../../log/ledger.js'
import { isPublic } from '../../publish/catalogue.js'
import type { Store } from '../../storage/store.js'

/** What hosts and people act on. What was published and waits is for its owner and for reviewers. */
export const EVENT_TYPES = [
  'approve',
  'revoke',
  'reinstate',
  'deprecate',
  'withdraw',
  'reject',
  'key.revoke',
  'root',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** One event as it is streamed: `text` is its whole block. */
export interface PublicEvent {
  readonly position: number
  readonly type: EventType
  /** Whose it is; absent for what concerns everybody, and for what is known by its digest alone. */
  readonly namespace?: string | undefined
  /** Whether it concerns whoever follows any namespace: tools stand in many, and trust roots are everybody's. */
  readonly isEverybodys: boolean
  readonly text: string
}

export interface EventRooms {
  readonly ledger: Pick<Ledger, 'isPublished'>
  readonly store: Pick<Store, 'readManifest' | 'readServer'>
}

type Told = ApproveEvent | DecisionEvent | KeyRevokeEvent | RootEvent
type Said = { readonly namespace?: string; readonly isEverybodys?: true; readonly data: object }

const TOLD = new RegExp(`"t":"(?:${EVENT_TYPES.join('|').replaceAll('.', '\\.')})"`)

/** What everybody may be told of a leaf; undefined where that is nothing. */
export async function readPublicEvent(
  rooms: EventRooms,
  leaf: string,
  position: number,
): Promise<PublicEvent | undefined> {
  // Most entries are publications and snapshots. Quotes within a string are escaped: this can only be the member.
  if (!TOLD.test(leaf)) return undefined
  const event = parseEvent(leaf)
  if (!isTold(event)) return undefined
  const said = await say(rooms, event)
  if (said === undefined) return undefined
  const data = JSON.stringify({ index: position, type: event.t, ...said.data })
  return {
    position,
    type: event.t,
    namespace: said.namespace,
    isEverybodys: said.isEverybodys === true,
    text: `id: ${position}\nevent: ${event.t}\ndata: ${data}\n\n`,
  }
}

function isTold(event: ReturnType<typeof parseEvent>): event is Told {
  return (EVENT_TYPES as readonly string[]).includes(event.t)
}

async function say(rooms: EventRooms, event: Told): Promise<Said | undefined> {
  switch (event.t) {
    case 'approve': {
      const { manifest, server, version } = event
      return { namespace: namespaceOf(server), data: { manifest, server, version } }
    }
    case 'key.revoke': {
      const { namespace, kid, reason, invalidFrom } = event
      return { namespace, data: { namespace, kid, reason, invalidFrom } }
    }
    case 'root': {
      const { version, digest } = event
      return { isEverybodys: true, data: { version, digest } }
    }
    default:
      return sayDecision(rooms, event)
  }
}

/** A server is named only where its name is public: a manifest that never was is its digest, without a reason. */
async function sayDecision(rooms: EventRooms, event: DecisionEvent): Promise<Said | undefined> {
  const { target, digest, name, reason } = event
  if (target === 'tool') return { isEverybodys: true, data: { target, tool: digest, reason } }
  if (target === 'server') {
    if (name === undefined || !(await isServerPublic(rooms, name))) return undefined
    return { namespace: namespaceOf(name), data: { target, server: name, reason } }
  }
  const row = digest === undefined ? undefined : await rooms.store.readManifest(digest)
  if (row === undefined || !isPublic(row, rooms.ledger)) return { data: { target, manifest: digest } }
  const { server, version, namespace } = row
  return { namespace, data: { target, manifest: digest, server, version, reason } }
}

async function isServerPublic({ store, ledger }: EventRooms, name: string): Promise<boolean> {
  return (await store.readServer(name)).some((row) => isPublic(row, ledger))
}

function namespaceOf(server: string): string {
  return parseServerName(server).namespace
}
