import {
  CountersignError,
  encodeBase64,
  eventTarget,
  parseEvent,
  refuse,
  revocationRoot,
  sortRevocations,
  type LogEvent,
  type RootEvent,
  type SnapshotEvent,
} from '../../core/index.js'
import { applyKeyAdd, applyKeyRevoke, applyNamespace } from './replay-keys.js'
import { applyApprove, applyDecision, applyPublish } from './replay-manifests.js'
import type { RootPeople, State } from './replay-state.js'

/** Something in the log that cannot be true. */
export interface Lie {
  readonly index: number
  readonly code: string
  readonly said: string
  /** The leaf, for evidence. */
  readonly leaf: string
}

export interface ReplaySummary {
  readonly entries: number
  readonly events: Readonly<Record<string, number>>
  readonly namespaces: number
  readonly manifests: number
  readonly revocations: number
  readonly lies: readonly Lie[]
}

/** Takes the leaves in log order. */
export interface Replay {
  /** What the leaves so far say. */
  readonly state: State
  add(leaf: Uint8Array): void
  /** After the last leaf: whether it ended with a snapshot. */
  finish(): ReplaySummary
}

const MAX_LIES = 100

/**
 * Replays a log from its first leaf and derives everything it should say: who owned which key when, which version has
 * which manifest, what is revoked. Every claim of a leaf is compared with that (PROTOCOL 6).
 * @param rootDigests digest of the trust root's note by version, as far as they are known
 * @param rootPeople whom those roots name, where their signatures hold
 */
export function openReplay(
  registry: string,
  rootDigests: ReadonlyMap<number, string>,
  rootPeople: ReadonlyMap<number, RootPeople> = new Map(),
): Replay {
  const state: State = {
    registry,
    rootDigests,
    rootPeople,
    keys: new Map(),
    folded: new Set(),
    latest: new Map(),
    published: new Map(),
    byVersion: new Map(),
    lines: new Set(),
    rootVersion: 0,
  }
  const lies: Lie[] = []
  const events: Record<string, number> = {}
  let index = 0
  let last: { leaf: string; event: LogEvent } | undefined

  const blame = (leaf: string, error: unknown): void => {
    if (!(error instanceof CountersignError)) throw error
    if (lies.length < MAX_LIES) lies.push({ index, code: error.code, said: error.message, leaf })
  }
  return {
    state,
    add(bytes) {
      const leaf = Buffer.from(bytes).toString('utf8')
      try {
        const event = parseEvent(bytes)
        events[event.t] = (events[event.t] ?? 0) + 1
        last = { leaf, event }
        apply(state, event, index)
      } catch (error) {
        blame(leaf, error)
      }
      index += 1
    },
    finish() {
      if (index > 0 && last?.event.t !== 'snapshot') {
        lies.push({
          index: index - 1,
          code: 'snapshot-malformed',
          said: 'the log does not end with a snapshot',
          leaf: last?.leaf ?? '',
        })
      }
      const { keys, byVersion, lines } = state
      return {
        entries: index,
        events,
        namespaces: keys.size,
        manifests: byVersion.size,
        revocations: lines.size,
        lies,
      }
    },
  }
}

function apply(state: State, event: LogEvent, index: number): void {
  assertAfter(state, event)
  try {
    applyEvent(state, event, index)
  } finally {
    const target = eventTarget(event)
    if (target !== undefined) state.latest.set(target, index)
  }
}

/** PROTOCOL 6: `after` is the latest event about the same target that was logged before. */
function assertAfter(state: State, event: LogEvent): void {
  const target = eventTarget(event)
  if (target === undefined || event.t === 'publish') return
  const after = 'after' in event ? event.after : undefined
  const latest = state.latest.get(target)
  if (after !== latest)
    refuse('event-invalid', `after is ${after ?? 'absent'}, the latest was ${latest ?? 'none'}`)
}

function applyEvent(state: State, event: LogEvent, index: number): void {
  switch (event.t) {
    case 'namespace':
      applyNamespace(state, event, index)
      break
    case 'key.add':
      applyKeyAdd(state, event, index)
      break
    case 'key.revoke':
      applyKeyRevoke(state, event, index)
      break
    case 'publish':
      applyPublish(state, event, index)
      break
    case 'approve':
      applyApprove(state, event)
      break
    case 'reject':
    case 'withdraw':
    case 'deprecate':
    case 'revoke':
    case 'reinstate':
      applyDecision(state, event)
      break
    case 'root':
      applyRoot(state, event)
      break
    case 'continue':
      if (index > 0) refuse('event-invalid', 'continue is entry 0 or nothing')
      break
    case 'snapshot':
      applySnapshot(state, event, index)
      break
  }
}

function applyRoot(state: State, event: RootEvent): void {
  if (event.version !== state.rootVersion + 1)
    refuse('event-invalid', `root ${state.rootVersion + 1} was due`)
  state.rootVersion = event.version
  const digest = state.rootDigests.get(event.version)
  if (digest !== event.digest) refuse('event-invalid', `root ${event.version} is served as something else`)
}

/** Derived again from every event before it: a snapshot that leaves a revocation out is the lie this is for. */
function applySnapshot(state: State, event: SnapshotEvent, index: number): void {
  if (event.asOf !== index) refuse('snapshot-malformed', `asOf is ${event.asOf}`)
  const root = encodeBase64(revocationRoot(sortRevocations(state.lines)))
  if (event.revocations !== root || event.count !== state.lines.size) {
    refuse('snapshot-malformed', `names ${event.count} revocations, the log holds ${state.lines.size}`)
  }
  if (event.rootVersion !== state.rootVersion) {
    refuse('snapshot-malformed', `names root ${event.rootVersion}, the log holds ${state.rootVersion}`)
  }
}
