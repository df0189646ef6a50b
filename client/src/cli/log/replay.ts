import {
  CountersignError,
  eventTarget,
  parseEvent,
  refuse,
  type LogEvent,
  type RootEvent,
  type SnapshotEvent,
} from '../../core/index.js'
import { applyKeyAdd, applyKeyRevoke, applyNamespace } from './replay-keys.js'
import { applyApprove, applyDecision, applyPublish } from './replay-manifests.js'
import { emptyState, type Predecessor, type RootPeople, type State } from './replay-state.js'
import type { Lie } from './lie.js'

export type { Lie } from './lie.js'

export interface ReplaySummary {
  readonly entries: number
  readonly events: Readonly<Record<string, number>>
  readonly namespaces: number
  readonly manifests: number
  readonly revocations: number
  readonly lies: readonly Lie[]
}

/** What one leaf turned out to be; no event where it is none. */
export interface Replayed {
  /** Its position. */
  readonly index: number
  readonly event?: LogEvent
  readonly lie?: Lie
}

/** Takes the leaves in log order, one log of the identity after the other. */
export interface Replay {
  /** What the leaves so far say. */
  readonly state: State
  add(leaf: Uint8Array): Replayed
  /** The leaves to come are those of the successor of this frozen log. */
  succeed(after: Predecessor): void
  /** Where a tree ends that was signed: its last leaf must be a snapshot. */
  endTree(): Lie | undefined
  /** After the last leaf. The lies are those of this replay; what was found before a resumed one began is not repeated. */
  finish(): ReplaySummary
}

const MAX_LIES = 100

/**
 * Replays a log from its first leaf and derives everything it should say: who owned which key when, which version has
 * which manifest, what is revoked. Every claim of a leaf is compared with that (PROTOCOL 6).
 * @param rootDigests digest of the trust root's note by version, as far as they are known
 * @param rootPeople whom those roots name, where their signatures hold
 * @param resumed goes on after the leaves that made this state, which becomes the replay's own
 */
export function openReplay(
  registry: string,
  rootDigests: ReadonlyMap<number, string>,
  rootPeople: ReadonlyMap<number, RootPeople> = new Map(),
  resumed?: State,
): Replay {
  const state = resumed ?? emptyState({ registry, rootDigests, rootPeople })
  const lies: Lie[] = []
  const blame = (lie: Lie): Lie => {
    state.lies += 1
    if (lies.length < MAX_LIES) lies.push(lie)
    return lie
  }
  const endTree = (): Lie | undefined => {
    if (state.position === state.base || state.atSnapshot) return undefined
    const said = 'the log does not end with a snapshot'
    return { index: state.position - 1, code: 'snapshot-malformed', said, leaf: '' }
  }
  return {
    state,
    add(bytes) {
      const replayed = applyLeaf(state, bytes)
      if (replayed.lie !== undefined) blame(replayed.lie)
      state.position += 1
      return replayed
    },
    succeed(after) {
      state.base = state.position
      state.after = after
    },
    endTree,
    finish() {
      const unended = endTree()
      const { keys, byVersion, lines, events, position } = state
      return {
        entries: position,
        events: Object.fromEntries(events),
        namespaces: keys.size,
        manifests: byVersion.size,
        revocations: lines.size,
        lies: unended === undefined ? lies : [...lies, unended],
      }
    },
  }
}

/** One leaf at the state's position: counted, compared with what it should say, applied as far as it may be. */
function applyLeaf(state: State, bytes: Uint8Array): Replayed {
  const index = state.position
  state.atSnapshot = false
  let event: LogEvent | undefined
  try {
    event = parseEvent(bytes)
    state.events.set(event.t, (state.events.get(event.t) ?? 0) + 1)
    state.atSnapshot = event.t === 'snapshot'
    apply(state, event, index)
    return { index, event }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    const leaf = Buffer.from(bytes).toString('utf8')
    return { index, ...(event && { event }), lie: { index, code: error.code, said: error.message, leaf } }
  }
}

function apply(state: State, event: LogEvent, index: number): void {
  try {
    assertContinues(state, event, index)
    assertAfter(state, event)
    applyEvent(state, event, index)
  } finally {
    const target = eventTarget(event)
    if (target !== undefined) state.latest.set(target, index)
  }
}

/** PROTOCOL 6: a successor's entry 0 names the frozen log before it exactly, and no other entry continues anything. */
function assertContinues(state: State, event: LogEvent, index: number): void {
  const { base, after } = state
  if (index !== base || after === undefined) {
    if (event.t === 'continue') refuse('event-invalid', 'only entry 0 of a successor log continues another')
    return
  }
  const isExact =
    event.t === 'continue' &&
    event.origin === after.origin &&
    event.size === after.size &&
    event.root === after.root
  if (!isExact) refuse('event-invalid', `${after.origin} was frozen at ${after.size} and is not continued so`)
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
  state.roots.set(event.version, event.digest)
  const digest = state.rootDigests.get(event.version)
  if (digest !== event.digest) refuse('event-invalid', `root ${event.version} is served as something else`)
}

/** Derived again from every event before it: a snapshot that leaves a revocation out is the lie this is for. */
function applySnapshot(state: State, event: SnapshotEvent, index: number): void {
  if (event.asOf !== index - state.base) refuse('snapshot-malformed', `asOf is ${event.asOf}`)
  const root = state.lines.root()
  if (event.revocations !== root || event.count !== state.lines.size) {
    refuse('snapshot-malformed', `names ${event.count} revocations, the log holds ${state.lines.size}`)
  }
  if (event.rootVersion !== state.rootVersion) {
    refuse('snapshot-malformed', `names root ${event.rootVersion}, the log holds ${state.rootVersion}`)
  }
}
