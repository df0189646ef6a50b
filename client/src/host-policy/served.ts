import {
  CountersignError,
  isPolicyNote,
  openPolicyNote,
  refuse,
  type PolicyNote,
  type TrustRoot,
} from '../core/index.js'
import type { Memory, WorldMemory } from '../memory.js'
import type { RegistryApi } from '../registry-api.js'
import { checkHostPolicy } from './parse.js'
import type { HostPolicy } from './types.js'

export interface PolicyPorts {
  readonly api: RegistryApi
  readonly memory: Memory
  /** What was given up on, and why: what was in force stays so. */
  readonly onRefused: (error: CountersignError) => void
  readonly onChanged: (version: number, policy: HostPolicy) => void
}

/** The policy that the authorities of a registry signed for its hosts, as it is in force here. */
export interface PolicySource {
  /** @throws CountersignError why there is none: without a policy to go by a host lets nothing through */
  current(): HostPolicy
  /** Asks the registry, under the newest root that is known; unreachable, what is remembered counts. */
  follow(root: TrustRoot, isUnreachable: boolean): Promise<void>
}

interface InForce {
  /** Absent once nobody who may sign policies stands behind it. */
  readonly note?: PolicyNote
  readonly policy: HostPolicy
}

interface Shown extends InForce {
  readonly note: PolicyNote
}

/** Whoever lost the right to sign policies may have signed one that lets everything through: nothing of it stays. */
const LAPSED: InForce = { policy: { mode: 'enforce', unknownServers: 'block', managed: false } }

/**
 * Follows what `GET /v1/host-policy` serves (PROTOCOL 13). Only a note that the root's authorities signed is applied; its
 * version never goes back, over restarts and over all processes of this memory; and a registry that shows none any more,
 * or a bad one, changes nothing.
 */
export function openPolicySource({ api, memory, onRefused, onChanged }: PolicyPorts): PolicySource {
  let inForce: InForce | undefined
  let why: CountersignError | undefined

  function apply(root: TrustRoot, next: Shown | undefined): void {
    const before = inForce?.note
    if (next !== undefined && next.note.text !== before?.text) {
      inForce = next
      onChanged(next.note.version, next.policy)
    } else if (next === undefined && before !== undefined && openKept(before.note, root) === undefined) {
      inForce = LAPSED
      onChanged(before.version, LAPSED.policy)
    }
  }

  return {
    current: () => inForce?.policy ?? raise(why),
    async follow(root, isUnreachable) {
      try {
        const shown = isUnreachable ? undefined : await fetchPolicy(api, root)
        apply(root, await settlePolicy(memory, root, shown))
        if (inForce === undefined) raise()
      } catch (error) {
        if (!(error instanceof CountersignError) || OWN_FAULTS.has(error.code)) throw error
        // What this host remembers needs no registry, and no honest one.
        apply(root, await settlePolicy(memory, root, undefined))
        why = error
        onRefused(error)
      }
    },
  }
}

const OWN_FAULTS: ReadonlySet<string> = new Set(['memory-corrupt', 'memory-locked', 'io'])

function raise(why?: CountersignError): never {
  if (why !== undefined) throw why
  return refuse('policy-denied', 'this host goes by the policy of its registry, and there is none')
}

async function fetchPolicy(api: RegistryApi, root: TrustRoot): Promise<Shown | undefined> {
  const text = await api.fetchHostPolicy?.()
  if (text === undefined) return undefined
  if (!isPolicyNote(text)) refuse('signature-invalid', 'the policy that the registry serves is not signed')
  return open(text, root)
}

function open(text: string, root: TrustRoot): Shown {
  const note = openPolicyNote(text, root)
  return { note, policy: checkHostPolicy(note.body) }
}

/** The newer one of what is shown and what is remembered; in the memory before it is in force. */
async function settlePolicy(
  memory: Memory,
  root: TrustRoot,
  shown: Shown | undefined,
): Promise<Shown | undefined> {
  const kept = await memory.readWorld(root.identity)
  const before = remembered(kept, root)
  if (shown === undefined) return before
  assertFollows(shown.note, before?.note)
  await memory.updateWorld(root.identity, (old) => {
    assertFollows(shown.note, remembered(old, root)?.note)
    return old?.hostPolicy === shown.note.note ? old : withPolicy(old, root, shown.note.note)
  })
  return shown
}

/** Signed by who may no more, it counts for nothing: neither is it in force, nor do newer ones have to follow it. */
function remembered(world: WorldMemory | undefined, root: TrustRoot): Shown | undefined {
  return world?.hostPolicy === undefined ? undefined : openKept(world.hostPolicy, root)
}

function openKept(note: string, root: TrustRoot): Shown | undefined {
  try {
    return open(note, root)
  } catch (error) {
    if (error instanceof CountersignError) return undefined
    throw error
  }
}

function assertFollows(next: PolicyNote, before: PolicyNote | undefined): void {
  if (before === undefined || next.version > before.version || next.text === before.text) return
  refuse('rollback', 'the registry shows another host policy than was in force here', {
    version: next.version,
    remembered: before.version,
  })
}

function withPolicy(old: WorldMemory | undefined, root: TrustRoot, hostPolicy: string): WorldMemory {
  const first: WorldMemory = { v: 2, root: { version: root.version, note: root.note }, evidence: [] }
  return { ...(old ?? first), hostPolicy }
}
