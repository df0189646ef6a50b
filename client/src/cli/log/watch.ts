import { parseServerName, type LogEvent } from '../../core/index.js'
import type { State } from './replay-state.js'
import type { Replayed } from './replay.js'

/** An event that concerns a namespace somebody watches. */
export interface WatchedEvent {
  /** Its position. */
  readonly index: number
  /** The namespace; empty for a tool's digest, which any namespace may use. */
  readonly namespace: string
  readonly event: LogEvent
}

/** The watched namespaces, and those below them. */
export interface Watch {
  /** What of a leaf concerns them. */
  pick(replayed: Replayed, state: State): WatchedEvent | undefined
  /** Whether a server is of one of them. */
  isOwn(server: string): boolean
  /** Whether this approved somebody else's voucher, which may speak of a server of theirs: only its manifest says so. */
  mayBeOwn(event: LogEvent, state: State): boolean
}

export function watchNamespaces(watched: readonly string[]): Watch {
  const wanted = watched.map((namespace) => namespace.toLowerCase())
  const concerns = (namespace: string): boolean => {
    const folded = namespace.toLowerCase()
    return wanted.some((one) => folded === one || folded.startsWith(`${one}.`))
  }
  return {
    pick({ index, event }, state) {
      if (event === undefined || wanted.length === 0) return undefined
      // One manifest's digest can stand under two names in a log that lies.
      const found = namespacesOf(event, state).find((one) => one === '' || concerns(one))
      return found === undefined ? undefined : { index, namespace: found, event }
    },
    isOwn: (server) => concerns(namespaceOf(server)),
    mayBeOwn(event, state) {
      if (event.t !== 'approve' || wanted.length === 0) return false
      return state.published.get(event.manifest)?.at(-1)?.role === 'voucher'
    },
  }
}

function namespacesOf(event: LogEvent, state: State): string[] {
  switch (event.t) {
    case 'namespace':
    case 'key.add':
    case 'key.revoke':
      return [event.namespace]
    case 'publish':
    case 'approve':
      return [namespaceOf(event.server), ...publishers(state, event.manifest)]
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      if (event.target === 'tool') return ['']
      return event.name === undefined ? publishers(state, event.digest ?? '') : [namespaceOf(event.name)]
    case 'root':
    case 'continue':
    case 'snapshot':
      return []
  }
}

function namespaceOf(server: string): string {
  return parseServerName(server).namespace
}

function publishers(state: State, digest: string): string[] {
  return (state.published.get(digest) ?? []).map(({ namespace }) => namespace)
}
