import type { Consent, Question } from './consent/types.js'
import { randomBytes, signerFromSeed, TRUST_ROOT_FORMAT, type Signer } from './core/index.js'

/** What this host knows of a registry; nothing in it goes backwards (PROTOCOL 11, world half). Plain JSON. */
export interface WorldMemory {
  readonly v: 2
  readonly root: { readonly version: number; readonly note: string }
  /** Absent until a first status was verified. */
  readonly log?: LogMemory
  /** The revocation list of {@link RevocationMemory}, by its root in hex, and the newest position that had it. */
  readonly listSeen?: { readonly root: string; readonly position: number }
  /** What a tree without quorum revokes: it counts until a quorum stands behind one of that size (PROTOCOL 7). */
  readonly denied?: DeniedMemory
  /** Lines that version 1 of this format kept here: they move to {@link RevocationMemory} at the next refresh. */
  readonly tombstones?: readonly string[]
  /** The newest host policy that its authorities signed, as a note; verified again whenever it is read. */
  readonly hostPolicy?: string
  /** Not empty: the registry is refused until a person clears it. */
  readonly evidence: readonly Evidence[]
}

/** The newest state of the log that was verified. Times are POSIX seconds, hashes base64. */
export interface LogMemory {
  readonly origin: string
  readonly size: number
  readonly root: string
  readonly note: string
  /** The status document as it came; verified again whenever it is read. */
  readonly status: string
  /** The newest T accepted, for the clock. */
  readonly attestedAt: number
  readonly snapshotIndex: number
}

/** Lines that no published list had when they were seen. */
export interface DeniedMemory {
  readonly origin: string
  readonly size: number
  readonly lines: readonly string[]
}

/**
 * Every revocation this host ever saw of a registry, apart from the rest: it can be large and seldom changes. Nothing in
 * it falls but by a proved reinstatement (PROTOCOL 11). Positions count over all logs of the registry.
 */
export interface RevocationMemory {
  /** Root of `list`, in hex. */
  readonly root: string
  /** Position of the first snapshot it was seen with; {@link WorldMemory.listSeen} may know a later one. */
  readonly seen: number
  /** The newest list, as it came. */
  readonly list: Uint8Array
  readonly tombstones: readonly Tombstone[]
  /** Lines that had fallen, and the newest position at which each was gone: no decision from before lifts them again. */
  readonly absent?: readonly Tombstone[]
}

/** A line that the newest list has not, and the position of the last snapshot that had it. */
export interface Tombstone {
  readonly line: string
  readonly seen: number
}

/** Two signed notes that exclude each other: checkpoints, or a checkpoint and the trust root that froze its log. */
export interface Evidence {
  readonly notes: readonly [remembered: string, shown: string]
  /** Same size, other root: a proof of misbehaviour by itself. Otherwise the consistency proof did not hold. */
  readonly conclusive: boolean
  /** POSIX seconds of this host's clock. */
  readonly seenAt: number
}

/** A server of one registry as it is configured in one place: `slot` is the configured launch or URL, as text. */
export interface ServerKey {
  readonly identity: string
  /** Empty for what is known of the slot itself: which server it turned out to be, or its pin. */
  readonly server: string
  readonly slot: string
}

/** What was accepted of one server in one slot (PROTOCOL 11, server half). Plain JSON. */
export interface ServerMemory {
  readonly v: 1
  /** For the slot itself: the server that was verified here; no fallback to a pin from then on. */
  readonly resolved?: string
  /** For the slot itself: the envelope of the local manifest, signed by the host key. */
  readonly pin?: string
  /** Accepted versions, newest acceptance last; the floor is the highest one that is not revoked. */
  readonly accepted: readonly Accepted[]
  /**
   * Until something is accepted: what went on of lists that no version held whole. It raises no floor, but the next version
   * is compared with it; at most 16, the newest stay.
   */
  readonly used?: readonly Accepted[]
  /** Own and sign keys whose chains were accepted. */
  readonly ownKids: readonly string[]
  readonly signKids: readonly string[]
  /** Variant by item, where it is not the base definition. */
  readonly variants: Readonly<Record<string, string>>
  /** Of items that have variants: every one that was accepted here, the base definition as an empty text. */
  readonly seen?: Readonly<Record<string, readonly string[]>>
  /** For a pin, in the slot itself, those of the pin. */
  readonly tools: readonly string[]
  /** POSIX seconds of the first acceptance: which of two servers was here first. */
  readonly since?: number
  /** What waits for a person; at most 16, the newest stay. */
  readonly questions?: readonly Question[]
  /** What a person answered; at most 64, the newest stay. */
  readonly consents?: readonly Consent[]
}

/** A server half as it is kept, with the key it is kept under. */
export interface RememberedServer {
  readonly key: ServerKey
  readonly memory: ServerMemory
}

export interface Accepted {
  readonly version: string
  readonly manifest: string
  /** The key that signed it, and where it was published with that: absent in what older versions wrote. */
  readonly signed?: { readonly kid: string; readonly index: number }
}

/**
 * Where a host keeps what it saw before. A port: each update is atomic over every process that shares the memory, and
 * durable when its promise resolves. An implementation that cannot read what it once wrote throws `memory-corrupt`
 * and never starts over by itself: an empty memory forgets revocations.
 */
export interface Memory {
  readWorld(identity: string): Promise<WorldMemory | undefined>
  /** `change` is called with what is stored now, possibly more than once; returning its argument writes nothing. */
  updateWorld(
    identity: string,
    change: (old: WorldMemory | undefined) => WorldMemory | undefined,
  ): Promise<WorldMemory | undefined>
  readRevocations(identity: string): Promise<RevocationMemory | undefined>
  /** As {@link Memory.updateWorld}. */
  updateRevocations(
    identity: string,
    change: (old: RevocationMemory | undefined) => RevocationMemory | undefined,
  ): Promise<RevocationMemory | undefined>
  readServer(key: ServerKey): Promise<ServerMemory | undefined>
  /** All server halves of a registry, in no order: which servers, and which of their tools, this host knows. */
  listServers(identity: string): Promise<readonly RememberedServer[]>
  updateServer(
    key: ServerKey,
    change: (old: ServerMemory | undefined) => ServerMemory | undefined,
  ): Promise<ServerMemory | undefined>
  /** Adds evidence to the world half; from then on the registry is refused. */
  keepEvidence(identity: string, evidence: Evidence): Promise<void>
  /** A person's decision, never the program's ({@link withoutEvidence}): the registry is used again. */
  clearEvidence(identity: string): Promise<readonly Evidence[]>
  /** Bytes that never change under their name (bundles, revocation lists, proofs). A cache: believed by nobody. */
  readBlob(identity: string, name: string): Promise<Uint8Array | undefined>
  writeBlob(identity: string, name: string, bytes: Uint8Array): Promise<void>
  /** The key that signs this host's own pins. Made on first use; the same ever after. */
  hostSigner(): Promise<Signer>
}

/** A memory with nothing in it yet. */
export const EMPTY_SERVER_MEMORY: ServerMemory = Object.freeze({
  v: 1,
  accepted: [],
  ownKids: [],
  signKids: [],
  variants: {},
  tools: [],
})

/** Adds evidence unless the very same is there; at most 16, the first ones stay. */
export function withEvidence(world: WorldMemory, evidence: Evidence): WorldMemory {
  const known = world.evidence.some(
    (e) => e.notes[0] === evidence.notes[0] && e.notes[1] === evidence.notes[1],
  )
  if (known || world.evidence.length >= 16) return world
  return { ...world, evidence: [...world.evidence, evidence] }
}

/**
 * What is left when a person has cleared the evidence. Where it spoke of a log that the trust root has frozen since, the
 * remembered tree is let go: the root says what that log was, and its successor is seen for the first time. Revocations
 * stay in any case.
 */
export function withoutEvidence(world: WorldMemory): WorldMemory {
  const { log, ...rest } = world
  const isFrozen = world.evidence.some(({ notes: [remembered, shown] }) => {
    return remembered === log?.note && shown.startsWith(`${TRUST_ROOT_FORMAT}\n`)
  })
  return { ...(isFrozen ? rest : world), evidence: [] }
}

/**
 * Whether a blob of this name is the first to go when the cache is full: a proof that one tree is a prefix of another is
 * small, is fetched again, and the next tree needs a new one. Whatever else is there is read for as long as it is in use.
 */
export function isShortLived(name: string): boolean {
  return /(?:^|[ -])consistency-[0-9-]+$/.test(name)
}

const MAX_BLOBS = 64

/**
 * A memory that ends with the process: first use again at every start. Good for tests and short-lived agents whose
 * rollback protection may start over; everything else wants `fileMemory` of `countersign/node`.
 */
export function memoryInProcess(): Memory {
  const worlds = new Map<string, WorldMemory>()
  const revocations = new Map<string, RevocationMemory>()
  const servers = new Map<string, ServerMemory>()
  const blobs = new Map<string, Uint8Array>()
  let signer: Signer | undefined
  const nameOf = (key: ServerKey): string => JSON.stringify([key.identity, key.server, key.slot])

  const keyOf = (name: string): ServerKey => {
    const [identity = '', server = '', slot = ''] = JSON.parse(name) as string[]
    return { identity, server, slot }
  }

  function update<T>(
    map: Map<string, T>,
    key: string,
    change: (old: T | undefined) => T | undefined,
  ): T | undefined {
    const next = change(map.get(key))
    if (next !== undefined) map.set(key, next)
    return next
  }

  function readBlob(identity: string, name: string): Uint8Array | undefined {
    return blobs.get(`${identity} ${name}`)
  }

  function writeBlob(identity: string, name: string, bytes: Uint8Array): void {
    const own = `${identity} ${name}`
    blobs.set(own, bytes)
    if (blobs.size <= MAX_BLOBS) return
    const others = [...blobs.keys()].filter((key) => key !== own)
    const first = others.find(isShortLived) ?? others[0]
    if (first !== undefined) blobs.delete(first)
  }

  function clearEvidence(identity: string): readonly Evidence[] {
    const world = worlds.get(identity)
    if (world !== undefined) worlds.set(identity, withoutEvidence(world))
    return world?.evidence ?? []
  }

  return {
    readWorld: (identity) => settle(() => worlds.get(identity)),
    updateWorld: (identity, change) => settle(() => update(worlds, identity, change)),
    readRevocations: (identity) => settle(() => revocations.get(identity)),
    updateRevocations: (identity, change) => settle(() => update(revocations, identity, change)),
    readServer: (key) => settle(() => servers.get(nameOf(key))),
    listServers: (identity) =>
      settle(() =>
        [...servers]
          .map(([name, memory]) => ({ key: keyOf(name), memory }))
          .filter(({ key }) => key.identity === identity),
      ),
    updateServer: (key, change) => settle(() => update(servers, nameOf(key), change)),
    keepEvidence: (identity, evidence) =>
      settle(() => void update(worlds, identity, (old) => old && withEvidence(old, evidence))),
    clearEvidence: (identity) => settle(() => clearEvidence(identity)),
    readBlob: (identity, name) => settle(() => readBlob(identity, name)),
    writeBlob: (identity, name, bytes) => settle(() => writeBlob(identity, name, bytes)),
    hostSigner: () => settle(() => (signer ??= signerFromSeed(randomBytes(32)))),
  }
}

/** A promise of a synchronous answer; what throws rejects. */
function settle<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()))
}
